"""Every worked example of HLD Appendices D to G, with the document's numbers.

Where the document contradicts itself, a test says so and holds what the rest of the example holds.
The tables show bands 1 to 4, 9 to 14, 18 to 20; the others have no quantity.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from oepnode.domain.edge.clearing import accumulate, clear, increments
from oepnode.domain.edge.curve import quantity_at, supply_curve
from oepnode.domain.power import NO_LIMIT
from tests.unit.domain.edge.bands import avail, cents, in_kw, one, prices


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
def test_hld_d_1_max_avail_660_holds_back_the_700_offered(dollars: float, quantity: float) -> None:
    row = avail(dict(enumerate(OFFER, 11)))
    bands = np.array([cents(p) for p in OFFER_PRICES] * 2)
    found = clear(bands, row, cents(dollars), max_load=one(0), max_gen=one(660))
    assert in_kw(found.watts) == [quantity]
    assert found.is_bounded.tolist() == [quantity == 660]
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
    shown = (1, 2, 3, 4, 9, 10, 11, 12, 13, 14, 19, 20)
    assert D3.accumulated(*shown) == [-60, -60, -60, 0, 0, 0, 0, 0, 10, 10, 80, 80]


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


def test_hld_d_3_printed_fixed_load_0_is_no_fixed_load() -> None:
    """Every example prints Fixed Load 0 beside live bands; as a fixed load it would clear 0."""
    row, bands = avail(D3.kilowatts), prices({13: 1.1})
    assert in_kw(clear(bands, row, 0, fixed=np.array([NO_LIMIT])).watts) == [-60]
    assert in_kw(clear(bands, row, 0, fixed=np.array([0])).watts) == [0]


# --- Appendix E: load ----------------------------------------------------------------------------

E21 = Example({3: -30, 10: -70}, -100, 0)
E22 = Example({3: -30, 10: -76}, -106, 0)
E23 = Example({3: -30}, -30, 0)


def test_hld_e_1_table_1_portfolio_adds_up() -> None:
    uncontrolled = [7.5, 7.5, 25, 25, 5]
    controlled = [4.4, 4.5, 6, 5.5 + 1.4, 6.8 + 1.4]
    assert sum(uncontrolled) == 70
    assert sum(controlled) == pytest.approx(30)
    totals = [u + c for u, c in zip(uncontrolled, controlled, strict=True)]
    assert totals == pytest.approx([11.9, 12, 31, 31.9, 13.2])
    assert sum(totals) == pytest.approx(100)


def test_hld_e_2_1_nmi_boffer_accumulates() -> None:
    shown = (1, 2, 3, 4, 9, 10, 11, 20)
    assert E21.accumulated(*shown) == [-100, -100, -100, -70, -70, -70, 0, 0]


@pytest.mark.parametrize(
    ("dollars", "quantity"),
    [(-999, -100), (1, -100), (1.01, -70), (99, -70), (15_100, -70)],
)
def test_hld_e_2_1_nmi_boffer_clears(dollars: float, quantity: float) -> None:
    assert E21.cleared(dollars) == quantity


def test_hld_e_2_2_native_load_rises_by_6() -> None:
    assert sum([8, 8, 20, 20, 20]) == 76
    assert E22.accumulated(1, 2, 3, 4, 10, 11) == [-106, -106, -106, -76, -76, 0]


@pytest.mark.parametrize(("dollars", "quantity"), [(1, -106), (1.01, -76)])
def test_hld_e_2_2_nmi_boffer_clears(dollars: float, quantity: float) -> None:
    assert E22.cleared(dollars) == quantity


def test_hld_e_2_3_flex_boffer_accumulates() -> None:
    assert E23.accumulated(1, 2, 3, 4, 9, 10) == [-30, -30, -30, 0, 0, 0]


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


def test_hld_f_1_table_2_portfolio_adds_up() -> None:
    discharge, solar, native = [10, 10, 10, 5, 0], [5, 5, 5, 5, 5], [7.5, 7.5, 25, 25, 5]
    net = [d + s - n for d, s, n in zip(discharge, solar, native, strict=True)]
    assert net == [7.5, 7.5, -10, -15, 0]
    assert (sum(discharge) + sum(solar), sum(native), sum(net)) == (60, 70, -10)


def test_hld_f_2_1_nmi_boffer_accumulates() -> None:
    assert F21.accumulated(1, 2, 3, 4, 9, 10, 11) == [-70, -70, -70, -10, -10, -10, 0]


@pytest.mark.parametrize(
    ("dollars", "quantity"), [(-1000, -70), (1, -70), (1.01, -10), (15_100, -10)]
)
def test_hld_f_2_1_nmi_boffer_clears(dollars: float, quantity: float) -> None:
    assert F21.cleared(dollars) == quantity


def test_hld_f_2_2_flex_boffer_accumulates() -> None:
    assert F22.accumulated(10, 11, 12, 13, 14, 19, 20) == [0, 0, 0, 60, 60, 60, 60]


@pytest.mark.parametrize(
    ("dollars", "quantity"), [(-1000, 0), (0.99, 0), (1, 60), (78, 60), (15_100, 60)]
)
def test_hld_f_2_2_flex_boffer_clears(dollars: float, quantity: float) -> None:
    assert F22.cleared(dollars) == quantity


# --- Appendix G: both ways -----------------------------------------------------------------------

G21_PRICES = {9: 100.0, 18: 101.0}
G21 = Example({2: -50, 3: -10, 9: -30, 18: 20}, -90, 20, G21_PRICES)
G22 = Example({2: -50, 18: 10, 19: 50}, -50, 60, {18: 100.0})


def test_hld_g_1_table_3_document_error_pool_pump_total_is_not_10_2() -> None:
    pumps = [4.4, 0, 0, 1.4, 1.4]
    assert sum(pumps) == pytest.approx(7.2)
    assert sum(pumps) != pytest.approx(10.2)


def test_hld_g_2_document_error_50_kw_of_load_hold_without_a_battery_at_house_15() -> None:
    charge, pumps, appliances = [5, 5, 5, 5, 0], [4.4, 0, 0, 1.4, 1.4], [0, 4.5, 6, 5.5, 6.8]
    assert sum(charge) + sum(pumps) + sum(appliances) == pytest.approx(50)
    printed = [5 + 4.4, 5 + 4.5, 5 + 6, 5 + 1.4 + 5.5, 5 + 1.4 + 6.8]
    assert sum(printed) == pytest.approx(55)
    assert sum([7, 7, 10, 10, 6]) == 40
    assert sum([10 + 5, 10 + 5, 10 + 5, 5 + 5, 5]) == 60


def test_hld_g_2_1_nmi_boffer_accumulates() -> None:
    shown = (1, 2, 3, 4, 9, 10, 11, 12, 13, 18, 19, 20)
    assert G21.accumulated(*shown) == [-90, -90, -40, -30, -30, 0, 0, 0, 0, 20, 20, 20]


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
    """50 stands in band 18; the accumulated row and maxAvailGen beside it both say 20."""
    printed = Example(G21.kilowatts | {18: 50}, -90, 20, G21_PRICES)
    assert printed.accumulated(18, 19, 20) == [50, 50, 50]
    assert G21.accumulated(18, 19, 20) == [20, 20, 20]
    assert printed.cleared(101) == 20, "maxAvailGen hides the error at dispatch"
    unbounded = clear(prices(G21_PRICES), avail(printed.kilowatts), cents(101))
    assert in_kw(unbounded.watts) == [50]


def test_hld_g_2_2_flex_boffer_accumulates() -> None:
    shown = (1, 2, 3, 4, 9, 10, 11, 12, 13, 18, 19, 20)
    assert G22.accumulated(*shown) == [-50, -50, 0, 0, 0, 0, 0, 0, 0, 10, 60, 60]


@pytest.mark.parametrize(
    ("dollars", "quantity"),
    [
        (-1000, -50), (0, -50), (0.01, 0), (99.99, 0), (100, 10), (1499.99, 10), (1500, 60),
        (15_100, 60),
    ],
)  # fmt: skip
def test_hld_g_2_2_flex_boffer_clears(dollars: float, quantity: float) -> None:
    assert G22.cleared(dollars) == quantity
