"""Conformance: telemetry against the envelope that was applied.

Guarantees: every measurement is counted in exactly one place (assessed, without a limit, a copy, in
a conflict, outside the horizon, at an NMI without an envelope); memory depends on sites and
intervals, not on rows; the order of rows does not matter. Amounts are integer W.

How a measurement is assessed:

* It belongs to the dispatch interval that it lies in: 10:00 is the last minute of DI 10:00.
* The envelope is the published one with the submission timestamp that the telemetry states
  (Part C §4.3 field 4). Where the telemetry states no envelope, or one that was never published,
  the one in force at the interval's start is taken, and that is counted. Where the published
  envelopes have no times, as those of a bundle, the envelope in the table is taken.
* A limit that was not published is the default of the caller; without one, the limit that the
  telemetry states was applied (§4.3 fields 5 and 6: "or use default values").
* At level NMI the flow at the connection point counts, at level Flex the sum of controlled
  generation and controlled load (§6.3 field 4).
* Beyond the limit by more than the tolerance is a breach.
* A minute that occurs twice is assessed once, or not at all where its values contradict each other
  (``timeseries.duplicates``).
* Stated limits are wrong where they are those of neither level of the NMI: §4.3 has one pair of
  fields for both.

Where the portfolio is known, one of its NMIs that was not measured, or more minutes of an interval
of it than tolerated, leaves the report incomplete: what was left out does not conform.

Leaves out validating the telemetry (``validate``), how an envelope is found
(``envelopes.in_force``), and dispatch targets (``dispatch.conformance``). Source: Part C §4.3 and
§6.3.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Final

import numpy as np

from oepnode.domain.documents.arrays import Indices, Int32s, Int64s
from oepnode.domain.edge.envelopes.in_force import EnvelopeHistory, OtherLevelLimits, TelemetryBatch
from oepnode.domain.edge.envelopes.table import EXPORT, IMPORT, EnvelopeTable
from oepnode.domain.edge.telemetry.assessment import (
    COUNTS,
    NO_HEADROOM,
    EnvelopeConformance,
    Trace,
)
from oepnode.domain.edge.telemetry.coverage import Coverage
from oepnode.domain.edge.timeseries.duplicates import deduplicate
from oepnode.domain.edge.timeseries.tolerance import MINUTES, Tolerance
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.nem.quantities import NO_LIMIT, DefaultLimits

if TYPE_CHECKING:
    import polars as pl

_UNLIMITED: Final = 2**31 - 1
_BATCH: Final = 1 << 18


class ConformanceChecker:
    """Assesses telemetry in any order and any number of pieces; `report` returns the result.

    Args:
        envelopes: Published envelopes; the sites of other levels are left out.
        level: 0 NMI, 1 Flex.
        tolerance: Allowance beyond the limits.
        defaults: Limits where none is published.
        portfolio: NMIs that should have been measured; others are assessed where they were.
    """

    def __init__(
        self,
        envelopes: EnvelopeTable,
        level: int = 0,
        tolerance: Tolerance | None = None,
        defaults: DefaultLimits | None = None,
        portfolio: AbstractSet[str] = frozenset(),
    ) -> None:
        self._envelopes = envelopes.at_level(level)
        self._level = level
        self._in_portfolio = np.isin(
            self._envelopes.nmis, np.array([name.encode() for name in portfolio], dtype="S10")
        )
        self._tolerance = tolerance or Tolerance()
        self._defaults = defaults or DefaultLimits()
        self._history = EnvelopeHistory(self._envelopes)
        self._other_level = OtherLevelLimits(self._envelopes, envelopes.at_level(1 - level))
        self._coverage = Coverage(self._envelopes)
        sites, cells = self._envelopes.site_count, self._envelopes.site_count
        cells *= self._envelopes.interval_count
        self._counts = {name: np.zeros(sites, dtype=np.int64) for name in COUNTS}
        self._breaches = np.zeros(cells, dtype=np.int64)
        self._headroom = np.full(cells, NO_HEADROOM, dtype=np.int64)
        self._tightest = np.full((2, cells), NO_LIMIT, dtype=np.int32)
        self._tightest[EXPORT] = _UNLIMITED
        self._excess = np.zeros((2, cells), dtype=np.int64)
        self._worst = np.zeros((2, sites), dtype=np.int64)
        self._watt_minutes = np.zeros(sites, dtype=np.int64)

    def add(self, telemetry: pl.DataFrame) -> None:
        """Assess more measurements.

        Args:
            telemetry: Columns of `telemetry.json_format.NMI`; ``minute`` in whole minutes.

        Raises:
            ValueError: If an earlier piece had a minute of an NMI already: duplicates can only be
                resolved within one piece.
        """
        parts = deduplicate(telemetry)
        site = self._coverage.sites(parts.rows["nmi"])
        for first in range(0, parts.rows.height, _BATCH):
            batch = slice(first, min(first + _BATCH, parts.rows.height))
            self._add(TelemetryBatch(parts.rows[batch], self._level), site[batch].astype(np.intp))
        if parts.copies.height:
            self._coverage.add_copies(parts.copies)
        if parts.conflicts.height:
            self._coverage.add_conflicts(parts.conflicts)

    def report(self) -> EnvelopeConformance:
        """Return the result of all measurements so far."""
        shape = self._envelopes.site_count, self._envelopes.interval_count
        coverage, limits = self._coverage, self._history.limits
        has_limit = (limits[EXPORT] != NO_LIMIT) | (limits[IMPORT] != NO_LIMIT)
        minutes = coverage.minutes()
        is_expected = (coverage.readings > 0) | self._in_portfolio
        missing = np.where(has_limit, MINUTES - minutes, 0).sum(axis=1, dtype=np.int64)
        tightest = np.where(self._tightest == _UNLIMITED, NO_LIMIT, self._tightest)
        headroom = np.clip(self._headroom, -NO_HEADROOM, NO_HEADROOM)
        excess = np.minimum(self._excess, NO_HEADROOM)
        return EnvelopeConformance(
            envelopes=self._envelopes,
            tolerance=self._tolerance,
            counts=self._all_counts(minutes.sum(axis=1, dtype=np.int64)),
            in_portfolio=self._in_portfolio,
            expected=has_limit.sum(axis=1, dtype=np.int64) * MINUTES * is_expected,
            missing=missing * is_expected,
            minutes=minutes,
            conflicts=coverage.conflicts(),
            breach_minutes=np.minimum(self._breaches, 255).astype(np.uint8).reshape(shape),
            headroom_w=headroom.astype(np.int32).reshape(shape),
            limits_w=tightest.reshape(2, *shape),
            beyond_w=excess.astype(np.int32).reshape(2, *shape),
            worst_export_w=self._worst[EXPORT].copy(),
            worst_import_w=self._worst[IMPORT].copy(),
            beyond_watt_minutes=self._watt_minutes.copy(),
            rows=coverage.rows,
            foreign_rows=coverage.foreign_rows,
            foreign_nmis=coverage.foreign_nmis,
            outside_rows=coverage.outside_rows,
        )

    def _all_counts(self, distinct: Int64s) -> dict[str, Int64s]:
        counts = {name: column.copy() for name, column in self._counts.items()}
        counts["readings"] = self._coverage.readings.copy()
        counts["conflicting"] = self._coverage.conflicting.copy()
        counts["duplicates"] = counts["readings"] - distinct
        return counts

    def trace(self, telemetry: pl.DataFrame) -> Trace:
        """Return every minute of the only site; call the function `trace` instead.

        Raises:
            ValueError: If there is not exactly one site.
        """
        if self._envelopes.site_count != 1:
            raise ValueError("a trace needs one site, and this NMI has no envelope at this level")
        start, end = self._envelopes.horizon_start, self._envelopes.horizon_end
        batch = TelemetryBatch(deduplicate(telemetry).rows.sort("minute"), self._level)
        batch = batch.take((batch.minute > start) & (batch.minute <= end))
        site = np.zeros(len(batch.minute), dtype=np.intp)
        interval = (batch.minute - start - 1) // INTERVAL_S
        export, import_ = self._applied(batch, site, interval)
        over, under = _room(batch.flow_w, (export, import_))
        upper, lower = export.astype(np.int64), import_.astype(np.int64)
        allowed = self._tolerance.allowance
        is_breach = (over < -allowed(upper)) | (under < -allowed(lower))
        return Trace(batch.minute, batch.flow_w.astype(np.int64), upper, lower, is_breach)

    # --- steps -----------------------------------------------------------------------------------

    def _add(self, batch: TelemetryBatch, site: Indices) -> None:
        kept = self._coverage.is_inside(batch.minute, site)
        if not kept.all():
            batch, site = batch.take(kept), site[kept]
        if not len(site):
            return
        interval = self._coverage.mark(batch.minute, site) // MINUTES
        limits = self._applied(batch, site, interval)
        self._assess(batch.flow_w, limits, site, site * self._envelopes.interval_count + interval)

    def _applied(
        self, batch: TelemetryBatch, site: Indices, interval: Int64s
    ) -> tuple[Int32s, Int32s]:
        """Export and import limit of each row, `NO_LIMIT` where there is none."""
        limits, doubts = self._history.find(batch, site, interval)
        for name, mask in doubts.items():
            self._count(name, site[mask])
        is_wrong = np.zeros(len(site), dtype=np.bool_)
        is_default = np.zeros(len(site), dtype=np.bool_)
        for kind, default in ((EXPORT, self._defaults.export_w), (IMPORT, self._defaults.import_w)):
            stated, differs = batch.stated_w[kind], batch.stated_w[kind] != limits[kind]
            if self._history.has_gaps or differs.any():
                absent = limits[kind] == NO_LIMIT
                is_wrong |= differs & ~absent
                is_default |= absent
                np.copyto(
                    limits[kind], stated if default is None else np.int32(default), where=absent
                )
        self._other_level.excuse(is_wrong, batch, site, interval)
        self._count("wrong_limits_stated", site[is_wrong])
        self._count("defaulted", site[is_default])
        return limits

    def _assess(
        self, flow: Int32s | Int64s, limits: tuple[Int32s, Int32s], site: Indices, cell: Indices
    ) -> None:
        export, import_ = limits
        if self._history.has_gaps:
            self._count("unlimited", site[(export == NO_LIMIT) & (import_ == NO_LIMIT)])
        upper = np.where(export == NO_LIMIT, _UNLIMITED, export)
        np.minimum.at(self._tightest[EXPORT], cell, upper)
        np.maximum.at(self._tightest[IMPORT], cell, import_)
        room = _room(flow, limits)
        np.minimum.at(self._headroom, cell, np.minimum(room[EXPORT], room[IMPORT]))
        for kind, name in ((EXPORT, "export_minutes"), (IMPORT, "import_minutes")):
            beyond = np.flatnonzero(room[kind] < 0)
            if not len(beyond):
                continue
            excess = -room[kind][beyond]
            allowed = self._tolerance.allowance(limits[kind][beyond].astype(np.int64))
            is_breach = excess > allowed
            rows, excess = beyond[is_breach], excess[is_breach]
            self._count(name, site[rows])
            np.add.at(self._breaches, cell[rows], 1)
            np.maximum.at(self._excess[kind], cell[rows], excess)
            np.maximum.at(self._worst[kind], site[rows], excess)
            np.add.at(self._watt_minutes, site[rows], excess)

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


def trace(
    envelopes: EnvelopeTable,
    nmi: str,
    telemetry: pl.DataFrame,
    level: int = 0,
    tolerance: Tolerance | None = None,
    defaults: DefaultLimits | None = None,
) -> Trace:
    """Assess one site as `ConformanceChecker` does, and keep every minute. Arguments as there.

    Raises:
        ValueError: If the NMI has no envelope at this level.
    """
    import polars as pl

    check = ConformanceChecker(envelopes.select([nmi]), level, tolerance, defaults)
    return check.trace(telemetry.filter(pl.col("nmi").cast(pl.String) == nmi))
