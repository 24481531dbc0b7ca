"""Results of checking telemetry against envelopes: per site and interval, and minute by minute.

Values only; ``conformance`` makes them. Source: Part C §4.3 and §6.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from oepnode.domain.documents.arrays import Bools, Bytes, Int32s, Int64s
from oepnode.domain.edge.envelopes.table import EXPORT, IMPORT, EnvelopeTable
from oepnode.domain.edge.timeseries.energy import rounded_wh
from oepnode.domain.edge.timeseries.tolerance import MINUTE_S, MINUTES, Tolerance
from oepnode.domain.nem.quantities import NO_LIMIT

NO_HEADROOM: Final = 2**31 - 1
"""Headroom where nothing was measured against a limit."""

COUNTS: Final = {
    "readings": "measurements in the horizon",
    "duplicates": "measurements of a minute that had one already",
    "conflicting": "measured more than once with values that contradict each other: not assessed",
    "unlimited": "measurements without any limit to check against",
    "defaulted": "assessed against a default limit, at least in one direction",
    "no_envelope_stated": "no envelope stated, though one was in force",
    "unknown_envelope": "a submission timestamp that was never published for the interval",
    "superseded_envelope": "an envelope that a later one had replaced before the interval began",
    "future_envelope": "an envelope submitted after the measurement",
    "wrong_limits_stated": "stated limits that are not those of the envelope at either level",
    "export_minutes": "beyond the export limit",
    "import_minutes": "beyond the import limit",
}
"""Counts per site, in minutes."""


@dataclass(frozen=True, repr=False)
class EnvelopeConformance:
    """Result of checking telemetry against envelopes. Its repr shows no NMI.

    Attributes:
        envelopes: The envelopes, of one application level.
        tolerance: Allowance beyond the limits.
        counts: Per name of `COUNTS`, per site, int64.
        in_portfolio: Per site, whether it should have been measured.
        expected: Minutes per site that have a limit, for sites in the portfolio or with telemetry,
            int64.
        missing: Of these, minutes without a measurement, int64.
        minutes: Shape (sites, intervals), uint8: distinct minutes measured.
        conflicts: Shape (sites, intervals), uint8: of these, minutes in conflict.
        breach_minutes: Shape (sites, intervals), uint8.
        headroom_w: Shape (sites, intervals), int32: least distance to a limit, negative beyond it;
            `NO_HEADROOM` where nothing was assessed.
        limits_w: Shape (2, sites, intervals), int32: the tightest export and import limit applied
            in an interval, `NO_LIMIT` where there was none.
        beyond_w: Shape (2, sites, intervals), int32: largest excess beyond each, where it is more
            than the tolerance; 0 if never.
        worst_export_w: Per site, int64: largest excess beyond the export limit, 0 if never.
        worst_import_w: Per site, int64: largest excess beyond the import limit, as a magnitude.
        beyond_watt_minutes: Per site, int64: full excess of the minutes in breach.
        rows: Measurements received.
        foreign_rows: At NMIs without an envelope at this level.
        foreign_nmis: How many NMIs those are.
        outside_rows: Outside the horizon of the envelopes.
    """

    envelopes: EnvelopeTable
    tolerance: Tolerance
    counts: dict[str, Int64s]
    in_portfolio: Bools
    expected: Int64s
    missing: Int64s
    minutes: Bytes
    conflicts: Bytes
    breach_minutes: Bytes
    headroom_w: Int32s
    limits_w: Int32s
    beyond_w: Int32s
    worst_export_w: Int64s
    worst_import_w: Int64s
    beyond_watt_minutes: Int64s
    rows: int
    foreign_rows: int
    foreign_nmis: int
    outside_rows: int

    @property
    def is_breach(self) -> Bools:
        """Shape (sites, intervals): as many minutes beyond a limit as make a breach."""
        return np.asarray(self.breach_minutes >= self.tolerance.minutes)

    @property
    def judged(self) -> Bools:
        """Shape (sites, intervals): measured against a limit at least once."""
        return np.asarray(self.headroom_w != NO_HEADROOM)

    @property
    def breach_intervals(self) -> Int64s:
        """Intervals in breach, per site."""
        return np.asarray(self.is_breach.sum(axis=1), dtype=np.int64)

    @property
    def beyond_wh(self) -> Int64s:
        """Energy beyond the limits per site, to the nearest Wh; each minute with its reading."""
        return rounded_wh(self.beyond_watt_minutes, MINUTE_S)

    @property
    def measured(self) -> Bools:
        """Sites with telemetry."""
        return self.counts["readings"] > 0

    @property
    def has_limit(self) -> Bools:
        """Shape (sites, intervals): a limit is published."""
        limits = self.envelopes.limits[:, [EXPORT, IMPORT]]
        return np.asarray((limits != NO_LIMIT).any(axis=1))

    @property
    def unmeasured(self) -> Bools:
        """Sites with a limit and without any telemetry, in the portfolio or not."""
        return np.asarray(self.has_limit.any(axis=1) & ~self.measured)

    @property
    def lacking_intervals(self) -> Int64s:
        """Per site of the portfolio, intervals with a limit that lack more minutes than tolerated.

        They count as incomplete, because a minute that is left out may be the one in breach.
        """
        is_full = self.minutes - self.conflicts >= MINUTES - self.tolerance.missing
        lacking = (self.has_limit & ~(self.judged & is_full)).sum(axis=1, dtype=np.int64)
        return np.asarray(lacking * self.in_portfolio, dtype=np.int64)

    @property
    def is_complete(self) -> bool:
        """Whether no interval of the portfolio lacks minutes."""
        return not self.lacking_intervals.any()

    @property
    def conforms(self) -> bool | None:
        """Whether no interval is in breach; None where not every one was assessed."""
        if self.is_breach.any():
            return False
        return True if self.judged.any() and self.is_complete else None


@dataclass(frozen=True)
class Trace:
    """One site's measurements with the limits that applied, in order of time.

    Attributes:
        minute: UTC seconds.
        flow_w: The measurements.
        export_w: Export limits, `NO_LIMIT` where there is none.
        import_w: Import limits, likewise.
        is_breach: Whether the flow is beyond a limit by more than the tolerance.
    """

    minute: Int64s
    flow_w: Int64s
    export_w: Int64s
    import_w: Int64s
    is_breach: Bools
