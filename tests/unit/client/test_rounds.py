from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from oepnode.client import ChainTarget, RoundSelector, audit_round, final_round, list_rounds
from oepnode.client.rounds import read_round_state
from oepnode.domain.rounds.onchain import Phase
from oepnode.errors import ConfigError, ConflictError, EvidenceError, OepError
from tests.support.round_world import CONTEXT, RESULT, FakeReader, state

FINAL = (CONTEXT, RESULT.root, RESULT.partition_count)


def test_the_newest_rounds_come_first(reader: FakeReader, chain: ChainTarget) -> None:
    reports = list_rounds(chain)
    assert [(report.round, report.phase) for report in reports] == [
        (3, "final"),
        (2, "cancelled"),
        (1, "failed"),
    ]
    assert reports[0].root == "0x" + RESULT.root.hex()
    assert reports[0].horizon_start == "2026-11-18T21:10:00+10:00"
    assert reports[1].root is None
    assert [report.round for report in list_rounds(chain, last=1)] == [3]
    reader.rounds.clear()
    assert list_rounds(chain) == ()


def test_the_final_result_of_a_round(reader: FakeReader, chain: ChainTarget) -> None:
    final = final_round(chain, 3)
    assert (final.context, final.root, final.partitions) == FINAL
    assert final.notes == ()
    assert final.source == "the chain (id 31337) at block 99 of 2026-11-18T18:28:20+10:00"
    assert final.fields()["root"] == "0x" + RESULT.root.hex()


def test_the_latest_final_round_with_notes_on_newer_ones(
    reader: FakeReader, chain: ChainTarget
) -> None:
    reader.rounds[4], reader.rounds[5] = state(4, Phase.FAILED), state(5, Phase.VOTING)
    final = final_round(chain)
    assert final.context.number == 3
    assert [note[:18] for note in final.notes] == ["round 5 is newer: ", "round 4 is newer: "]


def test_a_superseded_round_has_a_note(reader: FakeReader, chain: ChainTarget) -> None:
    reader.superseding = 7
    assert final_round(chain, 3).notes == (
        "round 3 is superseded: round 7 is final for the same horizon",
    )


@pytest.mark.parametrize(
    ("phase", "family", "message"),
    [
        (Phase.FAILED, EvidenceError, "failed, no root got a quorum"),
        (Phase.CANCELLED, EvidenceError, "cancelled"),
        (Phase.EXPIRED, ConflictError, "its reveal window passed"),
        (Phase.VOTING, ConflictError, "not final yet"),
        (Phase.REVEALING, ConflictError, "not final yet"),
    ],
)
def test_a_round_without_a_final_result(
    reader: FakeReader, chain: ChainTarget, phase: Phase, family: type[OepError], message: str
) -> None:
    reader.rounds[4] = state(4, phase)
    with pytest.raises(family, match=f"round 4: .*{message}"):
        final_round(chain, 4)


def test_an_unknown_round_is_an_error(reader: FakeReader, chain: ChainTarget) -> None:
    with pytest.raises(ConfigError, match="there is no round 9; the newest is 3"):
        final_round(chain, 9)
    del reader.rounds[3]
    with pytest.raises(EvidenceError, match="no round is final"):
        final_round(chain)


def test_the_number_of_a_selector_takes_precedence_over_the_files(
    reader: FakeReader, chain: ChainTarget
) -> None:
    reader.rounds[4] = state(4, Phase.FINAL)
    assert RoundSelector(chain, None, 4).final(3).context.number == 4
    assert RoundSelector(chain).final(3).context.number == 3
    with pytest.raises(ConfigError, match="does not name its round"):
        RoundSelector(chain).final(None)


def test_the_json_of_an_audit_replaces_the_chain(
    reader: FakeReader, chain: ChainTarget, tmp_path: Path
) -> None:
    file = tmp_path / "round.json"
    file.write_bytes(msgspec.json.encode(audit_round(chain, 3)))
    final = RoundSelector(ChainTarget(), file).final(None)
    assert (final.context, final.root, final.partitions) == FINAL
    assert "was not checked" in final.notes[0]
    assert read_round_state(str(file)) == final


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"root": "0x12"}'])
def test_a_file_that_is_not_the_json_of_an_audit(tmp_path: Path, text: str) -> None:
    file = tmp_path / "round.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"round\.json: not the JSON of a round's audit"):
        read_round_state(file)


def test_an_audit_of_a_failed_round_gives_no_final_result(
    reader: FakeReader, chain: ChainTarget, tmp_path: Path
) -> None:
    file = tmp_path / "round.json"
    value = msgspec.to_builtins(audit_round(chain, 3)) | {"phase": "failed"}
    file.write_text(json.dumps(value))
    with pytest.raises(EvidenceError, match="default limits apply"):
        read_round_state(file)
