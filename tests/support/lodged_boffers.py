"""Boffers of one unit around gate closure, as they are received one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np

from oepnode.domain.edge.boffers.gate_closure import gate_closure
from oepnode.domain.edge.boffers.model import BofferDay, make_day
from oepnode.domain.edge.boffers.selection import Lodged
from oepnode.domain.nem.nem_time import MICROS
from tests.support.boffers import avail, prices

DAY = date(2026, 11, 20)
CLOSURE = gate_closure(DAY)
LATE = CLOSURE + 1
PRICES = prices()
DEARER = prices({4: 79.0})


def day(
    load_kw: float = -10,
    *,
    submitted_s: int = CLOSURE - 60,
    on: date = DAY,
    bands: Any = PRICES,
    periods: Sequence[int] = (1, 2, 3),
    **changes: Any,
) -> BofferDay:
    """A Boffer of load in band 3."""
    return make_day(
        "UNIT1", on, bands, avail({3: load_kw}, len(periods)), periods=list(periods),
        **{"submitted_us": submitted_s * MICROS} | changes,
    )  # fmt: skip


def accepted(*days: BofferDay) -> list[Lodged]:
    """Boffers that were acknowledged as accepted, in this order."""
    return [Lodged(item, item.submitted_us + 1) for item in days]


def self_dispatched(**changes: Any) -> BofferDay:
    """A Boffer without prices and quantities."""
    return replace(
        day(bands=None, load_kw=0, fixed_load=-5, **changes), has_bands=np.zeros(3, bool)
    )
