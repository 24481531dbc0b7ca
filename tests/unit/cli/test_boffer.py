"""``oepnode boffer``: the documents' examples as commands, and Boffers constrained to a bundle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from oepnode.domain.edge.boffers import model as boffer
from oepnode.domain.edge.boffers.frame import from_frame, to_frame
from oepnode.domain.edge.boffers.gate_closure import gate_closure
from oepnode.domain.edge.boffers.json_format import write_boffers
from oepnode.domain.edge.boffers.model import BofferDay
from oepnode.domain.nem.nem_time import format_nem, period_start, trading_period
from oepnode.domain.nem.quantities import NO_LIMIT
from tests.support.boffers import avail, prices
from tests.support.round_world import ENVELOPE, FLEX, HELD, MOVING, START, FakeReader
from tests.unit.cli.conftest import Run

DAY = date(2026, 11, 20)
D3, D3_PRICES = {3: -60, 13: 10, 19: 70}, prices({13: 1.1})
SUBMITTED = (period_start(DAY, 1) - 12) * 1_000_000


def make_day(*args: Any, **changes: Any) -> BofferDay:
    """A day with a submission time, which every Boffer has."""
    return boffer.make_day(*args, **({"submitted_us": SUBMITTED} | changes))


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


# --- validate ------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".json", ".ndjson", ".parquet"])
def test_validate_accepts_every_form(run: Run, tmp_path: Path, suffix: str) -> None:
    result = run("boffer", "validate", put(tmp_path / f"b{suffix}", two_days()), "--step", "3")
    assert result.exit_code == 0, result.output
    assert "✓ system acknowledgement: accepted" in result.stdout
    assert "✓ transaction acknowledgement: accepted" in result.stdout


def test_validate_reports_code_location_rule_and_value(run: Run, tmp_path: Path) -> None:
    wrong = two_days()
    wrong[0].avail[7, 10] = -5_000
    result = run("boffer", "validate", put(tmp_path / "b.json", wrong), "--json")
    assert result.exit_code == 1
    value = json.loads(result.stdout)
    (fault,) = [f for f in value["transaction"]["faults"] if f["code"] == "boffer.generation_sign"]
    assert fault["path"] == "$.records[0].energyBids[0].energyPeriods[7].bandAvail[10]"
    assert (fault["rule"], fault["value"]) == ("HLD §4.6 (8)", "-5 kW")
    assert value["system"]["code"] == "accepted"


def test_validate_shows_faults_in_a_table(run: Run, tmp_path: Path) -> None:
    file = put(tmp_path / "b.json", two_days(fixed_load=-5_000))
    result = run("boffer", "validate", file, "--step", "1")
    assert result.exit_code == 1
    assert "boffer.step1_fixed" in result.stdout
    assert "more faults" in result.stdout, "the table is cut, the count is not"
    assert "576 faults" in result.stdout


def test_validate_checks_prices_after_gate_closure(run: Run, tmp_path: Path) -> None:
    in_time = (gate_closure(DAY) - 60) * 1_000_000
    earlier = put(tmp_path / "earlier.json", two_days(submitted_us=in_time))
    changed = prices({13: 1.2})
    later = put(tmp_path / "later.json", two_days(bands=changed))
    assert run("boffer", "validate", later, "--step", "3").exit_code == 0
    result = run("boffer", "validate", later, "--earlier", earlier, "--step", "3", "--json")
    assert result.exit_code == 1
    faults = json.loads(result.stdout)["transaction"]["faults"]
    assert {(f["code"], f["path"]) for f in faults} == {
        ("gate.price_changed", "$.records[0].energyBids[0].prices[12]")
    }, "the second day's gate is still open"
    again = run("boffer", "validate", later, "--earlier", earlier, "--step", "2", "--json")
    codes = {f["code"] for f in json.loads(again.stdout)["transaction"]["faults"]}
    assert "gate.price_changed" not in codes


def test_validate_checks_market_and_capacity(run: Run, d3: str) -> None:
    market = ["--floor", "-1000", "--ceiling", "15100"]
    fits = ["--most-load", "-60", "--most-generation", "80"]
    assert run("boffer", "validate", d3, *market, *fits).exit_code == 0
    low = run("boffer", "validate", d3, "--floor", "-1000", "--ceiling", "15000")
    assert low.exit_code == 1
    assert "boffer.market_range" in low.stdout
    small = run("boffer", "validate", d3, "--most-load", "-60", "--most-generation", "79.999")
    assert small.exit_code == 1
    assert "boffer.capacity" in small.stdout


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--floor", "-1000"], "go together"),
        (["--floor", "1", "--ceiling", "0"], "not above"),
        (["--floor", "a", "--ceiling", "0"], "--floor is a number of $/MWh"),
        (["--most-load", "-1.2345", "--most-generation", "1"], "3 decimals"),
    ],
)
def test_validate_rejects_wrong_options(run: Run, d3: str, options: list[str], text: str) -> None:
    result = run("boffer", "validate", d3, *options)
    assert result.exit_code == 2
    assert text in result.stderr


def test_a_file_that_is_no_boffer_is_rejected_by_its_form(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('[{"duid": "U"}]')
    assert run("boffer", "validate", "x.json").exit_code == 1
    result = run("boffer", "clear", "x.json", "--price", "1")
    assert result.exit_code == 1
    assert "rejected" in result.stderr
    assert run("boffer", "clear", "none.json", "--price", "1").exit_code == 2


# --- clear ---------------------------------------------------------------------------------------


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
    file = put(tmp_path / "b.json", [day, fixed])
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


def test_clear_takes_the_last_boffer_and_rolls_forward(run: Run, tmp_path: Path) -> None:
    first, last = site([1], -1, submitted_us=SUBMITTED - 1), site([1])
    words = ("boffer", "clear", put(tmp_path / "b.json", [first, last]), "--price", "0", "--date")
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
    words = ("boffer", "clear", put(tmp_path / "b.json", [site([1])]), "--price", "0", "--date")
    old = run(*words, "2026-11-22")
    assert (old.exit_code, old.stdout) == (2, "")
    report = " ".join(old.stderr.split())
    assert "1 period of 2026-11-22 has no Boffer: there is no Boffer of 2026-11-21" in report
    assert "that of 2026-11-20 is too old (HLD §4.4, §4.5)" in report
    both = [site([1, 2]), site([2], -3, on=DAY + timedelta(days=1))]
    words = ("boffer", "clear", put(tmp_path / "c.json", both), "--price", "0", "--date")
    part = run(*words, "2026-11-22", "--json")
    (offer,) = json.loads(part.stdout)["offers"]
    assert [(p["period"], p["cleared_w"]) for p in offer["periods"]] == [(2, -3000)]
    assert "1 period of 2026-11-22" in part.stderr
    mixed = run(*words, "2026-11-21")
    assert "1 of them rolled forward from 2026-11-20" in mixed.stdout
    assert "note" not in mixed.stderr


# --- Boffers that the rules reject ---------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["clear", "b.json", "--price", "1", "--out", "out.csv"],
        ["curve", "b.json", "--date", "2026-11-20", "--plot", "out.svg"],
        ["compare", "b.json", "good.json"],
        ["compare", "good.json", "b.json"],
    ],
)
def test_boffers_that_the_rules_reject_are_not_used_unless_allowed(
    run: Run, tmp_path: Path, words: list[str]
) -> None:
    wrong = two_days()
    wrong[0].avail[7, 10] = -5_000
    put(tmp_path / "b.json", wrong)
    put(tmp_path / "good.json", two_days())
    rejected = run("boffer", *words)
    assert (rejected.exit_code, rejected.stdout) == (1, "")
    location = "$.records[0].energyBids[0].energyPeriods[7].bandAvail[10]: boffer.generation_sign"
    assert location in rejected.stderr
    assert "--allow-rejected" in rejected.stderr
    assert not list(tmp_path.glob("out.*"))
    done = run("boffer", *words, "--allow-rejected")
    assert done.exit_code == 0, done.output
    assert "! b.json: rejected by the rules (2 faults: boffer.generation_sign" in done.stdout
    report = json.loads(run("boffer", *words, "--allow-rejected", "--json").stdout)["transaction"]
    answer = report if "code" in report else report["before" if words[1] == "b.json" else "after"]
    assert answer["code"] == "rejected"
    assert answer["counts"]["boffer.generation_sign"] == 1
    for picture in tmp_path.glob("out.svg"):
        assert "rejected by the rules" in picture.read_text()


def rebids(*bands: Any) -> list[BofferDay]:
    """A DUID's Boffers, one after the other; after gate closure, prices of the first day stay."""
    return [
        day
        for number, prices_ in enumerate(bands)
        for day in two_days(bands=prices_, submitted_us=SUBMITTED + number)
    ]


