"""Every worked example of HLD Appendices D to G, with the document's numbers.

The name of a test has the section: ``-k hld_e_2_1``. Where the document contradicts itself, the
name says ``document_error``, and the test holds what the rest of the example holds. The tables show
bands 1 to 4, 9 to 14, 18 to 20; the others have no quantity. The charts are pictures without
figures: their steps are derived from the tables. Appendix H is in ``test_aggregate``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pytest

from oepnode.domain.edge.boffers import rules
from oepnode.domain.edge.boffers.bands import accumulate, increments
from oepnode.domain.edge.boffers.model import make_day
from oepnode.domain.edge.clearing.clear import clear
from oepnode.domain.edge.clearing.supply_curve import quantity_at, supply_curve
from oepnode.domain.nem.quantities import NO_LIMIT
from tests.support.boffers import EDGE_MARKET, avail, cents, in_kw, one, prices


@dataclass
class Example:
    """A Boffer of one period, as a table of the document has it."""

    kilowatts: dict[int, float]
    max_load: float
    max_gen: float
    changed_prices: dict[int, float] = field(default_factory=dict)

    def cleared(self, dollars: float) -> float:
        """Cleared kW, by clearing and by the curve, which must agree."""
        row = avail(self.kilowatts)
        bands, at = prices(self.changed_prices), cents(dollars)
        load, gen = one(self.max_load), one(self.max_gen)
        watts = int(clear(bands, row, at, load, gen).watts[0])
        steps = supply_curve(bands, row[0], int(load[0]), int(gen[0]))
        assert quantity_at(steps, at) == watts
        return watts / 1000

    def accumulated(self, *bands: int) -> list[float]:
        sums = in_kw(accumulate(avail(self.kilowatts)))
        return [sums[band - 1] for band in bands]

    def broken(self, step: int) -> list[str]:
        """Codes of the rules of a step that the Boffer breaks."""
        day = make_day(
            "UNIT1",
            date(2022, 6, 1),
            prices(self.changed_prices),
            avail(self.kilowatts),
            max_avail_load=round(self.max_load * 1000),
            max_avail_gen=round(self.max_gen * 1000),
        )
        result = rules.check_day(day, step, EDGE_MARKET)
        return [broken.code for broken in result]


SHOWN = (1, 2, 3, 4, 9, 10, 11, 12, 13, 14, 19, 20)
"""Bands that most tables print."""


# --- the portfolios, kW by house -----------------------------------------------------------------

CHARGE: list[float] = [5, 5, 5, 5, 0]
DISCHARGE: list[float] = [10, 10, 10, 5, 0]
PUMPS: list[float] = [4.4, 0, 0, 1.4, 1.4]
SOLAR: list[float] = [5, 5, 5, 5, 5]
APPLIANCES = [0, 4.5, 6, 5.5, 6.8]
NATIVE = [7.5, 7.5, 25, 25, 5]
NATIVE_G: list[float] = [7, 7, 10, 10, 6]


def added(*columns: list[float]) -> list[float]:
    """Columns added up, house by house."""
    return [round(sum(house), 1) for house in zip(*columns, strict=True)]


def total(*columns: list[float]) -> float:
    return round(sum(added(*columns)), 1)


TABLES: Mapping[str, dict[str, tuple[list[float], float]]] = {
    "hld_e_1_table_1": {"uncontrolled": (NATIVE, 70), "pumps": (PUMPS, 7.2)},
    "hld_f_1_table_2": {"uncontrolled": (NATIVE, 70), "pumps": (PUMPS, 7.2)},
    "hld_g_1_table_3": {"uncontrolled": (NATIVE_G, 40)},  # its pumps: an error, below
}


@pytest.mark.parametrize("name", TABLES)
def test_totals_of_the_portfolio(name: str) -> None:
    """The three portfolios have the same batteries, panels and appliances."""
    same = {
        "charge": (CHARGE, 20),
        "discharge": (DISCHARGE, 35),
        "solar": (SOLAR, 25),
        "appliances": (APPLIANCES, 22.8),
    }
    for row, (houses, printed) in (TABLES[name] | same).items():
        assert total(houses) == printed, row


# --- Appendix D: today's bids and offers, and a Boffer -------------------------------------------

OFFER_PRICES = [
    -962.00, 0.00, 31.14, 34.24, 41.92, 52.90, 277.06, 461.76, 12602.20, 14526.20,
]  # fmt: skip
OFFER = [330, 70, 0, 20, 120, 95, 0, 0, 0, 65]
BID_PRICES = [-952.50, 0.00, 19.05, 28.58, 33.34, 38.10, 52.39, 71.44, 85.72, 285.75]
BID = {1: -600, 10: -600}


def test_hld_d_1_generation_offer_accumulates_from_the_lowest_price_up() -> None:
    row = avail(dict(enumerate(OFFER, 11)))
    expected = [330, 400, 400, 420, 540, 635, 635, 635, 635, 700]
    assert in_kw(accumulate(row))[10:] == expected
    assert (increments(accumulate(row)) == row).all()


@pytest.mark.parametrize(
    ("dollars", "quantity"),
    [
        (-1000, 0),
        (-962.01, 0),
        (-962, 330),
        (-0.01, 330),
        (0, 400),
        (31.14, 400),
        (34.23, 400),
        (34.24, 420),
        (41.92, 540),
        (52.90, 635),
        (461.76, 635),
        (14526.19, 635),
        (14526.20, 660),  # 700 offered, Max Avail 660
    ],
)
def test_hld_d_1_max_avail_660_limits_the_700_offered(dollars: float, quantity: float) -> None:
    row = avail(dict(enumerate(OFFER, 11)))
    bands = np.array([cents(p) for p in OFFER_PRICES] * 2)
    result = clear(bands, row, cents(dollars), max_load=one(0), max_gen=one(660))
    assert in_kw(result.watts) == [quantity]
    assert result.is_bounded.tolist() == [quantity == 660]
    assert in_kw(clear(bands, row, cents(20_000)).watts) == [700]


def test_hld_d_2_load_bid_accumulates_from_the_highest_price_down() -> None:
    sums = in_kw(accumulate(avail(BID)))[:10]
    assert sums[::-1] == [-600, -600, -600, -600, -600, -600, -600, -600, -600, -1200]
    assert (increments(accumulate(avail(BID))) == avail(BID)).all()


@pytest.mark.parametrize("dollars", [-1000, -952.50, 0, 285.75, 285.76])
def test_hld_d_2_max_avail_0_clears_nothing(dollars: float) -> None:
    bands = np.array([cents(p) for p in BID_PRICES] * 2)
    assert in_kw(clear(bands, avail(BID), cents(dollars), max_load=one(0)).watts) == [0]


@pytest.mark.parametrize(
    ("dollars", "quantity"),
    [(-952.50, -1200), (-952.49, -600), (285.75, -600), (285.76, 0)],
)
def test_hld_d_2_without_max_avail_the_bands_decide(dollars: float, quantity: float) -> None:
    bands = np.array([cents(p) for p in BID_PRICES] * 2)
    assert in_kw(clear(bands, avail(BID), cents(dollars)).watts) == [quantity]


D3 = Example({3: -60, 13: 10, 19: 70}, -60, 80, {13: 1.1})


def test_hld_d_3_boffer_accumulates_both_ways_from_the_break() -> None:
    assert D3.accumulated(*SHOWN) == [-60, -60, -60, 0, 0, 0, 0, 0, 10, 10, 80, 80]


@pytest.mark.parametrize(
    ("dollars", "quantity"),
    [
        (-1000, -60), (0.99, -60), (1, -60), (1.01, 0), (1.09, 0), (1.10, 10), (78, 10),
        (1499.99, 10), (1500, 80), (15_100, 80),
    ],
)  # fmt: skip
def test_hld_d_3_boffer_clears(dollars: float, quantity: float) -> None:
    assert D3.cleared(dollars) == quantity


def test_hld_d_3_supply_chart_has_the_steps_of_the_document() -> None:
    steps = supply_curve(prices({13: 1.1}), avail(D3.kilowatts)[0], -60_000, 80_000)
    assert [str(step) for step in steps] == [
        "p ≤ $1.00: -60 kW",
        "$1.00 < p < $1.10: 0 kW",
        "$1.10 ≤ p < $1,500.00: 10 kW",
        "p ≥ $1,500.00: 80 kW",
    ]


def test_hld_d_3_printed_fixed_load_0_is_not_a_fixed_load() -> None:
    """Every example prints Fixed Load 0 beside live bands; as a fixed load it would clear 0."""
    row, bands = avail(D3.kilowatts), prices({13: 1.1})
    assert in_kw(clear(bands, row, 0, fixed=np.array([NO_LIMIT])).watts) == [-60]
    assert in_kw(clear(bands, row, 0, fixed=np.array([0])).watts) == [0]


# --- Appendix E: load ----------------------------------------------------------------------------

E21 = Example({3: -30, 10: -70}, -100, 0)
E22 = Example({3: -30, 10: -76}, -106, 0)
E23 = Example({3: -30}, -30, 0)


def test_hld_e_2_load_by_house() -> None:
    controlled = added(PUMPS, APPLIANCES)
    assert controlled == [4.4, 4.5, 6, 5.5 + 1.4, 6.8 + 1.4]
    assert added(NATIVE, controlled) == [11.9, 12, 31, 31.9, 13.2]
    assert (total(NATIVE), total(controlled), total(NATIVE, controlled)) == (70, 30, 100)


def test_hld_e_2_1_nmi_boffer_accumulates() -> None:
    assert E21.accumulated(*SHOWN) == [-100, -100, -100, -70, -70, -70, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("dollars", "quantity"),
    [(-999, -100), (1, -100), (1.01, -70), (99, -70), (15_100, -70)],
)
def test_hld_e_2_1_nmi_boffer_clears(dollars: float, quantity: float) -> None:
    assert E21.cleared(dollars) == quantity


def test_hld_e_2_2_native_load_rises_by_6() -> None:
    """Up in houses 1, 2 and 5, down in 3 and 4."""
    after, controlled = [8.0, 8, 20, 20, 20], added(PUMPS, APPLIANCES)
    up = [later - sooner for later, sooner in zip(after, NATIVE, strict=True)]
    assert up == [0.5, 0.5, -5, -5, 15]
    assert sum(up) == 6
    assert added(after, controlled) == [12.4, 12.5, 26, 26.9, 28.2]
    assert (total(after), total(after, controlled)) == (76, 106)


def test_hld_e_2_2_nmi_boffer_accumulates() -> None:
    assert E22.accumulated(*SHOWN) == [-106, -106, -106, -76, -76, -76, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(("dollars", "quantity"), [(1, -106), (1.01, -76)])
def test_hld_e_2_2_nmi_boffer_clears(dollars: float, quantity: float) -> None:
    assert E22.cleared(dollars) == quantity


def test_hld_e_2_3_flex_boffer_accumulates() -> None:
    assert E23.accumulated(*SHOWN) == [-30, -30, -30, 0, 0, 0, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(("dollars", "quantity"), [(-1000, -30), (1, -30), (1.01, 0), (15_100, 0)])
def test_hld_e_2_3_flex_boffer_clears(dollars: float, quantity: float) -> None:
    assert E23.cleared(dollars) == quantity


@pytest.mark.parametrize("native", [70, 76])
def test_hld_e_2_4_flex_boffer_does_not_move_with_the_native_load(native: float) -> None:
    """NMI offers hold native load and Flex offers do not, so only the former changes."""
    with_native = Example({3: -30, 10: -native}, -30 - native, 0)
    assert [with_native.cleared(1), with_native.cleared(2)] == [-30 - native, -native]
    assert [E23.cleared(1), E23.cleared(2)] == [-30, 0]


# --- Appendix F: generation ----------------------------------------------------------------------

F21 = Example({3: -60, 10: -10}, -70, 0)
F22 = Example({13: 60}, 0, 60)


def test_hld_f_2_flow_by_house() -> None:
    """The table's columns are headed House #1 to #5 and are those of House #6 to #10."""
    generation = added(DISCHARGE, SOLAR)
    assert generation == [15, 15, 15, 10, 5]
    net = [up - down for up, down in zip(generation, NATIVE, strict=True)]
    assert net == [7.5, 7.5, -10, -15, 0]
    assert (total(generation), total(NATIVE), sum(net)) == (60, 70, -10)


