"""Patterns of records: the bytes that records of one program have in common, and the slots between.

A network's program writes all its records alike: the same keys in the same order and spelling, the
same white space, often the same times. A pattern is taken from one record that the strict reader
has accepted. It is the record's bytes, cut into segments at the limits, with the places (slots) of
identifiers and timestamps inside the segments, which have a fixed width.

Guarantees: a text that has the segments' bytes outside slots, an identifier or a timestamp in the
slots that have one, and a JSON number (or null) between segments, is JSON with the structure of the
record; it can have no other key, no doubled one, and no other value but those in slots. Leaves out
reading such texts: that is ``pattern_reader``. Source: rules-v1 sections 2 and 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Final

import numpy as np

from oepnode.domain.documents.arrays import Bools, Int64s
from oepnode.domain.documents.json_tokens import Scalar, scalars
from oepnode.domain.nem.limit_columns import MAX_TEXT
from oepnode.domain.nem.nmi import NMI_LENGTH
from oepnode.domain.nem.quantities import KINDS
from oepnode.domain.nem.tokens import TOKEN_LENGTH
from oepnode.domain.rounds.inputs.envelope_form import ELEMENT, INTERVAL, RECORD

MAX_RECORD: Final = 1 << 20
"""Bytes of the longest record that a pattern is taken from."""
MAX_LIMITS: Final = 1 << 14
"""Most limits of a record that a pattern is taken from."""


class SlotKind(Enum):
    """The value that stands in a slot."""

    SITE = "nmi"
    INNER_SITE = "inner nmi"
    SUBMISSION = "submissionTimestamp"
    START = "diStartTime"
    END = "diEndTime"


@dataclass(frozen=True)
class Slot:
    """A place of fixed width in a segment.

    Attributes:
        kind: Its value's meaning.
        start: First byte, from the segment's start.
        width: Number of bytes.
        text: The bytes in the record that the pattern is from.
        row: Index of the interval among those of the record; −1 outside intervals.
    """

    kind: SlotKind
    start: int
    width: int
    text: bytes
    row: int


@dataclass(frozen=True)
class Segment:
    """Bytes between two limits.

    Attributes:
        text: The bytes, slots included.
        slots: The slots in it.
        fixed: Mask of the bytes outside slots.
    """

    text: bytes
    slots: tuple[Slot, ...]
    fixed: Bools

    @cached_property
    def has_site(self) -> bool:
        """Whether an identifier is in it."""
        return any(slot.kind in {SlotKind.SITE, SlotKind.INNER_SITE} for slot in self.slots)


@dataclass(frozen=True)
class LimitSlot:
    """A limit between two segments.

    Attributes:
        row: Index of the interval among those of the record.
        kind: Index into `quantities.KINDS`.
    """

    row: int
    kind: int


@dataclass(frozen=True)
class Shape:
    """A record's bytes as segments and slots.

    Attributes:
        segments: One more than there are limits.
        limits: The limits between them.
        places: Shape (intervals, 2), int64: element and index of each interval.
    """

    segments: tuple[Segment, ...]
    limits: tuple[LimitSlot, ...]
    places: Int64s

    @cached_property
    def most_bytes(self) -> int:
        """Bytes of the longest record of this shape, and what is looked at after it."""
        return sum(len(s.text) for s in self.segments) + MAX_TEXT * (len(self.limits) + 1)


def shape_of(text: bytes) -> Shape | None:
    """The shape of a record that the strict reader has accepted; None where it has odd parts.

    Args:
        text: The record's bytes, with white space around or not.
    """
    if len(text) > MAX_RECORD or b"\\" in text:
        return None
    builder = _Builder(text)
    return builder.shape() if all(builder.scalar(scalar) for scalar in scalars(text)) else None


class _Builder:
    """Cuts a record's bytes at its limits."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._cut = 0
        self._slots: list[Slot] = []
        self._segments: list[Segment] = []
        self._limits: list[LimitSlot] = []
        self._rows: dict[tuple[int, int], int] = {}

    def scalar(self, value: Scalar) -> bool:
        """Take a value; False where a record with it has no shape here."""
        match value.path:
            case (str() as key,):
                return self._of_record(RECORD.canonical(key), value)
            case (str(), int(), str() as key):
                return self._of_element(ELEMENT.canonical(key), value)
            case (str(), int() as element, str(), int() as index, str() as key):
                row = self._rows.setdefault((element, index), len(self._rows))
                return self._of_interval(INTERVAL.canonical(key), value, row)
        return False

    def _of_record(self, name: str | None, value: Scalar) -> bool:
        if name == "nmi":
            return self._site(SlotKind.SITE, value)
        if name == "submissionTimestamp" and value.is_string:
            self._slot(SlotKind.SUBMISSION, value, -1)
        return name is not None

    def _of_element(self, name: str | None, value: Scalar) -> bool:
        if name == "nmi" and value.is_string:
            return self._site(SlotKind.INNER_SITE, value)
        return name is not None

    def _of_interval(self, name: str | None, value: Scalar, row: int) -> bool:
        if name in KINDS:
            self._limit(value, LimitSlot(row, KINDS.index(name)))
            return len(self._limits) <= MAX_LIMITS
        if value.is_string and name in {"diStartTime", "diEndTime"}:
            self._slot(SlotKind(name), value, row)
        return name is not None

    def _site(self, kind: SlotKind, value: Scalar) -> bool:
        self._slot(kind, value, -1)
        return len(value.text) in {NMI_LENGTH, TOKEN_LENGTH}

    def _slot(self, kind: SlotKind, value: Scalar, row: int) -> None:
        start = value.start - self._cut
        self._slots.append(Slot(kind, start, len(value.text), value.text, row))

    def _limit(self, value: Scalar, limit: LimitSlot) -> None:
        self._end_segment(value.start)
        self._cut = value.start + len(value.text)
        self._limits.append(limit)

    def _end_segment(self, end: int) -> None:
        text = self._text[self._cut : end]
        fixed = np.ones(len(text), dtype=np.bool_)
        for slot in self._slots:
            fixed[slot.start : slot.start + slot.width] = False
        self._segments.append(Segment(text, tuple(self._slots), fixed))
        self._slots = []

    def shape(self) -> Shape:
        """The shape, after the last scalar."""
        self._end_segment(len(self._text))
        places = np.array(list(self._rows), dtype=np.int64).reshape(-1, 2)
        return Shape(tuple(self._segments), tuple(self._limits), places)
