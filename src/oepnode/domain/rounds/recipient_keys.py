"""Public keys that bundles, registry answers and archives are sealed to, and their two kinds.

Guarantees: the kind of a public key follows from its length alone, so no key is of two kinds.
Leaves out private keys and sealing (``adapters.crypto``), and whether a key of the right length is
usable. Source: ``docs/spec/bundle.md`` section 2.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final


class KeyKind(Enum):
    """A kind of key pair; the value is its name in key files and options."""

    X25519 = "x25519"
    HYBRID = "mlkem768-x25519"
    """ML-KEM-768 with X25519: safe as long as either of them is."""

    @property
    def public_size(self) -> int:
        """Bytes of a public key."""
        return 32 if self is KeyKind.X25519 else 1216

    @property
    def code(self) -> int:
        """The byte that names the kind in sealed content."""
        return 1 if self is KeyKind.X25519 else 2


EXPECTED: Final = " or ".join(
    f"{kind.public_size * 2} hex digits ({kind.value})" for kind in KeyKind
)
"""The forms of a public key in hex, for messages."""

_HEX: Final = re.compile(r"[0-9A-Fa-f]+", re.ASCII)


def kind_of(public_key: bytes) -> KeyKind:
    """The kind of a public key.

    Raises:
        ValueError: If a public key of neither kind has that length.
    """
    for kind in KeyKind:
        if len(public_key) == kind.public_size:
            return kind
    raise ValueError(f"a public key must be {EXPECTED}, received {len(public_key) * 2} digits")


def parse_public_key(text: str) -> bytes:
    """Read a public key from hex digits of either case.

    Raises:
        ValueError: If it is not hex, or has the length of neither kind. The text is not repeated:
            it may be a secret that was put there by mistake.
    """
    if not _HEX.fullmatch(text) or len(text) % 2:
        raise ValueError(f"a public key must be {EXPECTED}, received {len(text)} characters")
    key = bytes.fromhex(text)
    kind_of(key)
    return key
