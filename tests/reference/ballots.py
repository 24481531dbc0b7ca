"""Result and ballot (section 11)."""

from __future__ import annotations

from eth_utils.crypto import keccak


def result_hash(root: bytes, partitions: int) -> bytes:
    return bytes(keccak(root + partitions.to_bytes(32, "big")))


def ballot_hash(chain_id: int, contract: bytes, number: int, index: int, result: bytes) -> bytes:
    assert len(contract) == 20
    assert 0 <= index < 128
    words = (
        chain_id.to_bytes(32, "big"),
        contract.rjust(32, b"\x00"),
        number.to_bytes(32, "big"),
        index.to_bytes(32, "big"),
        result,
    )
    return bytes(keccak(b"".join(words)))
