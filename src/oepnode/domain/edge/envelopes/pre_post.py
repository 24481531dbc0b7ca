"""Compares PRE with POST envelopes: how much larger the limits could have been.

A POST envelope is computed after the interval, from the actual state of the network, and is the
largest limit that the NMI could have had. Its excess over the PRE envelope is unused capacity;
where it is lower, the PRE envelope promised more than the network had. The two are reported apart,
never netted. Source: Part C §6 and §6.3 (introduction to the data definition).

Example:
    >>> comparison = compare(pre, post)                                       # doctest: +SKIP
    >>> comparison.daily_wh(comparison.room_w)[:, EXPORT]                     # doctest: +SKIP
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from oepnode.domain.documents.arrays import Bools, Bytes, Indices, Int64s, Texts
from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.edge.envelopes.table import EnvelopeTable
from oepnode.domain.edge.timeseries.energy import rounded_wh
from oepnode.domain.nem.nem_time import INTERVAL_S, trading_period
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.domain.rounds.inputs.envelope_form import NO_TIMING, TIMINGS


@dataclass(frozen=True, repr=False)
class Comparison:
    """PRE and POST of the sites and intervals that both have; its repr shows no NMI.

    Magnitudes: an import limit of −5 kW counts as 5 kW.

    Attributes:
        nmis: Per site, ``S10``.
        levels: Per site, uint8.
        horizon_start: UTC seconds of the first common interval.
        days: Trading days that the common horizon touches.
        day: Per interval, index into ``days``.
        is_compared: Shape (sites, 2, intervals), bool: whether both sides have a limit.
        difference_w: Shape (sites, 2, intervals), int64: POST − PRE in magnitude, 0 where not
            compared; positive is capacity that was not used.
        pre_only: Number of sites of PRE that are not in POST.
        post_only: Number of sites of POST that are not in PRE.
        pre_only_intervals: Per common site, int64: intervals in which PRE has a limit and POST
            has none, in or beyond the common horizon.
        post_only_intervals: The same the other way round.
    """

    nmis: Texts
    levels: Bytes
    horizon_start: int
    days: tuple[date, ...]
    day: Int64s
    is_compared: Bools
    difference_w: Int64s
    pre_only: int
    post_only: int
    pre_only_intervals: Int64s
    post_only_intervals: Int64s

    @property
    def room_w(self) -> Int64s:
        """How much larger the limit could have been; 0 where it could not."""
        return np.maximum(self.difference_w, 0)

    @property
    def excess_w(self) -> Int64s:
        """How much the PRE limit lay above what the network had; 0 where it did not."""
        return np.maximum(-self.difference_w, 0)

    def daily_wh(self, power_w: Int64s) -> Int64s:
        """Energy per site, direction and trading day, shape (sites, 2, days), in integer Wh.

        Args:
            power_w: ``room_w`` or ``excess_w``; each interval lasts five minutes.
        """
        sums = np.zeros((*power_w.shape[:2], len(self.days)), dtype=np.int64)
        for index in range(len(self.days)):
            sums[:, :, index] = power_w[:, :, self.day == index].sum(axis=2)
        return rounded_wh(sums)


def compare(pre: EnvelopeTable, post: EnvelopeTable) -> Comparison:
    """Compare POST envelopes with PRE envelopes, by NMI, level and interval.

    Raises:
        DocumentFault: If one has another timing, or they have nothing in common.
    """
    log = FaultLog("comparison of envelopes")
    _check_timing(pre, "PRE", log)
    _check_timing(post, "POST", log)
    log.raise_if_any()
    start = max(pre.horizon_start, post.horizon_start)
    end = min(pre.horizon_end, post.horizon_end)
    pre_sites, post_sites = _common_sites(pre, post)
    if end <= start:
        log.add("$", "horizon.disjoint", "PRE and POST have no interval in common")
    if not len(pre_sites):
        log.add("$", "site.disjoint", "PRE and POST have no NMI and level in common")
    log.raise_if_any()
    left, right = _limits(pre, pre_sites, start, end), _limits(post, post_sites, start, end)
    both = (left != NO_LIMIT) & (right != NO_LIMIT)
    difference = np.where(both, np.abs(right) - np.abs(left), 0)
    days, day = _days(start, (end - start) // INTERVAL_S)
    return Comparison(
        nmis=pre.nmis[pre_sites],
        levels=pre.levels[pre_sites],
        horizon_start=start,
        days=days,
        day=day,
        is_compared=both,
        difference_w=difference,
        pre_only=pre.site_count - len(pre_sites),
        post_only=post.site_count - len(post_sites),
        pre_only_intervals=_intervals_alone(pre, pre_sites, post, post_sites),
        post_only_intervals=_intervals_alone(post, post_sites, pre, pre_sites),
    )


def _check_timing(envelopes: EnvelopeTable, name: str, log: FaultLog) -> None:
    wrong = np.isin(envelopes.timings, (TIMINGS[name], NO_TIMING), invert=True)
    if wrong.any():
        message = (
            f"{int(wrong.sum())} sites have another oeTiming than {name} (Part C §6.3 field 2); "
            "PRE is the first document, POST the second"
        )
        log.add(f"$.{name.lower()}", "timing.mismatch", message)


def _common_sites(pre: EnvelopeTable, post: EnvelopeTable) -> tuple[Indices, Indices]:
    left = np.char.add(pre.nmis, pre.levels.astype("S1"))
    right = np.char.add(post.nmis, post.levels.astype("S1"))
    _, pre_sites, post_sites = np.intersect1d(left, right, assume_unique=True, return_indices=True)
    return pre_sites, post_sites


def _limits(envelopes: EnvelopeTable, sites: Indices, start: int, end: int) -> Int64s:
    first = (start - envelopes.horizon_start) // INTERVAL_S
    last = (end - envelopes.horizon_start) // INTERVAL_S
    return envelopes.limits[sites, :2, first:last].astype(np.int64)


def _intervals_alone(
    envelopes: EnvelopeTable,
    sites: Indices,
    other: EnvelopeTable,
    others: Indices,
) -> Int64s:
    """Per site, the intervals in which only the first envelopes have a limit."""
    is_alone = envelopes.limits[sites, :2] != NO_LIMIT
    start = max(envelopes.horizon_start, other.horizon_start)
    end = min(envelopes.horizon_end, other.horizon_end)
    first = (start - envelopes.horizon_start) // INTERVAL_S
    last = (end - envelopes.horizon_start) // INTERVAL_S
    is_alone[:, :, first:last] &= _limits(other, others, start, end) == NO_LIMIT
    counts: Int64s = is_alone.any(axis=1).sum(axis=1, dtype=np.int64)
    return counts


def _days(start: int, count: int) -> tuple[tuple[date, ...], Int64s]:
    dates = [trading_period(start + i * INTERVAL_S)[0] for i in range(count)]
    days = tuple(sorted(set(dates)))
    return days, np.array([days.index(day) for day in dates], dtype=np.int64)