@pytest.mark.parametrize("suffix", [".json", ".parquet"])
def test_hld_4_7_the_latest_accepted_boffer_wins_where_rejected_ones_are_skipped(
    run: Run, tmp_path: Path, suffix: str
) -> None:
    """The second asks another price for 10 kW after gate closure; the third keeps the price."""
    days = rebids(D3_PRICES, prices({13: 1.2}), D3_PRICES)
    days[4].avail[:, 12] = 5_000
    names = [put(tmp_path / f"{n}{suffix}", days[: 2 * n]) for n in (2, 3)]
    at = ("--price", "1.15", "--date", "2026-11-20", "--period", "72")

    def cleared(name: str, *words: str) -> Any:
        done = run("boffer", "clear", name, *at, *words, "--json")
        return json.loads(done.stdout) if done.exit_code == 0 else done.exit_code

    def watts(name: str, *words: str) -> int:
        ((row,),) = (offer["periods"] for offer in cleared(name, *words)["offers"])
        return int(row["cleared_w"])

    assert cleared(names[0]) == 1, "the file as a whole is rejected"
    assert watts(names[0], "--allow-rejected") == 0, "the rejected one came last"
    assert watts(names[0], "--skip-rejected") == 10_000
    assert watts(names[1], "--skip-rejected") == 5_000
    answer = cleared(names[1], "--skip-rejected")["transaction"]
    (skipped,) = answer["skipped"]
    assert (answer["code"], skipped["duid"]) == ("accepted", "UNIT1")
    assert skipped["counts"] == {"gate.price_changed": 1}
    report = run("boffer", "clear", names[1], *at, "--skip-rejected")
    (line,) = [line for line in report.stdout.splitlines() if line.startswith("!")]
    location = "$.records[1]" if suffix == ".json" else "$.rows[576]"
    assert line == (
        f"! {names[1]}: {location} (UNIT1, submitted 2026-11-20T03:59:48.000001+10:00) is "
        "rejected, 1 fault: gate.price_changed; it counts nowhere"
    )
    assert cleared(names[1], "--skip-rejected", "--allow-rejected") == 2


