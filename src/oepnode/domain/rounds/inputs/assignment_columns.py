"""Assignments of a large snapshot as columns, without an object of the strict reader for each.

The strict reader reads the snapshot with one assignment of each length; the others are compared
with that one byte by byte, so that they differ in values alone, and these are checked as columns.
Whatever is not proven so (escapes, other spellings, unknown aggregators, times with warnings) is
left to the strict reader, which judges and reports. Source: rules-v1 sections 2 and 6.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from oepnode.domain.documents.arrays import Bytes, Int64s, Texts
from oepnode.domain.nem.nem_time import parse_grid_instant
from oepnode.domain.rounds.inputs.site_ids import fixed_site_ids

_MANY: Final = 64
"""Fewer assignments are read by the strict reader alone."""

_MOST_LENGTHS: Final = 256
_MOST_TIMES: Final = 1 << 16
_SPACE: Final = rb"[ \t\r\n]*"
_OPENING: Final = re.compile(rb'"assignments"%b:%b\[%b\Z' % (_SPACE, _SPACE, _SPACE))
_BETWEEN: Final = re.compile(rb"%b,%b" % (_SPACE, _SPACE))
_MOST_BETWEEN: Final = 64
_VALUES: Final = {
    name: re.compile(rb'"%b"%b:%b"([^"]*)"' % (name.encode(), _SPACE, _SPACE))
    for name in ("nmi", "aggregator", "from", "to")
}


class NotPlainError(ValueError):
    """The strict reader must read the snapshot."""


@dataclass(frozen=True)
class _Alike:
    """Assignments of one length: their rows of bytes, and positions in the snapshot."""

    rows: Bytes
    number: Int64s


class PlainAssignments:
    """The assignments of a snapshot, which are alike but for their values.

    Attributes:
        sample: The snapshot with one assignment of each length.
    """

    def __init__(self, sample: bytes, groups: list[_Alike]) -> None:
        self.sample = sample
        self._groups = groups

    def columns(self, index: Mapping[str, int], open_end: int) -> tuple[Texts, Int64s]:
        """NMIs and, per assignment, aggregator, start, end and number.

        Args:
            index: Position of each aggregator by its id.
            open_end: The end of an assignment without one.

        Raises:
            NotPlainError: If a value is not certainly valid.
        """
        nmis, tables = [], []
        for group in self._groups:
            template = group.rows[0].tobytes()
            spans = {name: _span(pattern, template) for name, pattern in _VALUES.items()}
            _check_alike(group.rows, [span for span in spans.values() if span])
            nmis.append(_nmis(group.rows, spans["nmi"]))
            count = len(group.rows)
            table = np.empty((count, 4), dtype=np.int64)
            table[:, 0] = _coded(group.rows, spans["aggregator"], index.__getitem__)
            table[:, 1] = _coded(group.rows, spans["from"], _instant)
            table[:, 2] = open_end
            if spans["to"]:
                table[:, 2] = _coded(group.rows, spans["to"], _instant)
            table[:, 3] = group.number
            tables.append(table)
        if len({column.dtype for column in nmis}) != 1:
            raise NotPlainError
        joined = np.concatenate(tables)
        if (joined[:, 2] <= joined[:, 1]).any():
            raise NotPlainError
        return np.concatenate(nmis), joined


def plain_assignments(data: bytes) -> PlainAssignments | None:
    """The assignments of a snapshot, or None where the strict reader must read all of it."""
    begin = data.find(b'"assignments"')
    end = data.find(b"]", begin)
    if begin < 0 or end < 0 or b"\\" in data:
        return None
    text = np.frombuffer(data, dtype=np.uint8)
    part = text[begin:end]
    first = np.flatnonzero(part == ord("{")) + begin
    last = np.flatnonzero(part == ord("}")) + begin
    if len(first) < _MANY or len(first) != len(last) or (first >= last).any():
        return None
    head, tail = data[: int(first[0])], data[int(last[-1]) + 1 :]
    is_array = _OPENING.search(head[begin:]) and not data[int(last[-1]) + 1 : end].strip(b" \t\r\n")
    length = last - first + 1
    lengths = np.unique(length)
    if not is_array or len(lengths) > _MOST_LENGTHS or not _is_separated(data, first, last):
        return None
    groups = []
    for size in lengths.tolist():
        number = np.flatnonzero(length == size)
        windows = np.lib.stride_tricks.sliding_window_view(text, size)
        groups.append(_Alike(windows[first[number]], number))
    sample = b",".join(group.rows[0].tobytes() for group in groups)
    return PlainAssignments(head + sample + tail, groups)


def _is_separated(data: bytes, first: Int64s, last: Int64s) -> bool:
    """Whether there is a comma and white space between all assignments, the same everywhere."""
    if len(first) == 1:
        return True
    text = np.frombuffer(data, dtype=np.uint8)
    width = first[1:] - last[:-1] - 1
    size = int(width[0])
    if not 0 < size <= _MOST_BETWEEN or (width != size).any():
        return False
    between = np.lib.stride_tricks.sliding_window_view(text, size)[last[:-1] + 1]
    is_comma = _BETWEEN.fullmatch(between[0].tobytes()) is not None
    return is_comma and bool((between == between[0]).all())


def _span(pattern: re.Pattern[bytes], template: bytes) -> slice | None:
    matches = list(pattern.finditer(template))
    if len(matches) > 1:
        raise NotPlainError
    return slice(*matches[0].span(1)) if matches else None


def _check_alike(rows: Bytes, spans: list[slice]) -> None:
    """Check that rows differ in these columns alone, and that those are visible ASCII."""
    is_fixed = np.ones(rows.shape[1], dtype=np.bool_)
    for span in spans:
        is_fixed[span] = False
        values = rows[:, span]
        if values.size and not 0x20 < int(values.min()) <= int(values.max()) < 0x7F:
            raise NotPlainError
    columns = np.flatnonzero(is_fixed)
    if (rows[:, columns] != rows[0, columns]).any():
        raise NotPlainError


def _nmis(rows: Bytes, span: slice | None) -> Texts:
    if span is None:
        raise NotPlainError
    text = np.ascontiguousarray(rows[:, span])
    column = fixed_site_ids(text.reshape(-1), text.shape[1])
    if column is None:
        raise NotPlainError
    return column


def _coded(rows: Bytes, span: slice | None, code: Callable[[str], int]) -> Int64s:
    """The code of each row's value."""
    if span is None or span.start == span.stop:
        raise NotPlainError
    values = np.ascontiguousarray(rows[:, span])
    try:
        if (values == values[0]).all():
            return np.full(len(values), code(values[0].tobytes().decode()), dtype=np.int64)
        texts, index = np.unique(values.view(f"S{values.shape[1]}")[:, 0], return_inverse=True)
        if len(texts) > _MOST_TIMES:
            raise NotPlainError
        known = np.array([code(text.decode()) for text in texts.tolist()], dtype=np.int64)
    except (KeyError, ValueError) as exc:
        raise NotPlainError from exc
    return np.asarray(known[index], dtype=np.int64)


def _instant(text: str) -> int:
    instant = parse_grid_instant(text)
    if instant.warning:
        raise NotPlainError
    return instant.seconds
