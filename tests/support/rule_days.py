"""Days of Boffers that keep the rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import numpy as np

from oepnode.domain.edge.boffers.model import BofferDay, make_day
from oepnode.domain.edge.validation.violation import Violation
from tests.support.boffers import avail, cents, prices

DAY = date(2026, 11, 20)
GOOD = {3: -60, 13: 10, 19: 70}
GOOD_PRICES = prices({13: 1.1})


def day(kilowatts: Mapping[int, float] | None = None, **changes: Any) -> BofferDay:
    quantities = avail(GOOD if kilowatts is None else kilowatts)
    settings: dict[str, Any] = {"max_avail_load": -60_000, "max_avail_gen": 80_000} | changes
    return make_day("UNIT1", DAY, settings.pop("prices", GOOD_PRICES), quantities, **settings)


def violations(rule: Callable[[BofferDay], Any], offer: BofferDay) -> list[Violation]:
    return list(rule(offer))


def codes(breaches: list[Violation]) -> list[str]:
    return [broken.code for broken in breaches]


def changed(bands: dict[int, float]) -> np.ndarray[Any, Any]:
    """The good prices with some in dollars replaced, without repeating upwards."""
    row = GOOD_PRICES.copy()
    for band, dollars in bands.items():
        row[band - 1] = cents(dollars)
    return row