@pytest.mark.parametrize(
    "words",
    [
        ["curve", "b.json", "--date", "2026-11-20", "--period", "72", "--price", "1.15"],
        ["compare", "a.json", "b.json"],
        ["compare", "b.json", "a.json"],
        ["constrain", "b.json", "--envelope", "e.json", "--covered", "--portfolio", "p.txt"],
    ],
)
def test_each_command_skips_what_is_rejected(run: Run, tmp_path: Path, words: list[str]) -> None:
    put(tmp_path / "a.json", rebids(D3_PRICES))
    put(tmp_path / "b.json", rebids(D3_PRICES, prices({13: 1.2})))
    (tmp_path / "e.json").write_bytes(ENVELOPE)
    (tmp_path / "p.txt").write_text(SITE)
    assert run("boffer", *words).exit_code == 1
    done = run("boffer", *words, "--skip-rejected")
    assert done.exit_code == 0, done.output
    assert "! b.json: $.records[1] (UNIT1" in done.stdout
    facts = json.loads(run("boffer", *words, "--skip-rejected", "--json").stdout)["transaction"]
    side = facts if "skipped" in facts else facts["after" if words[1] == "a.json" else "before"]
    assert [skipped["path"] for skipped in side["skipped"]] == ["$.records[1]"]


def test_where_every_boffer_is_rejected_there_is_none_to_go_on_with(
    run: Run, tmp_path: Path
) -> None:
    wrong = two_days()
    wrong[0].avail[7, 10] = -5_000
    file = put(tmp_path / "b.json", wrong)
    done = run("boffer", "clear", file, "--price", "1", "--skip-rejected")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "no Boffer is accepted; $.records[0] (UNIT1" in done.stderr


def test_a_boffer_that_the_rules_reject_is_not_constrained_unless_allowed(
    run: Run, reader: FakeReader, folder: Path
) -> None:
    file = put(folder / "b.json", [sites_boffer(SITE, {3: -4, 19: 7}, submitted_us=SUBMITTED)])
    words = ("boffer", "constrain", file, *BUNDLE, "--out", "constrained.json")
    rejected = run(*words)
    assert (rejected.exit_code, rejected.stdout) == (1, "")
    assert "b.json: 1 fault: trading_date.past" in rejected.stderr
    assert not (folder / "constrained.json").exists()
    assert run(*words[:-2], "--check").exit_code == 1
    done = run(*words, "--allow-rejected")
    assert done.exit_code == 0, done.output
    assert "✓" not in done.stdout
    assert "! b.json: rejected by the rules" in done.stdout
    assert "! constrained.json: rejected by the rules" in done.stdout
    assert (folder / "constrained.json").exists()


