"""Values that several groups of vectors share."""

from __future__ import annotations

import hashlib
from typing import Any

Json = Any

SALT = hashlib.sha256(b"oepnode test vectors: salt").digest()
CONTRACT = bytes.fromhex("5fbdb2315678afecb367f032d93f642f64180aa3")


def digest(label: str) -> bytes:
    """Thirty-two bytes that mean nothing."""
    return hashlib.sha256(label.encode()).digest()


# Published with their checksums in AEMO's NMI procedure.


# Published with their checksums in AEMO's NMI procedure.
AEMO_NMIS = (
    "2001985732",
    "2001985733",
    "3075621875",
    "4316854005",
    "6305888444",
    "7001888333",
    "QAAAVZZZZZ",
    "NCCC519495",
    "SMVEW00085",
    "VKTS876510",
)
