"""Offers held to envelopes: what is trimmed, and that nothing else is."""

from __future__ import annotations

import numpy as np
import pytest

from oepnode.domain.edge.clearing.clear import clear
from oepnode.domain.edge.constraining.trim import check, trim
from oepnode.domain.edge.timeseries.energy import energy_wh
from oepnode.domain.nem.quantities import NO_LIMIT
from tests.support.boffers import avail, cents, in_kw, one, prices, trims

D3 = {3: -60, 13: 10, 19: 70}
G21 = {2: -50, 3: -10, 9: -30, 18: 20}


def test_an_offer_within_its_limits_stays_as_it_is() -> None:
    held = trim(avail(D3), one(80), one(-60))
    assert trims(held) == []
    assert held.before.count == 0
    assert (held.avail == avail(D3)).all()


def test_generation_loses_its_highest_priced_band_first() -> None:
    held = trim(avail(D3), one(30), one(-60))
    assert trims(held) == [(0, "band 19", 70_000, 20_000)]


def test_a_band_that_is_gone_leaves_the_next_to_be_trimmed() -> None:
    held = trim(avail(D3), one(4), one(-60))
    assert trims(held) == [(0, "band 13", 10_000, 4_000), (0, "band 19", 70_000, 0)]


def test_load_loses_its_lowest_priced_band_first() -> None:
    held = trim(avail(G21), one(20), one(-35))
    assert trims(held) == [(0, "band 2", -50_000, 0), (0, "band 3", -10_000, -5_000)]
    bands = prices({9: 100.0, 18: 101.0})
    cleared = [in_kw(clear(bands, held.avail, cents(p)).watts)[0] for p in (0, 1, 100, 101)]
    assert cleared == [-35, -35, -30, 20]


def test_only_intervals_that_breach_are_touched() -> None:
    held = trim(avail(D3, 3), np.array([80_000, 30_000, 80_000]), np.array([-60_000] * 3))
    assert held.before.is_breach.tolist() == [False, True, False]
    assert {row for row, *_ in trims(held)} == {1}


def test_both_sides_may_breach_at_once() -> None:
    held = trim(avail(D3), one(70), one(-50))
    assert held.before.over_export.tolist() == [10_000]
    assert held.before.over_import.tolist() == [10_000]
    assert trims(held) == [(0, "band 3", -60_000, -50_000), (0, "band 19", 70_000, 60_000)]


def test_zero_limits_leave_nothing() -> None:
    held = trim(avail(D3), one(0), one(0))
    assert not held.avail.any()


def test_max_avail_below_the_limit_is_not_a_breach() -> None:
    held = trim(avail(D3), one(30), one(-60), one(-60), one(30))
    assert trims(held) == []


def test_max_avail_above_the_limit_is_trimmed_with_the_bands() -> None:
    held = trim(avail(D3), one(30), one(-20), one(-50), one(40))
    assert trims(held) == [
        (0, "band 3", -60_000, -20_000),
        (0, "band 19", 70_000, 20_000),
        (0, "maxAvailLoad", -50_000, -20_000),
        (0, "maxAvailGen", 40_000, 30_000),
    ]


@pytest.mark.parametrize(("fixed", "kept"), [(-60, -20), (80, 30), (30, 30), (-20, -20), (0, 0)])
def test_a_fixed_load_is_constrained_to_the_limits(fixed: float, kept: float) -> None:
    held = trim(avail({}), one(30), one(-20), fixed=one(fixed))
    assert in_kw(held.fixed) == [kept]
    assert held.before.count == (fixed != kept)


def test_bands_under_a_fixed_load_do_not_breach() -> None:
    """The fixed load goes first, so the bands behind it cannot be dispatched (HLD §4.6 (11))."""
    assert trims(trim(avail(D3), one(30), one(-20), fixed=one(5))) == []


def test_a_fixed_load_on_one_side_does_not_trim_the_other() -> None:
    held = trim(avail({}), one(30), one(-20), fixed=one(-25))
    assert trims(held) == [(0, "fixedLoad", -25_000, -20_000)]


def test_absent_quantities_stay_absent() -> None:
    held = trim(avail(D3), one(30), one(-20))
    assert {*held.max_load.tolist(), *held.max_gen.tolist(), *held.fixed.tolist()} == {NO_LIMIT}


def test_check_reports_how_far_beyond_the_limits() -> None:
    breaches = check(avail(D3, 2), np.array([80_000, 70_000]), np.array([-50_000, -60_000]))
    assert breaches.over_import.tolist() == [10_000, 0]
    assert breaches.over_export.tolist() == [0, 10_000]
    assert (breaches.low.tolist(), breaches.high.tolist()) == ([-60_000] * 2, [80_000] * 2)
    assert breaches.count == 2


@pytest.mark.parametrize(
    ("exports", "imports"),
    [(NO_LIMIT, 0), (0, NO_LIMIT), (-1, 0), (0, 1)],
)
def test_missing_and_wrong_limits_are_rejected(exports: int, imports: int) -> None:
    with pytest.raises(ValueError, match="limit"):
        check(avail(D3), np.array([exports]), np.array([imports]))


def test_sums_beyond_32_bits_are_exact() -> None:
    most = 2**31 - 1
    row = np.zeros((1, 20), dtype=np.int32)
    row[0, 10:] = most
    held = trim(row, np.array([most + 5]), np.array([0]))
    assert held.before.high.tolist() == [10 * most]
    assert held.avail[0, 10:].tolist() == [most, 5, *[0] * 8]


@pytest.mark.parametrize(
    ("watts", "wh"), [([12_000] * 12, 12_000), ([1], 0), ([6], 1), ([5], 0), ([], 0)]
)
def test_energy_is_whole_watt_hours(watts: list[int], wh: int) -> None:
    assert energy_wh(np.array(watts, dtype=np.int64)) == wh
