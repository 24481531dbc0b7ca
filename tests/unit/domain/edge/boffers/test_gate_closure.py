"""Gate closure: prices that re-bids keep (HLD §4.1, §4.3, §4.5, Part C §1.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest

from oepnode.domain.edge.boffers.gate_closure import (
    check_rebids,
    frozen_prices,
    is_rebid,
)
from oepnode.domain.edge.boffers.model import BofferDay
from oepnode.domain.edge.boffers.selection import (
    Lodged,
    effective_day,
)
from oepnode.domain.nem.nem_time import MICROS, format_nem
from oepnode.domain.rounds.inputs.supersession import NO_SUBMISSION
from tests.support.lodged_boffers import (
    CLOSURE,
    DAY,
    DEARER,
    LATE,
    PRICES,
    accepted,
    day,
    self_dispatched,
)


def test_part_c_1_2_gate_closes_at_1230_nem_time_the_day_before() -> None:
    assert format_nem(CLOSURE) == "2026-11-19T12:30:00+10:00"
    assert not is_rebid(CLOSURE * MICROS, DAY)
    assert is_rebid(CLOSURE * MICROS + 1, DAY)


# --- re-bids -------------------------------------------------------------------------------------


def rebids(*days: BofferDay, step: int | None = 3) -> list[tuple[int, str, int | None]]:
    """Prices that changed."""
    violations = [(number, b.code, b.band) for number, b in check_rebids(days, step)]
    return [item for item in violations if item[1] == "gate.price_changed"]


def test_before_gate_closure_prices_may_change() -> None:
    assert rebids(day(), day(bands=DEARER, submitted_s=CLOSURE)) == []


def test_after_gate_closure_quantities_may_change() -> None:
    assert rebids(day(), day(-20, submitted_s=CLOSURE + 1)) == []


@pytest.mark.parametrize("step", [None, 1, 3])
def test_after_gate_closure_prices_may_not_change(step: int | None) -> None:
    late = day(bands=DEARER, submitted_s=CLOSURE + 1)
    violations = list(check_rebids([day(), late], step))
    # The document's table repeats band 4 up to band 8, which all moved.
    assert [(n, b.code, b.band, b.field) for n, b in violations] == [
        (1, "gate.price_changed", band, "prices") for band in (4, 5, 6, 7, 8)
    ]
    assert violations[0][1].value == "79"
    assert "stays at 78 $/MWh" in violations[0][1].message


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


def test_units_and_levels_are_checked_separately() -> None:
    late = day(bands=DEARER, submitted_s=CLOSURE + 1, level="Flex")
    assert rebids(day(), late) == []


def test_a_rejected_boffer_freezes_nothing() -> None:
    lodged = [Lodged(day(bands=DEARER), None), *accepted(day())]
    frozen = frozen_prices(lodged, DAY)
    assert frozen is not None
    assert frozen.source == 1
    assert (frozen.prices == PRICES).all()
    assert frozen_prices(lodged[:1], DAY) is None


def cautions(*days: BofferDay, step: int | None = 3, first_new: int = 0) -> list[int]:
    """Return which Boffers have the caution that no Boffer came in time."""
    violations = check_rebids(days, step, first_new)
    return [number for number, broken in violations if broken.code == "gate.not_in_time"]


@pytest.mark.parametrize(
    ("before", "sources"),
    [
        (day(on=DAY - timedelta(days=1), submitted_s=CLOSURE - 90_000), "rolled forward"),
        (day(on=DAY - timedelta(days=2), submitted_s=CLOSURE - 180_000), "are its own"),
        (day(submitted_s=LATE), "of the first Boffer after it"),
    ],
)
def test_hld_4_5_a_day_without_a_boffer_by_gate_closure_is_a_caution(
    before: BofferDay, sources: str
) -> None:
    violations = list(check_rebids([before, day(submitted_s=LATE + 1)], 3))
    assert [(number, broken.code) for number, broken in violations] == [(1, "gate.not_in_time")]
    (_, broken) = violations[0]
    assert sources in broken.message
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


def test_hld_4_5_a_boffer_without_earlier_ones_gives_no_caution() -> None:
    both = day(submitted_s=LATE), day(on=DAY - timedelta(days=1), submitted_s=LATE)
    assert cautions(*both) == []


def test_hld_4_5_the_caution_is_given_once_for_a_unit_and_trading_day() -> None:
    old = day(on=DAY - timedelta(days=2), submitted_s=CLOSURE - 180_000)
    late = [day(submitted_s=LATE + n) for n in range(3)]
    assert cautions(old, *late) == [1]
    assert cautions(old, *late, first_new=2) == [2], "those accepted before are not judged"
    flex = [replace(item, level="Flex") for item in (old, late[0])]
    assert cautions(old, *late, *flex) == [1, 5]


@pytest.mark.parametrize(("step", "cautioned"), [(None, [1]), (1, [1]), (2, []), (3, [1])])
def test_hld_4_1_step_2_requires_no_boffer_by_gate_closure(
    step: int | None, cautioned: list[int]
) -> None:
    old = day(on=DAY - timedelta(days=2), submitted_s=CLOSURE - 180_000)
    assert cautions(old, day(submitted_s=LATE), step=step) == cautioned
    sites = [replace(item, kind="NMI") for item in (old, day(submitted_s=LATE))]
    assert cautions(*sites, step=step) == []


def test_hld_4_4_a_boffer_without_prices_neither_freezes_prices_nor_changes_them() -> None:
    bare, late = self_dispatched(), self_dispatched(submitted_s=LATE)
    assert frozen_prices(accepted(bare), DAY) is None
    frozen = frozen_prices(accepted(day(), bare), DAY)
    assert frozen is not None
    assert frozen.source == 0
    assert list(check_rebids([day(), late], 3)) == []
    assert rebids(day(), bare, late, day(submitted_s=LATE + 1)) == []


# --- which Boffer counts -------------------------------------------------------------------------


def load_kw(lodged: Sequence[Lodged], on: date = DAY, at_us: int | None = None) -> list[float]:
    """What band 3 holds in periods 1 to 4."""
    violations = effective_day(lodged, on, at_us)
    assert violations is not None
    return [float(watts) / 1000 for watts in violations.avail[:4, 2]]


def test_prices_from_further_back_than_the_day_before_are_not_frozen() -> None:
    older = day(on=DAY - timedelta(days=2), submitted_s=CLOSURE - 180_000)
    assert rebids(older, day(bands=DEARER, submitted_s=CLOSURE + 1)) == []
