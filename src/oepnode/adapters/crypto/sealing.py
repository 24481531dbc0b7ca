"""Sealed content: a header, an HPKE message with a content key, and the content in chunks.

The one form in which bundles, registry answers and archives travel and are stored; ``info`` tells
them apart and binds each to its round. Guarantees: only the holder of the private key reads it, and
any change is detected; sealing and opening hold a few chunks in memory whatever the length. Leaves
out who sealed it: the content must prove itself. Source: ``docs/spec/bundle.md`` section 2.

Example:
    >>> key = PrivateKey.generate()
    >>> open_whole(key, seal_whole(key.public_key, b"limits", b"info"), b"info")
    b'limits'
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from oepnode.adapters.crypto import chunks, hpke
from oepnode.adapters.crypto.chunks import Piece
from oepnode.adapters.crypto.hpke import PrivateKey
from oepnode.domain.rounds.recipient_keys import KeyKind, kind_of
from oepnode.errors import EvidenceError

MAGIC: Final = b"OEPS\x01"
HEAD_SIZE: Final = len(MAGIC) + 1


def seal(public_key: bytes, pieces: Iterable[Piece], info: bytes) -> Iterator[bytes]:
    """Seal content, given in pieces of any size; the public key is checked at once.

    Args:
        public_key: Of either kind.
        pieces: The content.
        info: Purpose and round.

    Raises:
        EvidenceError: If the public key is not usable.
    """
    key = secrets.token_bytes(chunks.KEY_SIZE)
    message = hpke.seal_message(public_key, key, info)
    head = MAGIC + kind_of(public_key).code.to_bytes(1)
    return chain([head + message], chunks.encrypt(key, pieces))


def open_sealed(private_key: PrivateKey, pieces: Iterable[Piece], info: bytes) -> Iterator[bytes]:
    """Open the output of `seal`, given in pieces of any size.

    What it yields is authentic; it is complete only when the iterator has ended without an error.

    Raises:
        EvidenceError: If it was sealed for another key or purpose, or is not sealed content.
        ChunkError: While iterating, if the content was changed.
    """
    source: Iterator[Piece] = iter(pieces)
    head, rest = _split(source, HEAD_SIZE)
    if head[: len(MAGIC)] != MAGIC:
        raise EvidenceError("not sealed content of version 1")
    kind = private_key.kind
    if head[len(MAGIC)] != kind.code:
        raise EvidenceError(
            f"the sealed content does not open with this key: it is for another kind of key than "
            f"{kind.value}"
        )
    size = hpke.message_size(kind, chunks.KEY_SIZE)
    source = chain([rest], source)
    message, rest = _split(source, size)
    key = private_key.open_message(message, info)
    return chunks.decrypt(key, chain([rest], source))


def seal_whole(public_key: bytes, content: bytes, info: bytes) -> bytes:
    """Seal content that is in memory; raises as `seal`."""
    return b"".join(seal(public_key, [content], info))


def open_whole(private_key: PrivateKey, sealed: bytes, info: bytes) -> bytes:
    """Open sealed content into memory.

    Raises:
        EvidenceError: As `open_sealed`, whatever the fault.
    """
    return b"".join(open_sealed(private_key, [sealed], info))


def sealed_size(kind: KeyKind, size: int) -> int:
    """Length of ``size`` bytes once they are sealed to a key of that kind."""
    message = hpke.message_size(kind, chunks.KEY_SIZE)
    return HEAD_SIZE + message + chunks.encrypted_size(size)


def _split(source: Iterator[Piece], size: int) -> tuple[bytes, memoryview]:
    """The first ``size`` bytes, and what the last piece read has beyond them.

    Raises:
        EvidenceError: If there are fewer.
    """
    held = b""
    for piece in source:
        view = memoryview(piece)
        taken = size - len(held)
        held += view[:taken]
        if len(held) == size:
            return held, view[taken:]
    raise EvidenceError("the sealed content is truncated: it is shorter than its header")
