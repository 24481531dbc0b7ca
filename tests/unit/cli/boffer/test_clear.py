"""``oepnode boffer clear``: the documents' examples, prices from files, and roll-forward."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from oepnode.domain.edge.boffers.model import BofferDay
from oepnode.domain.nem.quantities import NO_LIMIT
from tests.support.boffers import avail
from tests.unit.cli.boffer.conftest import (
    D3,
    D3_PRICES,
    DAY,
    SITE,
    SUBMITTED,
    boffer_file,
    make_day,
)
from tests.unit.cli.conftest import Run


@pytest.mark.parametrize(("price", "watts"), [("1", -60_000), ("1.05", 0), ("1500", 80_000)])
def test_clear_hld_d3(run: Run, d3: str, price: str, watts: int) -> None:
    result = run("boffer", "clear", d3, "--price", price, "--period", "72", "--json")
    assert result.exit_code == 0, result.output
    first, second = json.loads(result.stdout)["offers"]
    assert first["periods"] == [
        {
            "period": 72,
            "interval_end": "2026-11-20T10:00:00+10:00",
            "offered_for": "2026-11-20",
            "price_millicents": round(float(price) * 100_000),
            "cleared_w": watts,
            "cleared_by": "bands",
            "is_limited_by_max_avail": False,
            "rolled_forward_days": 0,
        }
    ]
    assert (first["duid"], second["trading_date"]) == ("UNIT1", "2026-11-21")


def test_clear_names_the_source_of_watts(run: Run, tmp_path: Path) -> None:
    day = make_day("UNIT1", DAY, D3_PRICES, avail(D3), max_avail_gen=75_000)
    fixed = make_day("UNIT2", DAY, D3_PRICES, avail(D3), fixed_load=-5_000)
    file = boffer_file(tmp_path / "b.json", [day, fixed])
    result = run("boffer", "clear", file, "--price", "2000", "--allow-rejected")
    assert result.exit_code == 0
    assert "bands, limited by maxAvail" in result.stdout
    assert "fixed load" in result.stdout


def site(periods: Sequence[int], load: float = -2, **changes: Any) -> BofferDay:
    """A site's Boffer for some periods; without a horizon to cover."""
    rows = avail({3: load}, len(periods))
    settings: dict[str, Any] = {"kind": "NMI", "periods": list(periods)} | changes
    on = settings.pop("on", DAY)
    return make_day(SITE, on, D3_PRICES, rows, **settings)


def test_clear_uses_the_last_boffer_and_rolls_forward(run: Run, tmp_path: Path) -> None:
    first, last = site([1], -1, submitted_us=SUBMITTED - 1), site([1])
    words = (
        "boffer",
        "clear",
        boffer_file(tmp_path / "b.json", [first, last]),
        "--price",
        "0",
        "--date",
    )
    (offer,) = json.loads(run(*words, "2026-11-21", "--json").stdout)["offers"]
    assert (offer["trading_date"], offer["rolled_forward_from"]) == ("2026-11-21", "2026-11-20")
    assert [(p["cleared_w"], p["rolled_forward_days"]) for p in offer["periods"]] == [(-2000, 1)]
    (offer,) = json.loads(run(*words, "2026-11-20", "--json").stdout)["offers"]
    assert offer["rolled_forward_from"] is None
    table = run(*words, "2026-11-21", "--out", "c.csv")
    assert "bands (rolled forward from 2026-11-20)" in table.stdout
    assert table.stdout.splitlines()[-1].endswith("; rolled forward from 2026-11-20")
    assert pl.read_csv(tmp_path / "c.csv")["offered_for"].to_list() == ["2026-11-20"]
    assert run(*words, "2026-11-19").exit_code == 2


