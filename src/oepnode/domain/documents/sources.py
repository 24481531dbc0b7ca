"""Documents as bytes or as something that is opened: large ones are never one ``bytes``."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from typing import BinaryIO, Final, Protocol, TypeAlias

_PIECE: Final = 1 << 20


class DocumentSource(Protocol):
    """The exact bytes of a document, which can be opened any number of times."""

    @property
    def size(self) -> int:
        """Number of bytes."""
        ...

    def open(self) -> BinaryIO:
        """A reader of the bytes, from their beginning; the caller closes it."""
        ...


@dataclass(frozen=True, slots=True)
class BytesSource:
    """A document in memory."""

    data: bytes = field(repr=False)

    @property
    def size(self) -> int:
        """Number of bytes."""
        return len(self.data)

    def open(self) -> BinaryIO:
        """A reader of the bytes, from their beginning."""
        return BytesIO(self.data)


DocumentBytes: TypeAlias = bytes | DocumentSource
"""A document, in memory or not."""


def source_of(document: DocumentBytes) -> DocumentSource:
    """A document as a source."""
    return BytesSource(document) if isinstance(document, bytes) else document


def read_all(document: DocumentBytes) -> bytes:
    """All bytes of a document."""
    if isinstance(document, bytes):
        return document
    if isinstance(document, BytesSource):
        return document.data
    with document.open() as reader:
        return reader.read()


def read_start(document: DocumentBytes, size: int) -> bytes:
    """The first bytes of a document, at most ``size``."""
    if isinstance(document, bytes):
        return document[:size]
    with document.open() as reader:
        return reader.read(size)


def digest_of(document: DocumentBytes) -> bytes:
    """SHA-256 of a document, read in pieces."""
    if isinstance(document, bytes):
        return sha256(document).digest()
    digest = sha256()
    with document.open() as reader:
        while piece := reader.read(_PIECE):
            digest.update(piece)
    return digest.digest()
