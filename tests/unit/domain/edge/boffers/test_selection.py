"""The Boffer in effect: latest acknowledged, roll-forward (HLD §4.4 to §4.7)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from oepnode.domain.edge.boffers.gate_closure import frozen_prices
from oepnode.domain.edge.boffers.selection import (
    NOT_OFFERED,
    ExpiredRollForward,
    Lodged,
    MixedOfferError,
    effective_day,
    expired_roll_forward,
)
from oepnode.domain.nem.quantities import NO_LIMIT
from tests.support.lodged_boffers import CLOSURE, DAY, PRICES, accepted, day, self_dispatched


def test_hld_4_4_the_latest_boffer_counts_with_prices_or_without() -> None:
    offer = effective_day(accepted(day(periods=(1, 2, 3, 4)), self_dispatched()), DAY)
    assert offer is not None
    assert offer.has_prices[:5].tolist() == [False, False, False, True, False]
    assert offer.fixed_load[:4].tolist() == [-5, -5, -5, NO_LIMIT]
    assert not offer.avail[:3].any()


# --- the Boffer in effect ------------------------------------------------------------------------


def load_kw(lodged: Sequence[Lodged], on: date = DAY, at_us: int | None = None) -> list[float]:
    """Quantities of band 3 in periods 1 to 4, kW."""
    offer = effective_day(lodged, on, at_us)
    assert offer is not None
    return [float(watts) / 1000 for watts in offer.avail[:4, 2]]


def test_hld_4_7_latest_acknowledged_boffer_wins() -> None:
    lodged = accepted(day(-10), day(-20, submitted_s=CLOSURE))
    assert load_kw(lodged) == [-20, -20, -20, 0]


def test_hld_4_7_order_of_acknowledgement_goes_before_the_written_time() -> None:
    lodged = [
        Lodged(day(-10, submitted_s=CLOSURE), 5),
        Lodged(day(-20, submitted_s=CLOSURE - 9), 6),
    ]
    assert load_kw(lodged)[0] == -20
    assert load_kw(lodged[::-1])[0] == -20


def test_part_c_3_3_written_time_decides_among_equals() -> None:
    lodged = [
        Lodged(day(-10, submitted_s=CLOSURE), 5),
        Lodged(day(-20, submitted_s=CLOSURE - 9), 5),
    ]
    assert load_kw(lodged)[0] == -10


def test_hld_4_7_a_rejected_boffer_does_not_count() -> None:
    assert load_kw([*accepted(day(-10)), Lodged(day(-20), None)])[0] == -10
    assert effective_day([Lodged(day(), None)], DAY) is None


def test_only_what_was_acknowledged_by_then_counts() -> None:
    first, second = day(-10), day(-20, submitted_s=CLOSURE)
    lodged = accepted(first, second)
    assert load_kw(lodged, at_us=second.submitted_us)[0] == -10
    assert effective_day(lodged, DAY, first.submitted_us) is None


def test_hld_4_1_periods_that_passed_keep_their_last_boffer() -> None:
    offer = effective_day(accepted(day(-10), day(-20, periods=(2, 3, 4))), DAY)
    assert offer is not None
    assert offer.source[:5].tolist() == [0, 1, 1, 1, NOT_OFFERED]


def test_hld_4_4_and_4_5_previous_days_boffer_rolls_forward() -> None:
    earlier = day(-10, on=DAY - timedelta(days=1), max_avail_load=-9_000, fixed_load=-1)
    offer = effective_day(accepted(earlier), DAY)
    assert offer is not None
    assert offer.trading_date == DAY
    assert offer.days_back[:4].tolist() == [1, 1, 1, 0]
    assert offer.source[:4].tolist() == [0, 0, 0, NOT_OFFERED]
    assert (offer.prices[0] == PRICES).all()
    assert offer.max_avail_load[0] == -9_000
    assert offer.fixed_load[:3].tolist() == [-1, -1, -1]
    assert expired_roll_forward(accepted(earlier), DAY) is None


@pytest.mark.parametrize("back", [2, 3, 30])
def test_hld_4_4_and_4_5_an_older_boffer_does_not_roll_forward(back: int) -> None:
    earlier = accepted(day(-10, on=DAY - timedelta(days=back)))
    assert effective_day(earlier, DAY) is None
    expired = expired_roll_forward(earlier, DAY)
    before = DAY - timedelta(days=1)
    assert expired == ExpiredRollForward(DAY, before, DAY - timedelta(days=back), 3)


def test_an_older_boffer_fills_no_period_that_the_day_before_leaves_open() -> None:
    older = day(-30, on=DAY - timedelta(days=2), periods=(1, 2, 3, 4, 5))
    before = day(-20, on=DAY - timedelta(days=1), periods=(1, 2, 3))
    lodged = accepted(older, before)
    offer = effective_day(lodged, DAY)
    assert offer is not None
    assert offer.source[:6].tolist() == [1, 1, 1, *[NOT_OFFERED] * 3]
    expired = expired_roll_forward(lodged, DAY)
    assert expired is not None
    assert (expired.newest, expired.periods) == (DAY - timedelta(days=2), 2)
    assert expired_roll_forward(lodged[:1], DAY, at_us=0) is None, "acknowledged later"
    assert expired_roll_forward([Lodged(older, None)], DAY) is None, "rejected"


def test_a_boffer_of_the_day_goes_before_one_that_rolls_forward() -> None:
    before = day(-10, on=DAY - timedelta(days=1), periods=(1, 2, 3, 4))
    offer = effective_day(accepted(day(-20), before), DAY)
    assert offer is not None
    assert (offer.avail[:4, 2] / 1000).tolist() == [-20, -20, -20, -10]
    assert offer.days_back[:4].tolist() == [0, 0, 0, 1]


def test_a_later_days_boffer_does_not_roll_back() -> None:
    assert effective_day(accepted(day(on=DAY + timedelta(days=1))), DAY) is None


def test_a_full_day_stops_the_search() -> None:
    whole = day(-20, periods=tuple(range(1, 289)))
    offer = effective_day(accepted(day(-10), whole), DAY)
    assert offer is not None
    assert (offer.source == 1).all()
    assert np.asarray(offer.avail[:, 2] == -20_000).all()


@pytest.mark.parametrize("change", [{"level": "Flex"}, {"kind": "NMI"}])
def test_mixed_units_are_rejected(change: dict[str, Any]) -> None:
    lodged = accepted(day(), day(**change))
    with pytest.raises(MixedOfferError, match="2 units"):
        effective_day(lodged, DAY)
    with pytest.raises(MixedOfferError):
        frozen_prices(lodged, DAY)


def test_hld_4_6_12_a_fixed_load_counts_once_its_boffer_is_accepted() -> None:
    old = day(submitted_s=CLOSURE - 600, fixed_load=-1)
    new = day(fixed_load=-2)

    def fixed(*lodged: Lodged, at_us: int | None = None) -> int:
        offer = effective_day(lodged, DAY, at_us)
        return NO_LIMIT if offer is None else int(offer.fixed_load[0])

    assert fixed(*accepted(old), Lodged(new, None)) == -1, "rejected"
    assert fixed(*accepted(old, new), at_us=new.submitted_us) == -1, "not acknowledged yet"
    assert fixed(*accepted(old, new)) == -2
    assert fixed(Lodged(new, None)) == NO_LIMIT
