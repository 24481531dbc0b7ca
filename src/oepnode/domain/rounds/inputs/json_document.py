"""A JSON envelope document that is read in parts, at speed.

Parts are ranges of bytes from the beginning of a record to the end of one, some tens of MB each;
the number of records before each is counted once, without reading them. A packed document is one
part. `UnprovenError` from a part says that the strict reader has to judge the document.

Source: rules-v1 sections 2 to 5.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from typing import BinaryIO, Final, cast

import numpy as np

from oepnode.domain.documents.compressed import MAX_UNPACKED, Compression, open_unpacked
from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.documents.sources import DocumentSource, excerpt
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.nem.tokens import SiteIdKind
from oepnode.domain.rounds.inputs.blocks import DOCUMENT, Block
from oepnode.domain.rounds.inputs.envelope_reader import read_rows
from oepnode.domain.rounds.inputs.json_regions import Layout, Readable, Regions, UncutError, regions
from oepnode.domain.rounds.inputs.json_runs import counts_as_record, read_runs
from oepnode.domain.rounds.inputs.row_runs import RowRuns
from oepnode.domain.rounds.inputs.runs import Runs
from oepnode.domain.rounds.inputs.supersession import JSON_PLACE

PART: Final = 1 << 26
"""Bytes of a part, or a little more."""


@dataclass(frozen=True)
class JsonPart:
    """A range of a document's bytes.

    Attributes:
        start: Position of its first byte.
        end: Position after its last.
        first_record: Number of records before it.
        layout: How its records are cut; None for a whole document.
    """

    start: int
    end: int
    first_record: int
    layout: Layout


class JsonDocument:
    """An envelope document in JSON or NDJSON, packed or not.

    Args:
        source: The exact bytes.
        feed: The feed's settings.
        packed: The packed form; None for plain text.
        most: Most unpacked bytes.
        part_size: Bytes of a part.
    """

    def __init__(
        self,
        source: DocumentSource,
        feed: Feed,
        *,
        packed: Compression | None = None,
        most: int = MAX_UNPACKED,
        part_size: int = PART,
    ) -> None:
        self._source = source
        self._feed = feed
        self._packed = packed
        self._most = most
        is_small = packed is not None or source.size < 2 * part_size
        whole = JsonPart(0, source.size, 0, None)
        self._parts = [whole] if is_small else self._plan(part_size)

    def _plan(self, part_size: int) -> list[JsonPart]:
        with self._open() as reader:
            try:
                return plan_parts(reader, part_size)
            except UncutError:
                return [JsonPart(0, self._source.size, 0, None)]

    def _open(self) -> BinaryIO:
        return open_unpacked(self._source, self._packed, self._most)

    @property
    def part_count(self) -> int:
        """Number of parts."""
        return len(self._parts)

    def read(self, part: int) -> Iterator[Block]:
        """Blocks of a part, in their order.

        Raises:
            UnprovenError: If the strict reader has to judge the document.
            DocumentFault: If packed data is damaged or unpacks to too much.
        """
        chosen = self._parts[part]
        with self._open() as reader:
            if chosen.layout is None:
                runs = read_runs(cast(Readable, reader), self._feed)
                yield from map(block_of, runs)
                return
            reader.seek(chosen.start)
            runs = read_runs(
                _Range(reader, chosen.end - chosen.start),
                self._feed,
                inside=chosen.layout,
                first_record=chosen.first_record,
            )
            yield from map(block_of, runs)

    def alone(self, part: int) -> JsonDocument:
        """A reader of one part with its bytes."""
        chosen = self._parts[part]
        alone = copy(self)
        alone._source = excerpt(self._source, chosen.start, chosen.end)
        return alone

    def strict(self) -> RowRuns:
        """The document as the strict reader reads it.

        Raises:
            DocumentFault: With all faults, by path, code and value.
        """
        log = FaultLog(DOCUMENT)
        with self._open() as reader:
            rows = read_rows(reader.read(), log, self._feed)
        log.raise_if_any()
        return RowRuns(rows, log)


class _Range:
    """The next bytes of a reader, up to a number of them."""

    def __init__(self, reader: BinaryIO, size: int) -> None:
        self._reader = reader
        self._left = size

    def readinto(self, buffer: memoryview, /) -> int:
        """Read into a buffer; returns the number of bytes, 0 at the end."""
        with memoryview(buffer)[: self._left] as view:
            count: int = self._reader.readinto(view)  # type: ignore[attr-defined]
        self._left -= count
        return count


def plan_parts(reader: BinaryIO, part_size: int) -> list[JsonPart]:
    """Divide a document into parts of about equal size.

    Raises:
        UncutError: If the document cannot be cut.
    """
    parts: list[JsonPart] = []
    start = end = first_record = records = 0
    layout: Layout = None
    for piece in regions(cast(Readable, reader)):
        for first, last in _chunks(piece, part_size):
            begin = piece.offset + int(piece.starts[first])
            if end and begin - start >= part_size:
                parts.append(JsonPart(start, end, first_record, layout))
                start, first_record = begin, records
            elif not end:
                start = begin
            end = piece.offset + int(piece.ends[last])
            records += _count(piece, first, last + 1)
            layout = piece.boundary
    if layout is None:
        raise UncutError
    parts.append(JsonPart(start, end, first_record, layout))
    return parts


def _chunks(piece: Regions, part_size: int) -> Iterator[tuple[int, int]]:
    """First and last text of stretches of a piece that are not much longer than a part."""
    first = 0
    while first < len(piece.starts):
        limit = int(piece.starts[first]) + part_size
        last = max(int(np.searchsorted(piece.starts, limit)) - 1, first)
        yield first, last
        first = last + 1


def _count(piece: Regions, first: int, end: int) -> int:
    """Number of texts that hold a record."""
    short = np.flatnonzero(piece.ends[first:end] - piece.starts[first:end] <= 8)
    blank = sum(not counts_as_record(piece, first + index) for index in short.tolist())
    return end - first - blank


def block_of(runs: Runs) -> Block:
    """A block of the runs, with its warnings, and the first identifier's path."""
    log = FaultLog(DOCUMENT)
    for warning in sorted(runs.warnings, key=lambda warning: warning.record):
        path = f"$.records[{warning.record}]{warning.place}"
        log.warn(path, warning.message, count=warning.places)
    kind = SiteIdKind(runs.nmi.dtype.itemsize)
    first = int(runs.location[:, 0].min())
    return Block(runs, log, ("", ""), (f"$.records[{first}].nmi", kind), JSON_PLACE)
