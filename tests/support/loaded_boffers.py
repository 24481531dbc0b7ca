"""Boffers as the client library loads them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from oepnode.client.edge.boffers.load import LoadedBoffers
from oepnode.domain.edge.boffers import model
from oepnode.domain.edge.boffers.model import BofferDay
from oepnode.domain.edge.validation.acknowledgement import Acknowledgement
from oepnode.domain.nem.nem_time import period_start
from tests.support.boffers import avail, prices

DAY = date(2026, 11, 20)
NEXT = DAY + timedelta(days=1)
D3, D3_PRICES = {3: -60, 13: 10, 19: 70}, prices({13: 1.1})
SUBMITTED = (period_start(DAY, 1) - 12) * 1_000_000
SITE = "6305000001"


def unit(name: str = "UNIT1", on: date = DAY, bands: Any = D3_PRICES, **changes: Any) -> BofferDay:
    settings: dict[str, Any] = {"submitted_us": SUBMITTED} | changes
    return model.make_day(name, on, bands, avail(D3, 288), **settings)


def site(periods: Sequence[int], load: float = -2, on: date = DAY) -> BofferDay:
    rows = avail({3: load}, len(periods))
    return model.make_day(
        SITE, on, D3_PRICES, rows, kind="NMI", periods=list(periods), submitted_us=SUBMITTED
    )


def loaded(*days: BofferDay, name: str = "b.json") -> LoadedBoffers:
    return LoadedBoffers(name, days, Acknowledgement("transaction", name, accepted=True))
