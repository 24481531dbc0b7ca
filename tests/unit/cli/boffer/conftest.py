"""Boffers that the tests of the commands start from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from oepnode.domain.edge.boffers import model
from oepnode.domain.edge.boffers.frame import to_frame
from oepnode.domain.edge.boffers.json_format import write_boffers
from oepnode.domain.edge.boffers.model import BofferDay
from oepnode.domain.nem.nem_time import period_start, trading_period
from tests.support.boffers import avail, prices
from tests.support.round_world import HELD, START

DAY = date(2026, 11, 20)
D3, D3_PRICES = {3: -60, 13: 10, 19: 70}, prices({13: 1.1})
SUBMITTED = (period_start(DAY, 1) - 12) * 1_000_000


def make_day(*args: Any, **changes: Any) -> BofferDay:
    """A day with a submission time, which every Boffer has."""
    return model.make_day(*args, **({"submitted_us": SUBMITTED} | changes))


def two_days(**changes: Any) -> list[BofferDay]:
    """A DUID's Boffer for the 576 intervals from 04:00 on."""
    settings: dict[str, Any] = {
        "max_avail_load": -60_000,
        "max_avail_gen": 80_000,
        "submitted_us": SUBMITTED,
        "bands": D3_PRICES,
    } | changes
    bands = settings.pop("bands")
    return [
        make_day("UNIT1", DAY + timedelta(days=i), bands, avail(D3, 288), **settings)
        for i in range(2)
    ]


def put(path: Path, days: Sequence[BofferDay]) -> str:
    if path.suffix == ".parquet":
        to_frame(days).write_parquet(path)
    else:
        path.write_bytes(write_boffers(days, ndjson=path.suffix == ".ndjson"))
    return path.name


@pytest.fixture
def d3(tmp_path: Path) -> str:
    return put(tmp_path / "d3.json", two_days())


WORLD_DAY, WORLD_PERIOD = trading_period(START)
BUNDLE = ["--envelope", "A1.oepb", "--key", "A1.json"]
SITE = HELD["A1"][0]


def sites_boffer(identity: str, kilowatts: dict[int, float], **changes: Any) -> BofferDay:
    periods = list(range(WORLD_PERIOD, WORLD_PERIOD + 6))
    rows = avail(kilowatts, 6)
    settings: dict[str, Any] = {"kind": "NMI", "submitted_us": (START - 600) * 1_000_000} | changes
    return make_day(identity, WORLD_DAY, D3_PRICES, rows, periods=periods, **settings)
