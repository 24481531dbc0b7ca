"""Laws of clearing, curves and constraining over random offers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from oepnode.domain.edge.boffers.bands import (
    GENERATION,
    LOAD,
    AccumulationError,
    accumulate,
    dispatchable,
    increments,
)
from oepnode.domain.edge.clearing.clear import clear
from oepnode.domain.edge.clearing.supply_curve import quantity_at, supply_curve
from oepnode.domain.edge.constraining.trim import check, trim
from oepnode.domain.nem.quantities import NO_LIMIT
from tests.support.boffers import trims

Ints = npt.NDArray[Any]

# Few prices, so that bands share prices, cross and lie one cent apart.
PRICES = st.lists(st.integers(-5, 5), min_size=20, max_size=20).map(np.array)
WATTS = st.integers(0, 9) | st.integers(0, 2**31 - 1)


def _row(quantities: list[int]) -> Ints:
    return np.array([[-q for q in quantities[:10]] + quantities[10:]])


RISING = PRICES.map(lambda row: np.concatenate((np.sort(row[:10]), np.sort(row[10:]))))
AVAIL = st.lists(WATTS, min_size=20, max_size=20).map(_row)
LOAD_BOUND = st.just(NO_LIMIT) | WATTS.map(lambda watts: -watts)
GEN_BOUND = st.just(NO_LIMIT) | WATTS
FIXED = st.just(NO_LIMIT) | st.integers(-(2**31) + 1, 2**31 - 1)


def _one(value: int) -> Ints:
    return np.array([value])


def _plain(prices: Ints, avail: Ints, price: int, load: int, gen: int, fixed: int) -> int:
    """Clearing as the HLD defines it, band by band."""
    wanted = offered = 0
    if fixed != NO_LIMIT:
        wanted, offered = min(fixed, 0), max(fixed, 0)
    else:
        for band in range(20):
            if band < 10 and price <= prices[band]:
                wanted += int(avail[0, band])
            if band >= 10 and price >= prices[band]:
                offered += int(avail[0, band])
    if load != NO_LIMIT:
        wanted = max(wanted, load)
    if gen != NO_LIMIT:
        offered = min(offered, gen)
    return wanted + offered


@given(PRICES, AVAIL, st.integers(-7, 7), LOAD_BOUND, GEN_BOUND, FIXED)
def test_clearing_follows_the_rules_band_by_band(
    prices: Ints, avail: Ints, price: int, load: int, gen: int, fixed: int
) -> None:
    cleared = clear(prices, avail, price, _one(load), _one(gen), _one(fixed))
    assert cleared.watts.tolist() == [_plain(prices, avail, price, load, gen, fixed)]


@given(PRICES, AVAIL, LOAD_BOUND, GEN_BOUND, FIXED)
def test_a_curve_agrees_with_clearing_and_never_falls(
    prices: Ints, avail: Ints, load: int, gen: int, fixed: int
) -> None:
    steps = supply_curve(prices, avail[0], load, gen, fixed)
    for price in range(-7, 8):
        assert sum(price in step for step in steps) == 1, "no gap, no overlap"
        cleared = clear(prices, avail, price, _one(load), _one(gen), _one(fixed)).watts
        assert quantity_at(steps, price) == cleared[0]
    watts = [step.watts for step in steps]
    assert watts == sorted(set(watts))


@given(AVAIL)
def test_accumulating_goes_both_ways(avail: Ints) -> None:
    sums = accumulate(avail)
    assert (increments(sums) == avail).all()
    assert (accumulate(increments(sums)) == sums).all()


@given(st.lists(st.integers(-3, 3), min_size=20, max_size=20))
def test_accumulated_quantities_that_shrink_are_rejected(sums: list[int]) -> None:
    load, generation = sums[9::-1], sums[10:]
    grows = all(b <= a for a, b in zip([0, *load], load, strict=False)) and all(
        a <= b for a, b in zip([0, *generation], generation, strict=False)
    )
    try:
        increments(np.array([sums]))
    except AccumulationError:
        assert not grows
    else:
        assert grows


@given(RISING, AVAIL, LOAD_BOUND, GEN_BOUND, FIXED, WATTS, WATTS)
def test_a_constrained_offer_delivers_the_original_within_the_limits(
    prices: Ints, avail: Ints, load: int, gen: int, fixed: int, most: int, least: int
) -> None:
    exports, imports = _one(most), _one(-least)
    held = trim(avail, exports, imports, _one(load), _one(gen), _one(fixed))
    after = check(held.avail, exports, imports, held.max_load, held.max_gen, held.fixed)
    assert after.count == 0
    again = trim(held.avail, exports, imports, held.max_load, held.max_gen, held.fixed)
    assert trims(again) == [], "a second time trims nothing"
    assert bool(trims(held)) == bool(held.before.count)
    if held.before.count == 0:
        assert (held.avail == avail).all()
    # Load and generation on their own: with crossing prices both may clear at once.
    for side in (LOAD, GENERATION):
        for price in range(-7, 8):
            alone = np.zeros_like(avail)
            alone[:, side] = avail[:, side]
            kept = np.zeros_like(avail)
            kept[:, side] = held.avail[:, side]
            original = clear(prices, alone, price, _one(load), _one(gen), _one(fixed)).watts
            cleared = clear(prices, kept, price, held.max_load, held.max_gen, held.fixed).watts
            assert cleared.tolist() == np.clip(original, -least, most).tolist()


@given(PRICES, AVAIL, LOAD_BOUND, GEN_BOUND, FIXED)
def test_no_price_dispatches_beyond_what_is_dispatchable(
    prices: Ints, avail: Ints, load: int, gen: int, fixed: int
) -> None:
    low, high = dispatchable(avail, _one(load), _one(gen), _one(fixed))
    for price in range(-7, 8):
        watts = clear(prices, avail, price, _one(load), _one(gen), _one(fixed)).watts[0]
        assert low[0] <= watts <= high[0]


@given(AVAIL, WATTS, WATTS)
def test_trimming_goes_from_the_outermost_band_inwards(avail: Ints, most: int, least: int) -> None:
    held = trim(avail, _one(most), _one(-least)).avail[0]
    for bands in (range(9, -1, -1), range(10, 20)):
        is_trimmed = [held[band] != avail[0, band] for band in bands]
        first = is_trimmed.index(True) if True in is_trimmed else len(is_trimmed)
        beyond = [held[band] for index, band in enumerate(bands) if index > first]
        assert not any(beyond), "beyond a trimmed band nothing is left"
