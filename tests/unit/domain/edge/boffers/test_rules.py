"""Every rule of HLD §4.6, §4.7 and of the steps: a Boffer that keeps it, and one that breaks it."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from oepnode.domain.edge.boffers import rules
from oepnode.domain.edge.boffers.model import BofferDay, make_day
from oepnode.domain.nem.nem_time import INTERVAL_S, period_start
from tests.support.boffers import EDGE_MARKET, avail
from tests.support.rule_days import DAY, GOOD, GOOD_PRICES, changed, codes, day, violations


def test_a_good_boffer_breaks_no_rule() -> None:
    capacity = rules.Capacity(-60_000, 80_000)
    offer = day()
    assert violations(lambda d: rules.check_day(d, 1, EDGE_MARKET, capacity), offer) == []
    assert violations(lambda d: rules.check_day(d, 3, EDGE_MARKET, capacity), offer) == []


def test_every_rule_is_in_the_list() -> None:
    named = {name for name in vars(rules) if name.startswith("check_")}
    listed = {rule.__name__ for rule in (*rules.RULES, *rules.STEP_RULES.values())}
    apart = {"check_day", "check_capacity", "check_market_range", "check_market_ends"}
    assert named == listed | apart | {"check_horizon"}


def test_hld_4_6_2_twenty_bands() -> None:
    offer = day()
    assert violations(rules.check_band_count, offer) == []
    short = BofferDay(
        **{name: getattr(offer, name) for name in offer.__dataclass_fields__}
        | {"prices": offer.prices[:10], "avail": offer.avail[:, :10]}
    )
    broken = violations(rules.check_band_count, short)
    assert [(b.code, b.field, b.value) for b in broken] == [
        ("boffer.bands", "prices", "10 bands"),
        ("boffer.bands", "energyPeriods", "10 bands"),
    ]


def test_hld_4_6_3_prices_rise_on_each_side() -> None:
    assert violations(rules.check_prices_do_not_fall, day()) == []
    broken = violations(rules.check_prices_do_not_fall, day(prices=changed({3: -1, 14: 1.09})))
    assert [(b.code, b.band, b.field, b.value) for b in broken] == [
        ("boffer.price_falls", 3, "prices", "-1"),
        ("boffer.price_falls", 14, "prices", "1.09"),
    ]
    assert {b.section for b in broken} == {"HLD §4.6 (3)"}


def test_hld_4_6_3_prices_start_again_at_band_11() -> None:
    assert GOOD_PRICES[10] < GOOD_PRICES[9]
    assert violations(rules.check_prices_do_not_fall, day()) == []


def test_hld_4_6_5_max_avail_gen_is_not_negative() -> None:
    assert violations(rules.check_max_avail_gen, day(max_avail_gen=0)) == []
    assert violations(rules.check_max_avail_gen, day(max_avail_gen=None)) == []
    (broken,) = violations(rules.check_max_avail_gen, day(max_avail_gen=-1))
    assert (broken.code, broken.row, broken.field, broken.value) == (
        "boffer.max_avail_gen", 0, "maxAvailGen", "-0.001 kW",
    )  # fmt: skip


def test_hld_4_6_6_max_avail_load_is_not_positive() -> None:
    assert violations(rules.check_max_avail_load, day(max_avail_load=0)) == []
    assert violations(rules.check_max_avail_load, day(max_avail_load=None)) == []
    (broken,) = violations(rules.check_max_avail_load, day(max_avail_load=60_000))
    assert (broken.code, broken.field, broken.value) == (
        "boffer.max_avail_load", "maxAvailLoad", "60 kW",
    )  # fmt: skip


def test_hld_4_6_1_and_7_load_bands_hold_load() -> None:
    assert violations(rules.check_load_bands, day()) == []
    (broken,) = violations(rules.check_load_bands, day(GOOD | {10: 5}))
    assert (broken.code, broken.row, broken.band, broken.value) == (
        "boffer.load_sign", 0, 10, "5 kW",
    )  # fmt: skip


def test_hld_4_6_1_and_8_generation_bands_hold_generation() -> None:
    assert violations(rules.check_generation_bands, day()) == []
    (broken,) = violations(rules.check_generation_bands, day(GOOD | {11: -5}))
    assert (broken.code, broken.row, broken.band, broken.value) == (
        "boffer.generation_sign", 0, 11, "-5 kW",
    )  # fmt: skip


def test_hld_4_6_9_load_to_generation_once_from_band_to_band() -> None:
    assert violations(rules.check_transition, day()) == []
    broken = violations(rules.check_transition, day({2: 5, 3: -60, 15: -1}))
    assert [(b.code, b.band) for b in broken] == [
        ("boffer.transition", 3),
        ("boffer.transition", 15),
    ]


def test_hld_4_6_9_load_to_generation_once_from_price_to_price() -> None:
    assert violations(rules.check_crossing, day()) == []
    (broken,) = violations(rules.check_crossing, day({9: -30, 13: 10}))
    assert (broken.code, broken.row, broken.field) == ("boffer.crossing", 0, "bandAvail")
    assert "1500 $/MWh" in broken.message
    assert violations(rules.check_crossing, day({9: -30})) == []
    assert violations(rules.check_crossing, day({13: 10})) == []


def test_hld_4_6_11_fixed_load_together_with_bands_is_a_caution() -> None:
    assert violations(rules.check_both_ways, day()) == []
    assert violations(rules.check_both_ways, day({}, fixed_load=-5_000)) == []
    (broken,) = violations(rules.check_both_ways, day(fixed_load=0))
    assert (broken.code, broken.row, broken.field) == ("boffer.both_ways", 0, "fixedLoad")
    assert broken.code in rules.CAUTIONS


@pytest.mark.parametrize(("fixed", "dispatched"), [(-61_000, "-60 kW"), (81_000, "80 kW")])
def test_hld_4_6_5_and_6_fixed_load_beyond_max_avail_is_a_caution(
    fixed: int, dispatched: str
) -> None:
    assert violations(rules.check_fixed_load_bound, day(fixed_load=-60_000)) == []
    assert violations(rules.check_fixed_load_bound, day(fixed_load=80_000)) == []
    (broken,) = violations(rules.check_fixed_load_bound, day(fixed_load=fixed))
    assert broken.code in rules.CAUTIONS
    assert f"only {dispatched} are dispatched" in broken.message


def test_hld_4_7_bands_with_a_quantity_have_rising_prices() -> None:
    assert violations(rules.check_price_repeats, day()) == []
    repeated = changed({4: 1, 15: 78})
    assert violations(rules.check_price_repeats, day(prices=repeated)) == []
    broken = violations(
        rules.check_price_repeats, day(GOOD | {4: -1, 14: 3, 15: 3}, prices=repeated)
    )
    assert [(b.code, b.band, b.value) for b in broken] == [
        ("boffer.price_repeats", 4, "-1 kW"),
        ("boffer.price_repeats", 15, "3 kW"),
    ]


def test_hld_4_7_load_and_generation_share_no_price() -> None:
    shared = changed({13: 1})
    assert violations(rules.check_shared_price, day()) == []
    (broken,) = violations(rules.check_shared_price, day(prices=shared))
    assert (broken.code, broken.band, broken.value) == ("boffer.shared_price", 13, "10 kW")
    assert violations(rules.check_crossing, day(prices=shared)) == [], "one fault, not two"


def test_hld_4_7_bands_without_a_quantity_may_share_a_price() -> None:
    assert (GOOD_PRICES[:2] == GOOD_PRICES[10:12]).all()
    assert violations(rules.check_shared_price, day()) == []
    assert violations(rules.check_shared_price, day({3: -60}, prices=changed({13: 1}))) == []


def test_hld_4_2_4_and_4_2_5_and_part_c_3_3_capacity() -> None:
    capacity = rules.Capacity(-60_000, 80_000)
    check = lambda offer: rules.check_capacity(offer, capacity)  # noqa: E731
    assert violations(check, day()) == []
    over = day(GOOD | {2: -1, 20: 1}, max_avail_load=-60_001, max_avail_gen=80_001)
    broken = violations(check, over)
    assert [(b.code, b.field, b.value) for b in broken] == [
        ("boffer.capacity", "bandAvail", "-61 kW"),
        ("boffer.max_avail_capacity", "maxAvailLoad", "-60.001 kW"),
        ("boffer.capacity", "bandAvail", "81 kW"),
        ("boffer.max_avail_capacity", "maxAvailGen", "80.001 kW"),
    ]


def test_hld_4_6_3_prices_within_floor_and_ceiling() -> None:
    check = lambda offer: rules.check_market_range(offer, EDGE_MARKET)  # noqa: E731
    assert violations(check, day()) == []
    broken = violations(check, day(prices=changed({1: -1000.01, 20: 15_100.01})))
    assert [(b.code, b.band, b.value) for b in broken] == [
        ("boffer.market_range", 1, "-1000.01"),
        ("boffer.market_range", 20, "15100.01"),
    ]


def test_part_c_3_1_boffer_of_a_site_has_floor_and_ceiling() -> None:
    check = lambda offer: rules.check_market_ends(offer, EDGE_MARKET)  # noqa: E731
    inner = changed({1: -900, 11: -900, 10: 15_000, 20: 15_000})
    assert violations(check, day(kind="NMI")) == []
    assert violations(check, day(prices=inner)) == [], "a DUID's need not have them"
    assert codes(violations(check, day(prices=inner, kind="NMI"))) == ["boffer.market_ends"] * 2


# --- horizon -------------------------------------------------------------------------------------


def horizon(first: int, count: int, submitted_s: int | None) -> list[BofferDay]:
    """Days with ``count`` intervals from ``first`` on."""
    days = []
    start = first
    while start < first + count * INTERVAL_S:
        number = (start - period_start(DAY, 1)) // (288 * INTERVAL_S)
        trading = date.fromordinal(DAY.toordinal() + number)
        period = (start - period_start(trading, 1)) // INTERVAL_S + 1
        end = min(289, period + (first + count * INTERVAL_S - start) // INTERVAL_S)
        days.append(
            make_day(
                "UNIT1", trading, GOOD_PRICES, avail(GOOD, end - period),
                periods=list(range(period, end)),
                submitted_us=-1 if submitted_s is None else submitted_s * 1_000_000,
            )
        )  # fmt: skip
        start += (end - period) * INTERVAL_S
    return days


SUBMITTED = period_start(DAY, 100) + 12
UNDER_WAY = period_start(DAY, 100)


@pytest.mark.parametrize(
    ("first", "count", "submitted"),
    [
        (UNDER_WAY, 576, SUBMITTED),
        (UNDER_WAY + 300, 576, SUBMITTED),
        (UNDER_WAY - 3000, 586, SUBMITTED),  # past intervals may stay in
        (UNDER_WAY, 576, None),
    ],
)
def test_hld_4_1_576_intervals(first: int, count: int, submitted: int | None) -> None:
    days = horizon(first, count, submitted)
    assert len(days) == 3
    assert list(rules.check_horizon(days)) == []


@pytest.mark.parametrize(
    ("first", "count", "submitted", "missing"),
    [
        (UNDER_WAY, 575, SUBMITTED, 1),
        (UNDER_WAY + 600, 576, SUBMITTED, 1),
        (UNDER_WAY, 288, None, 288),
        (UNDER_WAY - 3000, 576, SUBMITTED, 10),
    ],
)
def test_hld_4_1_fewer_intervals(
    first: int, count: int, submitted: int | None, missing: int
) -> None:
    (broken,) = rules.check_horizon(horizon(first, count, submitted))
    assert (broken.code, broken.value) == ("boffer.horizon", f"{missing} intervals missing")


def test_hld_4_1_a_gap_in_the_horizon() -> None:
    days = horizon(UNDER_WAY, 576, SUBMITTED)
    days[1] = days[1].rows(np.delete(np.arange(288), [7, 8]))
    (broken,) = rules.check_horizon(days)
    assert broken.value == "2 intervals missing"
    assert list(rules.check_horizon([])) == []


# --- steps ---------------------------------------------------------------------------------------


def test_hld_4_3_step_1_has_no_fixed_load() -> None:
    assert violations(rules.check_visibility, day()) == []
    (broken,) = violations(rules.check_visibility, day(fixed_load=-1_000))
    assert (broken.code, broken.field, broken.value) == (
        "boffer.step1_fixed", "fixedLoad", "-1 kW",
    )  # fmt: skip


def test_hld_4_4_step_2_has_a_fixed_load_only() -> None:
    assert violations(rules.check_self_dispatch, day({}, fixed_load=0)) == []
    assert codes(violations(rules.check_self_dispatch, day())) == [
        "boffer.step2_no_fixed",
        "boffer.step2_bands",
    ]


def test_hld_4_5_step_3_has_either_or_both() -> None:
    for offer in (day(), day({}, fixed_load=-5), day(fixed_load=-5)):
        assert violations(rules.check_scheduled, offer) == []
    (broken,) = violations(rules.check_scheduled, day({}))
    assert broken.code == "boffer.step3_nothing"
    assert broken.code in rules.CAUTIONS


def test_check_day_adds_the_rule_of_the_step() -> None:
    offer = day(fixed_load=-1_000)
    found_codes = {step: {b.code for b in rules.check_day(offer, step)} for step in (None, 1, 2, 3)}
    assert found_codes[None] == found_codes[3] == {"boffer.both_ways"}
    assert found_codes[1] == {"boffer.both_ways", "boffer.step1_fixed"}
    assert found_codes[2] == {"boffer.both_ways", "boffer.step2_bands"}
    with pytest.raises(ValueError, match="4"):
        list(rules.check_day(offer, 4))


def test_all_violations_are_reported_in_one_pass() -> None:
    offer = day({3: 5, 13: -5, 9: -30, 14: 1}, prices=changed({5: -5}), max_avail_gen=-1)
    assert set(codes(violations(rules.check_day, offer))) == {
        "boffer.price_falls", "boffer.max_avail_gen", "boffer.load_sign",
        "boffer.generation_sign", "boffer.transition", "boffer.crossing",
    }  # fmt: skip
