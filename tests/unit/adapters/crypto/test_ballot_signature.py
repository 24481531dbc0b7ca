from __future__ import annotations

from dataclasses import replace

import pytest
from eth_account import Account

from oepnode.adapters.crypto.ballot_signature import recover_signer, sign_ballot
from oepnode.domain.rounds.ballot import Vote
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.signed_ballots import HALF_ORDER, SignedBallot

ACCOUNT = Account.from_key(b"\x42" * 32)
SIGNER = bytes.fromhex(ACCOUNT.address[2:])
CONTEXT = RoundContext(31337, bytes(range(20)), 7)
VOTES = [Vote(bytes([i]) * 32, bytes([9 - i]) * 32) for i in range(8)]
SIGNED = [sign_ballot(ACCOUNT, CONTEXT, vote) for vote in VOTES]


def test_the_signer_is_recovered() -> None:
    assert {signed.y_parity for signed in SIGNED} == {0, 1}
    for signed in SIGNED:
        assert recover_signer(CONTEXT, signed) == SIGNER


@pytest.mark.parametrize(
    "other",
    [
        replace(CONTEXT, chain_id=1),
        replace(CONTEXT, contract=bytes(20)),
        replace(CONTEXT, number=8),
    ],
)
def test_in_another_context_the_signature_recovers_another_address(other: RoundContext) -> None:
    assert recover_signer(other, SIGNED[0]) != SIGNER


def test_for_another_ballot_the_signature_recovers_another_address() -> None:
    other, own = VOTES[1], VOTES[0]
    for vote in (other, Vote(other.ballot, own.custody), Vote(own.ballot, other.custody)):
        moved = SignedBallot(vote, SIGNED[0].r, SIGNED[0].parity_and_s)
        assert recover_signer(CONTEXT, moved) != SIGNER


def test_the_twin_of_a_signature_is_not_the_signers() -> None:
    """Its s has 256 bits, of which the compact form keeps 255."""
    good = SIGNED[0]
    order = 2 * HALF_ORDER + 1
    twin = SignedBallot.of(good.vote, int.from_bytes(good.r), order - good.s, 1 - good.y_parity)
    assert recover_signer(CONTEXT, twin) != SIGNER


@pytest.mark.parametrize(("r", "s"), [(0, 1), (1, 0), (1, HALF_ORDER + 1), (5, 1), (2**256 - 1, 1)])
def test_invalid_signature_numbers(r: int, s: int) -> None:
    assert recover_signer(CONTEXT, SignedBallot.of(VOTES[0], r, s, 0)) is None
