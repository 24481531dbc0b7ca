"""Grant lists (grants.md): the hash that is signed."""

from __future__ import annotations

from eth_utils.crypto import keccak

Grants = list[tuple[bytes, str, int]]


def list_hash(
    service: str,
    chain_id: int,
    contract: bytes,
    number: int,
    digests: tuple[bytes, bytes],
    issued_at: int,
    is_final: bool,
    grants: Grants,
) -> bytes:
    """The hash that a service signs."""
    domain = keccak(
        keccak(
            b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
        )
        + keccak(b"oepnode grants")
        + keccak(b"1")
        + word(chain_id)
        + bytes(12)
        + contract
    )
    items = b""
    for operator, what, granted_at in grants:
        items += keccak(
            keccak(b"Grant(address operator,string input,uint64 grantedAt)")
            + bytes(12)
            + operator
            + keccak(what.encode())
            + word(granted_at)
        )
    message = keccak(
        keccak(
            b"GrantList(string service,uint64 round,bytes32 envelopeDigest,bytes32 registryDigest,"
            b"uint64 issuedAt,bool final,Grant[] grants)"
            b"Grant(address operator,string input,uint64 grantedAt)"
        )
        + keccak(service.encode())
        + word(number)
        + digests[0]
        + digests[1]
        + word(issued_at)
        + word(int(is_final))
        + keccak(items)
    )
    return bytes(keccak(b"\x19\x01" + domain + message))


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")
