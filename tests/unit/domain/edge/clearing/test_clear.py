"""Clearing of whole days, fixed load before bands, and bounds."""

from __future__ import annotations

import numpy as np
import pytest

from oepnode.domain.edge.boffers.bands import (
    dispatchable,
)
from oepnode.domain.edge.clearing.clear import PER_CENT, clear
from oepnode.domain.nem.quantities import NO_LIMIT
from tests.support.boffers import avail, cents, in_kw, one, prices

D3, D3_PRICES = {3: -60, 13: 10, 19: 70}, prices({13: 1.1})


def test_each_period_has_its_own_price_and_prices() -> None:
    rows = avail(D3, 3)
    at = np.array([cents(1), cents(1.05), cents(1500)])
    assert in_kw(clear(D3_PRICES, rows, at).watts) == [-60, 0, 80]
    dearer = np.stack([D3_PRICES, D3_PRICES + 1000, D3_PRICES])
    assert in_kw(clear(dearer, rows, at).watts) == [-60, -60, 80]


@pytest.mark.parametrize("fixed", [-5, 0, 5])
def test_hld_4_6_11_a_fixed_load_goes_before_the_bands_at_any_price(fixed: float) -> None:
    for dollars_ in (-1000, 1.05, 15_100):
        cleared = clear(D3_PRICES, avail(D3), cents(dollars_), fixed=one(fixed))
        assert in_kw(cleared.watts) == [fixed]
        assert cleared.is_fixed.tolist() == [True]


@pytest.mark.parametrize(("fixed", "expected"), [(-61, -60), (81, 80), (5, 5)])
def test_hld_4_2_4_and_4_2_5_max_avail_bounds_a_fixed_load(fixed: float, expected: float) -> None:
    cleared = clear(D3_PRICES, avail({}), 0, one(-60), one(80), one(fixed))
    assert in_kw(cleared.watts) == [expected]
    assert cleared.is_bounded.tolist() == [fixed != expected]


def test_a_bound_limits_its_own_side_only() -> None:
    rows = avail(D3)
    assert in_kw(clear(D3_PRICES, rows, cents(1500), max_load=one(0)).watts) == [80]
    assert in_kw(clear(D3_PRICES, rows, cents(1), max_gen=one(0)).watts) == [-60]


def test_absent_quantities_bound_nothing() -> None:
    none = np.array([NO_LIMIT], dtype=np.int32)
    cleared = clear(D3_PRICES, avail(D3), cents(1500), none, none, none)
    assert in_kw(cleared.watts) == [80]
    assert not cleared.is_fixed[0]


def test_sums_beyond_32_bits_are_exact() -> None:
    most = 2**31 - 1
    row = np.full((1, 20), most, dtype=np.int32)
    row[0, :10] = -most
    assert clear(np.zeros(20), row, 1).watts.tolist() == [10 * most]
    low, high = dispatchable(row)
    assert (low.tolist(), high.tolist()) == ([-10 * most], [10 * most])


def test_a_price_between_two_cents_is_compared_as_it_is() -> None:
    quantities = avail({3: -60, 13: 10})
    bands = prices({3: 85.0, 13: 85.01})
    at = [8_499_999, 8_500_000, 8_500_001, 8_500_123, 8_500_999, 8_501_000, -1]
    rows = np.repeat(quantities, len(at), axis=0)
    cleared = clear(bands, rows, np.array(at), per_cent=PER_CENT)
    assert cleared.watts.tolist() == [-60_000, -60_000, 0, 0, 0, 10_000, -60_000]
