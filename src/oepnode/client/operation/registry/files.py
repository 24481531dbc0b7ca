"""Files of assignments: registry snapshots in JSON, and tables in CSV or Parquet.

Guarantees: the first bytes decide the form; a file is read whole or rejected, with rows as places.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from oepnode.adapters.storage.parquet import is_parquet, read_rows
from oepnode.client.edge.tables import read_head
from oepnode.client.files import FileName, name_file, read_file, reason_of
from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.rounds.inputs.assignment_rows import COLUMNS, AssignmentRows
from oepnode.domain.rounds.inputs.registry_snapshot import Snapshot, parse_snapshot
from oepnode.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

_MAX_BYTES: Final = 4 * 2**30
_OPTIONAL: Final = "to"


def load_assignments(path: FileName) -> Snapshot | AssignmentRows:
    """A registry snapshot, or the columns of a table.

    Args:
        path: JSON, CSV with a header, or Parquet.

    Raises:
        DocumentFault: If the snapshot or the table's columns violate the rules.
        ConfigError: If the file cannot be read.
    """
    file = Path(path)
    with name_file(path):
        if is_parquet(file):
            return _columns(read_rows(file))
        if read_head(file).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
            return parse_snapshot(read_file(file, "registry snapshot", _MAX_BYTES))
        return _columns(_read_csv(file))


def _read_csv(path: Path) -> pl.DataFrame:
    import polars as pl

    log = FaultLog("table of assignments")
    try:
        frame = pl.read_csv(path, infer_schema=False)
    except pl.exceptions.PolarsError:
        # The library's message quotes the file.
        log.add("$", "csv.syntax", "not CSV with a header and as many cells in each row as in it")
        log.raise_if_any()
        raise
    except OSError as exc:
        raise ConfigError(f"{path}: not readable: {reason_of(exc)}") from exc
    while frame.height and all(cell is None for cell in frame.row(frame.height - 1)):
        frame = frame.head(frame.height - 1)  # an empty line at the end
    return frame.rename(lambda name: name.strip())


def _columns(frame: pl.DataFrame) -> AssignmentRows:
    import polars as pl

    log = FaultLog("table of assignments")
    for name in frame.columns:
        if name not in COLUMNS:
            message = f"a table of assignments has the columns {', '.join(COLUMNS)}"
            log.add("$", "field.unknown", message, "another column")
    for name in COLUMNS:
        if name not in frame.columns and name != _OPTIONAL:
            log.add(f"$.{name}", "field.missing", "a mandatory column is missing")
    log.raise_if_any()
    texts: dict[str, list[str | None]] = {}
    for name in COLUMNS:
        if name not in frame.columns:
            texts[name] = [None] * frame.height
            continue
        column = frame[name]
        if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone is not None:
            column = column.dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
        elif column.dtype == pl.Categorical:
            column = column.cast(pl.String)
        if column.dtype not in (pl.String, pl.Null):
            message = "texts are expected here, or for times timestamps with a time zone"
            log.add(f"$.{name}", "field.type", message, str(column.dtype))
            continue
        texts[name] = column.to_list()
    log.raise_if_any()
    return AssignmentRows(texts["nmi"], texts["aggregator"], texts["from"], texts["to"])
