"""``oepnode audit rounds``: the rounds of a contract, newest first."""

from __future__ import annotations

import json

from tests.support.round_world import (
    RESULT,
    FakeReader,
)
from tests.unit.cli.conftest import Run


def test_rounds_newest_first(run: Run, reader: FakeReader) -> None:
    value = json.loads(run("audit", "rounds", "--json").stdout)
    assert [(r["round"], r["phase"]) for r in value] == [
        (3, "final"),
        (2, "cancelled"),
        (1, "failed"),
    ]
    assert (value[0]["root"], value[1]["root"]) == ("0x" + RESULT.root.hex(), None)
    assert [
        r["round"] for r in json.loads(run("audit", "rounds", "--last", "1", "--json").stdout)
    ] == [3]
    table = run("audit", "rounds").stdout
    assert "final" in table
    assert "3/5" not in table
    assert "5/5" in table


def test_rounds_of_a_contract_without_rounds(run: Run, reader: FakeReader) -> None:
    reader.rounds.clear()
    assert json.loads(run("audit", "rounds", "--json").stdout) == []
    assert run("audit", "rounds").exit_code == 0
