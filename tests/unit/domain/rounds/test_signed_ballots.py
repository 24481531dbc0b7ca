from __future__ import annotations

from dataclasses import replace

import pytest
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from oepnode.domain.rounds import signed_ballots
from oepnode.domain.rounds.ballot import Reason, Vote
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Electorate, Member
from oepnode.domain.rounds.signed_ballots import Relayed, SignedBallot
from oepnode.errors import EvidenceError

CONTEXT = RoundContext(31337, bytes(range(20)), 7)
VOTE = Vote(bytes(range(100, 132)), bytes(range(200, 232)))
SIGNED = SignedBallot.of(VOTE, 5, 6, 1)
LINE = signed_ballots.encode(Relayed(CONTEXT, SIGNED))


def test_the_signature_is_over_the_hash_of_the_typed_data() -> None:
    message = encode_typed_data(full_message=signed_ballots.typed_data(CONTEXT, VOTE))
    expected = keccak(b"\x19" + message.version + message.header + message.body)
    assert signed_ballots.ballot_digest(CONTEXT, VOTE) == expected


def test_parity_and_s_share_a_word() -> None:
    assert (SIGNED.y_parity, SIGNED.s) == (1, 6)
    assert SIGNED.parity_and_s == bytes([0x80]) + bytes(30) + b"\x06"
    assert SignedBallot.of(VOTE, 5, 6, 0).y_parity == 0
    assert SIGNED.pack() == VOTE.ballot + VOTE.custody + bytes(31) + b"\x05" + SIGNED.parity_and_s


def test_packed_ballots_are_read_back() -> None:
    other = SignedBallot.of(Vote(bytes(32), bytes(32)), 1, 2, 0)
    assert signed_ballots.unpack(signed_ballots.pack([SIGNED, other])) == [SIGNED, other]
    assert signed_ballots.unpack(b"") == []
    with pytest.raises(EvidenceError, match="127 bytes"):
        signed_ballots.unpack(SIGNED.pack()[:-1])


def test_a_file_of_signed_ballots_is_read_back() -> None:
    assert signed_ballots.decode_lines(LINE + b"\n\n" + LINE) == [Relayed(CONTEXT, SIGNED)] * 2
    assert signed_ballots.decode_lines(b"") == []


MEMBERS = tuple(Member(i, bytes([i + 1]) * 20, bytes([i + 101]) * 20) for i in range(3))
ELECTORATE = Electorate(2, MEMBERS, 2, 60, 60, 1)


def by_first_byte(_: RoundContext, signed: SignedBallot) -> bytes | None:
    """A replacement for signatures: r names the signer by its first byte."""
    return signed.r[:1] * 20 if any(signed.r) else None


def offered(signer: int, ballot: int) -> Relayed:
    vote = Vote(bytes([ballot]) * 32, b"\xcc" * 32)
    signed = SignedBallot(vote, bytes([signer]) * 32, bytes(32))
    return Relayed(CONTEXT, signed)


def test_a_batch_holds_one_ballot_of_each_member_who_has_not_voted() -> None:
    elsewhere = Relayed(replace(CONTEXT, number=8), offered(101, 1).signed)
    ballots = [
        offered(101, 1),
        offered(77, 1),
        offered(102, 1),
        offered(101, 2),
        elsewhere,
        offered(0, 1),
        offered(101, 0),
        offered(103, 1),
    ]
    batch = signed_ballots.batch_of(CONTEXT, ELECTORATE, 0b010, ballots, by_first_byte)
    assert [member for member, _ in batch.chosen] == [MEMBERS[0], MEMBERS[2]]
    assert [signed for _, signed in batch.chosen] == [ballots[0].signed, ballots[7].signed]
    assert {left.index: left.why for left in batch.left_out} == {
        1: f"0x{'4d' * 20} signed it, which is not a signer of the round's electorate",
        2: "its member has voted already",
        3: "its member has voted already",
        4: "it is for another round, contract or chain",
        5: "its signature is invalid",
        6: "its ballot is zero",
    }


def test_equivocations_are_found_among_many() -> None:
    ballots = [
        offered(101, 1),
        offered(102, 1),
        offered(77, 1),
        offered(77, 2),
        offered(102, 1),
        offered(102, 2),
        offered(102, 3),
        offered(0, 9),
    ]
    (result,) = signed_ballots.equivocations_in(CONTEXT, ELECTORATE, ballots, by_first_byte)
    assert result.member == MEMBERS[1]
    assert result.ballots == (ballots[1].signed, ballots[5].signed)
    assert signed_ballots.equivocations_in(CONTEXT, ELECTORATE, ballots[:3], by_first_byte) == []


def abstaining(signer: int, reason: Reason) -> Relayed:
    signed = SignedBallot(Vote.abstaining(reason), bytes([signer]) * 32, bytes(32))
    return Relayed(CONTEXT, signed)


def test_an_abstention_goes_into_a_batch_and_beside_a_ballot_is_an_equivocation() -> None:
    votes = [
        abstaining(101, Reason.INPUT_INVALID),
        offered(102, 1),
        offered(101, 1),
        abstaining(102, Reason.INPUT_MISMATCH),
        abstaining(103, Reason.INPUT_MISMATCH),
        abstaining(103, Reason.INPUT_INVALID),
    ]
    batch = signed_ballots.batch_of(CONTEXT, ELECTORATE, 0, votes, by_first_byte)
    assert [signed for _, signed in batch.chosen] == [votes[i].signed for i in (0, 1, 4)]
    pairs = signed_ballots.equivocations_in(CONTEXT, ELECTORATE, votes, by_first_byte)
    assert [pair.member for pair in pairs] == [MEMBERS[0], MEMBERS[1], MEMBERS[2]]


@pytest.mark.parametrize(
    "vote",
    [
        Vote(b"\x01" * 32, bytes(32)),
        Vote((1).to_bytes(32), b"\xcc" * 32),
        Vote(bytes(32), bytes(32)),
    ],
)
def test_a_vote_that_the_contract_rejects_is_left_out(vote: Vote) -> None:
    relayed = Relayed(CONTEXT, SignedBallot(vote, bytes([101]) * 32, bytes(32)))
    batch = signed_ballots.batch_of(CONTEXT, ELECTORATE, 0, [relayed], by_first_byte)
    assert batch.chosen == ()
    assert batch.left_out[0].why == vote.fault != ""


@pytest.mark.parametrize(
    ("line", "reported"),
    [
        (b"{", "line 2 is not JSON"),
        (b"[" * 10_000, "line 2"),
        (b"\xff", "line 2"),
        (LINE.replace(b'"round":7', b'"round":0'), "round"),
        (LINE.replace(b'"round":7', b'"round":4294967296'), "round"),
        (LINE.replace(b'"chainId":31337', b'"chainId":0'), "chainId"),
        (LINE.replace(b'"ballot":"', b'"ballot":"ab'), "ballot"),
        (LINE.replace(b'"custody":"', b'"custody":"ab'), "custody"),
        (LINE.replace(b'"custody"', b'"custodian"'), "custod"),
        (LINE.replace(b'"signature":"00', b'"signature":"zz'), "signature"),
        (LINE.replace(b'"contract":"0x', b'"contract":"'), "contract"),
        (LINE.replace(b'"round"', b'"more":1,"round"'), "more"),
        (b"{}", "chainId"),
    ],
)
def test_a_line_without_a_signed_ballot_is_named(line: bytes, reported: str) -> None:
    with pytest.raises(EvidenceError, match=reported):
        signed_ballots.decode_lines(LINE + b"\n" + line)
