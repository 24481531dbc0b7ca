"""The result of a round and the blind ballot for it.

Source: rules-v1 section 11. Equal to ``OepConsensus.ballotFor`` on chain: a ballot is bound to the
chain, the contract, the round and its operator, and reveals nothing about the root.
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


def result_hash(root: bytes, partitions: int) -> bytes:
    """keccak256(abi.encode(bytes32 root, uint32 partitions))."""
    return keccak(root + partitions.to_bytes(32))


def ballot_hash(
    chain_id: int, contract: bytes, round_number: int, operator: bytes, result_hash: bytes
) -> bytes:
    """keccak256(abi.encode(chainId, contract, round, operator, resultHash)), 32 bytes.

    Args:
        chain_id: EIP-155 chain id.
        contract: Address, 20 bytes.
        round_number: From 1.
        operator: The worker's lasting address, 20 bytes.
        result_hash: 32 bytes, see `result_hash`.
    """
    return keccak(
        chain_id.to_bytes(32)
        + contract.rjust(32, b"\x00")
        + round_number.to_bytes(32)
        + operator.rjust(32, b"\x00")
        + result_hash
    )


def ballot_for(context: RoundContext, operator: bytes, result: Result) -> bytes:
    """The ballot that ``operator`` casts for ``result`` in the round of ``context``."""
    return ballot_hash(context.chain_id, context.contract, context.number, operator, result.hash)
