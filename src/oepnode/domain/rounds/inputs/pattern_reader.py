"""Reads many records of one pattern at once: their bytes to runs, as columns.

All records are walked together, segment by segment: the bytes at the place of each are compared
with the segment, then the limit that follows is measured, up to the byte that begins the next
segment. A record whose bytes differ in a place that is no slot, or with a value that is not proven
good, is left out, for another pattern or the strict reader.

Why a record that is read here gives what the strict reader gives:

- its bytes outside slots are those of a record that the strict reader accepted with this feed, so
  its objects have the same keys and its constant values are the same (`record_pattern`);
- an identifier has the same length as the pattern's, and only characters that its kind allows;
- a timestamp is read by `nem_time`, by the function and with the checks of the strict reader, once
  per distinct text; one with another warning than the pattern's is left out;
- a limit is read by `limit_columns`, which is exact; ``null`` is taken where the strict reader
  takes it; an interval without a limit is left out.

Source: rules-v1 sections 2 to 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from oepnode.domain.documents.arrays import Bools, Bytes, Int32s, Int64s, Texts
from oepnode.domain.nem.limit_columns import MAX_TEXT, LimitReader, Words, first_byte
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.nem.nmi import ALPHABET
from oepnode.domain.nem.quantities import NO_LIMIT, Feed
from oepnode.domain.nem.time_columns import BAD_TIME, TimeReader
from oepnode.domain.nem.tokens import SiteIdKind
from oepnode.domain.rounds.inputs.record_pattern import Segment, Shape, Slot, SlotKind

PADDING: Final = 2 * MAX_TEXT
"""Bytes after the records that are looked at without effect."""
LIMITS_AT_ONCE: Final = 16
"""Slots whose texts are turned into numbers together."""
_WORD: Final = np.uint64(8)
_SITE_CHARACTERS: Final = {
    SiteIdKind.NMI: np.isin(np.arange(256), list(ALPHABET.encode())),
    SiteIdKind.TOKEN: np.isin(np.arange(256), list(b"0123456789abcdef")),
}


@dataclass(frozen=True, repr=False)
class Pattern:
    """A shape and the values of the record that it is from. Its repr shows no NMI.

    Attributes:
        shape: Segments and limits.
        level: 0 NMI, 1 Flex.
        timing: 0 PRE, 1 POST.
        objective: The objective function.
        submitted: Microseconds, or `supersession.NO_SUBMISSION`.
        starts: Per interval, its start.
        needs_active: Whether null is no active limit.
    """

    shape: Shape
    level: int
    timing: int
    objective: str
    submitted: int
    starts: Int64s
    needs_active: bool


@dataclass(frozen=True, repr=False)
class Matched:
    """Records that a pattern fits. Its repr shows no NMI.

    Attributes:
        good: Indices of the records among those asked for.
        ends: Per record asked for, the position after it.
        site: Per good record, its identifier.
        submitted: Per good record.
        starts: Shape (intervals,) where all good records have the pattern's times, otherwise
            (good records, intervals).
        limits: Per kind, shape (good records, intervals); None for a kind that the pattern has not.
    """

    good: Int64s
    site: Texts
    submitted: Int64s
    starts: Int64s
    limits: tuple[Int32s | None, ...]


class PatternReader:
    """Reads records of patterns, for one feed.

    Args:
        feed: The feed's settings.
    """

    def __init__(self, feed: Feed) -> None:
        self._limits = LimitReader(feed)
        self._times = TimeReader()

    def read(
        self, data: bytearray, starts: Int64s, ends: Int64s, pattern: Pattern
    ) -> Matched | None:
        """Read the records that the pattern fits; None where it fits none.

        Args:
            data: Bytes that hold the records, and `PADDING` bytes or more after them.
            starts: Position of each record in them.
            ends: Position after each record.
            pattern: The pattern.
        """
        walk = _Walk(data, starts, pattern, self._limits, self._times)
        good = walk.go(ends)
        return None if good is None else walk.matched(good)


class _Walk:
    """One pass of one pattern over many records.

    A record that does not fit goes on as a copy of one that does, so that all stay in step.
    """

    def __init__(
        self,
        data: bytearray,
        starts: Int64s,
        pattern: Pattern,
        limits: LimitReader,
        times: TimeReader,
    ) -> None:
        self._data = data
        self._at = starts.copy()
        self._pattern = pattern
        self._reader = limits
        self._times_of = times
        count, slots = len(starts), len(pattern.shape.limits)
        self._is_bad: Bools = np.zeros(count, dtype=np.bool_)
        self._columns: list[Int32s] = []
        self._texts: list[tuple[Words, Words, Words]] = []
        self._site: Texts = np.empty(0, dtype="S1")
        self._inner_sites: list[Texts] = []
        self._submitted: Int64s | None = None
        self._times: dict[tuple[SlotKind, int], Int64s] = {}
        self._views: dict[int, npt.NDArray[np.void]] = {}
        self._slots = slots
        self._has_bad = False
        self._words: Words = np.ndarray((len(data) - 7,), dtype="<u8", buffer=data, strides=(1,))
        self._no_words: Words = np.zeros(count, dtype=np.uint64)
        self._is_roomy = int(starts.max()) + pattern.shape.most_bytes <= len(data)

    # --- walking ---------------------------------------------------------------------------------

    def go(self, ends: Int64s) -> Int64s | None:
        """Walk over all records; return the indices of those that fit, or None."""
        shape = self._pattern.shape
        for index, segment in enumerate(shape.segments):
            if not self._segment(segment):
                return None
            if index < self._slots and not self._limit(shape.segments[index + 1].text[0]):
                return None
        self._read_limits()
        self._drop(self._at != ends)
        for inner in self._inner_sites:
            self._drop(inner != self._site)
        self._check_presence()
        self._check_intervals()
        good = np.flatnonzero(~self._is_bad)
        return good if len(good) else None

    def _view(self, width: int) -> npt.NDArray[np.void]:
        """All texts of a width in the data, one for each position."""
        view = self._views.get(width)
        if view is None:
            shape = (len(self._data) - width + 1,)
            view = np.ndarray(shape, dtype=f"V{width}", buffer=self._data, strides=(1,))
            self._views[width] = view
        return view

    def _segment(self, segment: Segment) -> bool:
        """Compare a segment and read its slots; False where no record is left."""
        width = len(segment.text)
        if not self._is_roomy and not self._stay_inside(width):
            return False
        rows = self._view(width)[self._at]
        if rows.tobytes() != segment.text * len(self._at):
            texts = rows.view(np.uint8).reshape(-1, width)
            differs = texts != np.frombuffer(segment.text, dtype=np.uint8)
            self._drop((differs & segment.fixed).any(axis=1))
            for slot in segment.slots:
                self._slot(slot, texts, differs)
        elif segment.has_site:
            self._same_sites(segment)
        self._at += width
        return self._resume()

    def _stay_inside(self, width: int) -> bool:
        """Drop records of which this many bytes do not follow; False where none is left."""
        room = len(self._data) - width
        if room < 0 or self._at.max() > room:
            self._drop(self._at > room)
        return self._resume()

    def _limit(self, stop: int) -> bool:
        """Measure a limit, up to the byte that begins the next segment."""
        low = self._words[self._at]
        high = self._no_words
        width = first_byte(low, stop)
        is_long = width == _WORD
        if np.count_nonzero(is_long):
            high = self._words[self._at + 8]
            width = width + np.where(is_long, first_byte(high, stop), np.uint64(0))
            self._drop(width == np.uint64(MAX_TEXT))
        self._texts.append((low, high, width))
        if len(self._texts) == LIMITS_AT_ONCE:
            self._read_limits()
        self._at += width.astype(np.int64)
        return self._resume()

    def _drop(self, bad: Bools | np.bool_) -> None:
        self._is_bad |= bad
        self._has_bad = True

    def _resume(self) -> bool:
        """Let records that do not fit follow one that does; False where there is none."""
        if self._has_bad and self._is_bad.any():
            first = int(self._is_bad.argmin())
            if self._is_bad[first]:
                return False
            self._at[self._is_bad] = self._at[first]
        return True

    # --- values ----------------------------------------------------------------------------------

    def _read_limits(self) -> None:
        """Turn the texts of the last limits into numbers."""
        if not self._texts:
            return
        low, high, width = (np.stack(column) for column in zip(*self._texts, strict=True))
        self._texts = []
        first = len(self._columns)
        slots = self._pattern.shape.limits[first : first + len(low)]
        kinds = np.array([slot.kind for slot in slots])
        values = np.empty(low.shape, dtype=np.int32)
        for kind in np.unique(kinds).tolist():
            rows = kinds == kind
            nullable = kind > 1 or not self._pattern.needs_active
            read = self._reader.read(low[rows], high[rows], width[rows], kind, nullable=nullable)
            values[rows] = read.values
            if read.bad.any():
                self._drop(read.bad.any(axis=0))
        self._columns.extend(values)

    def _same_sites(self, segment: Segment) -> None:
        """Note the identifiers of a segment in which all records are alike."""
        for slot in segment.slots:
            if slot.kind in {SlotKind.SITE, SlotKind.INNER_SITE}:
                self._note_site(slot.kind, np.full(len(self._at), slot.text, f"S{slot.width}"))

    def _note_site(self, kind: SlotKind, column: Texts) -> None:
        if kind is SlotKind.SITE:
            self._site = column
        else:
            self._inner_sites.append(column)

    def _slot(self, slot: Slot, texts: Bytes, differs: Bools) -> None:
        """Read a slot of all records."""
        place = slice(slot.start, slot.start + slot.width)
        if slot.kind in {SlotKind.SITE, SlotKind.INNER_SITE}:
            characters = np.ascontiguousarray(texts[:, place])
            allowed = _SITE_CHARACTERS[SiteIdKind(slot.width)]
            self._drop(~allowed[characters].all(axis=1))
            self._note_site(slot.kind, characters.view(f"S{slot.width}").reshape(-1))
            return
        changed = np.flatnonzero(differs[:, place].any(axis=1) & ~self._is_bad)
        if len(changed):
            self._changed_times(slot, changed, np.ascontiguousarray(texts[changed, place]))

    def _changed_times(self, slot: Slot, changed: Int64s, texts: Bytes) -> None:
        """Read timestamps that are not those of the pattern."""
        is_grid = slot.kind is not SlotKind.SUBMISSION
        own = self._times_of.pattern(slot.text, grid=is_grid)
        keys = texts.view(f"S{slot.width}").reshape(-1).tolist()
        values = self._times_of.read(keys, slot.width, own.warning, grid=is_grid)
        is_lost = values == BAD_TIME
        if is_lost.any():
            self._is_bad[changed[is_lost]] = True
            self._has_bad = True
        column = self._times.get((slot.kind, slot.row))
        if column is None:
            first = own.seconds if is_grid else own.total_micros
            column = np.full(len(self._at), first, dtype=np.int64)
            self._times[slot.kind, slot.row] = column
        column[changed] = values

    # --- what belongs together -------------------------------------------------------------------

    def _check_presence(self) -> None:
        """Leave out records with an interval that has no limit."""
        limits = self._pattern.shape.limits
        has_limit = [column != NO_LIMIT for column in self._columns]
        if all(has.all() for has in has_limit):
            return
        present = np.zeros((len(self._pattern.starts), len(self._at)), dtype=np.bool_)
        for slot, has in zip(limits, has_limit, strict=True):
            present[slot.row] |= has
        self._drop(~present.all(axis=0))

    def _check_intervals(self) -> None:
        """Leave out records with an interval whose times do not belong together."""
        if not any(kind is not SlotKind.SUBMISSION for kind, _ in self._times):
            return
        slots = {
            (slot.kind, slot.row): slot
            for segment in self._pattern.shape.segments
            for slot in segment.slots
        }
        for row in range(len(self._pattern.starts)):
            first, last = (SlotKind.START, row), (SlotKind.END, row)
            if first not in self._times and last not in self._times:
                continue
            if last not in slots:
                continue
            ends = self._instants(slots[last])
            if first in slots:
                self._drop(ends - self._instants(slots[first]) != INTERVAL_S)
            else:
                self._times[first] = ends - INTERVAL_S
                self._drop(self._times[first] < 0)

    def _instants(self, slot: Slot) -> Int64s:
        """Instants of a slot: of each record, or the pattern's."""
        column = self._times.get((slot.kind, slot.row))
        if column is not None:
            return column
        own = self._times_of.pattern(slot.text, grid=True).seconds
        return np.full(len(self._at), own, dtype=np.int64)

    # --- columns ---------------------------------------------------------------------------------

    def matched(self, good: Int64s) -> Matched:
        """The columns of the records that fit."""
        pattern = self._pattern
        submitted = self._times.pop((SlotKind.SUBMISSION, -1), None)
        if submitted is None:
            submitted = np.full(len(self._at), pattern.submitted, dtype=np.int64)
        starts = pattern.starts
        if self._times:
            starts = np.tile(starts, (len(good), 1))
            for (kind, row), column in self._times.items():
                if kind is SlotKind.START:
                    starts[:, row] = column[good]
        return Matched(
            good=good,
            site=self._site[good],
            submitted=submitted[good],
            starts=starts,
            limits=tuple(self._of_kind(kind, good) for kind in range(4)),
        )

    def _of_kind(self, kind: int, good: Int64s) -> Int32s | None:
        rows = [slot.row for slot in self._pattern.shape.limits if slot.kind == kind]
        if not rows:
            return None
        columns = [
            column
            for slot, column in zip(self._pattern.shape.limits, self._columns, strict=True)
            if slot.kind == kind
        ]
        table = np.stack(columns)
        table = table if len(good) == table.shape[1] else table[:, good]
        if rows == list(range(len(self._pattern.starts))):
            return np.ascontiguousarray(table.T)
        values = np.full((len(good), len(self._pattern.starts)), NO_LIMIT, dtype=np.int32)
        values[:, rows] = table.T
        return values
