"""Documents signed by a network's key, and statements that do not fit them."""

from __future__ import annotations

from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from oepnode.adapters.crypto.document_key import sign_statement
from oepnode.domain.rounds.inputs.document_signatures import (
    Kind,
    SignedStatement,
    Statement,
)

KEY = Ed25519PrivateKey.from_private_bytes(b"\x61" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"\x62" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()


def statement(
    document: bytes,
    sequence: int = 1,
    kind: Kind = "envelope",
    key: Ed25519PrivateKey = KEY,
    size: int | None = None,
) -> SignedStatement:
    """The signed statement about a document."""
    length = len(document) if size is None else size
    return sign_statement(key, Statement(kind, sha256(document).digest(), length, sequence))