def test_a_result_that_the_rules_would_reject_is_not_written_unless_allowed(
    run: Run, reader: FakeReader, folder: Path
) -> None:
    """The Boffer is right; submitted a day later its trading date is past."""
    file = put(folder / "b.json", [sites_boffer(SITE, {19: 7})])
    late = ("--submitted", "2026-11-20T03:59:59+10:00", "--out", "constrained.json")
    words = ("boffer", "constrain", file, *BUNDLE, *late)
    rejected = run(*words)
    assert (rejected.exit_code, rejected.stdout) == (1, "")
    assert "constrained.json: 1 fault: trading_date.past" in rejected.stderr
    assert not (folder / "constrained.json").exists()
    report = json.loads(run(*words, "--allow-rejected", "--json").stdout)
    assert report["transaction"]["code"] == "accepted"
    assert report["constrained_transaction"]["counts"] == {"trading_date.past": 1}
    assert (folder / "constrained.json").exists()


def test_boffers_that_are_stated_as_accepted_are_used_with_a_note(
    run: Run, tmp_path: Path, d3: str
) -> None:
    """What was accepted before need not cover the horizon of today."""
    part = put(tmp_path / "p.json", two_days()[:1])
    done = run("boffer", "validate", d3, "--earlier", part)
    assert done.exit_code == 0, done.output
    assert "note: p.json: 1 fault: boffer.horizon" in done.stderr


def test_clear_takes_a_price_for_each_interval(run: Run, tmp_path: Path, d3: str) -> None:
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
    doubled = run("boffer", "clear", d3, *options, "--period", "1")
    assert "line 4: a second price" in doubled.stderr


def test_clear_takes_prices_as_the_market_has_them(run: Run, tmp_path: Path, d3: str) -> None:
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
        (["--price", "nan"], "--price is a number of $/MWh"),
        (["--price", "inf"], "--price is a number of $/MWh"),
        (["--price", "-Infinity"], "--price is a number of $/MWh"),
        (["--price", "1", "--level", "nmi"], "--level is NMI or Flex"),
        (["--price", "1", "--date", "20.11.2026"], "--date"),
        (["--price", "1", "--duid", "UNIT2"], "no Boffer of the file"),
        (["--prices", "absent.csv"], "not CSV"),
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
    assert "p.csv, line 2: the price is a number of $/MWh, received 'inf'" in result.stderr


# --- curve ---------------------------------------------------------------------------------------


def test_curve_shows_the_table_and_the_steps_of_hld_d3(run: Run, d3: str) -> None:
    result = run("boffer", "curve", d3, "--date", "2026-11-20", "--price", "99")
    assert result.exit_code == 0, result.output
    for text in ("$1.00 < p < $1.10", "p ≥ $1,500.00", "maxAvailGen", "at $99.00: 10 kW"):
        assert text in result.stdout
    rows = [line.split() for line in result.stdout.splitlines()]
    (band19,) = [row for row in rows if row[:1] == ["19"]]
    assert band19 == ["19", "generation", "1500", "70", "80"]


def test_curve_as_json(run: Run, d3: str) -> None:
    options = ["--date", "2026-11-20", "--period", "288", "--price", "1", "--json"]
    value = json.loads(run("boffer", "curve", d3, *options).stdout)
    assert [step["cleared_w"] for step in value["steps"]] == [-60_000, 0, 10_000, 80_000]
    assert value["interval_end"] == "2026-11-21T04:00:00+10:00"
    assert value["accumulated_w"][0] == -60_000
    assert value["fixed_load_w"] is None
    assert value["cleared"] == [{"price_cents": 100, "cleared_w": -60_000}]


def test_a_boffer_without_prices_clears_its_fixed_load_at_any_price(
    run: Run, tmp_path: Path
) -> None:
    days = [
        make_day("UNIT1", DAY + timedelta(days=i), None, None, periods=range(1, 289), fixed_load=-5)
        for i in range(2)
    ]
    file, at = put(tmp_path / "self.json", days), ["--date", "2026-11-20", "--json"]
    assert run("boffer", "validate", file, "--step", "2").exit_code == 0
    assert run("boffer", "validate", file, "--step", "3").exit_code == 1
    value = json.loads(run("boffer", "curve", file, *at, "--plot", "self.svg").stdout)
    assert (value["prices_cents"], value["fixed_load_w"]) == (None, -5)
    assert [(step["low_cents"], step["cleared_w"]) for step in value["steps"]] == [(None, -5)]
    assert "$0" not in (tmp_path / "self.svg").read_text()
    cleared = json.loads(run("boffer", "clear", file, "--price", "-1000", *at).stdout)
    periods = cleared["offers"][0]["periods"]
    assert {(row["cleared_w"], row["cleared_by"]) for row in periods} == {(-5, "fixed_load")}


