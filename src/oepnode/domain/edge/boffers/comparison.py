"""Changes between two Boffers of one unit and trading day.

Guarantees: periods that only one of them has are counted, not compared; energy is exact. Serves to
compare a re-bid with the Boffer before it, a constrained offer with the original, and a Boffer
computed before its interval (PRE) with one computed after (POST).

Source: HLD §4.1 (re-bids), Part C §3.1 (PRE and POST Boffers).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oepnode.domain.documents.arrays import Int64s, Ints
from oepnode.domain.edge.boffers.bands import dispatchable
from oepnode.domain.edge.boffers.model import BofferDay
from oepnode.domain.edge.timeseries.energy import energy_wh


@dataclass(frozen=True)
class OfferChange:
    """Differences of a later offer from an earlier one.

    Attributes:
        bands: Bands (1 to 20) whose price differs; empty where one of both has no prices.
        has_prices: Whether the earlier one has prices, and whether the later one has.
        periods: Periods that both have, in order, shape (n,).
        load: Most load that a price can dispatch, before and after, int64 watts, shape (2, n).
        generation: Most generation, likewise.
        quantities: How many quantities differ in each period, shape (n,): bands, maxAvail and
            fixed load.
        only_before: How many periods only the earlier one has.
        only_after: How many only the later one has.
    """

    bands: tuple[int, ...]
    has_prices: tuple[bool, bool]
    periods: Int64s
    load: Int64s
    generation: Int64s
    quantities: Int64s
    only_before: int
    only_after: int

    @property
    def load_wh(self) -> int:
        """Energy by which the load on offer changed over the periods, ≤ 0 where it grew."""
        return energy_wh(self.load[1] - self.load[0])

    @property
    def generation_wh(self) -> int:
        """Energy by which the generation on offer changed over the periods."""
        return energy_wh(self.generation[1] - self.generation[0])


def compare(before: BofferDay, after: BofferDay) -> OfferChange:
    """Compare two Boffers period by period; each period must occur once in each of them."""
    periods, mine, other = np.intersect1d(before.periods, after.periods, return_indices=True)
    rows = (_columns(before)[mine], _columns(after)[other])
    extremes = [_extremes(quantities) for quantities in rows]
    return OfferChange(
        bands=_repriced(before, after),
        has_prices=(before.has_prices, after.has_prices),
        periods=periods.astype(np.int64),
        load=np.stack([low for low, _ in extremes]),
        generation=np.stack([high for _, high in extremes]),
        quantities=(rows[0] != rows[1]).sum(axis=1),
        only_before=len(before.periods) - len(periods),
        only_after=len(after.periods) - len(periods),
    )


def _repriced(before: BofferDay, after: BofferDay) -> tuple[int, ...]:
    if not (before.has_prices and after.has_prices):
        return ()
    return tuple((np.flatnonzero(before.prices != after.prices) + 1).tolist())


def _columns(day: BofferDay) -> Int64s:
    """Bands, maxAvailLoad, maxAvailGen and fixed load, shape (n, 23)."""
    single = (day.max_avail_load, day.max_avail_gen, day.fixed_load)
    return np.column_stack((day.avail, *single)).astype(np.int64)


def _extremes(columns: Ints) -> tuple[Int64s, Int64s]:
    return dispatchable(columns[:, :20], columns[:, 20], columns[:, 21], columns[:, 22])
