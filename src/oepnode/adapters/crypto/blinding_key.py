"""The blinding key, which sender and NMI registry share: a file of 64 hex digits.

Guarantees: as of `keyfile`: mode 0600, never overwritten, in no message. A key of one repeated byte
is rejected. Whoever has the key can find the NMI of every token.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from oepnode.adapters.crypto.keyfile import read_secret, write_secret
from oepnode.domain.nem.tokens import BLINDING_KEY_SIZE
from oepnode.domain.rounds.onchain import parse_bytes32
from oepnode.errors import ConfigError


def new_blinding_key() -> bytes:
    """A fresh key, 32 random bytes."""
    return secrets.token_bytes(BLINDING_KEY_SIZE)


def write_blinding_key(path: Path, key: bytes) -> None:
    """Write a key to a new file that only its owner may read.

    Raises:
        ConfigError: If the file already exists, or cannot be written.
    """
    write_secret(path, key.hex().encode() + b"\n")


def read_blinding_key(path: Path) -> bytes:
    """Read a key.

    Raises:
        ConfigError: If the file cannot be read, is open to everybody, or holds no key.
    """
    text = read_secret(path, "blinding key").decode("ascii", errors="replace")
    try:
        key = parse_bytes32(text, "a blinding key")
    except ValueError as exc:
        raise ConfigError(f"{path}: {exc}") from None
    if len(set(key)) == 1:
        raise ConfigError(f"{path}: a blinding key must be random; make one with registry blind")
    return key