def test_clear_rolls_one_day_forward_and_names_the_day_that_is_missing(
    run: Run, tmp_path: Path
) -> None:
    words = (
        "boffer",
        "clear",
        boffer_file(tmp_path / "b.json", [site([1])]),
        "--price",
        "0",
        "--date",
    )
    old = run(*words, "2026-11-22")
    assert (old.exit_code, old.stdout) == (2, "")
    report = " ".join(old.stderr.split())
    assert "1 period of 2026-11-22 has no Boffer: there is no Boffer of 2026-11-21" in report
    assert "that of 2026-11-20 is too old (HLD §4.4, §4.5)" in report
    both = [site([1, 2]), site([2], -3, on=DAY + timedelta(days=1))]
    words = ("boffer", "clear", boffer_file(tmp_path / "c.json", both), "--price", "0", "--date")
    part = run(*words, "2026-11-22", "--json")
    (offer,) = json.loads(part.stdout)["offers"]
    assert [(p["period"], p["cleared_w"]) for p in offer["periods"]] == [(2, -3000)]
    assert "1 period of 2026-11-22" in part.stderr
    mixed = run(*words, "2026-11-21")
    assert "1 of them rolled forward from 2026-11-20" in mixed.stdout
    assert "note" not in mixed.stderr


def test_clear_uses_a_price_for_each_interval(run: Run, tmp_path: Path, d3: str) -> None:
    lines = ["interval_end,price", "2026-11-20T04:05:00+10:00,1", "2026-11-19T18:10:00Z,1500.00"]
    (tmp_path / "p.csv").write_text("\n".join(lines))
    options = ["--prices", "p.csv", "--date", "2026-11-20", "--json"]
    for period, watts in (("1", -60_000), ("2", 80_000)):
        result = run("boffer", "clear", d3, *options, "--period", period)
        (offer,) = json.loads(result.stdout)["offers"]
        assert offer["periods"][0]["cleared_w"] == watts
    missing = run("boffer", "clear", d3, *options)
    assert missing.exit_code == 2
    assert "no price for 286 of 288" in missing.stderr
    (tmp_path / "p.csv").write_text("\n".join([*lines, lines[1]]))
    twice = run("boffer", "clear", d3, *options, "--period", "1")
    assert "line 4: a second price" in twice.stderr


def test_clear_reads_prices_as_the_market_publishes_them(run: Run, tmp_path: Path, d3: str) -> None:
    """Load of band 3 is on up to $1, generation of band 13 from $1.10 on: to 10⁻⁵ of a dollar."""
    steps = {1.0: -60_000, 1.00001: 0, 1.09999: 0, 1.1: 10_000}
    lines = [f"VIC1,2026/11/20 04:{5 * n:02}:00,{price},TRADE" for n, price in enumerate(steps, 1)]
    (tmp_path / "p.csv").write_text("\n".join(["REGION,SETTLEMENTDATE,RRP,PERIODTYPE", *lines]))
    options = ["--prices", "p.csv", "--date", "2026-11-20", "--json"]
    for period, (price, watts) in enumerate(steps.items(), 1):
        done = run("boffer", "clear", d3, *options, "--period", str(period))
        ((row,),) = (offer["periods"] for offer in json.loads(done.stdout)["offers"])
        assert (row["price_millicents"], row["cleared_w"]) == (round(price * 100_000), watts)
    flat = ["--date", "2026-11-20", "--period", "1", "--price", "1.00001"]
    table = run("boffer", "clear", d3, *flat, "--out", "c.csv").stdout.splitlines()
    assert table[1].split()[4:6] == ["1.00001", "0"]
    assert pl.read_csv(tmp_path / "c.csv")["price_millicents"].to_list() == [100_001]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("interval_end,price\n2026-11-20T04:05:00+10:00,85.001234", "5 decimals"),
        ("interval_end,price\n2026-11-20T04:05:00+10:00,inf", "line 2"),
        ("interval_end,price\n2026-11-20T04:05:00+10:00,", "line 2"),
        (
            "interval_end,price\n20/11/2026 04:05,100",
            "or in NEM time 2026/11/20 04:05:00",
        ),
        ("interval_end,price\n2026-11-20 04:05:00,100", "an interval's end is"),
        ("SETTLEMENTDATE,RRP\n2026/11/20 04:04:00,100", "5-minute grid"),
        ("SETTLEMENTDATE,RRP\n2026/11/31 04:05:00,100", "calendar"),
        ("SETTLEMENTDATE,price\n2026/11/20 04:05:00,100", "SETTLEMENTDATE and RRP"),
        ("time,rrp\n2026/11/20 04:05:00,100", "interval_end and price"),
        (
            "REGION,SETTLEMENTDATE,RRP\nVIC1,2026/11/20 04:05:00,1\nNSW1,2026/11/20 04:05:00,2",
            "several regions (column REGION)",
        ),
        (
            "SETTLEMENTDATE,RRP\n2026/11/20 04:05:00,1\n2026/11/20 04:05:00,1",
            "line 3: a second price",
        ),
    ],
)
def test_clear_rejects_wrong_prices(
    run: Run, tmp_path: Path, d3: str, text: str, message: str
) -> None:
    (tmp_path / "p.csv").write_text(text)
    done = run("boffer", "clear", d3, "--prices", "p.csv", "--period", "1", "--date", "2026-11-20")
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in " ".join(done.stderr.split())


