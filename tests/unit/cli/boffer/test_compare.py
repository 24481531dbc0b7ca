"""``oepnode boffer compare``: changed quantities, and prices changed after gate closure."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.boffers import avail, prices
from tests.support.round_world import FakeReader
from tests.unit.cli.boffer.conftest import (
    BUNDLE,
    D3,
    D3_PRICES,
    DAY,
    SITE,
    make_day,
    put,
    sites_boffer,
    two_days,
)
from tests.unit.cli.conftest import Run


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
