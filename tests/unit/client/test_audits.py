from __future__ import annotations

import pytest
from msgspec import structs

from oepnode.client import ChainTarget, audit_round
from oepnode.client import chain as chains
from oepnode.client.audits import read_record
from oepnode.domain.rounds.onchain import Equivocated
from oepnode.errors import ConfigError, EvidenceError
from tests.support.round_world import (
    CONTEXT,
    MEMBERS,
    WRONG,
    FakeReader,
    changed,
    events,
    location,
)

OPERATORS = ["0x" + member.operator.hex() for member in MEMBERS]


def test_every_member_has_one_standing(chain: ChainTarget) -> None:
    audit = audit_round(chain, 3)
    assert [(m.operator, m.standing, m.seconds_after_opening) for m in audit.members] == [
        (OPERATORS[0], "matched", 2),
        (OPERATORS[1], "mismatched", 3),
        (OPERATORS[2], "matched", 4),
        (OPERATORS[3], "matched", 5),
        (OPERATORS[4], "abstained", 6),
    ]
    assert audit.members[1].root == "0x" + WRONG.root.hex()
    assert audit.members[4].reason == "InputMismatch"
    assert [(r.matched, r.is_final) for r in audit.revealed] == [
        ((OPERATORS[1],), False),
        ((OPERATORS[0], OPERATORS[2], OPERATORS[3]), True),
    ]
    assert audit.end is not None
    assert (audit.end.phase, audit.differences) == ("final", ())
    audit.require_equal_count()
    differing = structs.replace(audit, differences=("root 00: one", "root 01: two"))
    with pytest.raises(
        EvidenceError, match="round 3: record, events and count of the chain differ: root 00"
    ):
        differing.require_equal_count()


def test_a_cancelled_round_has_its_reason(chain: ChainTarget) -> None:
    audit = audit_round(chain, 2)
    assert audit.end is not None
    assert (audit.phase, audit.end.reason) == ("cancelled", "sender's feed was down")
    assert {member.standing for member in audit.members} == {"silent"}


def test_two_ballots_of_a_member_are_shown(
    reader: FakeReader, chain: ChainTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = Equivocated(location(9), 3, MEMBERS[1].operator, b"\x01" * 32, b"\x02" * 32)

    async def with_a_pair(_: int) -> list[object]:
        return [*events(CONTEXT), pair]

    monkeypatch.setattr(reader, "round_events", with_a_pair)
    (equivocation,) = audit_round(chain, 3).equivocations
    assert equivocation.operator == OPERATORS[1]
    assert equivocation.ballots == ("0x" + "01" * 32, "0x" + "02" * 32)
    assert equivocation.seconds_after_opening == 9


def test_a_reason_that_this_release_does_not_know_has_its_number(
    reader: FakeReader, chain: ChainTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def with_a_new_reason(_: int) -> list[object]:
        return [
            changed(event, reason=77) if hasattr(event, "reason") else event  # type: ignore[arg-type]
            for event in events(CONTEXT)
        ]

    monkeypatch.setattr(reader, "round_events", with_a_new_reason)
    assert audit_round(chain, 3).members[4].reason == "reason 77"


def test_the_times_of_a_record_are_read_only(chain: ChainTarget) -> None:
    record = chains.run(read_record(chain, 3))
    with pytest.raises(TypeError, match="does not support item assignment"):
        record.times[0] = 0  # type: ignore[index]


def test_a_missing_round_is_an_error(chain: ChainTarget) -> None:
    with pytest.raises(ConfigError, match="there is no round 9"):
        audit_round(chain, 9)
