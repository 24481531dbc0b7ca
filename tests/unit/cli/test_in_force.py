"""``oepnode aggregator in-force``."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from oepnode.domain.rounds.onchain import Phase
from tests.support.round_world import COUNT, START, FakeReader, changed, state
from tests.unit.cli.conftest import Run

WORDS = ("aggregator", "in-force", "A1.oepb", "--key", "A1.json")


def test_it_says_which_round_is_in_force_when(run: Run, reader: FakeReader, folder: Path) -> None:
    result = run(*WORDS)
    assert (result.exit_code, result.stdout.count("round 3")) == (0, 1)
    reader.rounds[4] = changed(state(4, Phase.FINAL), horizon_start=START + 900)
    result = run(*WORDS)
    assert result.exit_code == 0
    assert "round 4 (its bundle is not among the files)" in " ".join(result.stdout.split())
    assert "fetch it" in " ".join(result.stderr.split())
    value = json.loads(run(*WORDS, "--json").stdout)
    assert [(span["round"], span["held"]) for span in value["spans"]] == [(3, True), (4, False)]


def test_it_writes_the_limits_with_their_rounds(run: Run, reader: FakeReader, folder: Path) -> None:
    assert run(*WORDS, "--format", "csv", "--out", "limits.csv").exit_code == 0
    frame = pl.read_csv(folder / "limits.csv")
    assert set(frame["round"]) == {3}
    assert frame["interval_start"].n_unique() == COUNT


def test_a_bundle_given_twice_is_wrong_usage(run: Run, reader: FakeReader, folder: Path) -> None:
    result = run(*WORDS[:3], *WORDS[2:])
    assert (result.exit_code, "given twice" in result.stderr) == (2, True)