def test_hld_f_2_1_nmi_boffer_accumulates() -> None:
    assert F21.accumulated(*SHOWN) == [-70, -70, -70, -10, -10, -10, 0, 0, 0, 0, 0, 0]


def test_hld_f_2_1_document_error_70_kw_are_always_on_at_the_floor_and_not_beyond_1_dollar() -> (
    None
):
    """The text keeps -70 kW always on; the list below it and the table have -10 beyond $1."""
    assert F21.cleared(-1000) == -total(NATIVE)
    assert F21.cleared(1.01) == total(DISCHARGE, SOLAR) - total(NATIVE) == -10
    assert F21.kilowatts[3] == -total(DISCHARGE, SOLAR), "load that was served by generation"


@pytest.mark.parametrize(
    ("dollars", "quantity"), [(-1000, -70), (1, -70), (1.01, -10), (15_100, -10)]
)
def test_hld_f_2_1_nmi_boffer_clears(dollars: float, quantity: float) -> None:
    assert F21.cleared(dollars) == quantity


def test_hld_f_2_2_flex_boffer_accumulates() -> None:
    assert F22.accumulated(*SHOWN) == [0, 0, 0, 0, 0, 0, 0, 0, 60, 60, 60, 60]


@pytest.mark.parametrize(
    ("dollars", "quantity"), [(-1000, 0), (0.99, 0), (1, 60), (78, 60), (15_100, 60)]
)
def test_hld_f_2_2_flex_boffer_clears(dollars: float, quantity: float) -> None:
    assert F22.cleared(dollars) == quantity


