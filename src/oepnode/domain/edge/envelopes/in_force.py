"""Finds the envelope that applied to a measurement: the stated submission, or the one in force.

Guarantees: a row whose submission is in doubt still gets the limits in force, and is marked by a
name of ``telemetry.assessment.COUNTS``. Leaves out defaults and assessment (``conformance``).
Source: Part C §4.3 fields 4 to 6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from oepnode.domain.documents.arrays import Bools, Indices, Int32s, Int64s
from oepnode.domain.edge.envelopes.table import EXPORT, IMPORT, EnvelopeTable
from oepnode.domain.nem.nem_time import INTERVAL_S, MICROS
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.domain.rounds.inputs.supersession import NO_SUBMISSION

if TYPE_CHECKING:
    import polars as pl


class TelemetryBatch:
    """Columns of some rows as integers, with absent values as sentinels."""

    __slots__ = ("envelope_us", "flow_w", "minute", "stated_w")

    flow_w: Int32s | Int64s

    def __init__(self, frame: pl.DataFrame, level: int) -> None:
        import polars as pl

        def watts(name: str) -> Int32s:
            series = frame[name].cast(pl.Int32)
            filled = series.fill_null(NO_LIMIT) if series.null_count() else series
            return np.asarray(filled.to_numpy(), dtype=np.int32)

        self.minute: Int64s = np.asarray(frame["minute"].to_numpy(), dtype=np.int64)
        if level == 0:
            self.flow_w = watts("active_power_w")
        else:
            generation, load = watts("controlled_generation_w"), watts("controlled_load_w")
            self.flow_w = np.add(generation, load, dtype=np.int64)
        self.stated_w = (watts("export_limit_w"), watts("import_limit_w"))
        stated = frame["envelope_submitted_us"].cast(pl.Int64)
        filled = stated.fill_null(NO_SUBMISSION) if stated.null_count() else stated
        self.envelope_us: Int64s = np.asarray(filled.to_numpy(), dtype=np.int64)

    def take(self, kept: Bools | Indices) -> TelemetryBatch:
        """The rows of a mask, or at indices."""
        part = object.__new__(TelemetryBatch)
        part.minute, part.flow_w = self.minute[kept], self.flow_w[kept]
        part.stated_w = (self.stated_w[0][kept], self.stated_w[1][kept])
        part.envelope_us = self.envelope_us[kept]
        return part


class EnvelopeHistory:
    """The limits of one level, by site, interval and the submission that a row states.

    Attributes:
        limits: Export and import limits of the latest submission, shape (sites, intervals) each.
        has_gaps: Whether one of them is not published.
    """

    def __init__(self, envelopes: EnvelopeTable) -> None:
        self._envelopes = envelopes
        self.limits = [np.ascontiguousarray(envelopes.limits[:, k]) for k in (EXPORT, IMPORT)]
        self.has_gaps = any(bool((limits == NO_LIMIT).any()) for limits in self.limits)
        self._knows_submissions = envelopes.knows_submissions
        self._in_force = in_force_us(envelopes)
        self._all_timed = bool((self._in_force != NO_SUBMISSION).all())
        self._older = _Older(envelopes)

    def find(
        self, batch: TelemetryBatch, site: Indices, interval: Int64s
    ) -> tuple[tuple[Int32s, Int32s], dict[str, Bools]]:
        """Limits of each row, and the rows whose submission is in doubt, by a name of `COUNTS`."""
        limits = (self.limits[EXPORT][site, interval], self.limits[IMPORT][site, interval])
        if not self._knows_submissions:
            return limits, {}
        in_force, stated = self._in_force[site, interval], batch.envelope_us
        states_none = stated == NO_SUBMISSION
        submitted = np.where(states_none, in_force, stated) if states_none.any() else stated
        unknown = np.zeros(len(site), dtype=np.bool_)
        if not self._all_timed:
            unknown |= (in_force == NO_SUBMISSION) & ~states_none
        lost = self._replace(site, interval, submitted, in_force, limits)
        unknown[lost] = ~states_none[lost]
        in_doubt = unknown | states_none
        return limits, {
            "unknown_envelope": unknown,
            "no_envelope_stated": states_none & (in_force != NO_SUBMISSION),
            "superseded_envelope": (stated < in_force) & ~in_doubt,
            "future_envelope": (stated > batch.minute * MICROS) & ~in_doubt,
        }

    def _replace(
        self,
        site: Indices,
        interval: Int64s,
        submitted: Int64s,
        in_force: Int64s,
        limits: tuple[Int32s, Int32s],
    ) -> Indices:
        """Set the limits of each row's submission; returns rows for which it is unknown.

        Those get the limits in force.
        """
        latest = self._envelopes.submitted_us[site, interval]
        other = np.flatnonzero((submitted != latest) & (latest != NO_SUBMISSION))
        if not len(other):
            return other
        cell = site[other] * self._envelopes.interval_count + interval[other]
        row = self._older.find(cell, submitted[other])
        lost = other[row < 0]
        row = np.where(row < 0, self._older.find(cell, in_force[other]), row)
        is_known = row >= 0
        for kind in (EXPORT, IMPORT):
            older = self._envelopes.superseded.limits[row[is_known], kind]
            limits[kind][other[is_known]] = older
        return lost


class OtherLevelLimits:
    """The limits of the same NMIs at the other level, which telemetry may also state."""

    def __init__(self, envelopes: EnvelopeTable, other: EnvelopeTable) -> None:
        self._other = EnvelopeHistory(other) if other.site_count else None
        self._site = np.full(envelopes.site_count, -1, dtype=np.intp)
        _, here, there = np.intersect1d(envelopes.nmis, other.nmis, return_indices=True)
        self._site[here] = there

    def excuse(self, off: Bools, batch: TelemetryBatch, site: Indices, interval: Int64s) -> None:
        """Clear rows of ``off`` that state the limits of the other level."""
        if self._other is None:
            return
        rows = np.flatnonzero(off & (self._site[site] >= 0))
        part = batch.take(rows)
        limits, _ = self._other.find(part, self._site[site[rows]], interval[rows])
        is_same = (limits[EXPORT] != NO_LIMIT) | (limits[IMPORT] != NO_LIMIT)
        for kind in (EXPORT, IMPORT):
            is_same &= (limits[kind] == NO_LIMIT) | (limits[kind] == part.stated_w[kind])
        off[rows[is_same]] = False


class _Older:
    """Finds superseded rows by (cell, submission)."""

    def __init__(self, envelopes: EnvelopeTable) -> None:
        history = envelopes.superseded
        self._times = np.unique(history.submitted_us)
        rank = np.searchsorted(self._times, history.submitted_us)
        self._keys = history.cell * (len(self._times) + 1) + rank

    def find(self, cell: Int64s, submitted_us: Int64s) -> Int64s:
        """Row of each, −1 where it is unknown."""
        if not len(self._keys):
            return np.full(len(cell), -1, dtype=np.int64)
        rank = np.searchsorted(self._times, submitted_us)
        rank[rank == len(self._times)] = 0
        key = cell * (len(self._times) + 1) + rank
        row = np.searchsorted(self._keys, key)
        row[row == len(self._keys)] = 0
        is_known = (self._keys[row] == key) & (self._times[rank] == submitted_us)
        return np.where(is_known, row, -1)


def in_force_us(envelopes: EnvelopeTable) -> Int64s:
    """Submission time of the envelope in force when each interval began, shape (sites, intervals).

    The latest submitted until then; where all came later, the first of them, because it is the only
    one that can have been meant; `supersession.NO_SUBMISSION` where no time is known.
    """
    starts = envelopes.horizon_start + INTERVAL_S * np.arange(envelopes.interval_count)
    in_time = envelopes.submitted_us <= starts * MICROS
    submitted = np.where(in_time, envelopes.submitted_us, NO_SUBMISSION).reshape(-1)
    cell, times = envelopes.superseded.cell, envelopes.superseded.submitted_us
    early = times <= (starts * MICROS)[cell % envelopes.interval_count]
    np.maximum.at(submitted, cell[early], times[early])
    first = envelopes.submitted_us.reshape(-1).copy()
    np.minimum.at(first, cell, times)
    in_force = np.where(submitted == NO_SUBMISSION, first, submitted)
    return in_force.reshape(envelopes.submitted_us.shape)