def test_a_period_without_an_offer_does_not_clear_by_bands(run: Run, tmp_path: Path) -> None:
    loads = [-5] * 287 + [NO_LIMIT]
    days = [
        make_day("UNIT1", DAY + timedelta(days=i), None, None, periods=range(1, 289), fixed_load=x)
        for i, x in enumerate((loads, -5))
    ]
    file, at = put(tmp_path / "self.json", days), ["--date", "2026-11-20", "--period", "288"]
    assert "nothing offered" in run("boffer", "clear", file, "--price", "50", *at).stdout
    report = json.loads(run("boffer", "clear", file, "--price", "50", *at, "--json").stdout)
    ((row,),) = (offer["periods"] for offer in report["offers"])
    assert (row["cleared_w"], row["cleared_by"]) == (0, "nothing")


def test_curve_draws_a_picture(run: Run, tmp_path: Path, d3: str) -> None:
    result = run("boffer", "curve", d3, "--date", "2026-11-20", "--plot", "c.svg")
    assert result.exit_code == 0
    assert "Supply curve of UNIT1" in (tmp_path / "c.svg").read_text()
    wrong = run("boffer", "curve", d3, "--date", "2026-11-20", "--plot", "c.pdf")
    assert wrong.exit_code == 2
    assert not (tmp_path / "c.pdf").exists()


def test_curve_is_of_one_boffer(run: Run, d3: str) -> None:
    result = run("boffer", "curve", d3)
    assert result.exit_code == 2
    assert "trading dates: 2" in result.stderr


# --- constrain -----------------------------------------------------------------------------------

WORLD_DAY, WORLD_PERIOD = trading_period(START)
BUNDLE = ["--envelope", "A1.oepb", "--key", "A1.json"]
SITE = HELD["A1"][0]


def sites_boffer(identity: str, kilowatts: dict[int, float], **changes: Any) -> BofferDay:
    periods = list(range(WORLD_PERIOD, WORLD_PERIOD + 6))
    rows = avail(kilowatts, 6)
    settings: dict[str, Any] = {"kind": "NMI", "submitted_us": (START - 600) * 1_000_000} | changes
    return make_day(identity, WORLD_DAY, D3_PRICES, rows, periods=periods, **settings)


def units_boffer(kilowatts: dict[int, float]) -> list[BofferDay]:
    """A unit's Boffer for the 48 hours from the start of the bundle's trading day."""
    at = (period_start(WORLD_DAY, 1) - 12) * 1_000_000
    return [
        make_day("UNIT1", on, D3_PRICES, avail(kilowatts, 288), submitted_us=at)
        for on in (WORLD_DAY, WORLD_DAY + timedelta(days=1))
    ]


def test_constrain_to_a_verified_bundle(run: Run, reader: FakeReader, folder: Path) -> None:
    """The first site may export 1.5 kW, and import 2 kW in the first interval, 7 in the last."""
    file = put(folder / "b.json", [sites_boffer(SITE, {3: -4, 13: 1, 19: 7})])
    result = run("boffer", "constrain", file, *BUNDLE, "--out", "constrained.json", "--json")
    assert result.exit_code == 0, result.output
    value = json.loads(result.stdout)
    assert value["envelope"]["kind"] == "bundle"
    assert "verified against round 3" in value["envelope"]["text"]
    (offer,) = value["offers"]
    assert offer["breaches"] == 6
    assert offer["generation_cut_wh"] == 6 * 6500 // 12
    at = {"period": WORLD_PERIOD, "interval_end": format_nem(START + 300)}
    assert [t for t in offer["trims"] if t["period"] == WORLD_PERIOD] == [
        at | {"quantity": "band 3", "offered_w": -4000, "kept_w": -2000},
        at | {"quantity": "band 19", "offered_w": 7000, "kept_w": 500},
    ]
    again = run("boffer", "constrain", "constrained.json", *BUNDLE, "--check")
    assert again.exit_code == 0
    assert "✓ no interval breaches" in again.stdout


def test_constrain_gives_the_same_from_bundle_and_document(
    run: Run, reader: FakeReader, folder: Path
) -> None:
    (folder / "envelope.json").write_bytes(ENVELOPE)
    file = put(folder / "b.json", [sites_boffer(SITE, {3: -4, 19: 7})])
    outs = [
        json.loads(run("boffer", "constrain", file, *source, "--json").stdout)["offers"]
        for source in (BUNDLE, ["--envelope", "envelope.json"])
    ]
    assert outs[0] == outs[1]


