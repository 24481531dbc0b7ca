"""A row for each NMI and interval that was judged: for files, and for the intervals in breach.

Prints NMIs, to whoever has the telemetry already.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
import typer

from oepnode.cli.common import output
from oepnode.cli.common.cells import counted
from oepnode.cli.common.output import LEVEL_NAMES
from oepnode.domain.edge.envelopes.table import EXPORT, IMPORT
from oepnode.domain.edge.telemetry.assessment import EnvelopeConformance
from oepnode.domain.nem.nem_time import INTERVAL_S, format_nem
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="File with a row for each NMI and interval that was judged: .csv or .parquet.",
    ),
]
COLUMNS: Final = {
    "nmi": "the NMI",
    "level": "application level of the envelope: NMI or Flex",
    "interval_end": "end of the interval, NEM time",
    "measured_minutes": "distinct minutes measured, at most 5",
    "breach_minutes": "of these, beyond a limit by more than the tolerance",
    "is_breach": "whether they are as many as make a breach (--breach-minutes)",
    "beyond_export_w": "furthest beyond the export limit, 0 if never by more than the tolerance",
    "beyond_import_w": "the same for the import limit, as a magnitude",
    "export_limit_w": "the closest export limit that was applied; empty where there was none",
    "import_limit_w": "the same for imports, ≤ 0",
    "least_headroom_w": "least distance to a limit, negative beyond it",
}
"""Columns of the file, in their order."""
AMOUNTS: Final = ("beyond_export_w", "beyond_import_w", "export_limit_w", "import_limit_w")


def check_file(file: Path) -> None:
    """Reject a file of another kind.

    Raises:
        ConfigError: With the kinds that are known.
    """
    if file.suffix not in {".csv", ".parquet"}:
        raise ConfigError(f"--out writes .csv or .parquet, received {file.name!r}")


def write(file: Path, reports: list[EnvelopeConformance]) -> None:
    """Write the intervals that were judged.

    Raises:
        ConfigError: If the file cannot be written.
    """
    import polars as pl

    table = pl.concat([frame(report) for report in reports])
    try:
        if file.suffix == ".csv":
            table.write_csv(file)
        else:
            table.write_parquet(file)
    except OSError as exc:
        raise ConfigError(f"{file}: not writable: {exc.strerror}") from exc
    output.say(f"{counted(table.height, 'interval')} of NMIs in {file}", "green", err=True)


def frame(report: EnvelopeConformance) -> pl.DataFrame:
    """A row for each site and interval that was judged, in order of site and time."""
    import polars as pl

    site, interval = np.nonzero(report.judged)
    at = (site, interval)
    envelopes = report.envelopes
    ends = pl.Series(
        [
            format_nem(envelopes.horizon_start + INTERVAL_S * (place + 1))
            for place in range(envelopes.interval_count)
        ],
        dtype=pl.String,
    )
    nmis = pl.Series([name.decode() for name in envelopes.nmis.tolist()], dtype=pl.String)
    limits, beyond = report.limits_w, report.beyond_w
    columns = {
        "nmi": nmis.gather(site),
        "level": pl.Series(LEVEL_NAMES).gather(envelopes.levels[site]),
        "interval_end": ends.gather(interval),
        "measured_minutes": report.minutes[at],
        "breach_minutes": report.breach_minutes[at],
        "is_breach": report.is_breach[at],
        "beyond_export_w": beyond[EXPORT][at],
        "beyond_import_w": beyond[IMPORT][at],
        "export_limit_w": pl.Series(limits[EXPORT][at]).replace(NO_LIMIT, None),
        "import_limit_w": pl.Series(limits[IMPORT][at]).replace(NO_LIMIT, None),
        "least_headroom_w": report.headroom_w[at],
    }
    return pl.DataFrame({name: columns[name] for name in COLUMNS})


def breaching(report: EnvelopeConformance, site: int) -> list[dict[str, Any]]:
    """The intervals of a site that are in breach, for JSON."""
    places = np.flatnonzero(report.is_breach[site]).tolist()
    return [breach(report, site, interval) for interval in places]


def breach(report: EnvelopeConformance, site: int, interval: int) -> dict[str, Any]:
    """One of them."""
    start = report.envelopes.horizon_start
    return {
        "interval_end": format_nem(start + INTERVAL_S * (interval + 1)),
        "minutes": int(report.breach_minutes[site, interval]),
        "beyond_export_w": int(report.beyond_w[EXPORT, site, interval]),
        "beyond_import_w": int(report.beyond_w[IMPORT, site, interval]),
        "export_limit_w": _limit(report, EXPORT, site, interval),
        "import_limit_w": _limit(report, IMPORT, site, interval),
    }


def worst(report: EnvelopeConformance, most: int) -> list[tuple[int, int]]:
    """Site and interval of the breaches that went furthest, at most so many."""
    site, interval = np.nonzero(report.is_breach)
    far = report.beyond_w.max(axis=0)[site, interval]
    order = np.argsort(-far.astype(np.int64), kind="stable")[:most]
    return list(zip(site[order].tolist(), interval[order].tolist(), strict=True))


def _limit(report: EnvelopeConformance, kind: int, site: int, interval: int) -> int | None:
    value = int(report.limits_w[kind, site, interval])
    return None if value == NO_LIMIT else value
