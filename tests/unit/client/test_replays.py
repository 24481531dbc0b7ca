from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from msgspec import structs

from oepnode.client import ArchivedInputs, ChainTarget, InputFiles, replay_round
from oepnode.demo.byzantine import lie
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds import replay
from oepnode.domain.rounds.custody import custody_root
from oepnode.domain.rounds.onchain import Abstained, BallotCast, Event, RoundOpened
from oepnode.errors import ConfigError, DocumentFault, EvidenceError
from tests.support.round_world import (
    CUSTODY,
    MEMBERS,
    RESULT,
    FakeReader,
    changed,
)

OPERATORS = ["0x" + member.operator.hex() for member in MEMBERS]


def archived(folder: Path, key: str = "auditor.json") -> ArchivedInputs:
    return ArchivedInputs(folder / "round-3.sealed", folder / key)


def files(folder: Path, feed: Feed | None = None) -> InputFiles:
    envelope, registry, salt = (
        folder / name for name in ("envelope.json", "registry.json", "salt")
    )
    return InputFiles(envelope, registry, salt, feed or Feed())


@pytest.mark.parametrize("source", [archived, files])
def test_a_replay_gives_the_chains_root(folder: Path, chain: ChainTarget, source: object) -> None:
    stages: list[str] = []
    assert callable(source)
    report = replay_round(
        chain, 3, source(folder), lambda stage, _done, _total: stages.append(stage)
    )
    report.require_equal()
    assert report.equal
    assert report.computed_root == report.final_root == "0x" + RESULT.root.hex()
    assert report.matched == (OPERATORS[0], OPERATORS[2], OPERATORS[3])
    assert report.sites.unassigned_nmis == 1
    assert stages


def test_every_members_custody_root_is_checked_on_request(folder: Path, chain: ChainTarget) -> None:
    assert replay_round(chain, 3, archived(folder)).custody is None
    report = replay_round(chain, 3, archived(folder), custody=True)
    assert report.custody is not None
    assert [(each.operator, each.standing) for each in report.custody] == list(
        zip(OPERATORS, ["matches", "differs", "matches", "matches", "abstained"], strict=True)
    )
    right, wrong, *_, absent = report.custody
    assert right.stated == right.computed
    assert (wrong.stated, absent.stated, absent.computed) == ("0x" + CUSTODY.hex(), None, None)
    report.require_equal()
    with pytest.raises(EvidenceError, match=f"custody root differs.*: {OPERATORS[1]}$"):
        report.require_custody()


@pytest.mark.parametrize("of", [0, 2])
def test_the_custody_root_of_another_member_is_none_for_its_own(
    folder: Path, reader: FakeReader, chain: ChainTarget, of: int
) -> None:
    """A friend's custody root cannot be copied: it is bound to the friend's address."""
    honest = reader.round_events
    copied = custody_root(MEMBERS[of].operator, RESULT.partitions)

    async def copying(number: int) -> list[Event]:
        return [
            structs.replace(event, custody=copied) if isinstance(event, BallotCast) else event
            for event in await honest(number)
        ]

    reader.round_events = copying  # type: ignore[method-assign]
    report = replay_round(chain, 3, archived(folder), custody=True)
    assert report.custody is not None
    standings = [each.standing for each in report.custody[:4]]
    assert standings == ["matches" if index == of else "differs" for index in range(4)]


def test_a_member_without_ballot_or_abstention_is_silent(
    folder: Path, reader: FakeReader, chain: ChainTarget
) -> None:
    honest = reader.round_events

    async def without_abstention(number: int) -> list[Event]:
        return [e for e in await honest(number) if not isinstance(e, Abstained)]

    reader.round_events = without_abstention  # type: ignore[method-assign]
    reader.rounds[3] = changed(reader.rounds[3], voted=0b01111)
    report = replay_round(chain, 3, archived(folder), custody=True)
    assert report.custody is not None
    assert report.custody[4].standing == "silent"


def test_another_root_is_a_result_that_can_be_rejected(
    folder: Path, chain: ChainTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "compute", lie)
    report = replay_round(chain, 3, archived(folder))
    assert not report.equal
    with pytest.raises(EvidenceError, match=r"expected the chain's 0x.*these inputs give 0x"):
        report.require_equal()


def test_a_failed_round_has_nothing_to_compare_with(folder: Path, chain: ChainTarget) -> None:
    report = replay_round(chain, 1, files(folder))
    assert (report.equal, report.final_root) == (False, None)
    with pytest.raises(EvidenceError, match=r"round 1 has no final root on chain \(failed\)"):
        report.require_equal()


def test_inputs_of_another_round_are_rejected_by_name(folder: Path, chain: ChainTarget) -> None:
    with (folder / "envelope.json").open("ab") as file:
        file.write(b"\n")
    with pytest.raises(EvidenceError, match="envelope document: expected SHA-256"):
        replay_round(chain, 3, files(folder))
    with pytest.raises(EvidenceError, match="does not open"):
        replay_round(chain, 3, archived(folder, "A2.json"))


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [("envelope.json", b"[", "envelope document"), ("registry.json", b"[", "registry snapshot")],
)
def test_a_rejected_input_is_reported_with_its_file(
    folder: Path, reader: FakeReader, chain: ChainTarget, name: str, data: bytes, what: str
) -> None:
    (folder / name).write_bytes(data)
    digest = sha256(data).digest()
    field = "envelope_digest" if name == "envelope.json" else "registry_digest"
    honest = reader.round_events

    async def with_that_digest(number: int) -> list[Event]:
        return [
            structs.replace(event, **{field: digest}) if isinstance(event, RoundOpened) else event
            for event in await honest(number)
        ]

    reader.round_events = with_that_digest  # type: ignore[method-assign]
    with pytest.raises(DocumentFault, match=f"{name}: {what} rejected"):
        replay_round(chain, 3, files(folder))


def test_a_faulty_file_is_reported_before_the_chain_is_read(
    folder: Path, reader: FakeReader, chain: ChainTarget
) -> None:
    reader.failure = ConfigError("the chain was asked")
    (folder / "salt").write_text("not hex")
    with pytest.raises(ConfigError, match="a salt must be 64 hex digits"):
        replay_round(chain, 3, files(folder))


def test_a_chain_that_contradicts_itself_is_not_replayed_against(
    folder: Path, reader: FakeReader, chain: ChainTarget
) -> None:
    honest = reader.round_events

    async def hiding(number: int) -> list[Event]:
        events = await honest(number)
        hidden = next(event for event in events if isinstance(event, BallotCast))
        return [event for event in events if event is not hidden]

    reader.round_events = hiding  # type: ignore[method-assign]
    with pytest.raises(EvidenceError, match="record, events and count of the chain differ"):
        replay_round(chain, 3, archived(folder))