def test_constrain_rejects_a_bundle_that_does_not_verify(
    run: Run, reader: FakeReader, folder: Path
) -> None:
    file = put(folder / "b.json", [sites_boffer(SITE, {19: 7})])
    result = run(
        "boffer", "constrain", file, "--envelope", "A2.oepb", "--key", "A1.json", "--out", "o.json"
    )
    assert result.exit_code == 1
    assert not (folder / "o.json").exists()
    no_key = run("boffer", "constrain", file, "--envelope", "A1.oepb")
    assert no_key.exit_code == 2
    assert "--key" in no_key.stderr


def test_constrain_check_gives_exit_code_1(run: Run, reader: FakeReader, folder: Path) -> None:
    file = put(folder / "b.json", [sites_boffer(SITE, {19: 7})])
    result = run("boffer", "constrain", file, *BUNDLE, "--check")
    assert result.exit_code == 1
    assert "✗ 6 intervals breach" in result.stdout
    mixed = run("boffer", "constrain", file, *BUNDLE, "--check", "--out", "o.json")
    assert mixed.exit_code == 2
    assert not (folder / "o.json").exists()


def test_constrain_a_unit_to_the_sum_over_its_portfolio(
    run: Run, reader: FakeReader, folder: Path
) -> None:
    """Sites 1 to 4 may export 1.5, 2.5, 3.5 and 4.5 kW: 12 kW in all."""
    (folder / "mine.txt").write_text("\n".join(HELD["A1"]))
    file = put(folder / "b.json", units_boffer({13: 10, 19: 7}))
    words = ("--portfolio", "mine.txt", "--covered", "--json")
    result = run("boffer", "constrain", file, *BUNDLE, *words)
    assert result.exit_code == 0, result.output
    offer, _ = json.loads(result.stdout)["offers"]
    assert offer["breaching_intervals"][0]["export_limit_w"] == 12_000
    assert {(t["quantity"], t["kept_w"]) for t in offer["trims"]} == {("band 19", 2000)}


def test_constrain_a_unit_to_a_document_needs_its_portfolio(
    run: Run, reader: FakeReader, folder: Path
) -> None:
    """The document has the sites of three aggregators, which export 50.5 kW; A1's four 12 kW."""
    (folder / "envelope.json").write_bytes(ENVELOPE)
    (folder / "mine.txt").write_text("\n".join(HELD["A1"]))
    (folder / "none.txt").write_text("\n")
    file = put(folder / "b.json", units_boffer({13: 10, 19: 7}))
    words = ("boffer", "constrain", file, "--envelope", "envelope.json", "--covered")
    rejected = run(*words, "--out", "o.json")
    assert (rejected.exit_code, rejected.stdout) == (2, "")
    assert "10 sites" in rejected.stderr
    assert "--portfolio" in rejected.stderr
    assert not (folder / "o.json").exists()
    assert run("envelope", "show", "envelope.json", "--out", "limits.csv").exit_code == 0
    of_document = run(*words[:4], "limits.csv", "--covered")
    assert (of_document.exit_code, "--portfolio" in of_document.stderr) == (2, True)
    assert "names no NMI" in run(*words, "--portfolio", "none.txt").stderr
    offer, _ = json.loads(run(*words, "--portfolio", "mine.txt", "--json").stdout)["offers"]
    assert (offer["summed_nmis"], offer["breaches"]) == (4, 6)
    table = run(*words, "--portfolio", "mine.txt").stdout.splitlines()
    assert table[0].endswith(
        "document envelope.json: 10 sites, PRE, 6 intervals from 2026-11-18T21:10:00+10:00"
    )
    assert [line.split()[:3] for line in table[1:3]] == [
        ["unit", "level", "NMIs"],
        ["UNIT1", "NMI", "4"],
    ]
    bundle = json.loads(
        run(
            *words[:3],
            *BUNDLE,
            "--covered",
            "--default-export-kw",
            "0",
            "--default-import-kw",
            "0",
            "--json",
        ).stdout
    )
    assert bundle["offers"][0]["summed_nmis"] == 5, "those of the bundle, with the one that moves"


def test_constrain_a_pre_boffer_to_post_envelopes_only_where_allowed(
    run: Run, reader: FakeReader, folder: Path
) -> None:
    (folder / "post.json").write_bytes(ENVELOPE.replace(b'"PRE"', b'"POST"'))
    file = put(folder / "b.json", [sites_boffer(SITE, {19: 7})])
    words = ("boffer", "constrain", file, "--envelope", "post.json")
    rejected = run(*words, "--out", "o.json")
    assert (rejected.exit_code, rejected.stdout) == (2, "")
    assert "--post-envelopes" in rejected.stderr
    assert not (folder / "o.json").exists()
    done = run(*words, "--post-envelopes")
    assert done.exit_code == 0, done.output
    assert "10 sites, POST, 6 intervals" in done.stdout


