"""Submissions as the input of a command, in any of their forms.

Leaves out printing the acknowledgements: that is ``acknowledgements``.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

from oepnode.adapters.storage import parquet as parquet_files
from oepnode.cli.common import output
from oepnode.client.files import read_file
from oepnode.domain.edge.validation.acknowledgement import ValidationResult
from oepnode.domain.nem.nem_time import parse_trading_date
from oepnode.domain.nem.quantities import Feed
from oepnode.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

T = TypeVar("T")

TelemetryFile = Annotated[
    Path,
    typer.Argument(
        metavar="TELEMETRY", help="JSON or NDJSON, a Parquet file, or a folder of Parquet files."
    ),
]
UnitOption = Annotated[
    str | None,
    typer.Option(
        "--id",
        help="The DUID that is judged: targets and DUID telemetry of others are left out. Default: "
        "the one that the files are of.",
    ),
]

DayOption = Annotated[
    str | None,
    typer.Option(
        "--day",
        help="Trading day (yyyy-mm-dd) that must be covered whole: gaps at its ends count too.",
    ),
]

_MOST_BYTES: Final = 1 << 32


def day_of(text: str | None) -> date | None:
    """The day of `DayOption`.

    Raises:
        ConfigError: If it is none.
    """
    if text is None:
        return None
    try:
        return parse_trading_date(text)
    except ValueError as exc:
        raise ConfigError(f"--day is yyyy-mm-dd, received {text!r}: {exc}") from exc


# --- reading -------------------------------------------------------------------------------------


def read_telemetry(
    file: Path, day: date | None = None, feed: Feed | None = None
) -> ValidationResult[pl.DataFrame]:
    """Telemetry of NMIs or of a DUID, from JSON, NDJSON or Parquet."""
    from oepnode.domain.edge.telemetry import validate as telemetry

    if parquet_files.is_parquet(file):
        rows = parquet_files.read_rows(file)
        return telemetry.validate_frame(rows, feed=feed, day=day, message_id=file.name)
    return telemetry.validate(read_json(file, "telemetry"), feed=feed, day=day)


def read_forecast(file: Path, day: date | None = None) -> ValidationResult[pl.DataFrame]:
    """Uncontrolled forecasts, from JSON, NDJSON or Parquet."""
    from oepnode.domain.edge.forecasts import validate as forecast

    if parquet_files.is_parquet(file):
        rows = parquet_files.read_rows(file)
        return forecast.validate_frame(rows, day=day, message_id=file.name)
    return forecast.validate(read_json(file, "forecast"), day=day)


def read_dispatch(file: Path, day: date | None = None) -> ValidationResult[pl.DataFrame]:
    """Dispatch instructions, from JSON, NDJSON or Parquet."""
    from oepnode.domain.edge.dispatch import validate as dispatch

    if parquet_files.is_parquet(file):
        rows = parquet_files.read_rows(file)
        return dispatch.validate_frame(rows, day=day, message_id=file.name)
    return dispatch.validate(read_json(file, "dispatch instructions"), day=day)


def read_json(file: Path, what: str) -> bytes:
    """A JSON document's bytes.

    Raises:
        ConfigError: If it cannot be read.
    """
    return read_file(file, what, _MOST_BYTES)


def load_telemetry(file: Path, wanted: str | None = None) -> pl.DataFrame:
    """Telemetry for a command that works with it; that of a DUID is of one.

    Args:
        file: Telemetry of NMIs or of a DUID, in any form.
        wanted: The DUID that is meant, where a file of DUID telemetry holds several.

    Raises:
        DocumentFault: If the form is rejected, or the DUIDs are mixed.
    """
    found = read_telemetry(file)
    if found.value is not None and "duid" in found.value.columns:
        return select_duid(found, file, wanted)[0]
    return require_schema_valid(found, file)


def select_duid(
    received: ValidationResult[pl.DataFrame], file: Path, wanted: str | None
) -> tuple[pl.DataFrame, str]:
    """Rows of one DUID, and which it is; the rows of others are counted on stderr.

    Raises:
        DocumentFault: If the form is rejected, or the DUIDs are mixed and none is named.
    """
    from oepnode.domain.edge.telemetry import duid as one_unit

    if received.value is None:
        received.raise_if_rejected()
        raise AssertionError
    rows, duid = one_unit.only(received.value, wanted, received.what)
    require_schema_valid(received, file)
    others = received.value.height - rows.height
    if others:
        output.note(f"{file.name}: {others} rows are of other DUIDs than {duid} and left out")
    return rows, duid


def require_schema_valid(received: ValidationResult[T], file: Path) -> T:
    """What was read, for a command that works with it; its faults are told on stderr.

    A submission whose form is right but whose business rules are broken can still be looked into:
    gaps and doubled measurements are part of a report.

    Raises:
        DocumentFault: If the form is rejected.
    """
    if received.value is None:
        received.raise_if_rejected()
        raise AssertionError
    if not received.transaction.accepted:
        output.note(
            f"{file.name}: the transaction would be rejected: {received.transaction.message}; "
            "the report goes on with what is there (see the command validate)"
        )
    return received.value
