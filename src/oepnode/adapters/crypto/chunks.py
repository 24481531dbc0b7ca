"""Content of any length encrypted in chunks: the STREAM construction over ChaCha20-Poly1305.

Guarantees: chunks that are changed, reordered, repeated, missing or appended are detected, at the
latest where the content ends; memory is a few chunks whatever the length. Each chunk that leaves
`decrypt` is authentic, and the content is complete only when the iterator has ended without an
error. Leaves out the key, which must serve for one content only. Source: ``docs/spec/bundle.md``
section 2; Hoang, Reyhanitabar, Rogaway and Vizár, "Online Authenticated-Encryption" (2015).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from oepnode.errors import EvidenceError

Piece: TypeAlias = bytes | memoryview

KEY_SIZE: Final = 32
CHUNK_SIZE: Final = 1 << 16
"""Plaintext bytes of every chunk but the last."""

TAG_SIZE: Final = 16
_COUNTER_SIZE: Final = 11
_NEAR: Final = 64
"""Positions on either side that a chunk which does not open is tried at, to name the fault."""


class ChunkError(EvidenceError):
    """Encrypted content is not what was encrypted.

    Attributes:
        fault: ``truncated``, ``extended``, ``reordered`` or ``changed``.
    """

    def __init__(self, fault: str, message: str) -> None:
        super().__init__(f"the sealed content is {fault}: {message}")
        self.fault = fault


def encrypt(key: bytes, pieces: Iterable[Piece]) -> Iterator[bytes]:
    """Encrypt content, given in pieces of any size: one chunk at a time.

    Args:
        key: 32 random bytes that encrypt nothing else.
        pieces: The content.
    """
    aead = ChaCha20Poly1305(key)
    for index, block, is_last in _blocks(pieces, CHUNK_SIZE):
        yield aead.encrypt(_nonce(index, is_last), block, None)


def decrypt(key: bytes, pieces: Iterable[Piece]) -> Iterator[bytes]:
    """Decrypt the output of `encrypt`, given in pieces of any size: one chunk at a time.

    Raises:
        ChunkError: While iterating, if it is not the output of `encrypt` for this key.
    """
    aead = ChaCha20Poly1305(key)
    for index, block, is_last in _blocks(pieces, CHUNK_SIZE + TAG_SIZE):
        try:
            content = aead.decrypt(_nonce(index, is_last), block, None)
        except (InvalidTag, ValueError):
            raise _fault(aead, index, block, is_last=is_last) from None
        if index and not content:
            raise ChunkError("extended", "an empty chunk was appended")
        yield content


def encrypted_size(size: int) -> int:
    """Length of the encrypted form of ``size`` bytes."""
    return size + TAG_SIZE * max(1, -(-size // CHUNK_SIZE))


def _nonce(index: int, is_last: bool) -> bytes:
    return index.to_bytes(_COUNTER_SIZE) + bytes([is_last])


def _blocks(pieces: Iterable[Piece], size: int) -> Iterator[tuple[int, Piece, bool]]:
    """Number, bytes and whether it is the last, of blocks of ``size`` bytes; the last is shorter.

    There is at least one block, and only a sole block is empty. A block within one piece is not
    copied.
    """
    held: list[Piece] = []
    room, index = size, 0
    for piece in pieces:
        if len(piece) <= room:
            held.append(piece)
            room -= len(piece)
            continue
        view = memoryview(piece)
        while len(view) > room:  # more bytes follow, so it is not the last
            held.append(view[:room])
            yield index, held[0] if len(held) == 1 else b"".join(held), False
            view, held, room = view[room:], [], size
            index += 1
        held.append(view)
        room -= len(view)
    yield index, b"".join(held), True


def _fault(aead: ChaCha20Poly1305, index: int, block: Piece, *, is_last: bool) -> ChunkError:
    """Name what happened to a chunk that does not open in its position."""
    number = index + 1
    if is_last and len(block) == CHUNK_SIZE + TAG_SIZE and _opens(aead, index, block, False):
        return ChunkError("truncated", f"it ends after chunk {number}, and more should follow")
    if not is_last and _opens(aead, index, block, True):
        return ChunkError("extended", f"bytes follow chunk {number}, which is the last")
    if is_last and len(block) < TAG_SIZE:
        return ChunkError("truncated", f"chunk {number} is cut short")
    for other in range(max(0, index - _NEAR), index + _NEAR):
        if other != index and (
            _opens(aead, other, block, False) or _opens(aead, other, block, True)
        ):
            return ChunkError("reordered", f"chunk {other + 1} is in the position of {number}")
    cut = ", or bytes were cut from or added to it" if is_last else ""
    return ChunkError("changed", f"chunk {number} does not open{cut}")


def _opens(aead: ChaCha20Poly1305, index: int, block: Piece, is_last: bool) -> bool:
    try:
        aead.decrypt(_nonce(index, is_last), block, None)
    except (InvalidTag, ValueError):
        return False
    return True
