"""Ed25519 keys that sign what a network publishes (RFC 8032).

Guarantees: a signature counts only under the key that the reader has in its settings; a key file is
of mode 0600 and never overwritten. The file is JSON: ``{"publicKey", "privateKey"}``, 64 hex digits
each. Leaves out hardware keys.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import DecodeError, Meta, Struct
from msgspec import json as msgspec_json

from oepnode.adapters.crypto.keyfile import read_secret, write_secret
from oepnode.domain.rounds.inputs.document_signatures import (
    Kind,
    SignatureFault,
    SignedStatement,
    Statement,
    check_statement,
    signed_bytes,
)
from oepnode.errors import ConfigError

_Hex32 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class _File(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    public_key: _Hex32
    private_key: _Hex32


def create_key(file: Path) -> bytes:
    """Make a key, write it to a new file, and return the public key, 32 bytes.

    Raises:
        ConfigError: If the file exists, or cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    write_secret(
        file, msgspec_json.encode(_File(public.hex(), key.private_bytes_raw().hex())) + b"\n"
    )
    return public


def load_key(file: Path) -> Ed25519PrivateKey:
    """Read a key.

    Raises:
        ConfigError: If the file cannot be read, everyone may read it, or it holds no key pair.
    """
    data = read_secret(file, "document key")
    try:
        pair = msgspec_json.decode(data, type=_File)
    except (DecodeError, RecursionError, UnicodeDecodeError):
        # The foreign message may repeat the key, so it is dropped with its cause.
        raise ConfigError(f"{file}: not a document key; 'keygen' makes one") from None
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(pair.private_key))
    if key.public_key().public_bytes_raw().hex() != pair.public_key:
        raise ConfigError(f"{file}: the private key does not fit the public key")
    return key


def sign_statement(key: Ed25519PrivateKey, statement: Statement) -> SignedStatement:
    """Sign a statement."""
    public = key.public_key().public_bytes_raw()
    return SignedStatement(statement, public, key.sign(signed_bytes(statement)))


def verify_statement(signed: SignedStatement, kind: Kind, digest: bytes, key: bytes) -> None:
    """Verify that a publisher signed a statement about this document.

    Args:
        signed: The statement.
        kind: Kind of the document.
        digest: SHA-256 of the document.
        key: The publisher's public key, from the reader's settings.

    Raises:
        SignatureFault: ``signature.invalid``.
    """
    check_statement(signed, kind, digest, key)
    try:
        public = Ed25519PublicKey.from_public_bytes(key)
        public.verify(signed.signature, signed_bytes(signed.statement))
    except (InvalidSignature, ValueError) as exc:
        raise SignatureFault("signature.invalid", "the signature does not verify") from exc
