"""Boffers cleared at prices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from oepnode.client.answers import to_json
from oepnode.client.edge.boffers.clearing import clear_boffers
from oepnode.client.edge.boffers.prices import load_prices
from oepnode.client.edge.forecasts import load_cleared
from oepnode.client.edge.tables import write_table
from oepnode.errors import ConfigError
from tests.support.loaded_boffers import loaded, site, unit


@pytest.mark.parametrize(("price", "watts"), [(1.0, -60_000), (1.05, 0), (1500.0, 80_000)])
def test_hld_d3_clears_at_a_price(price: float, watts: int) -> None:
    cleared = clear_boffers(loaded(unit()), round(price * 100_000), period=72)
    (row,) = cleared.offers[0].periods.to_dicts()
    assert (row["period"], row["cleared_w"], row["cleared_by"]) == (72, watts, "bands")
    assert row["interval_end"] == "2026-11-20T10:00:00+10:00"


def test_each_interval_has_its_own_price(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(
        "SETTLEMENTDATE,RRP\n2026/11/20 04:05:00,1\n2026/11/20 04:10:00,1500\n"
    )
    by_interval = load_prices(str(tmp_path / "p.csv"))
    assert by_interval["2026-11-20T04:10:00+10:00"] == 150_000_000
    boffers = loaded(unit())
    assert clear_boffers(boffers, by_interval, period=1).offers[0].load_wh == -5000
    assert clear_boffers(boffers, by_interval, period=2).offers[0].load_wh == 0
    with pytest.raises(ConfigError, match="no price for 286 of 288 intervals"):
        clear_boffers(boffers, by_interval)
    with pytest.raises(ConfigError, match="no Boffer covers period 2"):
        clear_boffers(loaded(site([1])), 0, period=2)


@pytest.mark.parametrize(
    "price", [85.0, "85", None, True, 2**70, {"2026-11-20T04:05:00+10:00": 85.0}]
)
def test_a_price_that_is_not_an_integer_is_rejected(price: Any) -> None:
    with pytest.raises(ConfigError, match="a price must be an integer of 10⁻⁵"):
        clear_boffers(loaded(unit()), price)


def test_cleared_rows_are_what_the_forecast_report_reads(tmp_path: Path) -> None:
    cleared = clear_boffers(loaded(unit()), 100_000)
    write_table(tmp_path / "c.parquet", cleared.frame())
    quantities = load_cleared(tmp_path / "c.parquet")
    assert (quantities.unit, quantities.level, len(quantities.cleared_w)) == ("UNIT1", "NMI", 288)
    both = clear_boffers(loaded(unit(), unit("UNIT2")), 100_000).frame()
    assert both["unit"].unique(maintain_order=True).to_list() == ["UNIT1", "UNIT2"]
    value = json.loads(json.dumps(to_json(cleared.report())))
    assert value["transaction"]["code"] == "accepted"
    assert value["offers"][0]["periods"][0]["price_millicents"] == 100_000


def test_the_source_of_watts_is_named() -> None:
    fixed = unit(fixed_load=-5_000)
    bounded = unit("UNIT2", max_avail_gen=75_000)
    offers = clear_boffers(loaded(fixed, bounded), 200_000_000, period=1).offers
    rows = [offer.periods.to_dicts()[0] for offer in offers]
    assert [row["cleared_by"] for row in rows] == ["fixed_load", "bands"]
    assert [row["is_limited_by_max_avail"] for row in rows] == [False, True]
