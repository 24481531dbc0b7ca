"""Salts of registry snapshots: which are too weak, and a snapshot with a fresh one.

Guarantees: `check_strength` rejects a salt that is a short pattern repeated; `with_fields` changes
nothing of a snapshot but its nonce and its salt's digest. Leaves out making random bytes, and which
salts were used before: that is for the registry's store. Source: docs/operators.md, rules-v1
section 6.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from msgspec import DecodeError, Raw
from msgspec import json as msgspec_json

from oepnode.domain.rounds.pseudonyms import KEY_SIZE
from oepnode.errors import EvidenceError

_NONCE: Final = "nonce"
_NULL: Final = Raw(b"null")
_SALT_DIGEST: Final = "saltDigest"


class WeakSaltError(EvidenceError):
    """A salt is not random."""


def check_strength(salt: bytes) -> None:
    """Reject a salt that repeats a pattern of 1 to 16 bytes, such as one of zeros.

    Everyone can guess such a salt, and reverse every pseudonym of every round with it.

    Raises:
        WeakSaltError: Without the salt in the message.
    """
    for period in range(1, KEY_SIZE // 2 + 1):
        if salt[period:] == salt[:-period]:
            raise WeakSaltError(
                f"the salt repeats a pattern of {period} bytes; use 32 random bytes ('registry "
                "prepare --new-salt')"
            )


def has_nonce(snapshot: bytes) -> bool:
    """Whether a snapshot has a nonce of its own.

    Raises:
        EvidenceError: If it is not a JSON object.
    """
    return _fields(snapshot).get(_NONCE, _NULL) != _NULL


def with_fields(snapshot: bytes, nonce: bytes | None = None, salt: bytes | None = None) -> bytes:
    """A snapshot with another nonce or salt.

    Args:
        snapshot: The snapshot as JSON; its nonce and salt digest may be missing.
        nonce: The new nonce, 32 bytes; None keeps it.
        salt: The new salt, 32 bytes, of which the digest is written; None keeps it.

    Raises:
        EvidenceError: If it is not a JSON object.
    """
    fields = _fields(snapshot)
    if nonce is not None:
        fields[_NONCE] = _text(nonce)
    if salt is not None:
        fields[_SALT_DIGEST] = _text(sha256(salt).digest())
    return msgspec_json.encode(fields)


def is_same_but_nonce(snapshot: bytes, other: bytes) -> bool:
    """Whether two snapshots differ in nothing but their nonces.

    Raises:
        EvidenceError: If one is not a JSON object.
    """
    fields, others = _fields(snapshot), _fields(other)
    for each in (fields, others):
        each.pop(_NONCE, None)
    return {k: bytes(v) for k, v in fields.items()} == {k: bytes(v) for k, v in others.items()}


def _fields(snapshot: bytes) -> dict[str, Raw]:
    try:
        return msgspec_json.decode(snapshot, type=dict[str, Raw])
    except (DecodeError, RecursionError, UnicodeDecodeError) as exc:
        raise EvidenceError("the registry snapshot is not a JSON object") from exc


def _text(value: bytes) -> Raw:
    return Raw(msgspec_json.encode(value.hex()))
