"""Ballots as ``revealRoot`` takes them, and the rolling hash that commits to them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from eth_utils.crypto import keccak

from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.tally import Ballot
from oepnode.errors import EvidenceError

PACKED_BALLOT_SIZE: Final = 33


def rolling_hash(context: RoundContext, ballots: Iterable[Ballot]) -> bytes:
    """The rolling hash over ballots in the order cast, as the contract keeps it; 32 bytes.

    H(0) = keccak256(abi.encode(chainId, contract, round)), and
    H(n) = keccak256(H(n-1) ‖ index u8 ‖ ballot (32)).
    """
    start = (context.chain_id, int.from_bytes(context.contract), context.number)
    value = keccak(b"".join(number.to_bytes(32) for number in start))
    for ballot in ballots:
        value = keccak(value + ballot.pack())
    return value


def unpack(packed: bytes) -> list[Ballot]:
    """Read packed ballots.

    Raises:
        EvidenceError: If there is no whole number of ballots.
    """
    if len(packed) % PACKED_BALLOT_SIZE:
        raise EvidenceError(f"packed ballots have 33 bytes each, received {len(packed)} bytes")
    parts = (
        packed[at : at + PACKED_BALLOT_SIZE] for at in range(0, len(packed), PACKED_BALLOT_SIZE)
    )
    return [Ballot(part[0], part[1:]) for part in parts]