def test_clear_writes_all_rows(run: Run, tmp_path: Path, d3: str) -> None:
    for name in ("all.csv", "all.parquet"):
        result = run("boffer", "clear", d3, "--price", "1", "--out", name)
        assert result.exit_code == 0
        assert "more intervals" in result.stdout
    frame = pl.read_parquet(tmp_path / "all.parquet")
    assert frame.height == 576
    assert frame["cleared_w"].unique().to_list() == [-60_000]
    assert "load -1,440.000 kWh" in result.stdout, "60 kW for 24 hours"
    assert run("boffer", "clear", d3, "--price", "1", "--out", "all.txt").exit_code == 2


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ([], "either one --price or a file of --prices"),
        (["--price", "1", "--prices", "p.csv"], "either one --price"),
        (["--price", "1.000001"], "5 decimals"),
        (["--price", "nan"], "--price must be a number of $/MWh"),
        (["--price", "inf"], "--price must be a number of $/MWh"),
        (["--price", "-Infinity"], "--price must be a number of $/MWh"),
        (["--price", "1", "--level", "nmi"], "'nmi' is not one of 'NMI', 'Flex'"),
        (["--price", "1", "--date", "20.11.2026"], "--date"),
        (["--price", "1", "--duid", "UNIT2"], "d3.json has no Boffer of the unit and level"),
        (["--prices", "absent.csv"], "absent.csv: file of prices not readable: No such file"),
        (["--prices", "d3.json"], "d3.json: not CSV with columns interval_end and price"),
        (["--price", "1", "--nmi", "xyz"], "--nmi: an NMI must have 10 characters, received 3"),
    ],
)
def test_clear_rejects_wrong_options(run: Run, d3: str, options: list[str], text: str) -> None:
    result = run("boffer", "clear", d3, *options)
    assert result.exit_code == 2
    assert text in result.stderr


def test_a_price_that_is_not_finite_is_rejected_with_its_line(
    run: Run, d3: str, tmp_path: Path
) -> None:
    (tmp_path / "p.csv").write_text("interval_end,price\n2026-11-21T04:05:00+10:00,inf\n")
    result = run("boffer", "clear", d3, "--prices", "p.csv")
    assert result.exit_code == 2
    assert "p.csv, line 2: the price must be a number of $/MWh, received 'inf'" in result.stderr


def test_a_period_without_an_offer_does_not_clear_by_bands(run: Run, tmp_path: Path) -> None:
    loads = [-5] * 287 + [NO_LIMIT]
    days = [
        make_day("UNIT1", DAY + timedelta(days=i), None, None, periods=range(1, 289), fixed_load=x)
        for i, x in enumerate((loads, -5))
    ]
    file, at = (
        boffer_file(tmp_path / "self.json", days),
        ["--date", "2026-11-20", "--period", "288"],
    )
    assert "nothing offered" in run("boffer", "clear", file, "--price", "50", *at).stdout
    report = json.loads(run("boffer", "clear", file, "--price", "50", *at, "--json").stdout)
    ((row,),) = (offer["periods"] for offer in report["offers"])
    assert (row["cleared_w"], row["cleared_by"]) == (0, "nothing")
