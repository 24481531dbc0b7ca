from __future__ import annotations

import dataclasses

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from msgspec.structs import replace

from oepnode.domain.rounds import tally
from oepnode.domain.rounds.ballot import Result
from oepnode.domain.rounds.onchain import Abstained, BallotCast, Event, RootRevealed, RoundFinalised
from oepnode.domain.rounds.tally import Standing
from oepnode.errors import EvidenceError
from tests.contract_model.packed_ballots import rolling_hash, unpack
from tests.support.round_world import CONTEXT, ELECTORATE, MEMBERS, RESULT, WRONG, events, location

GOOD = RESULT.result
EVENTS = events()
BALLOTS = [event for event in EVENTS if isinstance(event, BallotCast)]
STRANGER = b"\x77" * 20


def account(log: list[Event]) -> tally.RoundAccount:
    return tally.account(CONTEXT, ELECTORATE, log)


def test_the_members_whose_ballots_are_for_a_result() -> None:
    good = tally.count(CONTEXT, ELECTORATE, BALLOTS, GOOD)
    assert good.matched == (MEMBERS[0], MEMBERS[2], MEMBERS[3])
    assert (good.bitmap, good.has_quorum) == (0b01101, True)
    wrong = tally.count(CONTEXT, ELECTORATE, BALLOTS, WRONG)
    assert (wrong.bitmap, wrong.has_quorum) == (0b00010, False)
    other = tally.count(CONTEXT, ELECTORATE, BALLOTS, Result(GOOD.root, GOOD.partitions + 1))
    assert (other.matched, other.bitmap) == ((), 0)


def test_a_copied_ballot_counts_for_nobody() -> None:
    copied = replace(BALLOTS[0], operator=MEMBERS[4].operator)
    assert tally.count(CONTEXT, ELECTORATE, [copied], GOOD).matched == ()


def test_a_ballot_of_another_round_counts_for_nobody() -> None:
    later = dataclasses.replace(CONTEXT, number=4)
    assert tally.count(later, ELECTORATE, BALLOTS, GOOD).matched == ()


def test_every_member_has_one_standing() -> None:
    counted = account(EVENTS)
    assert [a.standing for a in counted.members] == [
        Standing.MATCHED,
        Standing.MISMATCHED,
        Standing.MATCHED,
        Standing.MATCHED,
        Standing.ABSTAINED,
    ]
    assert [a.results for a in counted.members] == [(GOOD,), (WRONG,), (GOOD,), (GOOD,), ()]
    assert [a.reason for a in counted.members] == [None] * 4 + [2]
    assert counted.members[4].location == location(6)
    assert (counted.final, counted.differences) == (GOOD, ())


def test_without_a_final_root_nobody_is_wrong() -> None:
    counted = account([e for e in EVENTS if not isinstance(e, Abstained | RoundFinalised)])
    assert [a.standing for a in counted.members] == [Standing.VOTED] * 4 + [Standing.SILENT]
    assert counted.members[4].location is None
    assert counted.final is None


def test_a_ballot_for_a_root_that_nobody_revealed() -> None:
    counted = account([e for e in EVENTS if getattr(e, "root", None) != WRONG.root])
    assert (counted.members[1].standing, counted.members[1].results) == (Standing.MISMATCHED, ())


def test_a_chain_that_counts_differently_is_detected() -> None:
    lying = [replace(e, matched=0b11111) if isinstance(e, RootRevealed) else e for e in EVENTS]
    assert len(account(lying).differences) == 2
    without = [e for e in EVENTS if e not in BALLOTS[:2]]
    assert any("no quorum" in text for text in account(without).differences)


@pytest.mark.parametrize("kind", [BallotCast, Abstained])
def test_a_stranger_in_the_events(kind: type) -> None:
    strange = [replace(e, operator=STRANGER) if isinstance(e, kind) else e for e in EVENTS]
    with pytest.raises(EvidenceError, match=STRANGER.hex()):
        account(strange)


def test_the_ballots_hash_is_the_contracts() -> None:
    expected = keccak(
        encode(
            ["uint256", "address", "uint64"],
            [CONTEXT.chain_id, CONTEXT.contract, CONTEXT.number],
        )
    )
    members = {member.operator: member for member in MEMBERS}
    ballots = [tally.Ballot(members[cast.operator].index, cast.ballot) for cast in BALLOTS]
    assert rolling_hash(CONTEXT, []) == expected
    for cast, member in zip(BALLOTS, MEMBERS, strict=False):
        expected = keccak(expected + bytes([member.index]) + cast.ballot)
    assert rolling_hash(CONTEXT, ballots) == expected
    assert rolling_hash(CONTEXT, ballots[::-1]) != expected
    with pytest.raises(EvidenceError):
        tally.count(CONTEXT, ELECTORATE, [replace(BALLOTS[0], operator=STRANGER)], GOOD)


def test_packed_ballots_are_read_back() -> None:
    ballots = [tally.Ballot(i, bytes([i]) * 32) for i in range(3)]
    packed = b"".join(ballot.pack() for ballot in ballots)
    assert unpack(packed) == ballots
    assert tally.bitmap(ballots) == 0b111
    with pytest.raises(EvidenceError, match="33 bytes each, received 98"):
        unpack(packed[:-1])