def test_constrain_reads_envelopes_as_their_feed_writes_them(
    run: Run, reader: FakeReader, folder: Path
) -> None:
    records = json.loads(ENVELOPE)
    for record in records:
        for row in record["operatingEnvelopes"][0]["intervals"]:
            row["activePowerImportLimit"] *= -1
    (folder / "e.json").write_text(json.dumps(records))
    file = put(folder / "b.json", [sites_boffer(SITE, {3: -4})])
    words = ("boffer", "constrain", file, "--envelope", "e.json")
    assert run(*words).exit_code == 1
    value = json.loads(run(*words, "--import-sign", "magnitude", "--json").stdout)
    assert value["offers"][0]["breaching_intervals"][0]["import_limit_w"] == -2000
    assert run(*words, "--import-sign", "odd").exit_code == 2


def test_constrain_needs_a_default_where_another_aggregator_holds_the_site(
    run: Run, reader: FakeReader, folder: Path
) -> None:
    """One site of the bundle moves to A2 half-way, and has no limits here from then on."""
    file = put(folder / "b.json", [sites_boffer(MOVING, {19: 7})])
    result = run("boffer", "constrain", file, *BUNDLE)
    assert result.exit_code == 2
    assert "6 limits are not published" in result.stderr
    assert MOVING not in result.stderr
    options = ["--default-export-kw", "0", "--default-import-kw", "0", "--json"]
    value = json.loads(run("boffer", "constrain", file, *BUNDLE, *options).stdout)
    assert value["defaults_used"] == 6
    kept = [t["kept_w"] for t in value["offers"][0]["trims"]]
    assert kept == [0, 0, 0]


def test_constrain_at_the_level_of_the_boffer(run: Run, reader: FakeReader, folder: Path) -> None:
    flex = put(folder / "f.json", [sites_boffer(FLEX, {19: 20}, level="Flex")])
    value = json.loads(run("boffer", "constrain", flex, *BUNDLE, "--json").stdout)
    assert value["offers"][0]["trims"][0]["kept_w"] == 10_500
    other = put(folder / "g.json", [sites_boffer(HELD["A3"][0], {19: 20}, level="Flex")])
    options = ["--envelope", "A3.oepb", "--key", "A3.json"]
    result = run("boffer", "constrain", other, *options)
    assert result.exit_code == 1
    assert "application level Flex" in result.stderr


def test_constrain_leaves_uncovered_intervals_alone(
    run: Run, reader: FakeReader, folder: Path
) -> None:
    periods = list(range(WORLD_PERIOD, WORLD_PERIOD + 8))
    at = (START - 600) * 1_000_000
    day = make_day(
        SITE, WORLD_DAY, D3_PRICES, avail({19: 7}, 8), periods=periods, kind="NMI", submitted_us=at
    )
    file = put(folder / "b.json", [day])
    assert run("boffer", "constrain", file, *BUNDLE).exit_code == 2
    result = run("boffer", "constrain", file, *BUNDLE, "--covered", "--json")
    value = json.loads(result.stdout)
    assert (value["breaches"], value["intervals_outside"]) == (6, 2)
    table = run("boffer", "constrain", file, *BUNDLE, "--covered")
    assert "2 intervals lie outside" in table.stderr


def test_constrain_writes_with_a_new_submission_time(
    run: Run, reader: FakeReader, folder: Path
) -> None:
    file = put(folder / "b.json", [sites_boffer(SITE, {19: 7})])
    time = ["--submitted", "2026-11-18T20:59:59+10:00"]
    for name in ("o.json", "o.ndjson", "o.parquet"):
        assert run("boffer", "constrain", file, *BUNDLE, *time, "--out", name).exit_code == 0
    record = json.loads((folder / "o.ndjson").read_text())
    assert record["submissionDateTime"].startswith("2026-11-18T20:59:59")
    assert from_frame(pl.read_parquet(folder / "o.parquet")).days[0].avail[0, 18] == 1500
    wrong = run("boffer", "constrain", file, *BUNDLE, "--submitted", "now")
    assert wrong.exit_code == 2


