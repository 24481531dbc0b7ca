"""The supply curve of one period of a Boffer: the quantity that it delivers at every price.

Guarantees: the steps cover all prices without gap or overlap, lowest first, and each agrees with
`clearing.clear` at every price in it. The end of a step may belong to it or
not: load still clears at its band's price, and generation clears from its band's price on.

Source: HLD Appendix D.

Example:
    >>> import numpy as np
    >>> prices, avail = np.zeros(20, int), np.zeros(20, int)
    >>> prices[2], avail[2], prices[12], avail[12] = 100, -60_000, 110, 10_000
    >>> for step in supply_curve(prices, avail):
    ...     print(step)
    p ≤ $1.00: -60 kW
    $1.00 < p < $1.10: 0 kW
    p ≥ $1.10: 10 kW
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oepnode.domain.documents.arrays import Ints
from oepnode.domain.edge.boffers.bands import GENERATION, LOAD
from oepnode.domain.edge.clearing.clear import clear
from oepnode.domain.nem.quantities import NO_LIMIT, kw_text


@dataclass(frozen=True, slots=True)
class PriceStep:
    """A range of prices at which one quantity clears.

    Attributes:
        low: Lower end, cents per MWh; None where there is none.
        is_low_included: Whether the lower end is in the range.
        high: Upper end, cents per MWh; None where there is none.
        is_high_included: Whether the upper end is in the range.
        watts: Quantity that clears, negative for load.
    """

    low: int | None
    is_low_included: bool
    high: int | None
    is_high_included: bool
    watts: int

    def __contains__(self, price: int) -> bool:
        """Whether a price in cents lies in the range."""
        above = self.low is None or price > self.low or (price == self.low and self.is_low_included)
        below = (
            self.high is None or price < self.high or (price == self.high and self.is_high_included)
        )
        return above and below

    def __str__(self) -> str:
        return f"{self.range_text()}: {kw_text(self.watts)} kW"

    def range_text(self) -> str:
        """The range of prices, in the shortest notation."""
        if self.low is None and self.high is None:
            return "any price"
        if self.low is None:
            return f"p {_less(self.is_high_included)} {dollars(self.high or 0)}"
        if self.high is None:
            return f"p {'≥' if self.is_low_included else '>'} {dollars(self.low)}"
        if self.low == self.high:
            return f"p = {dollars(self.low)}"
        left = f"{dollars(self.low)} {_less(self.is_low_included)} p"
        return f"{left} {_less(self.is_high_included)} {dollars(self.high)}"


def supply_curve(
    prices: Ints,
    avail: Ints,
    max_load: int = NO_LIMIT,
    max_gen: int = NO_LIMIT,
    fixed: int = NO_LIMIT,
) -> tuple[PriceStep, ...]:
    """Return the curve of one period.

    Args:
        prices: Cents per MWh, shape (20,).
        avail: Watts of each band, shape (20,).
        max_load: maxAvailLoad in watts, or `NO_LIMIT`.
        max_gen: maxAvailGen in watts, or `NO_LIMIT`.
        fixed: Energy fixed load in watts, or `NO_LIMIT`.
    """
    bands = np.asarray(prices, dtype=np.int64)
    quantities = np.asarray(avail, dtype=np.int64)
    # Within whole cents, load of a band at P is off from P + 1 on, generation is on from P on.
    leaves = {int(p) for p in bands[LOAD][quantities[LOAD] != 0]}
    comes = {int(p) for p in bands[GENERATION][quantities[GENERATION] != 0]}
    # An end is (price, whether it belongs to the step below). Two ends can be at one price: then
    # generation comes before load goes, and that price is a step of its own.
    ends = sorted({(p, True) for p in leaves} | {(p, False) for p in comes})
    samples = [ends[0][0] - 1 if ends else 0] + [p + 1 if below else p for p, below in ends]
    count = len(samples)
    cleared = clear(
        bands,
        np.tile(quantities, (count, 1)),
        np.array(samples),
        np.full(count, max_load),
        np.full(count, max_gen),
        np.full(count, fixed),
    )
    return _merged(ends, cleared.watts.tolist())


def quantity_at(steps: tuple[PriceStep, ...], price: int) -> int:
    """Return the quantity that a curve delivers at a price in cents."""
    return next(step.watts for step in steps if price in step)


def dollars(cents: int) -> str:
    """Return a price as text, such as ``-$1,000.00``."""
    whole, rest = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}${whole:,}.{rest:02d}"


def _merged(ends: list[tuple[int, bool]], watts: list[int]) -> tuple[PriceStep, ...]:
    """Steps between the prices where the quantity may change; equal neighbours become one."""
    steps: list[PriceStep] = []
    low: int | None = None
    is_low_included = False
    for number, (price, is_below) in enumerate(ends):
        if watts[number] == watts[number + 1]:
            continue
        steps.append(PriceStep(low, is_low_included, price, is_below, watts[number]))
        low, is_low_included = price, not is_below
    steps.append(PriceStep(low, is_low_included, None, False, watts[-1]))
    return tuple(steps)


def _less(is_included: bool) -> str:
    return "≤" if is_included else "<"
