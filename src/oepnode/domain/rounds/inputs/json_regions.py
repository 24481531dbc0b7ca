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
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from oepnode.domain.documents.arrays import Int64s

MAX_UNCUT: Final = 1 << 26
"""Bytes within which a record must end."""

_SPACE: Final = b" \t\n\r"
_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)
_NEXT: Final = re.compile(rb"[ \t\n\r]*,[ \t\n\r]*")
_TAIL: Final = re.compile(rb'["}\] \t\n\r]+\Z')
_HEAD: Final = re.compile(rb'\{[ \t\n\r]*"[^"\\]{1,64}"[ \t\n\r]*:')
_MAX_TAIL: Final = 256


class UncutError(Exception):
    """The document cannot be cut into the texts of its records."""


class Regions(NamedTuple):
    """Texts of records in a piece of a document.

    Attributes:
        data: The piece, and after it `padding` zero bytes.
        starts: Position of each text.
        ends: Position after each.
        is_array: Whether they are elements of an array; otherwise lines.
    """

    data: bytes
    starts: Int64s
    ends: Int64s
    is_array: bool


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


def regions(chunks: Iterable[bytes], padding: int) -> Iterator[Regions]:
    """Yield the texts of a document's records, piece by piece.

    Args:
        chunks: The document's bytes, in order.
        padding: Zero bytes that are wanted after each piece.

    Raises:
        UncutError: If the document cannot be cut.
    """
    stream = iter(chunks)
    start = b""
    for chunk in stream:
        start += chunk
        if start.strip(_SPACE):
            break
    rest = _chain(start, stream)
    if start.lstrip(_SPACE).startswith(b"["):
        yield from _elements(rest, bytes(padding))
    else:
        yield from _lines(rest, bytes(padding))


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _lines(chunks: Iterator[bytes], padding: bytes) -> Iterator[Regions]:
    carried: list[bytes] = []
    size = 0
    for chunk in chunks:
        cut = chunk.rfind(b"\n") + 1
        if cut:
            yield _cut_lines(b"".join((*carried, memoryview(chunk)[:cut], padding)), padding)
            carried, size = [], 0
        carried.append(chunk[cut:])
        size += len(chunk) - cut
        if size > MAX_UNCUT:
            raise UncutError
    last = b"".join(carried)
    if last:
        yield _cut_lines(b"".join((last, b"\n", padding)), padding)


def _cut_lines(data: bytes, padding: bytes) -> Regions:
    codes = np.frombuffer(data, dtype=np.uint8)[: len(data) - len(padding)]
    ends = np.flatnonzero(codes == ord("\n")).astype(np.int64)
    starts = np.concatenate((np.zeros(1, dtype=np.int64), ends[:-1] + 1))
    return Regions(data, starts, ends, is_array=False)


def _elements(chunks: Iterator[bytes], padding: bytes) -> Iterator[Regions]:
    boundary: Boundary | None = None
    carried = b""
    is_open = False
    for chunk in chunks:
        carried += chunk
        if not is_open:
            carried = carried.lstrip(_SPACE)[1:].lstrip(_SPACE)
            is_open = True
        boundary = boundary or boundary_of(carried)
        if boundary is not None:
            starts, ends = _cut(carried, boundary)
            if ends:
                used = ends[-1]
                data = b"".join((memoryview(carried)[:used], padding))
                yield _regions(data, starts[:-1], ends)
                carried = carried[starts[-1] :]
        if len(carried) > MAX_UNCUT:
            raise UncutError
    last = carried.rstrip(_SPACE)
    if not is_open or not last.endswith(b"]"):
        raise UncutError
    text = last[:-1].rstrip(_SPACE)
    yield _regions(text + padding, [0], [len(text)])


def _regions(data: bytes, starts: list[int], ends: list[int]) -> Regions:
    return Regions(
        data, np.array(starts, dtype=np.int64), np.array(ends, dtype=np.int64), is_array=True
    )


def _cut(data: bytes, boundary: Boundary) -> tuple[list[int], list[int]]:
    """Starts of texts, one more than there are ends: the last one is still open."""
    starts, ends = [0], []
    at = data.find(boundary.text)
    while at >= 0:
        ends.append(at + boundary.end)
        starts.append(at + boundary.next)
        at = data.find(boundary.text, at + boundary.next)
    return starts, ends


def boundary_of(data: bytes) -> Boundary | None:
    """The boundary between the first two records, or None while it cannot be seen.

    Args:
        data: Bytes that begin with a record of an array.
    """
    end = _end_of_value(data)
    between = None if end is None else _NEXT.match(data, end)
    head = None if between is None else _HEAD.match(data, between.end())
    if end is None or between is None or head is None:
        return None
    tail = _TAIL.search(data, max(0, end - _MAX_TAIL), end)
    first = end - 1 if tail is None else tail.start()
    return Boundary(data[first : head.end()], end - first, between.end() - first)


def _end_of_value(data: bytes) -> int | None:
    """Position after the object that the bytes begin with, if it ends within them."""
    depth = 0
    for token in _TOKEN.finditer(data):
        mark = token[0]
        if mark in {b"{", b"["}:
            depth += 1
        elif mark in {b"}", b"]"}:
            depth -= 1
            if depth <= 0:
                return token.end()
    return None
