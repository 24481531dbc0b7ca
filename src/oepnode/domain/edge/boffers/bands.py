"""The twenty bands of a Boffer: their sides, accumulation, and the most that they can deliver.

Guarantees: exact integer watts, sums in 64 bits; `increments` is the inverse of `accumulate`; a
fixed load replaces the bands, and nothing is dispatchable beyond maxAvailLoad and maxAvailGen.
Leaves out prices (``clearing.clear``) and the rules of a valid Boffer (``boffers.rules``).

Source: HLD §4.2.4, §4.2.5, §4.6 (5 to 8, 10, 11).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from oepnode.domain.documents.arrays import Bools, Int64s, Ints
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.errors import EvidenceError

BANDS: Final = 20
LOAD_BANDS: Final = 10
"""Bands 1 to 10 offer load, bands 11 to 20 generation; the break lies between them."""
LOAD: Final = slice(0, LOAD_BANDS)
"""Bands 1 to 10, lowest price first; band 10 lies next to the break."""
GENERATION: Final = slice(LOAD_BANDS, BANDS)
"""Bands 11 to 20, lowest price first; band 11 lies next to the break."""


class AccumulationError(EvidenceError):
    """Accumulated quantities shrink outwards from the break."""


def accumulate(avail: Ints) -> Int64s:
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


def increments(accumulated: Ints) -> Int64s:
    """Return the quantity of each band from accumulated ones: the inverse of `accumulate`.

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


def differences(accumulated: Ints) -> Int64s:
    """Return what `increments` does without checking signs; shape (…, 20)."""
    sums = np.asarray(accumulated, dtype=np.int64)
    load = np.diff(sums[..., 9::-1], axis=-1, prepend=np.int64(0))[..., ::-1]
    return np.concatenate((load, np.diff(sums[..., GENERATION], prepend=np.int64(0))), axis=-1)


def dispatchable(
    avail: Ints,
    max_load: Ints | None = None,
    max_gen: Ints | None = None,
    fixed: Ints | None = None,
) -> tuple[Int64s, Int64s]:
    """Return the most load (≤ 0) and the most generation (≥ 0) that any price can dispatch.

    Both have shape (n,). Where a fixed load is given the bands do not count (HLD §4.6 11).
    """
    quantities = np.asarray(avail, dtype=np.int64)
    load, generation = quantities[:, LOAD].sum(axis=1), quantities[:, GENERATION].sum(axis=1)
    if fixed is not None:
        is_fixed = present(fixed, len(quantities))
        load = np.where(is_fixed, np.minimum(fixed, 0), load)
        generation = np.where(is_fixed, np.maximum(fixed, 0), generation)
    return bound(load, generation, max_load, max_gen)


def bound(
    load: Int64s, generation: Int64s, max_load: Ints | None, max_gen: Ints | None
) -> tuple[Int64s, Int64s]:
    """Cap load and generation at maxAvailLoad and maxAvailGen (HLD §4.2.4, §4.2.5)."""
    if max_load is not None:
        load = np.where(present(max_load, len(load)), np.maximum(load, max_load), load)
    if max_gen is not None:
        is_given = present(max_gen, len(generation))
        generation = np.where(is_given, np.minimum(generation, max_gen), generation)
    return load, generation


def present(values: Ints | None, count: int) -> Bools:
    """Return where a quantity is given, shape (count,)."""
    if values is None:
        return np.zeros(count, dtype=np.bool_)
    return np.asarray(np.asarray(values) != NO_LIMIT)
