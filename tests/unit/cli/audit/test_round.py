"""``oepnode audit round``: the account of one round."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oepnode.domain.rounds.onchain import Phase, RootRevealed
from tests.support.grant_lists import SIGNERS, grant_list, signed, without, write
from tests.support.round_world import ADDRESSES, MEMBERS, RESULT, WRONG, FakeReader, changed, state
from tests.unit.cli.conftest import Run


def test_a_round_lists_the_outcome_of_each_member(run: Run, reader: FakeReader) -> None:
    result = run("audit", "round", "3", "--json")
    assert result.exit_code == 0, result.output
    value = json.loads(result.stdout)
    assert [m["operator"] for m in value["members"]] == ADDRESSES
    assert [m["standing"] for m in value["members"]] == [
        "matched",
        "mismatched",
        "matched",
        "matched",
        "abstained",
    ]
    assert value["members"][4]["reason"] == "InputMismatch"
    assert value["members"][1]["root"] == "0x" + WRONG.root.hex()
    assert [m["seconds_after_opening"] for m in value["members"]] == [2, 3, 4, 5, 6]
    assert [(r["matched"], r["is_final"]) for r in value["revealed"]] == [
        ([ADDRESSES[1]], False),
        ([ADDRESSES[0], ADDRESSES[2], ADDRESSES[3]], True),
    ]
    assert value["end"]["phase"] == "final"
    assert value["differences"] == []

    text = run("audit", "round", "3").stdout
    assert "abstained: InputMismatch" in text
    assert "voted for another root" in text
    assert f"0x{RESULT.root.hex()} over {RESULT.partition_count} partitions" in text
    assert all(address in text for address in ADDRESSES)


@pytest.mark.parametrize(
    ("number", "standing", "word"), [("1", "silent", "failed"), ("2", "silent", "feed was down")]
)
def test_a_round_without_a_result(
    run: Run, reader: FakeReader, number: str, standing: str, word: str
) -> None:
    value = json.loads(run("audit", "round", number, "--json").stdout)
    assert {m["standing"] for m in value["members"]} == {standing}
    assert value["root"] is None
    text = run("audit", "round", number).stdout
    assert word in text
    assert "was silent" in text


def test_a_round_that_is_open(run: Run, reader: FakeReader) -> None:
    reader.rounds[4] = state(4, Phase.VOTING)
    result = run("audit", "round", "4")
    assert result.exit_code == 0
    assert "has not voted yet" in result.stdout
    assert json.loads(run("audit", "round", "4", "--json").stdout)["end"] is None


def test_an_unknown_round(run: Run, reader: FakeReader) -> None:
    assert run("audit", "round", "9").exit_code == 2
    assert run("audit", "round", str(1 << 64)).exit_code == 2
    assert run("audit", "round", "0").exit_code == 2


def test_a_count_that_differs_from_the_chains(
    run: Run, reader: FakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = reader.round_events

    async def lying(number: int) -> list[object]:
        events = await honest(number)
        return [
            changed(e, matched=0b11111) if isinstance(e, RootRevealed) else e  # type: ignore[arg-type]
            for e in events
        ]

    monkeypatch.setattr(reader, "round_events", lying)
    result = run("audit", "round", "3")
    assert result.exit_code == 1
    assert "record, events and count of the chain differ" in result.stderr


def test_events_before_the_start_block_are_reported_as_missing(
    run: Run, reader: FakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_events(number: int) -> list[object]:
        return []

    monkeypatch.setattr(reader, "round_events", no_events)
    result = run("audit", "round", "1")
    assert (result.exit_code, "--start-block" in result.stderr) == (1, True)


def test_an_unrevealed_root_is_reported_as_such(
    run: Run, reader: FakeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = reader.round_events

    async def unrevealed(number: int) -> list[object]:
        return [e for e in await honest(number) if getattr(e, "root", b"") != WRONG.root]

    monkeypatch.setattr(reader, "round_events", unrevealed)
    assert "not revealed" in run("audit", "round", "3").stdout


def test_a_member_without_inputs_is_marked(run: Run, reader: FakeReader, tmp_path: Path) -> None:
    told = without(grant_list("sender"), MEMBERS[2].operator)
    files = write(tmp_path, signed(told), signed(grant_list("registry")))
    options = [word for file in files for word in ("--grants", file)]
    result = run("audit", "round", "3", "--grants", files[1])
    assert result.exit_code == 2
    assert "--registry-signer" in result.stderr
    options += ["--registry-signer", SIGNERS["registry"], "--sender-signer", SIGNERS["sender"]]
    result = run("audit", "round", "3", *options)
    assert result.exit_code == 1
    assert "not granted: document" in result.stdout
    assert f"without having been granted the inputs: {ADDRESSES[2]}" in result.stderr
    value = json.loads(run("audit", "round", "3", "--json", *options).stdout)
    assert [m["inputs"] for m in value["members"]].count("granted") == 4
    assert value["members"][2]["missing_inputs"] == ["document"]

    files = write(tmp_path, signed(grant_list("sender")), signed(grant_list("registry")))
    result = run("audit", "round", "3", *options)
    assert result.exit_code == 0
    assert "granted" in result.stdout
