"""Cuts the bytes of a JSON document into the texts of its records, without reading them.

NDJSON is cut at its line ends, which cannot be inside a JSON value. An array is cut where the end
of a record, the separator and the beginning of the next record stand together as they do between
its first two records. The guess needs no proof here: the texts, joined by commas, are the array,
so if each of them is read as one or more records, all of them together are what the array holds.
A text for which that fails makes the reader hand the document to the strict one.

Source: rules-v1 section 2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

import numpy as np

from oepnode.domain.documents.arrays import Int64s
from oepnode.domain.rounds.inputs.pattern_reader import PADDING

PIECE: Final = 1 << 25
"""Bytes that are read at a time."""
MAX_UNCUT: Final = 1 << 26
"""Bytes within which a record must end."""
WINDOW: Final = 1 << 22
"""Bytes within which a record must end where a document is divided."""

_FIRST_READ: Final = 1 << 18
_SLACK: Final = 1 << 20
_SPACE: Final = b" \t\n\r"
_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)
_BLANK: Final = re.compile(rb"[ \t\n\r]*")
_NEXT: Final = re.compile(rb"[ \t\n\r]*,[ \t\n\r]*")
_TAIL: Final = re.compile(rb'["}\] \t\n\r]+\Z')
_HEAD: Final = re.compile(rb'\{[ \t\n\r]*"[^"\\]{1,64}"[ \t\n\r]*:')
_MAX_TAIL: Final = 256


class Readable(Protocol):
    """Bytes that are read in order."""

    def readinto(self, _: memoryview, /) -> int | None:
        """Read into a buffer; return the number of bytes, 0 at the end."""


class UncutError(Exception):
    """The document cannot be cut into the texts of its records."""


@dataclass(frozen=True)
class Boundary:
    """The bytes between two records of an array, with the end of the one and the start of the next.

    Attributes:
        text: All of them.
        end: Bytes of it that belong to the record before.
        next: Bytes of it up to the next record.
    """

    text: bytes
    end: int
    next: int


class _Lines(Enum):
    LINES = "lines"


LINES: Final = _Lines.LINES
"""Records that are cut at line ends."""
Layout: TypeAlias = Boundary | Literal[_Lines.LINES] | None
"""How records are cut; None for elements of an array whose boundary cannot be seen."""


class Regions(NamedTuple):
    """Texts of records in a piece of a document.

    Attributes:
        data: The piece; used for the next one after it.
        starts: Position of each text.
        ends: Position after each; in `data`, `PADDING` bytes at least follow the last.
        boundary: The bytes between elements of an array, where they could be seen; `LINES` of
            NDJSON.
    """

    data: bytearray
    starts: Int64s
    ends: Int64s
    boundary: Layout

    @property
    def is_array(self) -> bool:
        """Whether the texts are elements of an array."""
        return self.boundary is not LINES


class _Piece:
    """The part of a document that is in memory: bytes not used yet, and those read after them."""

    def __init__(self, reader: Readable, size: int) -> None:
        self._reader = reader
        self._most = size
        self._size = min(size, _FIRST_READ)
        self.data = bytearray(self._size + PADDING)
        self.start = 0
        self.end = 0
        self.is_last = False

    def fill(self) -> None:
        """Read on, after the bytes that are not used yet.

        Raises:
            UncutError: If too many bytes are not used yet.
        """
        kept = self.end - self.start
        if kept > MAX_UNCUT:
            raise UncutError
        data = self.data
        if kept + self._size + PADDING > len(data):
            data = bytearray(kept + self._size + _SLACK + PADDING)
        data[:kept] = memoryview(self.data)[self.start : self.end]
        self.data, self.start, self.end = data, 0, kept
        with memoryview(data) as view:
            while self.end < kept + self._size:
                count = self._reader.readinto(view[self.end : kept + self._size])
                if not count:
                    self.is_last = True
                    return
                self.end += count
        self._size = self._most

    def skip_space(self) -> bool:
        """Pass white space; False where nothing else is left in memory."""
        match = _BLANK.match(self.data, self.start, self.end)
        assert match is not None  # noqa: S101 - it matches nothing, too
        self.start = match.end()
        return self.start < self.end

    def space_before(self, end: int) -> int:
        """Position after the last byte before ``end`` that is no white space."""
        while end > self.start and self.data[end - 1] in _SPACE:
            end -= 1
        return end


def regions(reader: Readable, size: int = PIECE, inside: Layout = None) -> Iterator[Regions]:
    """Yield the texts of records, piece by piece.

    Args:
        reader: The bytes of a document, or of a part of one.
        size: Bytes to read at a time.
        inside: The layout of the document that the bytes are a part of, from the beginning of a
            record to the end of one; None for a document.

    Raises:
        UncutError: If the document cannot be cut.
    """
    piece = _Piece(reader, size)
    piece.fill()
    if inside is not None:
        yield from _lines(piece) if inside is LINES else _elements(piece, inside, is_part=True)
        return
    while not piece.skip_space() and not piece.is_last:
        piece.fill()
    if piece.data[piece.start : piece.start + 1] != b"[":
        yield from _lines(piece)
        return
    piece.start += 1
    while not piece.skip_space() and not piece.is_last:
        piece.fill()
    yield from _elements(piece, None, is_part=False)


def _lines(piece: _Piece) -> Iterator[Regions]:
    while True:
        starts, ends = [], []
        at = piece.data.find(b"\n", piece.start, piece.end)
        while at >= 0:
            starts.append(piece.start)
            ends.append(at)
            piece.start = at + 1
            at = piece.data.find(b"\n", piece.start, piece.end)
        if piece.is_last and piece.start < piece.end:
            starts.append(piece.start)
            ends.append(piece.end)
        yield _regions(piece, starts, ends, LINES)
        if piece.is_last:
            return
        piece.fill()


def _elements(piece: _Piece, boundary: Boundary | None, *, is_part: bool) -> Iterator[Regions]:
    while True:
        boundary = boundary or boundary_of(piece.data, piece.start, piece.end)
        starts, ends = [], []
        if boundary is not None:
            at = piece.data.find(boundary.text, piece.start, piece.end)
            while at >= 0:
                starts.append(piece.start)
                ends.append(at + boundary.end)
                piece.start = at + boundary.next
                at = piece.data.find(boundary.text, piece.start, piece.end)
        if piece.is_last:
            starts.append(piece.start)
            ends.append(piece.end if is_part else _end_of_array(piece))
        yield _regions(piece, starts, ends, boundary)
        if piece.is_last:
            return
        piece.fill()


def _end_of_array(piece: _Piece) -> int:
    """Position after the last text of an array."""
    end = piece.space_before(piece.end)
    if end == piece.start or piece.data[end - 1 : end] != b"]":
        raise UncutError
    return piece.space_before(end - 1)


def _regions(piece: _Piece, starts: list[int], ends: list[int], boundary: Layout) -> Regions:
    return Regions(
        piece.data,
        np.array(starts, dtype=np.int64),
        np.array(ends, dtype=np.int64),
        boundary,
    )


def layout_of(data: bytearray) -> tuple[int, Layout]:
    """Position of the first record of a document, and how its records are cut.

    Args:
        data: The first bytes of the document, at most `WINDOW`.

    Raises:
        UncutError: If that cannot be seen.
    """
    start = _after_space(data, 0)
    if data[start : start + 1] != b"[":
        return start, LINES
    start = _after_space(data, start + 1)
    boundary = boundary_of(data, start, len(data))
    if boundary is None:
        raise UncutError
    return start, boundary


def end_of_array(data: bytearray, size: int) -> int:
    """Position after the last record of an array.

    Args:
        data: The last bytes of the document.
        size: Number of the document's bytes.

    Raises:
        UncutError: If the document does not end as an array does.
    """
    inside = data.rstrip(_SPACE)
    if not inside.endswith(b"]"):
        raise UncutError
    return size - len(data) + len(inside[:-1].rstrip(_SPACE))


def next_cut(data: bytearray, layout: Layout, position: int) -> tuple[int, int]:
    """Position after a record, and of the one that follows it.

    Args:
        data: Bytes of the document, at most `WINDOW`.
        layout: How its records are cut.
        position: Position of these bytes in the document.

    Raises:
        UncutError: If no record ends in them.
    """
    text, end, following = (
        (layout.text, layout.end, layout.next) if isinstance(layout, Boundary) else (b"\n", 1, 1)
    )
    at = data.find(text)
    if at < 0:
        raise UncutError
    return position + at + end, position + at + following


def _after_space(data: bytearray, start: int) -> int:
    match = _BLANK.match(data, start)
    assert match is not None  # noqa: S101 - it matches nothing, too
    return match.end()


def boundary_of(data: bytearray, start: int, stop: int) -> Boundary | None:
    """The boundary between the first two records, or None while it cannot be seen.

    Args:
        data: Bytes with records of an array.
        start: Position of the first one.
        stop: Position after the bytes that can be read.
    """
    end = _end_of_value(data, start, stop)
    between = None if end is None else _NEXT.match(data, end, stop)
    head = None if between is None else _HEAD.match(data, between.end(), stop)
    if end is None or between is None or head is None:
        return None
    tail = _TAIL.search(data, max(start, end - _MAX_TAIL), end)
    first = end - 1 if tail is None else tail.start()
    return Boundary(bytes(data[first : head.end()]), end - first, between.end() - first)


def _end_of_value(data: bytearray, start: int, stop: int) -> int | None:
    """Position after the object that begins at ``start``, if it ends before ``stop``."""
    depth = 0
    for token in _TOKEN.finditer(data, start, min(stop, start + WINDOW)):
        mark = token[0]
        if mark in {b"{", b"["}:
            depth += 1
        elif mark in {b"}", b"]"}:
            depth -= 1
            if depth <= 0:
                return token.end()
    return None
