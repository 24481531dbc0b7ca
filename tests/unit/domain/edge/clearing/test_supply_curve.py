"""Supply curves: steps, their ranges as text, and shared prices (HLD Appendix D)."""

from __future__ import annotations

import numpy as np
import pytest

from oepnode.domain.edge.clearing.supply_curve import PriceStep, dollars, supply_curve
from oepnode.domain.nem.quantities import kw_text
from tests.support.boffers import avail, prices

D3, D3_PRICES = {3: -60, 13: 10, 19: 70}, prices({13: 1.1})


# --- curve ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (PriceStep(None, False, None, False, 0), "any price"),
        (PriceStep(None, False, 100, True, 0), "p ≤ $1.00"),
        (PriceStep(None, False, 100, False, 0), "p < $1.00"),
        (PriceStep(-100_000, True, None, False, 0), "p ≥ -$1,000.00"),
        (PriceStep(5, False, None, False, 0), "p > $0.05"),
        (PriceStep(5, True, 5, True, 0), "p = $0.05"),
        (PriceStep(-5, False, 1_510_000, True, 0), "-$0.05 < p ≤ $15,100.00"),
    ],
)
def test_ranges_read_as_written_by_hand(step: PriceStep, text: str) -> None:
    assert step.range_text() == text


def test_a_price_lies_in_a_step_or_not() -> None:
    step = PriceStep(5, True, 9, False, 0)
    assert [price in step for price in (4, 5, 8, 9)] == [False, True, True, False]


def test_a_shared_price_gives_a_step_of_its_own() -> None:
    """No valid Boffer has it (HLD §4.7), but a curve shows the quantity that would clear."""
    steps = supply_curve(prices({13: 1.0}), avail({3: -60, 13: 10})[0])
    assert [str(step) for step in steps] == [
        "p < $1.00: -60 kW",
        "p = $1.00: -50 kW",
        "p > $1.00: 10 kW",
    ]


def test_an_offer_of_nothing_and_a_fixed_load_are_flat() -> None:
    flat = supply_curve(D3_PRICES, np.zeros(20, dtype=np.int64))
    assert [str(step) for step in flat] == ["any price: 0 kW"]
    fixed = supply_curve(D3_PRICES, avail(D3)[0], fixed=-5_000)
    assert [str(step) for step in fixed] == ["any price: -5 kW"]


def test_a_bound_that_hides_a_band_hides_its_step() -> None:
    steps = supply_curve(D3_PRICES, avail(D3)[0], max_gen=10_000)
    assert [step.watts for step in steps] == [-60_000, 0, 10_000]


@pytest.mark.parametrize(
    ("watts", "text"), [(0, "0"), (1, "0.001"), (-1500, "-1.5"), (60_000, "60")]
)
def test_kilowatts_are_exact(watts: int, text: str) -> None:
    assert kw_text(watts) == text


def test_dollars_are_exact() -> None:
    assert dollars(-(10**20) - 1) == "-$1,000,000,000,000,000,000.01"