# --- Appendix G: both ways -----------------------------------------------------------------------

G21_PRICES = {9: 100.0, 18: 101.0}
G21 = Example({2: -50, 3: -10, 9: -30, 18: 20}, -90, 20, G21_PRICES)
G22 = Example({2: -50, 18: 10, 19: 50}, -50, 60, {18: 100.0})


G_CONTROLLED = added(CHARGE, PUMPS, APPLIANCES)
STATES = [(True, False), (False, False), (True, True), (False, True)]
"""Controlled load on, generation on, in the order of the labels below the tables of G.2."""


def test_hld_g_1_table_3_document_error_pool_pump_total_is_not_10_2() -> None:
    assert total(PUMPS) == 7.2


def test_hld_g_2_document_error_50_kw_of_load_hold_without_a_battery_at_house_15() -> None:
    """The table adds 5 kW of charging to House 15, which has no battery in Table 3."""
    assert total(G_CONTROLLED) == 50
    assert G_CONTROLLED == [5 + 4.4, 5 + 4.5, 5 + 6, 5 + 1.4 + 5.5, 1.4 + 6.8]
    printed = [5 + 4.4, 5 + 4.5, 5 + 6, 5 + 1.4 + 5.5, 5 + 1.4 + 6.8]
    assert total(printed) == 55
    assert total(NATIVE_G) == 40
    assert added(DISCHARGE, SOLAR) == [10 + 5, 10 + 5, 10 + 5, 5 + 5, 5]
    assert total(DISCHARGE, SOLAR) == 60


