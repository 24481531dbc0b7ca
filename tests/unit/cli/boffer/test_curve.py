"""``oepnode boffer curve``: the table, the steps and the picture of HLD Appendix D.3."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from tests.unit.cli.boffer.conftest import DAY, make_day, put
from tests.unit.cli.conftest import Run


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


def test_curve_draws_a_picture(run: Run, tmp_path: Path, d3: str) -> None:
    result = run("boffer", "curve", d3, "--date", "2026-11-20", "--plot", "c.svg")
    assert result.exit_code == 0
    assert "Supply curve of UNIT1" in (tmp_path / "c.svg").read_text()
    wrong = run("boffer", "curve", d3, "--date", "2026-11-20", "--plot", "c.pdf")
    assert wrong.exit_code == 2
    assert not (tmp_path / "c.pdf").exists()


def test_curve_requires_exactly_one_boffer(run: Run, d3: str) -> None:
    result = run("boffer", "curve", d3)
    assert result.exit_code == 2
    assert "trading dates: 2" in result.stderr
