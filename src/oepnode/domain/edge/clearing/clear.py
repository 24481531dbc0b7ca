"""The quantity that a Boffer delivers at a price.

Guarantees: a load band clears where the price is at or below its own, a generation band where the
price is at or above its own; a fixed load goes before the bands; nothing is dispatched beyond
maxAvailLoad and maxAvailGen. Exact: integer watts and prices, sums in 64 bits. Bands are priced in
cents, the market clears at five decimals of a dollar; both are compared without rounding.

Leaves out the rules of a valid Boffer (``boffers.rules``). Bands that a valid Boffer cannot hold,
such as load priced above generation, are cleared as they are.

Source: HLD §4.2.4, §4.2.5, §4.6 (5 to 8, 11), Appendix D.

Example:
    >>> import numpy as np
    >>> prices, avail = np.zeros(20, int), np.zeros((1, 20), int)
    >>> prices[2], avail[0, 2] = 100, -60_000     # 60 kW of load at $1
    >>> prices[12], avail[0, 12] = 110, 10_000    # 10 kW of generation at $1.10
    >>> [clear(prices, avail, price).watts.item() for price in (100, 105, 110)]
    [-60000, 0, 10000]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from oepnode.domain.documents.arrays import Bools, Int64s, Ints
from oepnode.domain.edge.boffers.bands import GENERATION, LOAD, bound, present
from oepnode.domain.nem.quantities import PRICE, Unit

PER_CENT: Final = 1000
"""Units of a clearing price, 10⁻⁵ $/MWh, in a cent."""
MARKET_PRICE: Final = Unit("price", "$/MWh", 5, 5, most=PRICE.most * PER_CENT)
"""The unit of clearing prices, which are not multiples of a cent."""


@dataclass(frozen=True)
class Cleared:
    """The quantities that periods deliver at their prices; arrays of shape (n,).

    Attributes:
        watts: int64, negative for load.
        is_fixed: Whether a fixed load decided.
        is_bounded: Whether maxAvailLoad or maxAvailGen held back what would have cleared.
    """

    watts: Int64s
    is_fixed: Bools
    is_bounded: Bools


def clear(
    prices: Ints,
    avail: Ints,
    price: int | Ints,
    max_load: Ints | None = None,
    max_gen: Ints | None = None,
    fixed: Ints | None = None,
    *,
    per_cent: int = 1,
) -> Cleared:
    """Return the quantity that each period delivers when the market clears at a price.

    Args:
        prices: Cents per MWh, shape (20,) or (n, 20).
        avail: Watts of each band, shape (n, 20).
        price: Clearing price, one for all periods or one each, in cents per MWh divided by
            ``per_cent``.
        max_load: maxAvailLoad, watts ≤ 0, shape (n,); `NO_LIMIT` or None where there is none.
        max_gen: maxAvailGen, watts ≥ 0, likewise.
        fixed: Energy fixed load, watts, likewise. A zero here is a fixed load of zero.
        per_cent: Units of ``price`` in a cent: `PER_CENT` for prices of the market.
    """
    quantities = np.asarray(avail, dtype=np.int64)
    bands = np.broadcast_to(np.asarray(prices, dtype=np.int64) * per_cent, quantities.shape)
    at = np.broadcast_to(np.asarray(price, dtype=np.int64), quantities.shape[:1])[:, None]
    consumed = np.where(at <= bands[:, LOAD], quantities[:, LOAD], 0).sum(axis=1)
    generated = np.where(at >= bands[:, GENERATION], quantities[:, GENERATION], 0).sum(axis=1)
    is_fixed = present(fixed, len(quantities))
    if fixed is not None:
        consumed = np.where(is_fixed, np.minimum(fixed, 0), consumed)
        generated = np.where(is_fixed, np.maximum(fixed, 0), generated)
    load, generation = bound(consumed, generated, max_load, max_gen)
    is_bounded = (load != consumed) | (generation != generated)
    return Cleared(load + generation, is_fixed, is_bounded)
