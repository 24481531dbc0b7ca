"""Limits of a Parquet batch: lists or single values of integer watts, as flat columns.

Guarantees: signs, bounds and decimals are those that JSON is checked by, with the same codes; a
value with a fault has its row and position. Source: rules-v1 section 5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from oepnode.domain.documents.arrays import Bools, Indices, Int32s, Int64s
from oepnode.domain.documents.faults import MAX_FAULTS, FaultLog
from oepnode.domain.nem.quantities import (
    EDGE_LIMIT,
    IMPORT_KINDS,
    NO_LIMIT,
    Feed,
    QuantityError,
    canonical_limit,
    to_text,
)
from oepnode.domain.rounds.inputs import parquet_columns as columns
from oepnode.domain.rounds.inputs.parquet_form import LIMITS, MAX_LIST
from oepnode.domain.rounds.inputs.runs import LimitColumns

Place = Callable[[int], tuple[str, str]]
"""Path of a value's row, and what follows the name of its column, by the value's position."""

_GRID: Final = EDGE_LIMIT.grid
_NONE: Final = "an interval must have at least one limit"


@dataclass
class Signs:
    """Paths of the first positive and the first negative import, as written."""

    positive: str = ""
    negative: str = ""


class LimitReader:
    """Checks limits of one feed.

    Args:
        feed: The feed's settings.
        log: Takes every fault.
        signs: Takes the signs of imports where they are not all as they should be.
    """

    def __init__(self, feed: Feed, log: FaultLog, signs: Signs) -> None:
        self._feed = feed
        self._log = log
        self._signs = signs
        self._needs_active = feed.profile == "edge"

    def lists(self, lists: dict[int, Any], first_row: int) -> tuple[Int64s, LimitColumns] | None:
        """Bounds of the rows and the limits of lists by kind; None where lengths are at fault."""
        count = len(next(iter(lists.values())))
        shape = {kind: _lengths(column) for kind, column in lists.items()}
        length = np.zeros(count, dtype=np.int64)
        for own, _ in shape.values():
            length = np.maximum(length, own)
        if not self._check_lengths(length, shape, first_row):
            return None
        bounds = np.concatenate(([0], np.cumsum(length)))

        def place(position: int) -> tuple[str, str]:
            row = int(np.searchsorted(bounds, position, side="right")) - 1
            return f"$.rows[{first_row + row}]", f"[{position - int(bounds[row])}]"

        raw = {
            kind: _flat(column, *shape[kind], length, int(bounds[-1]))
            for kind, column in lists.items()
        }
        return bounds, self._checked(raw, place, int(bounds[-1]))

    def values(self, values: dict[int, Any], first_row: int) -> LimitColumns:
        """The limits of columns of single values by kind."""
        count = len(next(iter(values.values())))
        raw = {
            kind: (columns.integers(column, np.int32), columns.validity(column))
            for kind, column in values.items()
        }
        return self._checked(raw, lambda row: (f"$.rows[{first_row + row}]", ""), count)

    def _check_lengths(
        self, length: Int64s, shape: dict[int, tuple[Int64s, Bools]], first_row: int
    ) -> bool:
        before = self._log.count
        bad = (length < 1) | (length > MAX_LIST)
        for row in self._first(np.flatnonzero(bad)):
            message = f"a row must have lists of 1 to {MAX_LIST} limits"
            path = f"$.rows[{first_row + row}]"
            self._log.add(path, "array.length", message, f"{length[row]} elements")
        for kind, (own, is_present) in shape.items():
            for row in self._first(np.flatnonzero(is_present & (own != length))):
                message = f"the lists of a row must have one length, here {length[row]}"
                path = f"$.rows[{first_row + row}].{LIMITS[kind]}"
                self._log.add(path, "array.length", message, f"{own[row]} elements")
        return self._log.count == before

    def _checked(
        self, raw: dict[int, tuple[Int32s, Bools | None]], place: Place, count: int
    ) -> LimitColumns:
        limits: list[Int32s | None] = [None] * 4
        before = self._log.count
        given = (
            np.zeros(count, dtype=np.bool_) if all(v is not None for _, v in raw.values()) else None
        )
        for kind, (values, is_valid) in sorted(raw.items()):
            limits[kind] = self._kind(kind, values, is_valid, place)
            if given is not None and is_valid is not None:
                given |= is_valid
        for kind in (0, 1) if self._needs_active else ():
            if kind not in raw:
                for at in self._first(np.arange(count)):
                    path = f"{place(at)[0]}.{LIMITS[kind]}"
                    self._log.add(path, "field.missing", "a mandatory field is missing")
        if given is not None and self._log.count == before:
            for at in self._first(np.flatnonzero(~given)):
                self._log.add("".join(place(at)), "interval.no_limit", _NONE)
        return limits[0], limits[1], limits[2], limits[3]

    def _kind(
        self, kind: int, values: Int32s, is_valid: Bools | None, place: Place
    ) -> Int32s | None:
        """The canonical limits of a kind; None where all are null."""
        if is_valid is not None and self._needs_active and kind < 2:
            message = "a number of watts is expected"
            for at in self._first(np.flatnonzero(~is_valid)):
                self._log.add(_joined(place(at), kind), "field.type", message, "null")
        is_import = kind in IMPORT_KINDS
        is_positive = not is_import or self._feed.import_sign == "magnitude"
        if not self._is_clean(values, is_valid, is_positive=is_positive):
            self._report(kind, values, is_valid, place)
        if is_import and self._feed.import_sign == "magnitude":
            values = -values
        if is_valid is None:
            return values
        return np.where(is_valid, values, NO_LIMIT) if is_valid.any() else None

    def _is_clean(self, values: Int32s, is_valid: Bools | None, *, is_positive: bool) -> bool:
        if is_valid is not None:
            values = values[is_valid]
        if not len(values):
            return True
        least, most = int(values.min()), int(values.max())
        if least == NO_LIMIT or (least < 0 if is_positive else most > 0):
            return False
        if self._feed.profile != "edge":
            return True
        is_small = -EDGE_LIMIT.most <= least and most <= EDGE_LIMIT.most
        return is_small and not (values % _GRID).any()

    def _report(self, kind: int, values: Int32s, is_valid: Bools | None, place: Place) -> None:
        """Record the faults of a column that has one."""
        wide = values.astype(np.int64)
        bad = wide == NO_LIMIT
        if self._feed.profile == "edge":
            bad |= (abs(wide) > EDGE_LIMIT.most) | (wide % _GRID != 0)
        unreadable = bad.copy()
        bad |= wide < 0 if self._is_positive(kind) else wide > 0
        if is_valid is not None:
            bad &= is_valid
            unreadable &= is_valid
        for at in self._first(np.flatnonzero(bad)):
            self._report_value(kind, int(wide[at]), _joined(place(at), kind))
        if kind in IMPORT_KINDS:
            read = ~unreadable if is_valid is None else ~unreadable & is_valid
            self._note_signs(kind, wide, read, place)

    def _is_positive(self, kind: int) -> bool:
        return kind not in IMPORT_KINDS or self._feed.import_sign == "magnitude"

    def _note_signs(self, kind: int, values: Int64s, read: Bools, place: Place) -> None:
        for name, mask in (("positive", values > 0), ("negative", values < 0)):
            found = np.flatnonzero(mask & read)
            if len(found) and not getattr(self._signs, name):
                setattr(self._signs, name, _joined(place(int(found[0])), kind))

    def _report_value(self, kind: int, watts: int, path: str) -> None:
        if self._feed.profile == "edge" and watts % _GRID:
            message = f"a limit must be a multiple of {_GRID} W (profile edge)"
            self._log.add(path, "limit.decimals", message, str(watts))
        elif watts == NO_LIMIT or (self._feed.profile == "edge" and abs(watts) > EDGE_LIMIT.most):
            most = EDGE_LIMIT.most if self._feed.profile == "edge" else 2**31 - 1
            message = f"at most {most} W in magnitude ({to_text(most, EDGE_LIMIT)} kW)"
            self._log.add(path, "limit.range", message, str(watts))
        else:
            try:
                canonical_limit(watts, kind, self._feed)
            except QuantityError as exc:
                self._log.add(path, exc.code, str(exc), str(watts))

    def _first(self, positions: Indices) -> list[int]:
        """The first positions to report; the others are counted."""
        self._log.skip(max(0, len(positions) - MAX_FAULTS))
        return [int(position) for position in positions[:MAX_FAULTS]]


def _joined(place: tuple[str, str], kind: int) -> str:
    row, index = place
    return f"{row}.{LIMITS[kind]}{index}"


def _lengths(column: Any) -> tuple[Int64s, Bools]:  # noqa: ANN401
    """Length of each list, 0 where null, and where there is one."""
    offsets = _offsets(column)
    length = np.diff(offsets)
    is_valid = columns.validity(column)
    if is_valid is None:
        return length, np.ones(len(length), dtype=np.bool_)
    return np.where(is_valid, length, 0), is_valid


def _offsets(column: Any) -> Int64s:  # noqa: ANN401
    return np.asarray(column.offsets.to_numpy(zero_copy_only=False), dtype=np.int64)


def _flat(
    column: Any,  # noqa: ANN401
    own: Int64s,
    is_present: Bools,
    length: Int64s,
    total: int,
) -> tuple[Int32s, Bools | None]:
    """The elements of lists over all rows, and which are limits; None where all are."""
    values = columns.integers(column.values, np.int32)
    is_valid = columns.validity(column.values)
    offsets = _offsets(column)
    if is_present.all():
        part = slice(int(offsets[0]), int(offsets[-1]))
        return values[part], None if is_valid is None else is_valid[part]
    flat = np.zeros(total, dtype=np.int32)
    given = np.repeat(is_present, length)
    inside = np.arange(int(own.sum())) - np.repeat(np.cumsum(own) - own, own)
    source = np.repeat(offsets[:-1], own) + inside
    flat[given] = values[source]
    if is_valid is not None:
        given[given] = is_valid[source]
    return flat, given
