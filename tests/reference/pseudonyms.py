"""Keys and pseudonyms (section 7)."""

from __future__ import annotations

import hashlib
import hmac


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def hkdf_sha256(ikm: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869: extract (2.2), then expand (2.3)."""
    prk = hmac_sha256(salt or bytes(32), ikm)
    block, output, counter = b"", b"", 1
    while len(output) < length:
        block = hmac_sha256(prk, block + info + bytes([counter]))
        output, counter = output + block, counter + 1
    return output[:length]


def round_context(chain_id: int, contract: bytes, number: int) -> bytes:
    assert len(contract) == 20
    return chain_id.to_bytes(32, "big") + contract + number.to_bytes(8, "big")


def round_key(salt: bytes, context: bytes) -> bytes:
    return hkdf_sha256(salt, hashlib.sha256(context).digest(), b"oep1 round", 32)


def aggregator_key(k_round: bytes, identity: str) -> bytes:
    return hkdf_sha256(k_round, b"", b"oep1 aggregator" + identity.encode(), 32)


def aggregator_pseudonym(k_agg: bytes, identity: str) -> bytes:
    return hmac_sha256(k_agg, b"oep1 aggregator" + identity.encode())


def site_key(k_agg: bytes, nmi: str) -> bytes:
    return hmac_sha256(k_agg, b"oep1 site" + nmi.encode())


def site_pseudonym(k_site: bytes, nmi: str) -> bytes:
    return hashlib.sha256(b"oep1 nmi" + k_site + nmi.encode()).digest()
