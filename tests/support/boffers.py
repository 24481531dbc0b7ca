"""Boffers of the tests, written as the tables of the high-level design show them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from oepnode.domain.edge.boffers.comparison import OfferChange
from oepnode.domain.edge.boffers.rules import Market
from oepnode.domain.edge.constraining.trim import QUANTITIES, TrimmedOffer

Ints = npt.NDArray[np.int64]

EDGE_MARKET = Market(-100_000, 1_510_000)
"""The floor and ceiling in the examples of HLD Appendices D to G: -$1,000 and $15,100."""

FLOOR, CEILING = -1000.0, 15_100.0
LOAD_PRICES = {1: FLOOR, 2: 0.0, 3: 1.0, 4: 78.0, 9: 1500.0, 10: CEILING}
GENERATION_PRICES = {11: FLOOR, 12: 0.0, 13: 1.0, 14: 78.0, 19: 1500.0, 20: CEILING}


def cents(dollars: float) -> int:
    return round(dollars * 100)


def prices(changes: Mapping[int, float] | None = None) -> Ints:
    """The 20 prices of the document's tables in cents; bands that it omits repeat the one below."""
    given = LOAD_PRICES | GENERATION_PRICES | dict(changes or {})
    row: list[int] = []
    for band in range(1, 21):
        row.append(cents(given[band]) if band in given else row[-1])
    return np.array(row)


def avail(kilowatts: Mapping[int, float], periods: int = 1) -> Ints:
    """Quantities by band number in kW, as watts, shape (periods, 20)."""
    row = np.zeros(20, dtype=np.int64)
    for band, quantity in kilowatts.items():
        row[band - 1] = round(quantity * 1000)
    return np.tile(row, (periods, 1))


def one(kilowatts: float) -> Ints:
    """A quantity of one period in kW, as watts."""
    return np.array([round(kilowatts * 1000)])


def in_kw(watts: npt.NDArray[np.int64]) -> list[float]:
    return [value / 1000 for value in np.asarray(watts).ravel().tolist()]


def trims(offer: TrimmedOffer) -> list[tuple[int, str, int, int]]:
    """The changes of an offer: row, quantity by name, offered and kept watts."""
    return [(row, QUANTITIES[n], offered, kept) for row, n, offered, kept in offer.changes.tolist()]


def differs(change: OfferChange) -> bool:
    """Whether two offers differ at all."""
    is_priced_alike = not change.bands and change.has_prices[0] == change.has_prices[1]
    is_same = is_priced_alike and not change.quantities.any()
    return not is_same or bool(change.only_before or change.only_after)