def test_constrain_draws_before_and_after(run: Run, reader: FakeReader, folder: Path) -> None:
    file = put(folder / "b.json", [sites_boffer(SITE, {3: -4, 19: 7})])
    assert run("boffer", "constrain", file, *BUNDLE, "--plot", "c.svg").exit_code == 0
    text = (folder / "c.svg").read_text()
    for words in ("offered +7 kW", "+1.5 kW", "export limit"):
        assert words in text
    absent = run("boffer", "constrain", file, *BUNDLE, "--plot", "c.svg", "--period", "1")
    assert absent.exit_code == 2


def test_constrain_and_compare_round_one_energy_alike(
    run: Run, reader: FakeReader, folder: Path
) -> None:
    """18 W for five minutes are 1.5 Wh: what is cut is what is missing, with the other sign."""
    at = (START - 600) * 1_000_000
    day = make_day(
        SITE,
        WORLD_DAY,
        D3_PRICES,
        avail({19: 1.518}),
        periods=[WORLD_PERIOD],
        kind="NMI",
        submitted_us=at,
    )
    file = put(folder / "b.json", [day])
    done = run("boffer", "constrain", file, *BUNDLE, "--out", "constrained.json")
    assert "✓ 1 interval breaches the envelope and was trimmed" in done.stdout
    assert done.stdout.splitlines()[2].split()[-2:] == ["0.002", "kWh"]
    report = run("boffer", "compare", file, "constrained.json").stdout.splitlines()[1].split()
    assert report[-2:] == ["-0.002", "kWh"]
    cleared = run("boffer", "clear", file, "--price", "0")
    assert cleared.stdout.splitlines()[-1].split(": ")[1].startswith("1 interval, load")


@pytest.mark.parametrize("name", ["o.csv", "o.txt", "o"])
def test_constrain_writes_no_json_under_another_name(
    run: Run, reader: FakeReader, folder: Path, name: str
) -> None:
    file = put(folder / "b.json", [sites_boffer(SITE, {19: 7})])
    done = run("boffer", "constrain", file, *BUNDLE, "--out", name)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--out ends in .json, .ndjson or .parquet" in done.stderr
    assert not (folder / name).exists()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--default-export-kw", "1"], "go together"),
        (
            ["--default-export-kw", "inf", "--default-import-kw", "0"],
            "--default-export-kw is a number",
        ),
        (["--default-export-kw", "1", "--default-import-kw", "1"], "not positive"),
        (["--date", "2020-01-01"], "--date"),
        (["--plot", "c.gif"], "ends in .svg or .png"),
    ],
)
def test_constrain_rejects_wrong_options(
    run: Run, reader: FakeReader, folder: Path, options: list[str], text: str
) -> None:
    file = put(folder / "b.json", [sites_boffer(SITE, {19: 7})])
    result = run("boffer", "constrain", file, *BUNDLE, *options)
    assert result.exit_code == 2
    assert text in result.stderr


# --- compare -------------------------------------------------------------------------------------


def test_compare_a_constrained_boffer_with_the_original(
    run: Run, reader: FakeReader, folder: Path
) -> None:
    file = put(folder / "b.json", [sites_boffer(SITE, {19: 7.5})])
    run("boffer", "constrain", file, *BUNDLE, "--out", "constrained.json")
    value = json.loads(run("boffer", "compare", file, "constrained.json", "--json").stdout)
    (offer,) = value["offers"]
    assert offer["generation_change_wh"] == -3000
    assert offer["repriced_bands"] == []
    assert offer["periods"][0]["generation_before_w"] == 7500
    assert offer["periods"][0]["generation_after_w"] == 1500


def test_compare_reports_prices_that_change_after_gate_closure(run: Run, tmp_path: Path) -> None:
    before = put(tmp_path / "a.json", two_days())
    after = put(tmp_path / "b.json", two_days(bands=prices({13: 1.2})))
    result = run("boffer", "compare", before, after)
    assert result.exit_code == 1
    assert "1 Boffer changes prices after gate closure" in result.stderr
    assert "13" in result.stdout
    later = run("boffer", "compare", before, after, "--date", "2026-11-21")
    assert later.exit_code == 0, "the gate of the second day is still open"


def test_compare_needs_something_in_common(run: Run, tmp_path: Path, d3: str) -> None:
    other = put(tmp_path / "o.json", [make_day("UNIT2", DAY, D3_PRICES, avail(D3))])
    result = run("boffer", "compare", d3, other, "--allow-rejected")
    assert result.exit_code == 2
    both = put(tmp_path / "both.json", [*two_days(), make_day("UNIT2", DAY, D3_PRICES, avail(D3))])
    done = run("boffer", "compare", d3, both, "--allow-rejected")
    assert "1 Boffer is in the later file only" in done.stderr
