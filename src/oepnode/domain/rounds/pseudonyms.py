"""Keys of a round and pseudonyms of sites and aggregators.

An NMI is guessable, so its hash is keyed, and the key is secret per aggregator and per round: an
aggregator can recompute its own pseudonyms, its sites' and the partition's, and nobody else's, and
nothing links two rounds. Each site has a key of its own, so that disclosing one site reveals
nothing about another.
Source: rules-v1 section 7, RFC 5869 (HKDF), RFC 2104 (HMAC).
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from oepnode.domain.rounds.context import RoundContext
from oepnode.errors import DigestMismatch

KEY_SIZE: Final = 32
UNASSIGNED: Final = ""
"""The aggregator id of the unassigned partition."""

_ROUND_INFO: Final = b"oep1 round"
_AGGREGATOR_INFO: Final = b"oep1 aggregator"
_SITE_INFO: Final = b"oep1 site"
_NMI_INFO: Final = b"oep1 nmi"
_BLOCK_SIZE: Final = 64
_INNER_PAD: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD: Final = bytes(byte ^ 0x5C for byte in range(256))


def check_salt(salt: bytes, digest: bytes) -> None:
    """Check a salt against the snapshot's commitment.

    Raises:
        DigestMismatch: If SHA-256(salt) is not ``digest``.
    """
    received = sha256(salt).digest()
    if len(salt) != KEY_SIZE or not hmac.compare_digest(received, digest):
        raise DigestMismatch("snapshot salt", digest, received)


def round_key(salt: bytes, context: RoundContext) -> bytes:
    """K_round, 32 bytes, from the snapshot's 32-byte salt."""
    return _hkdf(salt, sha256(context.encode()).digest(), _ROUND_INFO)


def aggregator_key(round_key: bytes, aggregator_id: str) -> bytes:
    """K_agg of one aggregator in one round, 32 bytes."""
    return _hkdf(round_key, None, _AGGREGATOR_INFO + aggregator_id.encode())


def aggregator_pseudonym(aggregator_key: bytes, aggregator_id: str) -> bytes:
    """Pseudonym of an aggregator in one round, 32 bytes, from its K_agg and its id."""
    return hmac.digest(aggregator_key, _AGGREGATOR_INFO + aggregator_id.encode(), "sha256")


def site_key(aggregator_key: bytes, nmi: str) -> bytes:
    """Key of one site under one aggregator in one round, 32 bytes."""
    return hmac.digest(aggregator_key, _SITE_INFO + nmi.encode(), "sha256")


def site_pseudonym(site_key: bytes, nmi: str) -> bytes:
    """Pseudonym of a site, 32 bytes, from its site key and its NMI."""
    return sha256(_NMI_INFO + site_key + nmi.encode()).digest()


def pseudonyms_of(aggregator_key: bytes, nmis: Iterable[bytes]) -> list[bytes]:
    """Pseudonyms of many NMIs of one aggregator, in their order; as `site_pseudonym` gives them.

    Both halves of the HMAC begin with a block that depends on the key alone, and are continued
    from there for each site.
    """
    padded = aggregator_key.ljust(_BLOCK_SIZE, b"\0")
    inner = sha256(padded.translate(_INNER_PAD) + _SITE_INFO)
    outer = sha256(padded.translate(_OUTER_PAD))
    begin_inner, begin_outer, hashed = inner.copy, outer.copy, sha256
    names: list[bytes] = []
    for nmi in nmis:
        inner = begin_inner()
        inner.update(nmi)
        outer = begin_outer()
        outer.update(inner.digest())
        names.append(hashed(_NMI_INFO + outer.digest() + nmi).digest())
    return names


def _hkdf(key_material: bytes, salt: bytes | None, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_SIZE, salt=salt, info=info).derive(key_material)
