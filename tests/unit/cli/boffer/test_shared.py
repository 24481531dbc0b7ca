"""Boffers that the rules reject: not used by any command unless that is requested."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from oepnode.domain.edge.boffers.model import BofferDay
from tests.support.boffers import prices
from tests.support.round_world import ENVELOPE, FakeReader
from tests.unit.cli.boffer.conftest import (
    BUNDLE,
    D3_PRICES,
    SITE,
    SUBMITTED,
    boffer_file,
    sites_boffer,
    two_days,
)
from tests.unit.cli.conftest import Run


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
    boffer_file(tmp_path / "b.json", wrong)
    boffer_file(tmp_path / "good.json", two_days())
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
    """The second offers 10 kW at another price after gate closure; the third keeps the price."""
    days = rebids(D3_PRICES, prices({13: 1.2}), D3_PRICES)
    days[4].avail[:, 12] = 5_000
    names = [boffer_file(tmp_path / f"{n}{suffix}", days[: 2 * n]) for n in (2, 3)]
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
def test_each_command_skips_rejected_boffers(run: Run, tmp_path: Path, words: list[str]) -> None:
    boffer_file(tmp_path / "a.json", rebids(D3_PRICES))
    boffer_file(tmp_path / "b.json", rebids(D3_PRICES, prices({13: 1.2})))
    (tmp_path / "e.json").write_bytes(ENVELOPE)
    (tmp_path / "p.txt").write_text(SITE)
    assert run("boffer", *words).exit_code == 1
    done = run("boffer", *words, "--skip-rejected")
    assert done.exit_code == 0, done.output
    assert "! b.json: $.records[1] (UNIT1" in done.stdout
    facts = json.loads(run("boffer", *words, "--skip-rejected", "--json").stdout)["transaction"]
    side = facts if "skipped" in facts else facts["after" if words[1] == "a.json" else "before"]
    assert [skipped["path"] for skipped in side["skipped"]] == ["$.records[1]"]


def test_commands_fail_where_every_boffer_is_rejected(run: Run, tmp_path: Path) -> None:
    wrong = two_days()
    wrong[0].avail[7, 10] = -5_000
    file = boffer_file(tmp_path / "b.json", wrong)
    done = run("boffer", "clear", file, "--price", "1", "--skip-rejected")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "no Boffer is accepted; $.records[0] (UNIT1" in done.stderr


def test_a_boffer_that_the_rules_reject_is_not_constrained_unless_allowed(
    run: Run, reader: FakeReader, folder: Path
) -> None:
    file = boffer_file(
        folder / "b.json", [sites_boffer(SITE, {3: -4, 19: 7}, submitted_us=SUBMITTED)]
    )
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
    file = boffer_file(folder / "b.json", [sites_boffer(SITE, {19: 7})])
    late = ("--submitted", "2026-11-20T03:59:59+10:00", "--out", "constrained.json")
    words = ("boffer", "constrain", file, *BUNDLE, *late)
    rejected = run(*words)
    assert (rejected.exit_code, rejected.stdout) == (1, "")
    assert "constrained.json: 1 fault: trading_date.past" in rejected.stderr
    assert "nothing is written (--allow-rejected writes them)" in rejected.stderr
    assert "--skip-rejected" not in rejected.stderr
    assert not (folder / "constrained.json").exists()
    report = json.loads(run(*words, "--allow-rejected", "--json").stdout)
    assert report["transaction"]["code"] == "accepted"
    assert report["constrained_transaction"]["counts"] == {"trading_date.past": 1}
    assert (folder / "constrained.json").exists()


def test_boffers_that_are_stated_as_accepted_are_used_with_a_note(
    run: Run, tmp_path: Path, d3: str
) -> None:
    """A Boffer accepted before need not cover the horizon of today."""
    part = boffer_file(tmp_path / "p.json", two_days()[:1])
    done = run("boffer", "validate", d3, "--earlier", part)
    assert done.exit_code == 0, done.output
    assert "note: p.json: 1 fault: boffer.horizon" in done.stderr
