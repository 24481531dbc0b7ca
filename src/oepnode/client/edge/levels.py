"""Telemetry against envelopes of one application level, as rows: per NMI, per interval, per both.

Guarantees: each frame can be printed, written or encoded as it is; times are NEM time, amounts
integer W and Wh. Leaves out the checks: those are `domain.edge.telemetry.conformance`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from msgspec import Struct

from oepnode.client.answers import PrivateStruct
from oepnode.client.edge.envelopes import interval_ends
from oepnode.client.limits import LEVEL_NAMES
from oepnode.domain.edge.envelopes.table import EXPORT, IMPORT
from oepnode.domain.edge.telemetry.assessment import COUNTS, NO_HEADROOM, EnvelopeConformance
from oepnode.domain.edge.timeseries.energy import rounded_wh
from oepnode.domain.edge.timeseries.tolerance import MINUTE_S
from oepnode.domain.nem.quantities import NO_LIMIT

if TYPE_CHECKING:
    import polars as pl

COLUMNS: Final = {
    "nmi": "the NMI",
    "level": "application level of the envelope: NMI or Flex",
    "interval_end": "end of the interval, NEM time",
    "measured_minutes": "distinct minutes measured, at most 5",
    "breach_minutes": "of these, beyond a limit by more than the tolerance",
    "is_breach": "whether they are as many as make a breach",
    "beyond_export_w": "furthest beyond the export limit, 0 if never by more than the tolerance",
    "beyond_import_w": "the same for the import limit, as a magnitude",
    "export_limit_w": "the closest export limit that was applied; empty where there was none",
    "import_limit_w": "the same for imports, ≤ 0",
    "least_headroom_w": "least distance to a limit, negative beyond it",
}
"""Columns of `interval_rows`, in their order."""

STATED: Final = {
    "wrong_limits_stated": "wrong limits stated",
    "superseded_envelope": "superseded envelope",
    "unknown_envelope": "unknown envelope",
    "no_envelope_stated": "no envelope stated",
    "future_envelope": "future envelope",
}
"""Counts of minutes in which telemetry states another envelope than was in force, in words."""

IN_DOUBT: Final = ("conflicting", *STATED)
"""Counts of minutes of which the verdict is in doubt."""

BREACH_COLUMNS: Final = (
    "interval_end",
    "minutes",
    "beyond_export_w",
    "beyond_import_w",
    "export_limit_w",
    "import_limit_w",
)
"""Fields of an interval in breach, in their order."""


class ToleranceReport(Struct, frozen=True):
    """Tolerance: the larger of watts and permille, in fewer than so many minutes."""

    watts: int
    permille: int
    minutes: int


class LevelAssessment(PrivateStruct, frozen=True, kw_only=True):
    """Result of checking telemetry against the envelopes of one application level.

    Attributes:
        level: NMI or Flex.
        tolerance: The tolerance.
        rows: Measurements received.
        foreign_rows: Those at NMIs without an envelope at this level.
        foreign_nmis: Number of these NMIs.
        outside_rows: Measurements outside the horizon of the envelopes.
        nmis: NMIs with an envelope.
        measured_nmis: Those with telemetry.
        judged_intervals: Intervals of NMIs that were measured against a limit.
        breach_intervals: Those in breach.
        missing_minutes: Minutes without a measurement where one was expected.
        beyond_wh: Energy beyond the limits.
        minutes: Minutes per name of `conformance.COUNTS`.
        sites: A row per NMI that was measured or must have been.
        intervals: A row per interval of the horizon.
    """

    level: str
    tolerance: ToleranceReport
    rows: int
    foreign_rows: int
    foreign_nmis: int
    outside_rows: int
    nmis: int
    measured_nmis: int
    judged_intervals: int
    breach_intervals: int
    missing_minutes: int
    beyond_wh: int
    minutes: Mapping[str, int]
    sites: pl.DataFrame
    intervals: pl.DataFrame


def assess_level(result: EnvelopeConformance) -> LevelAssessment:
    """The result of one level, as numbers and rows."""
    table, tolerance = result.envelopes, result.tolerance
    return LevelAssessment(
        level=LEVEL_NAMES[table.levels[0]] if table.site_count else LEVEL_NAMES[0],
        tolerance=ToleranceReport(tolerance.watts, tolerance.permille, tolerance.minutes),
        rows=result.rows,
        foreign_rows=result.foreign_rows,
        foreign_nmis=result.foreign_nmis,
        outside_rows=result.outside_rows,
        nmis=table.site_count,
        measured_nmis=int(result.measured.sum()),
        judged_intervals=int(result.judged.sum()),
        breach_intervals=int(result.is_breach.sum()),
        missing_minutes=int(result.missing.sum()),
        beyond_wh=int(rounded_wh(result.beyond_watt_minutes.sum(), MINUTE_S)),
        minutes=MappingProxyType(
            {name: int(values.sum()) for name, values in result.counts.items()}
        ),
        sites=_site_rows(result),
        intervals=_horizon_rows(result),
    )


def interval_rows(result: EnvelopeConformance) -> pl.DataFrame:
    """A row for each site and interval that was judged, in order of site and time."""
    import polars as pl

    site, interval = np.nonzero(result.judged)
    at, table = (site, interval), result.envelopes
    ends = pl.Series(interval_ends(table), dtype=pl.String)
    limits, beyond = result.limits_w, result.beyond_w
    columns = {
        "nmi": _nmis(result).gather(site),
        "level": pl.Series(LEVEL_NAMES).gather(table.levels[site]),
        "interval_end": ends.gather(interval),
        "measured_minutes": result.minutes[at],
        "breach_minutes": result.breach_minutes[at],
        "is_breach": result.is_breach[at],
        "beyond_export_w": beyond[EXPORT][at],
        "beyond_import_w": beyond[IMPORT][at],
        "export_limit_w": pl.Series(limits[EXPORT][at]).replace(NO_LIMIT, None),
        "import_limit_w": pl.Series(limits[IMPORT][at]).replace(NO_LIMIT, None),
        "least_headroom_w": result.headroom_w[at],
    }
    return pl.DataFrame({name: columns[name] for name in COLUMNS})


def worst_sites(level: LevelAssessment) -> pl.DataFrame:
    """The NMIs in breach or in doubt, with the most intervals in breach first."""
    import polars as pl

    doubts = pl.sum_horizontal(pl.col("minutes").struct.field(name) for name in IN_DOUBT)
    ranked = level.sites.with_columns(in_doubt_minutes=doubts)
    listed = ranked.filter(pl.col("breach_intervals") + pl.col("in_doubt_minutes") > 0)
    order = ("breach_intervals", "in_doubt_minutes")
    return listed.sort(*order, descending=True, maintain_order=True)


def worst_breaches(intervals: pl.DataFrame, level: str, count: int) -> pl.DataFrame:
    """The intervals of a level in breach that went furthest, at most so many."""
    import polars as pl

    furthest = pl.max_horizontal("beyond_export_w", "beyond_import_w")
    breaches = intervals.filter(pl.col("is_breach") & (pl.col("level") == level)).rename(
        {"breach_minutes": "minutes"}
    )
    ordered = breaches.sort(furthest, descending=True, maintain_order=True)
    return ordered.head(count).select("nmi", *BREACH_COLUMNS)


def _nmis(result: EnvelopeConformance) -> pl.Series:
    import polars as pl

    names = [name.decode() for name in result.envelopes.nmis.tolist()]
    return pl.Series(names, dtype=pl.String)


def _site_rows(result: EnvelopeConformance) -> pl.DataFrame:
    import polars as pl

    site = np.flatnonzero(result.measured | result.in_portfolio)
    headroom = pl.Series(result.headroom_w.min(axis=1, initial=NO_HEADROOM)[site])
    minutes = pl.DataFrame({name: result.counts[name][site] for name in COUNTS})
    columns: dict[str, Any] = {
        "nmi": _nmis(result).gather(site),
        "judged_intervals": result.judged.sum(axis=1, dtype=np.int64)[site],
        "breach_intervals": result.breach_intervals[site],
        "worst_export_w": result.worst_export_w[site],
        "worst_import_w": result.worst_import_w[site],
        "beyond_wh": result.beyond_wh[site],
        "least_headroom_w": headroom.replace(NO_HEADROOM, None),
        "expected_minutes": result.expected[site],
        "missing_minutes": result.missing[site],
        "minutes": minutes.to_struct("minutes"),
        "breaching_intervals": _breaches_of(result).gather(site),
    }
    return pl.DataFrame(columns)


def _breaches_of(result: EnvelopeConformance) -> pl.Series:
    """The intervals in breach of every site of the envelopes, as lists of rows."""
    import polars as pl

    rows = interval_rows(result).filter("is_breach").rename({"breach_minutes": "minutes"})
    field = pl.struct(BREACH_COLUMNS).alias("breaching_intervals")
    lists = rows.group_by("nmi").agg(field)
    names = pl.DataFrame({"nmi": _nmis(result)})
    joined = names.join(lists, on="nmi", how="left", maintain_order="left")
    return joined["breaching_intervals"].fill_null([])


def _horizon_rows(result: EnvelopeConformance) -> pl.DataFrame:
    import polars as pl

    least = pl.Series(result.headroom_w.min(axis=0, initial=NO_HEADROOM), dtype=pl.Int64)
    return pl.DataFrame(
        {
            "interval_end": pl.Series(interval_ends(result.envelopes), dtype=pl.String),
            "judged_nmis": result.judged.sum(axis=0, dtype=np.int64),
            "breach_nmis": result.is_breach.sum(axis=0, dtype=np.int64),
            "least_headroom_w": least.replace(NO_HEADROOM, None),
        }
    )
