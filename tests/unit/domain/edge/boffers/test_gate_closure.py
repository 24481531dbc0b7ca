"""Gate closure, the latest acknowledged Boffer, roll-forward (HLD §4.1, §4.4 to §4.7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from oepnode.domain.edge.boffers.gate_closure import (
    NOT_OFFERED,
    ExpiredRollForward,
    Lodged,
    MixedOfferError,
    check_rebids,
    effective_day,
    frozen_prices,
    gate_closure,
    is_rebid,
    lapsed,
)
from oepnode.domain.edge.boffers.model import BofferDay, make_day
from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.domain.rounds.inputs.supersession import NO_SUBMISSION
from tests.support.boffers import avail, prices

DAY = date(2026, 11, 20)
CLOSURE = gate_closure(DAY)
PRICES = prices()
DEARER = prices({4: 79.0})


def day(
    load_kw: float = -10,
    *,
    submitted_s: int = CLOSURE - 60,
    on: date = DAY,
    bands: Any = PRICES,
    periods: Sequence[int] = (1, 2, 3),
    **changes: Any,
) -> BofferDay:
    return make_day(
        "UNIT1", on, bands, avail({3: load_kw}, len(periods)), periods=list(periods),
        **{"submitted_us": submitted_s * 1_000_000} | changes,
    )  # fmt: skip


def accepted(*days: BofferDay) -> list[Lodged]:
    return [Lodged(item, item.submitted_us + 1) for item in days]


def test_part_c_1_2_gate_closes_at_1230_nem_time_the_day_before() -> None:
    assert format_nem(CLOSURE) == "2026-11-19T12:30:00+10:00"
    assert not is_rebid(CLOSURE * 1_000_000, DAY)
    assert is_rebid(CLOSURE * 1_000_000 + 1, DAY)


# --- re-bids -------------------------------------------------------------------------------------


def rebids(*days: BofferDay, step: int | None = 3) -> list[tuple[int, str, int | None]]:
    """Prices that changed."""
    found = [(number, b.code, b.band) for number, b in check_rebids(days, step)]
    return [item for item in found if item[1] == "gate.price_changed"]


def test_before_gate_closure_prices_may_change() -> None:
    assert rebids(day(), day(bands=DEARER, submitted_s=CLOSURE)) == []


def test_after_gate_closure_quantities_may_change() -> None:
    assert rebids(day(), day(-20, submitted_s=CLOSURE + 1)) == []


@pytest.mark.parametrize("step", [None, 1, 3])
def test_after_gate_closure_prices_may_not_change(step: int | None) -> None:
    late = day(bands=DEARER, submitted_s=CLOSURE + 1)
    found = list(check_rebids([day(), late], step))
    # The document's table repeats band 4 up to band 8, which all moved.
    assert [(n, b.code, b.band, b.field) for n, b in found] == [
        (1, "gate.price_changed", band, "prices") for band in (4, 5, 6, 7, 8)
    ]
    assert found[0][1].value == "79"
    assert "stays at 78 $/MWh" in found[0][1].message


def test_hld_4_1_step_2_has_no_gate_closure() -> None:
    assert rebids(day(), day(bands=DEARER, submitted_s=CLOSURE + 1), step=2) == []


def test_part_c_3_1_boffers_of_sites_have_no_gate_closure() -> None:
    days = [day(kind="NMI"), day(kind="NMI", bands=DEARER, submitted_s=CLOSURE + 1)]
    assert rebids(*days) == []


def test_the_last_boffer_before_gate_closure_sets_the_prices() -> None:
    early, last = day(submitted_s=CLOSURE - 900), day(submitted_s=CLOSURE, bands=DEARER)
    assert rebids(early, last, day(bands=DEARER, submitted_s=CLOSURE + 9)) == []
    assert len(rebids(early, last, day(submitted_s=CLOSURE + 9))) == 5


def test_without_a_boffer_in_time_the_one_that_rolled_forward_sets_the_prices() -> None:
    before = day(on=DAY - timedelta(days=1), submitted_s=CLOSURE - 90_000)
    assert len(rebids(before, day(bands=DEARER, submitted_s=CLOSURE + 1))) == 5
    assert rebids(before, day(submitted_s=CLOSURE + 1)) == []


def test_without_any_boffer_in_time_the_first_sets_the_prices() -> None:
    first = day(submitted_s=CLOSURE + 1)
    assert rebids(first) == []
    assert len(rebids(first, day(bands=DEARER, submitted_s=CLOSURE + 2))) == 5


def test_a_rejected_rebid_does_not_move_the_prices() -> None:
    late = day(bands=DEARER, submitted_s=CLOSURE + 1)
    assert len(rebids(day(), late, late)) == 10
    assert rebids(day(), late, day(submitted_s=CLOSURE + 9))[-1][0] == 1


def test_units_and_levels_are_judged_apart() -> None:
    late = day(bands=DEARER, submitted_s=CLOSURE + 1, level="Flex")
    assert rebids(day(), late) == []


def test_a_rejected_boffer_freezes_nothing() -> None:
    lodged = [Lodged(day(bands=DEARER), None), *accepted(day())]
    frozen = frozen_prices(lodged, DAY)
    assert frozen is not None
    assert frozen.source == 1
    assert (frozen.prices == PRICES).all()
    assert frozen_prices(lodged[:1], DAY) is None


def cautions(*days: BofferDay, step: int | None = 3, judged_from: int = 0) -> list[int]:
    """Which Boffers are told that none came in time."""
    found = check_rebids(days, step, judged_from)
    return [number for number, broken in found if broken.code == "gate.not_in_time"]


LATE = CLOSURE + 1


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (day(on=DAY - timedelta(days=1), submitted_s=CLOSURE - 90_000), "rolled forward"),
        (day(on=DAY - timedelta(days=2), submitted_s=CLOSURE - 180_000), "are its own"),
        (day(submitted_s=LATE), "of the first one after it"),
    ],
)
def test_hld_4_5_a_day_without_a_boffer_by_gate_closure_is_a_caution(
    before: BofferDay, said: str
) -> None:
    found = list(check_rebids([before, day(submitted_s=LATE + 1)], 3))
    assert [(number, broken.code) for number, broken in found] == [(1, "gate.not_in_time")]
    (_, broken) = found[0]
    assert said in broken.message
    assert "2026-11-19T12:30:00+10:00" in broken.message
    assert (broken.field, broken.section, broken.value) == (
        "tradingDate",
        "HLD §4.3, §4.5",
        str(DAY),
    )


def test_hld_4_5_a_boffer_in_time_needs_no_caution_whatever_comes_later() -> None:
    assert (
        cautions(day(submitted_s=CLOSURE), day(submitted_s=LATE), day(submitted_s=LATE + 1)) == []
    )
    nobody_knows = day(submitted_us=NO_SUBMISSION)
    assert cautions(nobody_knows, day(submitted_s=LATE)) == []


def test_hld_4_5_a_boffer_alone_does_not_tell_what_came_before() -> None:
    both = day(submitted_s=LATE), day(on=DAY - timedelta(days=1), submitted_s=LATE)
    assert cautions(*both) == []


def test_hld_4_5_the_caution_is_given_once_for_a_unit_and_trading_day() -> None:
    old = day(on=DAY - timedelta(days=2), submitted_s=CLOSURE - 180_000)
    late = [day(submitted_s=LATE + n) for n in range(3)]
    assert cautions(old, *late) == [1]
    assert cautions(old, *late, judged_from=2) == [2], "those accepted before are not judged"
    flex = [replace(item, level="Flex") for item in (old, late[0])]
    assert cautions(old, *late, *flex) == [1, 5]


@pytest.mark.parametrize(("step", "told"), [(None, [1]), (1, [1]), (2, []), (3, [1])])
def test_hld_4_1_step_2_asks_for_no_boffer_by_gate_closure(
    step: int | None, told: list[int]
) -> None:
    old = day(on=DAY - timedelta(days=2), submitted_s=CLOSURE - 180_000)
    assert cautions(old, day(submitted_s=LATE), step=step) == told
    sites = [replace(item, kind="NMI") for item in (old, day(submitted_s=LATE))]
    assert cautions(*sites, step=step) == []


def self_dispatched(**changes: Any) -> BofferDay:
    """A Boffer without prices and quantities."""
    return replace(
        day(bands=None, load_kw=0, fixed_load=-5, **changes), has_bands=np.zeros(3, bool)
    )


def test_hld_4_4_a_boffer_without_prices_freezes_none_and_breaks_none() -> None:
    bare, late = self_dispatched(), self_dispatched(submitted_s=LATE)
    assert frozen_prices(accepted(bare), DAY) is None
    frozen = frozen_prices(accepted(day(), bare), DAY)
    assert frozen is not None
    assert frozen.source == 0
    assert list(check_rebids([day(), late], 3)) == []
    assert rebids(day(), bare, late, day(submitted_s=LATE + 1)) == []


def test_hld_4_4_the_latest_boffer_counts_with_prices_or_without() -> None:
    found = effective_day(accepted(day(periods=(1, 2, 3, 4)), self_dispatched()), DAY)
    assert found is not None
    assert found.has_prices[:5].tolist() == [False, False, False, True, False]
    assert found.fixed_load[:4].tolist() == [-5, -5, -5, NO_LIMIT]
    assert not found.avail[:3].any()


# --- which Boffer counts -------------------------------------------------------------------------


def load_kw(lodged: Sequence[Lodged], on: date = DAY, at_us: int | None = None) -> list[float]:
    """What band 3 holds in periods 1 to 4."""
    found = effective_day(lodged, on, at_us)
    assert found is not None
    return (found.avail[:4, 2] / 1000).tolist()


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
    found = effective_day(accepted(day(-10), day(-20, periods=(2, 3, 4))), DAY)
    assert found is not None
    assert found.source[:5].tolist() == [0, 1, 1, 1, NOT_OFFERED]


def test_hld_4_4_and_4_5_previous_days_boffer_rolls_forward() -> None:
    earlier = day(-10, on=DAY - timedelta(days=1), max_avail_load=-9_000, fixed_load=-1)
    found = effective_day(accepted(earlier), DAY)
    assert found is not None
    assert found.trading_date == DAY
    assert found.days_back[:4].tolist() == [1, 1, 1, 0]
    assert found.source[:4].tolist() == [0, 0, 0, NOT_OFFERED]
    assert (found.prices[0] == PRICES).all()
    assert found.max_avail_load[0] == -9_000
    assert found.fixed_load[:3].tolist() == [-1, -1, -1]
    assert lapsed(accepted(earlier), DAY) is None


@pytest.mark.parametrize("back", [2, 3, 30])
def test_hld_4_4_and_4_5_an_older_boffer_does_not_roll_forward(back: int) -> None:
    earlier = accepted(day(-10, on=DAY - timedelta(days=back)))
    assert effective_day(earlier, DAY) is None
    told = lapsed(earlier, DAY)
    before = DAY - timedelta(days=1)
    assert told == ExpiredRollForward(DAY, before, DAY - timedelta(days=back), 3)


def test_an_older_boffer_fills_no_period_that_the_day_before_leaves_open() -> None:
    older = day(-30, on=DAY - timedelta(days=2), periods=(1, 2, 3, 4, 5))
    before = day(-20, on=DAY - timedelta(days=1), periods=(1, 2, 3))
    lodged = accepted(older, before)
    found = effective_day(lodged, DAY)
    assert found is not None
    assert found.source[:6].tolist() == [1, 1, 1, *[NOT_OFFERED] * 3]
    told = lapsed(lodged, DAY)
    assert told is not None
    assert (told.newest, told.periods) == (DAY - timedelta(days=2), 2)
    assert lapsed(lodged[:1], DAY, at_us=0) is None, "acknowledged later"
    assert lapsed([Lodged(older, None)], DAY) is None, "rejected"


def test_prices_from_further_back_than_the_day_before_are_not_frozen() -> None:
    older = day(on=DAY - timedelta(days=2), submitted_s=CLOSURE - 180_000)
    assert rebids(older, day(bands=DEARER, submitted_s=CLOSURE + 1)) == []


def test_a_boffer_of_the_day_goes_before_one_that_rolls_forward() -> None:
    before = day(-10, on=DAY - timedelta(days=1), periods=(1, 2, 3, 4))
    found = effective_day(accepted(day(-20), before), DAY)
    assert found is not None
    assert (found.avail[:4, 2] / 1000).tolist() == [-20, -20, -20, -10]
    assert found.days_back[:4].tolist() == [0, 0, 0, 1]


def test_a_later_days_boffer_does_not_roll_back() -> None:
    assert effective_day(accepted(day(on=DAY + timedelta(days=1))), DAY) is None


def test_a_full_day_stops_the_search() -> None:
    whole = day(-20, periods=tuple(range(1, 289)))
    found = effective_day(accepted(day(-10), whole), DAY)
    assert found is not None
    assert (found.source == 1).all()
    assert np.asarray(found.avail[:, 2] == -20_000).all()


@pytest.mark.parametrize("change", [{"level": "Flex"}, {"kind": "NMI"}])
def test_mixed_units_are_rejected(change: dict[str, str]) -> None:
    lodged = accepted(day(), day(**change))
    with pytest.raises(MixedOfferError, match="2 units"):
        effective_day(lodged, DAY)
    with pytest.raises(MixedOfferError):
        frozen_prices(lodged, DAY)


def test_hld_4_6_12_a_fixed_load_counts_once_its_boffer_is_accepted() -> None:
    old = day(submitted_s=CLOSURE - 600, fixed_load=-1)
    new = day(fixed_load=-2)

    def fixed(*lodged: Lodged, at_us: int | None = None) -> int:
        found = effective_day(lodged, DAY, at_us)
        return NO_LIMIT if found is None else int(found.fixed_load[0])

    assert fixed(*accepted(old), Lodged(new, None)) == -1, "rejected"
    assert fixed(*accepted(old, new), at_us=new.submitted_us) == -1, "not acknowledged yet"
    assert fixed(*accepted(old, new)) == -2
    assert fixed(Lodged(new, None)) == NO_LIMIT
