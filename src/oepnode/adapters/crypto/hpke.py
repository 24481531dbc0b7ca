"""Sealing to a public key: HPKE base mode (RFC 9180).

Suite: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305. ``info`` binds a message to its
purpose and round, so that one cannot be passed off as another. Keys are 32 raw bytes.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from oepnode.errors import EvidenceError

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


def generate_private_key() -> bytes:
    """A fresh X25519 private key, 32 bytes."""
    return X25519PrivateKey.generate().private_bytes_raw()


def public_key_of(private_key: bytes) -> bytes:
    """The public key of a private key, 32 bytes."""
    return X25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()


def seal(public_key: bytes, plaintext: bytes, info: bytes) -> bytes:
    """Seal a message: encapsulated key (32 bytes) ‖ ciphertext ‖ tag (16 bytes).

    Raises:
        EvidenceError: If the public key is not a usable X25519 key.
    """
    try:
        return _SUITE.encrypt(plaintext, X25519PublicKey.from_public_bytes(public_key), info)
    except ValueError as exc:
        raise EvidenceError("the recipient's public key is not a usable X25519 key") from exc


def open_sealed(private_key: bytes, sealed: bytes, info: bytes) -> bytes:
    """Open the output of `seal` for this key and this ``info``.

    Raises:
        EvidenceError: If it was sealed for another key or purpose, or was changed.
    """
    try:
        return _SUITE.decrypt(sealed, X25519PrivateKey.from_private_bytes(private_key), info)
    except (InvalidTag, ValueError) as exc:
        raise EvidenceError(
            "the sealed message does not open with this key: "
            "it is for another key or round, or was changed"
        ) from exc
