"""Differences between two Boffers of one unit and day."""

from __future__ import annotations

from oepnode.domain.edge.boffers.comparison import compare
from oepnode.domain.edge.boffers.model import make_day
from oepnode.domain.edge.constraining.constrain import (
    constrain,
)
from tests.support.boffers import avail, differs, prices
from tests.support.constraining import BANDS, DAY, A, envelopes, offer, self_dispatched


def test_equal_offers_have_no_differences() -> None:
    change = compare(offer(A), offer(A))
    assert not differs(change)
    assert (change.load_wh, change.generation_wh) == (0, 0)


def test_a_constrained_offer_differs_from_the_original_in_its_quantities() -> None:
    day = offer(A)
    change = compare(day, constrain([day], envelopes())[0].constrained())
    assert differs(change)
    assert change.bands == ()
    assert change.load.tolist() == [[-6000, -6000], [-4000, -4000]]
    assert change.generation.tolist() == [[8000, 8000], [5000, 5000]]
    assert change.quantities.tolist() == [2, 2]
    assert (change.load_wh, change.generation_wh) == (333, -500)


def test_changed_prices_are_named_by_band() -> None:
    dearer = make_day(A, DAY, prices({20: 15_099.0}), avail(BANDS, 2), kind="NMI")
    assert compare(offer(A), dearer).bands == (20,)


def test_periods_of_one_side_only_are_counted() -> None:
    change = compare(offer(A, 3), offer(A, 2))
    assert change.periods.tolist() == [1, 2]
    assert (change.only_before, change.only_after) == (1, 0)
    assert differs(change)


def test_prices_of_only_one_of_two_boffers_are_not_changed_prices() -> None:
    bare = self_dispatched(-9_000)
    priced = make_day("UNIT1", DAY, prices(), avail({}, 2), fixed_load=-9_000)
    change = compare(bare, priced)
    assert (change.bands, change.has_prices, differs(change)) == ((), (False, True), True)
    assert not differs(compare(bare, bare))
    assert compare(bare, self_dispatched(-8_000)).load_wh == 167
