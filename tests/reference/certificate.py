"""Certificates (certificate.md): the bytes of ballots as they are signed."""

from __future__ import annotations

from typing import Any

from eth_utils.crypto import keccak

CAST_BALLOT = bytes(keccak(b"castBallot(uint32,bytes32,bytes32)"))[:4]


def rlp(value: Any) -> bytes:
    """The RLP of bytes, of a number, or of a list of them."""
    if isinstance(value, int):
        value = value.to_bytes((value.bit_length() + 7) // 8, "big")
    if isinstance(value, bytes):
        if len(value) == 1 and value[0] < 0x80:
            return value
        return _head(0x80, len(value)) + value
    body = b"".join(map(rlp, value))
    return _head(0xC0, len(body)) + body


def _head(base: int, size: int) -> bytes:
    if size < 56:
        return bytes([base + size])
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([base + 55 + len(length)]) + length


def cast_ballot(number: int, ballot: bytes, custody: bytes) -> bytes:
    """The calldata of a direct ballot."""
    return CAST_BALLOT + word(number) + ballot + custody


def transaction_hash(kind: int, fields: list[Any], chain_id: int) -> bytes:
    """The hash that a sender signs over the fields before its signature."""
    if kind == 0:
        return bytes(keccak(rlp([*fields, chain_id, b"", b""])))
    return bytes(keccak(bytes([kind]) + rlp(fields)))


def relayed_hash(
    chain_id: int, contract: bytes, number: int, ballot: bytes, custody: bytes
) -> bytes:
    """The hash that a member signs for a relay."""
    domain = keccak(
        keccak(
            b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
        )
        + keccak(b"OepConsensus")
        + keccak(b"1")
        + word(chain_id)
        + bytes(12)
        + contract
    )
    message = keccak(
        keccak(b"Ballot(uint64 round,bytes32 ballot,bytes32 custody)")
        + word(number)
        + ballot
        + custody
    )
    return bytes(keccak(b"\x19\x01" + domain + message))


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")
