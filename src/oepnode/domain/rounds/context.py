"""The round that everything is bound to: chain, contract and number.

Source: docs/design.md §4 (the salt of K_round) and §6.
"""

from __future__ import annotations

from dataclasses import dataclass

from oepnode.errors import ConfigError


@dataclass(frozen=True, slots=True)
class RoundContext:
    """One round of one contract on one chain; bound into every key.

    Attributes:
        chain_id: EIP-155 chain id.
        contract: Address of the consensus contract, 20 bytes.
        number: Round number, from 1.
    """

    chain_id: int
    contract: bytes
    number: int

    def __post_init__(self) -> None:
        if not 0 <= self.chain_id < 1 << 256 or not 0 <= self.number < 1 << 64:
            raise ConfigError("chain id is a uint256 and the round a uint64")
        if len(self.contract) != 20:
            raise ConfigError(f"a contract address is 20 bytes, received {len(self.contract)}")

    def encode(self) -> bytes:
        """Chain id (32 bytes) ‖ contract (20) ‖ round (8)."""
        return self.chain_id.to_bytes(32) + self.contract + self.number.to_bytes(8)
