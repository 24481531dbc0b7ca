"""Trimming an offer to operating envelopes.

Guarantees: after `trim` no price can dispatch an offer beyond its limits; an interval that did
not breach is unchanged; in one that did, the bands that would clear last are cut first, which are
the outermost from the break (band 1 for load, band 20 for generation); and at every price load and
generation are those of the original, capped at the limits. Every change is listed.

Requires offers that follow ``boffers.rules``: quantities on their side, prices that rise. Leaves
out where limits come from and defaults for missing ones (``limits``). An offer of one site is
limited by that site's limits, one of a DUID by the sum over its sites.

Source: Part C §6.1, §6.3 (envelopes constrain Boffers), HLD §4.3 to §4.5, §4.6 (10).

Example:
    >>> import numpy as np
    >>> avail = np.zeros((1, 20), int)
    >>> avail[0, [12, 18]] = 10_000, 70_000
    >>> trimmed = trim(avail, np.array([30_000]), np.array([0]))
    >>> trimmed.avail[0, [12, 18]].tolist()
    [10000, 20000]
    >>> row, quantity, offered, kept = trimmed.changes[0].tolist()
    >>> QUANTITIES[quantity], offered, kept
    ('band 19', 70000, 20000)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from oepnode.domain.documents.arrays import Bools, Int64s, Ints
from oepnode.domain.edge.boffers.bands import (
    BANDS,
    GENERATION,
    LOAD,
    accumulate,
    dispatchable,
    increments,
    present,
)
from oepnode.domain.nem.quantities import NO_LIMIT

QUANTITIES: Final = (
    *(f"band {number}" for number in range(1, BANDS + 1)),
    "maxAvailLoad",
    "maxAvailGen",
    "fixedLoad",
)
"""The quantities that can be trimmed, as `TrimmedOffer.changes` numbers them."""


@dataclass(frozen=True)
class Breaches:
    """How far offers go beyond their limits; arrays of shape (n,), int64 watts.

    Attributes:
        low: The most load that a price can dispatch, ≤ 0.
        high: The most generation that a price can dispatch, ≥ 0.
        over_import: Load beyond the import limit, ≥ 0.
        over_export: Generation beyond the export limit, ≥ 0.
    """

    low: Int64s
    high: Int64s
    over_import: Int64s
    over_export: Int64s

    @property
    def is_breach(self) -> Bools:
        """Whether each interval breaches a limit."""
        return (self.over_import > 0) | (self.over_export > 0)

    @property
    def count(self) -> int:
        """Number of intervals that breach a limit."""
        return int(self.is_breach.sum())


@dataclass(frozen=True)
class TrimmedOffer:
    """An offer within its limits.

    Attributes:
        avail: Shape (n, 20), int64 watts.
        max_load: maxAvailLoad, shape (n,), `NO_LIMIT` where there is none.
        max_gen: maxAvailGen, likewise.
        fixed: Fixed load, likewise.
        before: Breaches of the original.
        changes: int64, shape (changes, 4): row, index into `QUANTITIES`, offered, kept; by row.
    """

    avail: Int64s
    max_load: Int64s
    max_gen: Int64s
    fixed: Int64s
    before: Breaches
    changes: Int64s


def check(
    avail: Ints,
    exports: Ints,
    imports: Ints,
    max_load: Ints | None = None,
    max_gen: Ints | None = None,
    fixed: Ints | None = None,
) -> Breaches:
    """Return how far any price could dispatch an offer beyond its limits.

    Args:
        avail: Watts of each band, shape (n, 20).
        exports: Export limits, watts ≥ 0, shape (n,).
        imports: Import limits, watts ≤ 0, shape (n,).
        max_load: maxAvailLoad, shape (n,); `NO_LIMIT` or None where there is none.
        max_gen: maxAvailGen, likewise.
        fixed: Fixed load, likewise; where it is given the bands do not count.

    Raises:
        ValueError: If a limit is missing or has the wrong sign.
    """
    _require_limits(exports, imports)
    low, high = dispatchable(avail, max_load, max_gen, fixed)
    over_import = np.maximum(np.asarray(imports, dtype=np.int64) - low, 0)
    over_export = np.maximum(high - np.asarray(exports, dtype=np.int64), 0)
    return Breaches(low, high, over_import, over_export)


def trim(
    avail: Ints,
    exports: Ints,
    imports: Ints,
    max_load: Ints | None = None,
    max_gen: Ints | None = None,
    fixed: Ints | None = None,
) -> TrimmedOffer:
    """Trim an offer so that no price can dispatch it beyond its limits.

    Arguments and errors as in `check`, and `AccumulationError` where a quantity is on the wrong
    side. Bands that a fixed load overrides are trimmed too where
    the interval breaches, so that no part of the offer exceeds the limits.
    """
    before = check(avail, exports, imports, max_load, max_gen, fixed)
    sums = accumulate(avail)
    count = len(sums)
    floor = np.where(before.over_import > 0, imports, _LOWEST)
    ceiling = np.where(before.over_export > 0, exports, _HIGHEST)
    sums[:, LOAD] = np.maximum(sums[:, LOAD], floor[:, None])
    sums[:, GENERATION] = np.minimum(sums[:, GENERATION], ceiling[:, None])
    kept = np.column_stack(
        (
            increments(sums),
            _capped(max_load, count, floor, ceiling),
            _capped(max_gen, count, floor, ceiling),
            _capped(fixed, count, floor, ceiling),
        )
    )
    given = np.column_stack(
        (np.asarray(avail, dtype=np.int64), *(_given(v, count) for v in (max_load, max_gen, fixed)))
    )
    row, quantity = np.nonzero(given != kept)
    before_after = given[row, quantity], kept[row, quantity]
    changes = np.column_stack((row, quantity, *before_after)).astype(np.int64)
    return TrimmedOffer(
        avail=kept[:, :BANDS],
        max_load=kept[:, BANDS],
        max_gen=kept[:, BANDS + 1],
        fixed=kept[:, BANDS + 2],
        before=before,
        changes=changes,
    )


_LOWEST: Final = np.int64(-(2**62))
_HIGHEST: Final = np.int64(2**62)


def _capped(
    values: Ints | None,
    count: int,
    floor: Int64s,
    ceiling: Int64s,
) -> Int64s:
    given = _given(values, count)
    return np.where(given == NO_LIMIT, given, np.clip(given, floor, ceiling))


def _given(values: Ints | None, count: int) -> Int64s:
    if values is None:
        return np.full(count, NO_LIMIT, dtype=np.int64)
    return np.asarray(values, dtype=np.int64)


def _require_limits(exports: Ints, imports: Ints) -> None:
    for limits in (exports, imports):
        if not present(limits, len(limits)).all():
            raise ValueError("every interval needs both limits: fill in the missing ones first")
    if (np.asarray(exports) < 0).any() or (np.asarray(imports) > 0).any():
        raise ValueError("export limits must not be negative, import limits not positive")
