"""Conformance: telemetry against the envelope that was applied.

Guarantees: every measurement is counted in exactly one place (judged, without a limit, a copy, in a
conflict, outside the horizon, at an NMI without an envelope); memory depends on sites and
intervals, not on rows; the order of rows does not matter. Amounts are integer W.

How a measurement is judged:

* It belongs to the dispatch interval that it lies in: 10:00 is the last minute of DI 10:00.
* The envelope is the published one with the submission timestamp that the telemetry states
  (Part C §4.3 field 4). Where the telemetry states none, or one that was never published, the
  envelope in force at the interval's start is taken, and that is counted. Where the publication
  tells no times, as a bundle does, the envelope that stands is taken.
* A limit that was not published is the default of the caller; without one, what the telemetry
  states was applied (§4.3 fields 5 and 6: "or use default values").
* At level NMI the flow at the connection point counts, at level Flex the sum of controlled
  generation and controlled load (§6.3 field 4).
* Beyond the limit by more than the tolerance is a breach.
* A minute that stands twice is judged once, or not at all where its values contradict each other
  (``doubled``).
* Limits stated are wrong where they are those of neither level of the NMI: §4.3 has one pair of
  fields for both.

Where the NMIs that should have been measured are known, one that was not, or more minutes of an
interval of it than are tolerated, leaves the report incomplete: what was left out does not conform.

Leaves out validating the telemetry (``telemetry``) and reading it, how an envelope is found
(``applied``), and dispatch targets (``targets``). Source: Part C §4.3 and §6.3.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from oepnode.domain.documents.arrays import Bools, Bytes, Indices, Int32s, Int64s
from oepnode.domain.edge.envelopes.in_force import EnvelopeHistory, OtherLevelLimits, TelemetryBatch
from oepnode.domain.edge.envelopes.table import EXPORT, IMPORT, EnvelopeTable
from oepnode.domain.edge.timeseries import duplicates as doubled
from oepnode.domain.edge.timeseries.energy import rounded_wh
from oepnode.domain.edge.timeseries.tolerance import MINUTE_S, MINUTES, Tolerance
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.nem.quantities import NO_LIMIT, DefaultLimits

if TYPE_CHECKING:
    import polars as pl


NO_HEADROOM: Final = 2**31 - 1
"""Stands where nothing was measured against a limit."""

_UNLIMITED: Final = 2**31 - 1
_BATCH: Final = 1 << 18

COUNTS: Final = {
    "readings": "measurements in the horizon",
    "duplicates": "measurements of a minute that had one already",
    "conflicting": "measured more than once with values that contradict each other: not judged",
    "unlimited": "measurements without any limit to hold them against",
    "defaulted": "judged by a default limit, at least in one direction",
    "unapplied": "no envelope stated, though one was in force",
    "unknown": "a submission timestamp that was never published for the interval",
    "stale": "an envelope that a later one had replaced before the interval began",
    "premature": "an envelope submitted after the measurement",
    "misstated": "limits stated that are not those of the envelope at either level",
    "export_minutes": "beyond the export limit",
    "import_minutes": "beyond the import limit",
}
"""What is counted per site, in minutes."""


@dataclass(frozen=True, repr=False)
class EnvelopeConformance:
    """What came of holding telemetry against envelopes. Its repr shows no NMI.

    Attributes:
        envelopes: What was held against, of one application level.
        tolerance: What was allowed.
        counts: Per name of `COUNTS`, per site, int64.
        is_ours: Per site, whether it should have been measured.
        expected: Minutes per site that have a limit, for sites that are ours or have telemetry,
            int64.
        missing: Of these, minutes without a measurement, int64.
        minutes: Shape (sites, intervals), uint8: distinct minutes measured.
        conflicts: Shape (sites, intervals), uint8: of these, minutes in conflict.
        breach_minutes: Shape (sites, intervals), uint8.
        headroom_w: Shape (sites, intervals), int32: least distance to a limit, negative beyond it;
            `NO_HEADROOM` where nothing was judged.
        limits_w: Shape (2, sites, intervals), int32: the closest export and import limit that an
            interval was judged by, `power.NO_LIMIT` where there was none.
        beyond_w: Shape (2, sites, intervals), int32: furthest beyond each, by more than the
            tolerance; 0 if never.
        worst_export_w: Per site, int64: furthest beyond the export limit, 0 if never.
        worst_import_w: Per site, int64: furthest beyond the import limit, as a magnitude.
        beyond_watt_minutes: Per site, int64: excess of the minutes in breach, whole.
        rows: Measurements received.
        foreign_rows: At NMIs without an envelope at this level.
        foreign_nmis: How many NMIs those are.
        outside_rows: Outside the horizon of the envelopes.
    """

    envelopes: EnvelopeTable
    tolerance: Tolerance
    counts: dict[str, Int64s]
    is_ours: Bools
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
        """Shape (sites, intervals): enough minutes beyond a limit."""
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
        """Shape (sites, intervals): a limit is published, so that there is something to keep to."""
        limits = self.envelopes.limits[:, [EXPORT, IMPORT]]
        return np.asarray((limits != NO_LIMIT).any(axis=1))

    @property
    def unmeasured(self) -> Bools:
        """Sites with a limit and without any telemetry, ours or not."""
        return np.asarray(self.has_limit.any(axis=1) & ~self.measured)

    @property
    def lacking_intervals(self) -> Int64s:
        """Per site that is ours, intervals with a limit that lack more minutes than is tolerated.

        Whoever may leave out a minute may leave out the one in breach.
        """
        whole = self.minutes - self.conflicts >= MINUTES - self.tolerance.missing
        lacking = (self.has_limit & ~(self.judged & whole)).sum(axis=1, dtype=np.int64)
        return np.asarray(lacking * self.is_ours, dtype=np.int64)

    @property
    def is_complete(self) -> bool:
        """Whether no interval lacks minutes, at all sites that are ours."""
        return not self.lacking_intervals.any()

    @property
    def conforms(self) -> bool | None:
        """Whether no interval is in breach; None where nothing was judged, or not everything."""
        if self.is_breach.any():
            return False
        return True if self.judged.any() and self.is_complete else None


class ConformanceChecker:
    """Takes telemetry in any order and any number of pieces; `report` tells what came of it.

    Args:
        envelopes: Published envelopes; the sites of other levels are left out.
        level: 0 NMI, 1 Flex.
        tolerance: What is allowed.
        defaults: Limits where none is published.
        ours: NMIs that should have been measured; the others are judged where they were.
    """

    def __init__(
        self,
        envelopes: EnvelopeTable,
        level: int = 0,
        tolerance: Tolerance | None = None,
        defaults: DefaultLimits | None = None,
        ours: AbstractSet[str] = frozenset(),
    ) -> None:
        self._envelopes = envelopes.at_level(level)
        self._level = level
        self._is_ours = np.isin(
            self._envelopes.nmis, np.array([name.encode() for name in ours], dtype="S10")
        )
        self._tolerance = tolerance or Tolerance()
        self._defaults = defaults or DefaultLimits()
        sites, intervals = self._envelopes.site_count, self._envelopes.interval_count
        self._applied_by = EnvelopeHistory(self._envelopes)
        self._beside = OtherLevelLimits(self._envelopes, envelopes.at_level(1 - level))
        self._counts = {name: np.zeros(sites, dtype=np.int64) for name in COUNTS}
        self._seen = np.zeros((sites, intervals * MINUTES), dtype=np.bool_)
        self._contradicted = np.zeros((sites, intervals * MINUTES), dtype=np.bool_)
        self._breaches = np.zeros(sites * intervals, dtype=np.int64)
        self._headroom = np.full(sites * intervals, NO_HEADROOM, dtype=np.int64)
        self._closest = np.full((2, sites * intervals), NO_LIMIT, dtype=np.int32)
        self._closest[EXPORT] = _UNLIMITED
        self._furthest = np.zeros((2, sites * intervals), dtype=np.int64)
        self._worst = np.zeros((2, sites), dtype=np.int64)
        self._beyond = np.zeros(sites, dtype=np.int64)
        self._rows = self._foreign = self._outside = 0
        self._foreign_nmis: set[str] = set()

    def add(self, telemetry: pl.DataFrame) -> None:
        """Judge more measurements.

        Args:
            telemetry: Columns as in ``telemetry.COLUMNS``; ``minute`` in whole minutes.

        Raises:
            ValueError: If an earlier piece had a minute of an NMI already: what stands twice can
                only be settled within one piece.
        """
        settled = doubled.deduplicate(telemetry)
        rows = settled.rows
        site = self._sites(rows["nmi"])
        for first in range(0, rows.height, _BATCH):
            part = slice(first, min(first + _BATCH, rows.height))
            self._add(TelemetryBatch(rows[part], self._level), site[part].astype(np.intp))
        if settled.copies.height:
            self._place(settled.copies)
        if settled.conflicts.height:
            self._set_aside(settled.conflicts)

    def report(self) -> EnvelopeConformance:
        """What came of all measurements so far."""
        sites, intervals = self._envelopes.site_count, self._envelopes.interval_count
        limits = self._applied_by.limits
        has_limit = (limits[EXPORT] != NO_LIMIT) | (limits[IMPORT] != NO_LIMIT)
        minutes = self._seen.reshape(sites, intervals, MINUTES).sum(axis=2, dtype=np.uint8)
        is_expected = (self._counts["readings"] > 0) | self._is_ours
        expected = has_limit.sum(axis=1, dtype=np.int64) * MINUTES * is_expected
        lacking = np.where(has_limit, MINUTES - minutes, 0).sum(axis=1, dtype=np.int64)
        counts = {name: column.copy() for name, column in self._counts.items()}
        counts["duplicates"] = counts["readings"] - minutes.sum(axis=1, dtype=np.int64)
        breaches = self._breaches.reshape(sites, intervals)
        return EnvelopeConformance(
            envelopes=self._envelopes,
            tolerance=self._tolerance,
            counts=counts,
            is_ours=self._is_ours,
            expected=expected,
            missing=lacking * is_expected,
            minutes=minutes,
            conflicts=self._contradicted.reshape(sites, intervals, MINUTES).sum(
                axis=2, dtype=np.uint8
            ),
            breach_minutes=np.minimum(breaches, 255).astype(np.uint8),
            headroom_w=np.clip(self._headroom, -NO_HEADROOM, NO_HEADROOM)
            .astype(np.int32)
            .reshape(sites, intervals),
            limits_w=np.where(self._closest == _UNLIMITED, NO_LIMIT, self._closest).reshape(
                2, sites, intervals
            ),
            beyond_w=np.minimum(self._furthest, NO_HEADROOM)
            .astype(np.int32)
            .reshape(2, sites, intervals),
            worst_export_w=self._worst[EXPORT].copy(),
            worst_import_w=self._worst[IMPORT].copy(),
            beyond_watt_minutes=self._beyond.copy(),
            rows=self._rows,
            foreign_rows=self._foreign,
            foreign_nmis=len(self._foreign_nmis),
            outside_rows=self._outside,
        )

    def trace(self, telemetry: pl.DataFrame) -> Trace:
        """Every minute of the only site; `trace` is the function to call.

        Raises:
            ValueError: If there is not one site.
        """
        if self._envelopes.site_count != 1:
            raise ValueError("one site has a trace, and this NMI has no envelope at this level")
        start, end = self._envelopes.horizon_start, self._envelopes.horizon_end
        batch = TelemetryBatch(doubled.deduplicate(telemetry).rows.sort("minute"), self._level)
        batch = batch.take((batch.minute > start) & (batch.minute <= end))
        site = np.zeros(len(batch.minute), dtype=np.intp)
        interval = (batch.minute - start - 1) // INTERVAL_S
        export, import_ = self._applied(batch, site, interval)
        over, under = _room(batch.flow_w, (export, import_))
        upper, lower = export.astype(np.int64), import_.astype(np.int64)
        allowed = self._tolerance.allowance
        is_breach = (over < -allowed(upper)) | (under < -allowed(lower))
        return Trace(batch.minute, batch.flow_w.astype(np.int64), upper, lower, is_breach)

    # -- steps -----------------------------------------------------------------------------------

    def _sites(self, names: pl.Series) -> Int32s:
        """Index of each row's site, −1 where there is no envelope."""
        import polars as pl

        if not len(names):
            return np.empty(0, dtype=np.int32)
        codes = names.cast(pl.Categorical)
        physical = codes.to_physical().to_numpy()
        used = np.flatnonzero(np.bincount(physical))
        somewhere = np.zeros(int(used[-1]) + 1, dtype=np.int32)
        somewhere[physical] = np.arange(len(physical), dtype=np.int32)
        texts = codes.gather(somewhere[used]).cast(pl.String).to_list()
        keys = np.array([str(text).encode("ascii", "replace")[:11] for text in texts], dtype="S11")
        known = self._envelopes.nmis.astype("S11")
        order = np.argsort(known)
        place = np.searchsorted(known, keys, sorter=order)
        place[place == len(known)] = 0
        at = order[place] if len(known) else np.zeros(len(keys), dtype=np.intp)
        is_known = known[at] == keys if len(known) else np.zeros(len(keys), dtype=np.bool_)
        found = np.where(is_known, at, -1)
        self._foreign_nmis.update(
            text for text, site in zip(texts, found.tolist(), strict=True) if site < 0
        )
        somewhere[used] = found
        return np.asarray(somewhere[physical], dtype=np.int32)

    def _add(self, batch: TelemetryBatch, site: Indices) -> None:
        kept = self._is_kept(batch.minute, site)
        if not kept.all():
            batch, site = batch.take(kept), site[kept]
        if not len(site):
            return
        minute = self._note(batch.minute, site)
        interval = minute // MINUTES
        limits = self._applied(batch, site, interval)
        self._judge(batch.flow_w, limits, site, site * self._envelopes.interval_count + interval)

    def _is_kept(self, minute: Int64s, site: Indices) -> Bools:
        """Rows in the horizon at a site with an envelope; the others are counted."""
        inside = (minute > self._envelopes.horizon_start) & (minute <= self._envelopes.horizon_end)
        self._rows += len(site)
        self._foreign += int((site < 0).sum())
        self._outside += int(((site >= 0) & ~inside).sum())
        return np.asarray(inside & (site >= 0))

    def _note(self, minute: Int64s, site: Indices) -> Int64s:
        """Note that these minutes were measured, each once; returns their places."""
        place = (minute - self._envelopes.horizon_start - 1) // MINUTE_S
        if self._seen[site, place].any():
            raise ValueError("an earlier piece of telemetry had a minute of this one")
        self._seen[site, place] = True
        self._count("readings", site)
        return place

    def _place(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Count rows that are not judged; returns those in the horizon at a site of ours."""
        site = self._sites(rows["nmi"]).astype(np.intp)
        kept = self._is_kept(rows["minute"].to_numpy(), site)
        self._count("readings", site[kept])
        return rows.filter(kept)

    def _set_aside(self, rows: pl.DataFrame) -> None:
        """Note minutes whose measurements contradict each other."""
        minutes = self._place(rows).select("nmi", "minute").unique()
        site = self._sites(minutes["nmi"]).astype(np.intp)
        start = self._envelopes.horizon_start
        place = (minutes["minute"].to_numpy() - start - 1) // MINUTE_S
        self._seen[site, place] = True
        self._contradicted[site, place] = True
        self._count("conflicting", site)

    def _applied(
        self, batch: TelemetryBatch, site: Indices, interval: Int64s
    ) -> tuple[Int32s, Int32s]:
        """Export and import limit of each row, `NO_LIMIT` where there is none."""
        limits, doubts = self._applied_by.find(batch, site, interval)
        for name, mask in doubts.items():
            self._count(name, site[mask])
        off = np.zeros(len(site), dtype=np.bool_)
        defaulted = np.zeros(len(site), dtype=np.bool_)
        for kind, default in ((EXPORT, self._defaults.export_w), (IMPORT, self._defaults.import_w)):
            stated, differs = batch.stated_w[kind], batch.stated_w[kind] != limits[kind]
            if self._applied_by.has_gaps or differs.any():
                absent = limits[kind] == NO_LIMIT
                off |= differs & ~absent
                defaulted |= absent
                np.copyto(
                    limits[kind], stated if default is None else np.int32(default), where=absent
                )
        self._beside.excuse(off, batch, site, interval)
        self._count("misstated", site[off])
        self._count("defaulted", site[defaulted])
        return limits

    def _judge(
        self, flow: Int32s | Int64s, limits: tuple[Int32s, Int32s], site: Indices, cell: Indices
    ) -> None:
        if self._applied_by.has_gaps:
            unlimited = (limits[EXPORT] == NO_LIMIT) & (limits[IMPORT] == NO_LIMIT)
            self._count("unlimited", site[unlimited])
        np.minimum.at(
            self._closest[EXPORT],
            cell,
            np.where(limits[EXPORT] == NO_LIMIT, _UNLIMITED, limits[EXPORT]),
        )
        np.maximum.at(self._closest[IMPORT], cell, limits[IMPORT])
        room = _room(flow, limits)
        np.minimum.at(self._headroom, cell, np.minimum(room[EXPORT], room[IMPORT]))
        for kind, name in ((EXPORT, "export_minutes"), (IMPORT, "import_minutes")):
            close = np.flatnonzero(room[kind] < 0)
            if not len(close):
                continue
            excess = -room[kind][close]
            allowed = self._tolerance.allowance(limits[kind][close].astype(np.int64))
            is_breach = excess > allowed
            rows, excess = close[is_breach], excess[is_breach]
            self._count(name, site[rows])
            np.add.at(self._breaches, cell[rows], 1)
            np.maximum.at(self._furthest[kind], cell[rows], excess)
            np.maximum.at(self._worst[kind], site[rows], excess)
            np.add.at(self._beyond, site[rows], excess)

    def _count(self, name: str, site: Indices) -> None:
        if len(site):
            self._counts[name] += np.bincount(site, minlength=self._envelopes.site_count)


def _room(flow: Int32s | Int64s, limits: tuple[Int32s, Int32s]) -> tuple[Int64s, Int64s]:
    """Watts to the export and to the import limit, negative beyond; `NO_HEADROOM` without one."""
    export, import_ = limits
    over = np.subtract(export, flow, dtype=np.int64)
    under = np.subtract(flow, import_, dtype=np.int64)
    for room, limit in ((over, export), (under, import_)):
        absent = limit == NO_LIMIT
        if absent.any():
            room[absent] = NO_HEADROOM
    return over, under


@dataclass(frozen=True)
class Trace:
    """One site's measurements beside the limits that each was judged by, in order of time.

    Attributes:
        minute: UTC seconds.
        flow_w: What was measured.
        export_w: `power.NO_LIMIT` where there is none.
        import_w: The same.
        is_breach: Beyond a limit by more than the tolerance.
    """

    minute: Int64s
    flow_w: Int64s
    export_w: Int64s
    import_w: Int64s
    is_breach: Bools


def trace(
    envelopes: EnvelopeTable,
    nmi: str,
    telemetry: pl.DataFrame,
    level: int = 0,
    tolerance: Tolerance | None = None,
    defaults: DefaultLimits | None = None,
) -> Trace:
    """Judge one site as `ConformanceChecker` does, and keep every minute. Arguments as there.

    Raises:
        ValueError: If the NMI has no envelope at this level.
    """
    import polars as pl

    check = ConformanceChecker(envelopes.select([nmi]), level, tolerance, defaults)
    return check.trace(telemetry.filter(pl.col("nmi").cast(pl.String) == nmi))