def states(native: float) -> list[float]:
    """Flow of the portfolio in each state, kW; derived, the labels have no figures."""
    load, generation = total(G_CONTROLLED), total(DISCHARGE, SOLAR)
    return [has_up * generation - has_load * load - native for has_load, has_up in STATES]


def test_hld_g_2_1_each_state_of_the_assets_is_what_clears_at_a_price() -> None:
    assert states(total(NATIVE_G)) == [-90, -40, -30, 20]
    assert [G21.cleared(dollars) for dollars in (0, 1, 100, 101)] == [-90, -40, -30, 20]


def test_hld_g_2_2_each_state_of_the_assets_is_what_clears_at_a_price() -> None:
    assert states(0) == [-50, 0, 10, 60]
    assert [G22.cleared(dollars) for dollars in (0, 78, 100, 1500)] == [-50, 0, 10, 60]


def test_hld_g_2_1_document_error_load_and_generation_are_not_at_floor_and_ceiling() -> None:
    """The text has -90 kW at the floor and 20 kW at the ceiling; the table, at $0 and at $101."""
    assert G21.kilowatts.keys().isdisjoint({1, 20})
    assert (min(G21.kilowatts), max(G21.kilowatts)) == (2, 18)
    assert G21.cleared(0) == G21.cleared(-1000) == -90
    assert G21.cleared(101) == G21.cleared(15_100) == 20


