"""The result of a round, the blind ballot for it, and the vote that carries a ballot on chain.

Source: rules-v1 sections 11 and 12. Equal to ``OepConsensus.ballotFor`` on chain: a ballot is bound
to the chain, the contract, the round and its member, and reveals nothing about the root.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from eth_utils.crypto import keccak

from oepnode.domain.rounds.context import RoundContext


class Reason(IntEnum):
    """A worker's reason to abstain (rules-v1 section 12); the numbers are those on chain."""

    INPUTS_UNAVAILABLE = 1
    INPUT_MISMATCH = 2
    INPUT_INVALID = 3
    RULES_UNKNOWN = 4
    INTERNAL_FAULT = 5

    @property
    def label(self) -> str:
        """The name as documents and reports write it, such as ``InputMismatch``."""
        return "".join(part.capitalize() for part in self.name.split("_"))


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a round that a worker votes for.

    Attributes:
        root: Root of the round tree, 32 bytes.
        partitions: Number of partition entries.
    """

    root: bytes
    partitions: int

    @property
    def hash(self) -> bytes:
        """``resultHash`` of this result, 32 bytes."""
        return result_hash(self.root, self.partitions)


@dataclass(frozen=True, slots=True)
class Vote:
    """A member's vote in the form in which it is signed for a relay.

    Attributes:
        ballot: The blind ballot, 32 bytes; in an abstention the number of its reason.
        custody: The worker's custody root, 32 bytes; zero in an abstention.
    """

    ballot: bytes
    custody: bytes

    @classmethod
    def abstaining(cls, reason: Reason) -> Vote:
        """The vote that abstains for a reason."""
        return cls(reason.to_bytes(32), bytes(32))

    @property
    def reason(self) -> Reason | None:
        """The reason of an abstention, or None for a ballot."""
        number = int.from_bytes(self.ballot)
        return Reason(number) if 0 < number <= max(Reason) else None

    @property
    def fault(self) -> str:
        """Why the contract rejects this vote of any member, or empty."""
        if not any(self.ballot):
            return "its ballot is zero"
        if self.reason is None and not any(self.custody):
            return "its custody root is zero"
        if self.reason is not None and any(self.custody):
            return "it abstains, and has a custody root"
        return ""


def result_hash(root: bytes, partitions: int) -> bytes:
    """keccak256(abi.encode(bytes32 root, uint32 partitions))."""
    return keccak(root + partitions.to_bytes(32))


def ballot_hash(
    chain_id: int, contract: bytes, round_number: int, index: int, result_hash: bytes
) -> bytes:
    """keccak256(abi.encode(chainId, contract, round, index, resultHash)), 32 bytes.

    Args:
        chain_id: EIP-155 chain id.
        contract: Address, 20 bytes.
        round_number: From 1.
        index: The member's index in the round's electorate.
        result_hash: 32 bytes, see `result_hash`.
    """
    return keccak(
        chain_id.to_bytes(32)
        + contract.rjust(32, b"\x00")
        + round_number.to_bytes(32)
        + index.to_bytes(32)
        + result_hash
    )


def ballot_for(context: RoundContext, index: int, result: Result) -> bytes:
    """The ballot by which the member with this index votes for ``result``."""
    return ballot_hash(context.chain_id, context.contract, context.number, index, result.hash)
