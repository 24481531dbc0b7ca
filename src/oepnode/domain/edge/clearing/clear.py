"""What a Boffer delivers at a price.

Guarantees: a load band is brought on where the price is at or below its own, a generation band
where the price is at or above its own; a fixed load goes before the bands; nothing is dispatched
beyond maxAvailLoad and maxAvailGen. Exact: integer watts and prices, sums in 64 bits. Bands are
priced in cents, the market clears at five decimals of a dollar: both are compared as they are.

Leaves out: whether the Boffer follows the rules (``boffer_rules``). Bands that a valid Boffer
cannot hold, such as load priced above generation, are cleared as they stand.

Source: HLD §4.2.4, §4.2.5, §4.6 (5 to 8, 10, 11), Appendix D.

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
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from oepnode.domain.edge.schema.units import PRICE, Unit
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.errors import EvidenceError

Ints = npt.NDArray[Any]
"""An integer array of any width; what comes out of this module is int64."""

BANDS: Final = 20
LOAD: Final = slice(0, 10)
"""Bands 1 to 10, import, lowest price first; band 10 lies next to the break."""
GENERATION: Final = slice(10, 20)
"""Bands 11 to 20, export, lowest price first; band 11 lies next to the break."""


PER_CENT: Final = 1000
"""A clearing price in 10⁻⁵ $/MWh has so many units to a cent."""
MARKET_PRICE: Final = Unit("price", "$/MWh", 5, PRICE.most * PER_CENT)
"""What the market clears at, which is on no grid of cents."""


class AccumulationError(EvidenceError):
    """Quantities that should be accumulated fall on the way outwards from the break."""


@dataclass(frozen=True)
class Cleared:
    """What periods deliver at their price; arrays of shape (n,).

    Attributes:
        watts: int64, negative for load.
        is_fixed: Whether a fixed load decided.
        is_bounded: Whether maxAvailLoad or maxAvailGen held back what would have cleared.
    """

    watts: npt.NDArray[np.int64]
    is_fixed: npt.NDArray[np.bool_]
    is_bounded: npt.NDArray[np.bool_]


def accumulate(avail: Ints) -> npt.NDArray[np.int64]:
    """Sum quantities outwards from the break between bands 10 and 11.

    Args:
        avail: Shape (…, 20), quantity of each band.

    Returns:
        Shape (…, 20): in each load band the sum of it and of the bands up to band 10, in each
        generation band the sum of band 11 up to it (HLD §4.6 10).
    """
    quantities = np.asarray(avail, dtype=np.int64)
    load = np.cumsum(quantities[..., 9::-1], axis=-1)[..., ::-1]
    return np.concatenate((load, np.cumsum(quantities[..., GENERATION], axis=-1)), axis=-1)


def increments(accumulated: Ints) -> npt.NDArray[np.int64]:
    """The quantity of each band, from accumulated ones: the inverse of `accumulate`.

    Raises:
        AccumulationError: If load shrinks towards band 1, or generation towards band 20.
    """
    avail = differences(accumulated)
    if (avail[..., LOAD] > 0).any() or (avail[..., GENERATION] < 0).any():
        raise AccumulationError(
            "accumulated quantities must not shrink outwards from the break between bands 10 "
            "and 11 (HLD §4.6 10)"
        )
    return avail


def differences(accumulated: Ints) -> npt.NDArray[np.int64]:
    """As `increments`, whatever comes out; shape (…, 20)."""
    sums = np.asarray(accumulated, dtype=np.int64)
    load = np.diff(sums[..., 9::-1], axis=-1, prepend=np.int64(0))[..., ::-1]
    return np.concatenate((load, np.diff(sums[..., GENERATION], prepend=np.int64(0))), axis=-1)


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
    """What each period delivers when the market clears at a price.

    Args:
        prices: Cents per MWh, shape (20,) or (n, 20).
        avail: Watts of each band, shape (n, 20).
        price: Clearing price, for all periods or one each; in cents per MWh unless ``per_cent``
            says how many units make a cent.
        max_load: maxAvailLoad, watts ≤ 0, shape (n,); `NO_LIMIT` or None where there is none.
        max_gen: maxAvailGen, watts ≥ 0, likewise.
        fixed: Energy fixed load, watts, likewise. A zero here is a fixed load of zero.
        per_cent: `PER_CENT` for prices of the market.
    """
    quantities = np.asarray(avail, dtype=np.int64)
    bands = np.broadcast_to(np.asarray(prices, dtype=np.int64) * per_cent, quantities.shape)
    at = np.broadcast_to(np.asarray(price, dtype=np.int64), quantities.shape[:1])[:, None]
    wanted = np.where(at <= bands[:, LOAD], quantities[:, LOAD], 0).sum(axis=1)
    offered = np.where(at >= bands[:, GENERATION], quantities[:, GENERATION], 0).sum(axis=1)
    is_fixed = present(fixed, len(quantities))
    if fixed is not None:
        wanted = np.where(is_fixed, np.minimum(fixed, 0), wanted)
        offered = np.where(is_fixed, np.maximum(fixed, 0), offered)
    load, generation = bound(wanted, offered, max_load, max_gen)
    is_bounded = (load != wanted) | (generation != offered)
    return Cleared(load + generation, is_fixed, is_bounded)


def dispatchable(
    avail: Ints,
    max_load: Ints | None = None,
    max_gen: Ints | None = None,
    fixed: Ints | None = None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The most load (≤ 0) and the most generation (≥ 0) that any price can dispatch, shape (n,).

    Where a fixed load is given the bands do not count (HLD §4.6 11).
    """
    quantities = np.asarray(avail, dtype=np.int64)
    load, generation = quantities[:, LOAD].sum(axis=1), quantities[:, GENERATION].sum(axis=1)
    if fixed is not None:
        is_fixed = present(fixed, len(quantities))
        load = np.where(is_fixed, np.minimum(fixed, 0), load)
        generation = np.where(is_fixed, np.maximum(fixed, 0), generation)
    return bound(load, generation, max_load, max_gen)


def bound(
    load: npt.NDArray[np.int64],
    generation: npt.NDArray[np.int64],
    max_load: Ints | None,
    max_gen: Ints | None,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Hold load and generation to maxAvailLoad and maxAvailGen (HLD §4.2.4, §4.2.5)."""
    if max_load is not None:
        load = np.where(present(max_load, len(load)), np.maximum(load, max_load), load)
    if max_gen is not None:
        is_given = present(max_gen, len(generation))
        generation = np.where(is_given, np.minimum(generation, max_gen), generation)
    return load, generation


def present(values: Ints | None, count: int) -> npt.NDArray[np.bool_]:
    """Where a quantity is given, shape (count,)."""
    if values is None:
        return np.zeros(count, dtype=np.bool_)
    is_given: npt.NDArray[np.bool_] = np.asarray(values) != NO_LIMIT
    return is_given
