"""Private keys, and one HPKE message (RFC 9180, base mode) to a public key.

The one place that knows which suite belongs to which kind of key: HKDF-SHA256 and ChaCha20-Poly1305
with DHKEM(X25519, HKDF-SHA256) or with MLKEM768-X25519 (X-Wing, KEM id 0x647A). ``info`` binds a
message to its purpose and round. Leaves out large contents, which `sealing` puts behind a message.
Source: ``docs/spec/bundle.md`` section 2, draft-ietf-hpke-pq, draft-connolly-cfrg-xwing-kem.
"""

from __future__ import annotations

import secrets
from hashlib import shake_256
from typing import Final

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from oepnode.domain.rounds.recipient_keys import KeyKind, kind_of
from oepnode.errors import ConfigError, EvidenceError

PRIVATE_SIZE: Final = 32
"""Bytes of a private key of either kind."""

DEFAULT_KIND: Final = KeyKind.HYBRID

_TAG_SIZE: Final = 16
_MLKEM_PUBLIC: Final = 1184
_MLKEM_SEED: Final = 64
_X25519_SIZE: Final = 32
_KEMS: Final = {KeyKind.X25519: KEM.X25519, KeyKind.HYBRID: KEM.MLKEM768_X25519}
_SUITES: Final = {
    kind: Suite(kem, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305) for kind, kem in _KEMS.items()
}

_NO_MLKEM: Final = (
    "this build of the library cryptography has no ML-KEM-768, which keys of kind "
    f"{KeyKind.HYBRID.value} need; install its official wheel"
)


class PrivateKey:
    """A private key of either kind. Its repr shows the kind alone.

    Args:
        kind: Its kind.
        secret: 32 bytes: the X25519 scalar, or the seed of X-Wing.

    Raises:
        ValueError: If ``secret`` has another length.
    """

    __slots__ = ("_secret", "kind")

    def __init__(self, kind: KeyKind, secret: bytes) -> None:
        if len(secret) != PRIVATE_SIZE:
            raise ValueError(f"a private key must be {PRIVATE_SIZE} bytes")
        self.kind = kind
        self._secret = secret

    @classmethod
    def generate(cls, kind: KeyKind = DEFAULT_KIND) -> PrivateKey:
        """A fresh private key."""
        return cls(kind, secrets.token_bytes(PRIVATE_SIZE))

    @property
    def secret(self) -> bytes:
        """32 bytes, for key files."""
        return self._secret

    @property
    def public_key(self) -> bytes:
        """The public key: X25519's, or ML-KEM-768's ‖ X25519's.

        Raises:
            ConfigError: If the installed library has no ML-KEM-768.
        """
        if self.kind is KeyKind.X25519:
            return self._x25519().public_key().public_bytes_raw()
        mlkem, x25519 = self._parts()
        return mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()

    def open_message(self, message: bytes, info: bytes) -> bytes:
        """Open the output of `seal_message` for this key and this ``info``.

        Raises:
            EvidenceError: If it was sealed for another key or purpose, or was changed.
        """
        try:
            return _SUITES[self.kind].decrypt(message, self._for_suite(), info)
        except (InvalidTag, ValueError) as exc:
            raise EvidenceError(
                "the sealed message does not open with this key: "
                "it is for another key or round, or was changed"
            ) from exc

    def _for_suite(self) -> X25519PrivateKey | MLKEM768X25519PrivateKey:
        if self.kind is KeyKind.X25519:
            return self._x25519()
        return MLKEM768X25519PrivateKey(*self._parts())

    def _x25519(self) -> X25519PrivateKey:
        return X25519PrivateKey.from_private_bytes(self._secret)

    def _parts(self) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
        """Both keys of the hybrid kind, expanded from the seed as X-Wing does."""
        seed = shake_256(self._secret).digest(_MLKEM_SEED + _X25519_SIZE)
        try:
            mlkem = MLKEM768PrivateKey.from_seed_bytes(seed[:_MLKEM_SEED])
        except UnsupportedAlgorithm as exc:
            raise ConfigError(_NO_MLKEM) from exc
        return mlkem, X25519PrivateKey.from_private_bytes(seed[_MLKEM_SEED:])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PrivateKey) and (self.kind, self._secret) == (
            other.kind,
            other._secret,
        )

    def __hash__(self) -> int:
        return hash((self.kind, self._secret))

    def __repr__(self) -> str:
        return f"PrivateKey({self.kind.value})"


def seal_message(public_key: bytes, plaintext: bytes, info: bytes) -> bytes:
    """Seal a short message: encapsulated key ‖ ciphertext ‖ tag (16 bytes).

    Raises:
        EvidenceError: If the public key is not a usable key of either kind.
        ConfigError: If the installed library has no ML-KEM-768.
    """
    try:
        kind = kind_of(public_key)
    except ValueError as exc:
        raise EvidenceError(str(exc)) from exc
    try:
        return _SUITES[kind].encrypt(plaintext, _recipient(kind, public_key), info)
    except UnsupportedAlgorithm as exc:
        raise ConfigError(_NO_MLKEM) from exc
    except ValueError as exc:
        raise EvidenceError(
            f"the recipient's public key is not a usable key of kind {kind.value}"
        ) from exc


def message_size(kind: KeyKind, plaintext_size: int) -> int:
    """Length of the output of `seal_message`."""
    return _KEMS[kind].enc_length() + plaintext_size + _TAG_SIZE


def _recipient(kind: KeyKind, public_key: bytes) -> X25519PublicKey | MLKEM768X25519PublicKey:
    if kind is KeyKind.X25519:
        return X25519PublicKey.from_public_bytes(public_key)
    return MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(public_key[:_MLKEM_PUBLIC]),
        X25519PublicKey.from_public_bytes(public_key[_MLKEM_PUBLIC:]),
    )
