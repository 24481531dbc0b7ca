"""Reads an envelope document in JSON as blocks of runs, at speed.

Records are cut out (`json_regions`), those that look like one that was read before are read many
at a time (`pattern_reader`), and the strict reader reads the others, one by one; from some of
those a new pattern is taken. `UnprovenError` says that the document has a fault, or may have one:
then the strict reader judges all of it, so that all faults are reported in their order.

Guarantees: a document that is read here to its end is one that the strict reader accepts, but for
rules between records (one meaning of a site, supersession, horizon, density), and its runs hold
the strict reader's rows. Source: rules-v1 sections 2 to 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from oepnode.domain.documents.arrays import Int64s
from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.documents.strict_json import read_records
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.inputs.blocks import DOCUMENT, UnprovenError
from oepnode.domain.rounds.inputs.envelope_reader import EnvelopeRows, RecordJudge, read_texts
from oepnode.domain.rounds.inputs.json_regions import (
    PIECE,
    Layout,
    Readable,
    Regions,
    UncutError,
    regions,
)
from oepnode.domain.rounds.inputs.pattern_reader import Matched, Pattern, PatternReader
from oepnode.domain.rounds.inputs.record_pattern import shape_of
from oepnode.domain.rounds.inputs.run_blocks import RecordTable, join, runs_of_rows
from oepnode.domain.rounds.inputs.runs import Runs, RunWarning
from oepnode.errors import Finding, Severity

MAX_PATTERNS: Final = 16
"""Patterns that are kept."""
MAX_AT_ONCE: Final = 1024
"""Records that are walked together."""
_TRIES: Final = 4
"""Records with a fault that a pattern is sought in, in each batch."""
_LINE_SPACE: Final = b" \t\r"
_FIRST_RECORD: Final = "$.records[0]"
_PATH: Final = "$.records["


def read_runs(
    reader: Readable,
    feed: Feed | None = None,
    *,
    needs_active: bool = False,
    inside: Layout = None,
    size: int = PIECE,
) -> Iterator[Runs]:
    """Yield the runs of a JSON document or a part of one, in blocks of `MAX_AT_ONCE` records.

    Args:
        reader: The bytes.
        feed: The feed's settings; by default profile ``wide``, canonical signs.
        needs_active: Demand both active limits in each interval, in profile ``wide`` too.
        inside: The layout of the document that the bytes are a part of; None for a document.
        size: Bytes to read at a time.

    Raises:
        UnprovenError: At the place where the strict reader has to judge the document.
    """
    records = _Reader(feed or Feed(), needs_active=needs_active)
    try:
        for piece in regions(reader, size, inside):
            yield from records.piece(piece)
    except UncutError as exc:
        raise UnprovenError from exc
    if records.records == 0 and inside is None:
        raise UnprovenError


def find_faults(
    reader: Readable, log: FaultLog, feed: Feed | None = None, *, size: int = PIECE
) -> bool:
    """Find the faults of a document's records in bounded memory.

    Args:
        reader: The document's bytes.
        log: Takes every fault, as `envelope_reader.read_rows` would record it.
        feed: The feed's settings.
        size: Bytes to read at a time.

    Returns:
        Whether these are all faults. Otherwise the bytes are not JSON throughout, or cannot be cut
        into records, and ``log`` is of no use.
    """
    feed = feed or Feed()
    judge = RecordJudge(log, feed, needs_active=False)
    records = _Reader(feed, needs_active=False)
    try:
        for piece in regions(reader, size):
            records.judge(piece, judge)
    except (UncutError, UnprovenError):
        return False
    judge.finish()
    return True


@dataclass
class _Learned:
    """A pattern, the warnings of each of its records, and how many records it fitted."""

    pattern: Pattern
    warnings: tuple[Finding, ...]
    fitted: int = 0


@dataclass(frozen=True, repr=False)
class _Group:
    """Records of a piece that one pattern fits: their indices in the piece, and columns."""

    index: Int64s
    matched: Matched
    learned: _Learned


class _Reader:
    """Reads piece after piece; holds patterns and the kind of identifier."""

    def __init__(self, feed: Feed, *, needs_active: bool) -> None:
        self._feed = feed
        self._needs_active = needs_active or feed.profile == "edge"
        self._patterns: list[_Learned] = []
        self._reader = PatternReader(feed)
        self._site_width = 0
        self.records = 0

    def piece(self, piece: Regions) -> Iterator[Runs]:
        """Yield the runs of a piece."""
        for first in range(0, len(piece.starts), MAX_AT_ONCE):
            part = slice(first, first + MAX_AT_ONCE)
            runs = self._part(piece._replace(starts=piece.starts[part], ends=piece.ends[part]))
            if runs is not None:
                yield runs

    def _part(self, piece: Regions) -> Runs | None:
        counts = np.ones(len(piece.starts), dtype=np.int64)
        pending = np.arange(len(piece.starts))
        groups: list[_Group] = []
        self._patterns.sort(key=lambda learned: -learned.fitted)
        for learned in self._patterns:
            pending = self._match(piece, pending, learned, groups)
        strict: list[tuple[Int64s, EnvelopeRows, list[Finding]]] = []
        while len(pending):
            is_learning = len(self._patterns) < MAX_PATTERNS
            taken = pending[:1] if is_learning else pending
            pending = pending[len(taken) :]
            rows, warnings = self._read_strictly(piece, taken, counts)
            strict.append((taken, rows, warnings))
            new = self._learn(piece, taken, rows, warnings) if is_learning else None
            if new is not None:
                pending = self._match(piece, pending, new, groups)
        return self._join(counts, groups, strict)

    def judge(self, piece: Regions, judge: RecordJudge) -> None:
        """Give the records of a piece to a judge, in their order.

        Raises:
            UnprovenError: If a text is not JSON.
        """
        for first in range(0, len(piece.starts), MAX_AT_ONCE):
            part = slice(first, first + MAX_AT_ONCE)
            self._judge_part(
                piece._replace(starts=piece.starts[part], ends=piece.ends[part]), judge
            )

    def _judge_part(self, piece: Regions, judge: RecordJudge) -> None:
        good: dict[int, tuple[str, Pattern]] = {}
        for group in self._good_groups(piece):
            sites = group.matched.site.tolist()
            for index, site in zip(group.index.tolist(), sites, strict=True):
                good[index] = site.decode("ascii"), group.learned.pattern
        for index in range(len(piece.starts)):
            if index in good:
                site, pattern = good[index]
                judge.take_good(site, pattern.level, pattern.timing, pattern.objective)
                continue
            text = self._text(piece, index)
            log = FaultLog(DOCUMENT)
            values = [value for _, value in read_records(text, log)] if text else []
            if log.count:
                raise UnprovenError
            for value in values:
                judge.judge(value)

    def _good_groups(self, piece: Regions) -> list[_Group]:
        """The records that patterns fit."""
        groups: list[_Group] = []
        pending = np.arange(len(piece.starts))
        self._patterns.sort(key=lambda learned: -learned.fitted)
        for learned in self._patterns:
            pending = self._match(piece, pending, learned, groups)
        counts = np.ones(len(piece.starts), dtype=np.int64)
        tries = _TRIES
        while len(pending) and tries and len(self._patterns) < MAX_PATTERNS:
            taken, pending = pending[:1], pending[1:]
            try:
                rows, warnings = self._read_strictly(piece, taken, counts)
                new = self._learn(piece, taken, rows, warnings)
            except UnprovenError:
                new = None
            tries -= new is None
            if new is not None:
                pending = self._match(piece, pending, new, groups)
        return groups

    # --- patterns --------------------------------------------------------------------------------

    def _match(
        self, piece: Regions, pending: Int64s, learned: _Learned, groups: list[_Group]
    ) -> Int64s:
        """Read the pending records that a pattern fits; return the others."""
        if not len(pending):
            return pending
        starts, ends = piece.starts[pending], piece.ends[pending]
        matched = self._reader.read(piece.data, starts, ends, learned.pattern)
        if matched is None:
            return pending
        learned.fitted += len(matched.good)
        groups.append(_Group(pending[matched.good], matched, learned))
        rest = np.ones(len(pending), dtype=np.bool_)
        rest[matched.good] = False
        return pending[rest]

    def _learn(
        self, piece: Regions, taken: Int64s, rows: EnvelopeRows, warnings: list[Finding]
    ) -> _Learned | None:
        """Take a pattern from a record that the strict reader has read; None from an odd one."""
        if rows.records != 1:
            return None
        start, end = int(piece.starts[taken[0]]), int(piece.ends[taken[0]])
        shape = shape_of(bytes(piece.data[start:end]))
        if shape is None or not np.array_equal(shape.places, rows.rows.location[:, 1:]):
            return None
        pattern = Pattern(
            shape=shape,
            level=int(rows.level[0]),
            timing=int(rows.timing[0]),
            objective=rows.objective[0],
            submitted=int(rows.rows.submitted[0]),
            starts=rows.rows.start,
            needs_active=self._needs_active,
        )
        learned = _Learned(pattern, tuple(warnings))
        self._patterns.append(learned)
        return learned

    # --- the strict reader -----------------------------------------------------------------------

    def _read_strictly(
        self, piece: Regions, taken: Int64s, counts: Int64s
    ) -> tuple[EnvelopeRows, list[Finding]]:
        """Read texts with the strict reader, which must find no fault, and count their records."""
        log = FaultLog(DOCUMENT)
        texts = [self._text(piece, index) for index in taken.tolist()]
        filled = [text for text in texts if text]
        rows, found = read_texts(filled, log, self._feed, needs_active=self._needs_active)
        if log.count:
            raise UnprovenError
        iterator = iter(found)
        counts[taken] = [next(iterator) if text else 0 for text in texts]
        return rows, [f for f in log.findings if f.severity is Severity.WARNING]

    def _text(self, piece: Regions, index: int) -> bytes:
        """A text as the strict reader takes it; empty for a blank line."""
        text = bytes(piece.data[piece.starts[index] : piece.ends[index]])
        if piece.is_array:
            return b"[" + text + b"]"
        text = text.strip(_LINE_SPACE)
        if text.startswith(b"["):
            raise UnprovenError  # an array as a record, which would be read as a document
        return text

    # --- blocks ----------------------------------------------------------------------------------

    def _join(
        self,
        counts: Int64s,
        groups: list[_Group],
        strict: list[tuple[Int64s, EnvelopeRows, list[Finding]]],
    ) -> Runs | None:
        """One block of all records of a piece."""
        numbers = self.records + np.cumsum(counts) - counts
        self.records += int(counts.sum())
        blocks = [_runs_of_group(group, numbers) for group in groups]
        for taken, rows, warnings in strict:
            if rows.records:
                blocks.append(_runs_of_rows(rows, warnings, counts[taken], numbers[taken]))
        if not blocks:
            return None
        for block in blocks:
            self._check_kind(block)
        return join(blocks)

    def _check_kind(self, block: Runs) -> None:
        width = block.nmi.dtype.itemsize
        if self._site_width not in {0, width}:
            raise UnprovenError  # NMIs and tokens in one document
        self._site_width = width


def _runs_of_group(group: _Group, numbers: Int64s) -> Runs:
    pattern, matched = group.learned.pattern, group.matched
    record = numbers[group.index]
    table = RecordTable(
        matched.site,
        matched.submitted,
        record,
        matched.starts,
        pattern.shape.places,
        matched.limits,
    )
    runs = table.runs(pattern.level, pattern.timing, pattern.objective)
    warnings = (
        RunWarning(
            warning.message,
            int(record[0]),
            warning.path.removeprefix(_FIRST_RECORD),
            warning.count * len(record),
        )
        for warning in group.learned.warnings
    )
    return _with_warnings(runs, warnings)


def _runs_of_rows(
    rows: EnvelopeRows, warnings: list[Finding], counts: Int64s, numbers: Int64s
) -> Runs:
    """Runs of texts that the strict reader has read, with the document's record numbers."""
    record = np.repeat(numbers - np.cumsum(counts) + counts, counts) + np.arange(rows.records)
    runs = runs_of_rows(rows)
    runs.location[:, 0] = record[runs.location[:, 0]]
    moved = []
    for warning in warnings:
        number, _, place = warning.path.removeprefix(_PATH).partition("]")
        moved.append(RunWarning(warning.message, int(record[int(number)]), place, warning.count))
    return _with_warnings(runs, moved)


def _with_warnings(runs: Runs, warnings: Iterable[RunWarning]) -> Runs:
    found = tuple(warnings)
    return replace(runs, warnings=found) if found else runs
