"""Boffers cleared, drawn, compared and selected."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from oepnode.client.answers import json_value
from oepnode.client.boffers.clearing import clear_boffers
from oepnode.client.boffers.comparison import compare_boffers
from oepnode.client.boffers.load import LoadedBoffers, NoBofferError, SeveralBoffersError
from oepnode.client.boffers.pictures import draw_supply_curve, headline
from oepnode.client.boffers.prices import load_prices
from oepnode.client.boffers.selection import BofferChoice
from oepnode.client.boffers.supply_curves import supply_curve
from oepnode.client.edge.forecasts import load_cleared
from oepnode.client.edge.tables import write_table
from oepnode.domain.edge.boffers import model
from oepnode.domain.edge.boffers.model import BofferDay
from oepnode.domain.edge.validation.acknowledgement import Acknowledgement
from oepnode.domain.nem.nem_time import period_start
from oepnode.errors import ConfigError
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


# --- selection -----------------------------------------------------------------------------------


def test_a_choice_names_unit_level_and_date() -> None:
    boffers = loaded(unit(), unit("UNIT2"), unit(on=NEXT), site([1]))
    assert len(clear_boffers(boffers, 0).offers) == 4
    for choice, count in (
        (BofferChoice(duid="UNIT1"), 2),
        (BofferChoice(duid="UNIT1", date=NEXT), 1),
        (BofferChoice(nmi=SITE), 1),
        (BofferChoice(duid="UNIT2", nmi=SITE), 2),
        (BofferChoice(level="NMI"), 4),
    ):
        assert len(clear_boffers(boffers, 0, choice=choice).offers) == count
    for choice in (BofferChoice(duid=SITE), BofferChoice(level="Flex")):
        with pytest.raises(NoBofferError, match="unit and level"):
            clear_boffers(boffers, 0, choice=choice)


def test_the_last_boffer_counts_and_rolls_one_day_forward() -> None:
    boffers = loaded(site([1], -1), site([1]))
    cleared = clear_boffers(boffers, 0, choice=BofferChoice(date=NEXT))
    (offer,) = cleared.offers
    assert (offer.trading_date, offer.rolled_forward_from) == (NEXT, DAY)
    assert offer.periods["cleared_w"].to_list() == [-2000]
    assert cleared.notes == ()
    with pytest.raises(NoBofferError, match="1 period of 2026-11-22 has no Boffer"):
        clear_boffers(boffers, 0, choice=BofferChoice(date=NEXT + timedelta(days=1)))


# --- clearing ------------------------------------------------------------------------------------


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


def test_cleared_rows_are_what_the_forecast_report_reads(tmp_path: Path) -> None:
    cleared = clear_boffers(loaded(unit()), 100_000)
    write_table(tmp_path / "c.parquet", cleared.frame())
    quantities = load_cleared(tmp_path / "c.parquet")
    assert (quantities.unit, quantities.level, len(quantities.cleared_w)) == ("UNIT1", "NMI", 288)
    both = clear_boffers(loaded(unit(), unit("UNIT2")), 100_000).frame()
    assert both["unit"].unique(maintain_order=True).to_list() == ["UNIT1", "UNIT2"]
    value = json.loads(json.dumps(json_value(cleared.report())))
    assert value["transaction"]["code"] == "accepted"
    assert value["offers"][0]["periods"][0]["price_millicents"] == 100_000


def test_the_source_of_watts_is_named() -> None:
    fixed = unit(fixed_load=-5_000)
    bounded = unit("UNIT2", max_avail_gen=75_000)
    offers = clear_boffers(loaded(fixed, bounded), 200_000_000, period=1).offers
    rows = [offer.periods.to_dicts()[0] for offer in offers]
    assert [row["cleared_by"] for row in rows] == ["fixed_load", "bands"]
    assert [row["is_limited_by_max_avail"] for row in rows] == [False, True]


# --- supply curve --------------------------------------------------------------------------------


def test_a_supply_curve_has_steps_bands_and_marks(tmp_path: Path) -> None:
    curve = supply_curve(loaded(unit(max_avail_gen=80_000)), 288, prices=(100,))
    report = curve.report()
    assert [step.cleared_w for step in report.steps] == [-60_000, 0, 10_000, 80_000]
    assert (report.accumulated_w[0], report.max_avail_gen_w) == (-60_000, 80_000)
    assert (report.max_avail_load_w, report.fixed_load_w) == (None, None)
    assert report.cleared[0].cleared_w == -60_000
    assert json_value(report)["trading_date"] == "2026-11-20"
    assert headline(curve) == (
        "UNIT1 (NMI level), Trading day 2026-11-20, period 288, ending 04:00 NEM time"
    )
    draw_supply_curve(curve, str(tmp_path / "c.svg"))
    assert "Supply curve of UNIT1" in (tmp_path / "c.svg").read_text()


def test_a_supply_curve_is_of_one_boffer() -> None:
    with pytest.raises(SeveralBoffersError, match="trading dates: 2"):
        supply_curve(loaded(unit(), unit(on=NEXT)))
    rolled = supply_curve(loaded(unit()), choice=BofferChoice(date=NEXT)).report()
    assert (rolled.offered_for, rolled.rolled_forward_days) == (DAY, 1)


# --- comparison ----------------------------------------------------------------------------------


def test_changes_of_prices_and_quantities_are_reported() -> None:
    repriced, smaller = unit(bands=prices({13: 1.2})), unit()
    smaller.avail[:, 18] = 60_000
    before = loaded(unit(), name="a.json")
    (late,) = compare_boffers(before, loaded(repriced)).offers
    assert late.repriced_bands == tuple(
        band + 1 for band in range(20) if prices({13: 1.2})[band] != D3_PRICES[band]
    )
    assert late.is_changed_after_gate_closure
    comparison = compare_boffers(before, loaded(smaller, unit("UNIT2")))
    (change,) = comparison.offers
    assert (change.repriced_bands, change.is_changed_after_gate_closure) == ((), False)
    assert change.generation_change_wh == -10_000 * 24
    assert (change.changed_periods, comparison.only_after) == (288, 1)
    assert change.periods["generation_before_w"].to_list()[:1] == [80_000]
    assert isinstance(change.periods, pl.DataFrame)
    assert comparison.changed_after_gate_closure == 0


def test_files_without_a_common_boffer_are_not_compared() -> None:
    with pytest.raises(ConfigError, match="in common"):
        compare_boffers(loaded(unit()), loaded(unit("UNIT2")))
    with pytest.raises(ConfigError, match="in common"):
        compare_boffers(loaded(unit()), loaded(unit()), choice=BofferChoice(date=NEXT))
