"""Documents as bytes or as something that is opened: large ones are never one ``bytes``."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from io import SEEK_CUR, SEEK_END, SEEK_SET, BytesIO
from typing import BinaryIO, Final, Protocol, TypeAlias, cast

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


@dataclass(frozen=True, slots=True)
class SharedSource:
    """A document that can be opened on other machines, too, in the same way.

    Attributes:
        source: The document; can be pickled.
    """

    source: DocumentSource

    @property
    def size(self) -> int:
        """Number of bytes."""
        return self.source.size

    def open(self) -> BinaryIO:
        """A reader of the bytes, from their beginning."""
        return self.source.open()


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Some bytes of a document, at their positions in it.

    Attributes:
        size: Number of bytes of the document.
        start: Position of the first byte that is there.
        data: The bytes.
    """

    size: int
    start: int
    data: bytes = field(repr=False)

    def open(self) -> BinaryIO:
        """A reader of the document; reading before ``start`` is an error, after the end nothing."""
        return cast(BinaryIO, _ExcerptReader(self))


class _ExcerptReader(BytesIO):
    """Reads an excerpt by positions of the document."""

    def __init__(self, excerpt: Excerpt) -> None:
        super().__init__(excerpt.data)
        self._start = excerpt.start
        self._size = excerpt.size
        if excerpt.start:
            super().seek(len(excerpt.data))  # the document's beginning is not there

    def seek(self, offset: int, whence: int = SEEK_SET, /) -> int:
        base = {SEEK_SET: 0, SEEK_CUR: self.tell(), SEEK_END: self._size}[whence]
        return super().seek(base + offset - self._start) + self._start

    def tell(self) -> int:
        return super().tell() + self._start


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


def excerpt(source: DocumentSource, start: int, end: int | None) -> DocumentSource:
    """The bytes of a document from one position to another, or to its end, to be sent.

    A document that is at hand everywhere is returned as it is.
    """
    if isinstance(source, SharedSource):
        return source
    start = max(0, start)
    with source.open() as reader:
        reader.seek(start)
        data = reader.read() if end is None else reader.read(max(0, end - start))
    return Excerpt(source.size, start, data)
