"""``oepnode boffer validate``: every form of file, and findings with their locations."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oepnode.domain.edge.boffers.gate_closure import gate_closure
from tests.support.boffers import prices
from tests.unit.cli.boffer.conftest import DAY, boffer_file, two_days
from tests.unit.cli.conftest import Run


@pytest.mark.parametrize("suffix", [".json", ".ndjson", ".parquet"])
def test_validate_accepts_every_form(run: Run, tmp_path: Path, suffix: str) -> None:
    result = run(
        "boffer", "validate", boffer_file(tmp_path / f"b{suffix}", two_days()), "--step", "3"
    )
    assert result.exit_code == 0, result.output
    assert "✓ system acknowledgement: accepted" in result.stdout
    assert "✓ transaction acknowledgement: accepted" in result.stdout


def test_validate_reports_code_location_rule_and_value(run: Run, tmp_path: Path) -> None:
    wrong = two_days()
    wrong[0].avail[7, 10] = -5_000
    result = run("boffer", "validate", boffer_file(tmp_path / "b.json", wrong), "--json")
    assert result.exit_code == 1
    value = json.loads(result.stdout)
    (fault,) = [f for f in value["transaction"]["faults"] if f["code"] == "boffer.generation_sign"]
    assert fault["path"] == "$.records[0].energyBids[0].energyPeriods[7].bandAvail[10]"
    assert (fault["rule"], fault["value"]) == ("HLD §4.6 (8)", "-5 kW")
    assert value["system"]["code"] == "accepted"


def test_validate_shows_faults_in_a_table(run: Run, tmp_path: Path) -> None:
    file = boffer_file(tmp_path / "b.json", two_days(fixed_load=-5_000))
    result = run("boffer", "validate", file, "--step", "1")
    assert result.exit_code == 1
    assert "boffer.step1_fixed" in result.stdout
    assert "more faults" in result.stdout, "the table is cut, the count is not"
    assert "576 faults" in result.stdout


def test_validate_checks_prices_after_gate_closure(run: Run, tmp_path: Path) -> None:
    in_time = (gate_closure(DAY) - 60) * 1_000_000
    earlier = boffer_file(tmp_path / "earlier.json", two_days(submitted_us=in_time))
    changed = prices({13: 1.2})
    later = boffer_file(tmp_path / "later.json", two_days(bands=changed))
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
        (["--floor", "1", "--ceiling", "0"], "--floor 1 must not be above --ceiling 0"),
        (["--floor", "a", "--ceiling", "0"], "--floor must be a number of $/MWh"),
        (["--most-load", "-1.2345", "--most-generation", "1"], "3 decimals"),
    ],
)
def test_validate_rejects_wrong_options(run: Run, d3: str, options: list[str], text: str) -> None:
    result = run("boffer", "validate", d3, *options)
    assert result.exit_code == 2
    assert text in result.stderr


def test_a_file_that_is_not_a_boffer_is_rejected_for_its_form(run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('[{"duid": "U"}]')
    assert run("boffer", "validate", "x.json").exit_code == 1
    result = run("boffer", "clear", "x.json", "--price", "1")
    assert result.exit_code == 1
    assert "rejected" in result.stderr
    assert run("boffer", "clear", "none.json", "--price", "1").exit_code == 2
