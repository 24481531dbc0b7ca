"""A JSON envelope document that is read in parts, at speed.

Parts are ranges of bytes from the beginning of a record to the end of one, some tens of MB each,
found by looking at a few places of the document. A packed document is one part. `UnprovenError`
from a part says that the strict reader has to judge the document.

Source: rules-v1 sections 2 to 5.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from typing import BinaryIO, Final, cast

from oepnode.domain.documents.compressed import MAX_UNPACKED, Compression, open_unpacked
from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.documents.sources import DocumentSource, excerpt
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.nem.tokens import SiteIdKind
from oepnode.domain.rounds.inputs.blocks import DOCUMENT, Block
from oepnode.domain.rounds.inputs.envelope_reader import read_rows
from oepnode.domain.rounds.inputs.json_regions import (
    LINES,
    WINDOW,
    Layout,
    Readable,
    UncutError,
    end_of_array,
    layout_of,
    next_cut,
)
from oepnode.domain.rounds.inputs.json_runs import find_faults, read_runs
from oepnode.domain.rounds.inputs.row_runs import RowRuns
from oepnode.domain.rounds.inputs.runs import Runs
from oepnode.domain.rounds.inputs.supersession import JSON_PLACE

MAX_AT_ONCE: Final = 1 << 26
"""Bytes of the longest document that the strict reader reads as a whole where it need not."""
PART: Final = 1 << 26
"""Bytes of a part, or a little more."""


@dataclass(frozen=True)
class JsonPart:
    """A range of a document's bytes.

    Attributes:
        start: Position of its first byte.
        end: Position after its last.
        layout: How its records are cut; None for a whole document.
    """

    start: int
    end: int
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
        whole = JsonPart(0, source.size, None)
        self._parts = [whole] if is_small else self._plan(part_size)

    def _plan(self, part_size: int) -> list[JsonPart]:
        with self._open() as reader:
            try:
                return plan_parts(reader, self._source.size, part_size)
            except UncutError:
                return [JsonPart(0, self._source.size, None)]

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
        if self._source.size > MAX_AT_ONCE or self._packed is not None:
            with self._open() as reader:
                is_complete = find_faults(cast(Readable, reader), log, self._feed)
            if is_complete:
                log.raise_if_any()
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


def plan_parts(reader: BinaryIO, size: int, part_size: int) -> list[JsonPart]:
    """Divide a document into parts of about equal size, looking only where it is cut.

    Args:
        reader: The document's bytes.
        size: Number of bytes.
        part_size: Bytes of a part.

    Raises:
        UncutError: If the document cannot be cut.
    """
    start, layout = layout_of(_window(reader, 0))
    last = size if layout is LINES else end_of_array(_window(reader, max(0, size - WINDOW)), size)
    parts: list[JsonPart] = []
    while last - start >= 2 * part_size:
        end, following = next_cut(_window(reader, start + part_size), layout, start + part_size)
        if following >= last:
            break
        parts.append(JsonPart(start, end, layout))
        start = following
    return [*parts, JsonPart(start, last, layout)]


def _window(reader: BinaryIO, position: int) -> bytearray:
    reader.seek(position)
    return bytearray(reader.read(WINDOW))


def block_of(runs: Runs) -> Block:
    """A block of the runs of a part, whose records are counted from its beginning."""
    kind = SiteIdKind(runs.nmi.dtype.itemsize)
    return Block(runs, FaultLog(DOCUMENT), ("", ""), ("$", kind), JSON_PLACE, counts_from_part=True)