def test_hld_g_2_1_nmi_boffer_accumulates() -> None:
    text = (1, 2, 3, 4, 9, 10, 11, 12, 13, 18, 19, 20)
    assert G21.accumulated(*text) == [-90, -90, -40, -30, -30, 0, 0, 0, 0, 20, 20, 20]


@pytest.mark.parametrize(
    ("dollars", "quantity"),
    [
        (-1000, -90), (0, -90), (0.01, -40), (1, -40), (1.01, -30), (100, -30), (100.01, 0),
        (100.99, 0), (101, 20), (15_100, 20),
    ],
)  # fmt: skip
def test_hld_g_2_1_nmi_boffer_clears(dollars: float, quantity: float) -> None:
    assert G21.cleared(dollars) == quantity


def test_hld_g_2_1_document_error_band_18_is_printed_as_50_and_accumulates_to_20() -> None:
    """Band 18 has 50, but the accumulated row and maxAvailGen next to it have 20."""
    printed = Example(G21.kilowatts | {18: 50}, -90, 20, G21_PRICES)
    assert printed.accumulated(18, 19, 20) == [50, 50, 50]
    assert G21.accumulated(18, 19, 20) == [20, 20, 20]
    assert printed.cleared(101) == 20, "maxAvailGen hides the error at dispatch"
    unbounded = clear(prices(G21_PRICES), avail(printed.kilowatts), cents(101))
    assert in_kw(unbounded.watts) == [50]


def test_hld_g_2_2_flex_boffer_accumulates() -> None:
    text = (1, 2, 3, 4, 9, 10, 11, 12, 13, 18, 19, 20)
    assert G22.accumulated(*text) == [-50, -50, 0, 0, 0, 0, 0, 0, 0, 10, 60, 60]


@pytest.mark.parametrize(
    ("dollars", "quantity"),
    [
        (-1000, -50), (0, -50), (0.01, 0), (99.99, 0), (100, 10), (1499.99, 10), (1500, 60),
        (15_100, 60),
    ],
)  # fmt: skip
def test_hld_g_2_2_flex_boffer_clears(dollars: float, quantity: float) -> None:
    assert G22.cleared(dollars) == quantity


# --- all of them ---------------------------------------------------------------------------------

EXAMPLES = {
    "hld_d_3": D3,
    "hld_e_2_1": E21,
    "hld_e_2_2": E22,
    "hld_e_2_3": E23,
    "hld_f_2_1": F21,
    "hld_f_2_2": F22,
    "hld_g_2_1": G21,
    "hld_g_2_2": G22,
}


@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_boffer_keeps_every_rule(name: str, step: int) -> None:
    assert EXAMPLES[name].broken(step) == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_max_avail_is_the_sum_of_its_bands(name: str) -> None:
    """So no bound bites, but where the document says (D.1, D.2) or errs (G.2.1)."""
    example = EXAMPLES[name]
    lowest, highest = example.accumulated(1, 20)
    assert (lowest, highest) == (example.max_load, example.max_gen)
