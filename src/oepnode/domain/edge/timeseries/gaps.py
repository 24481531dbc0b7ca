"""Series in time: periods that are repeated, missing, out of order, or an hour off.

Works on columns of any number of series at once; the rows of one series (an NMI, a DUID) are
examined in the document's order. Guarantees: linear in the rows where they are in order, which is
the usual case; only series out of order are sorted. Source: Part C §4.1 (1 minute), §5.1
(5 minutes), §1.2 (NEM time has no daylight saving, a trading day has 288 intervals).

Leaves out how the daylight-saving hour differs from other gaps and jumps (``daylight_saving``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from oepnode.domain.documents.arrays import Bools, Indices, Int32s, Int64s
from oepnode.domain.edge.timeseries.daylight_saving import is_missing_hour, is_repeated_hour

_SHORT: Final = 1 << 16
_NO_ROWS: Final = np.empty(0, dtype=np.intp)


@dataclass(frozen=True)
class Gaps:
    """Runs of periods that series lack, in order of series and time; one element per gap.

    Attributes:
        row: The row after the gap, or the last row where a series ends too early.
        first: End of the first missing period, UTC seconds.
        count: How many periods are missing.
        is_saving: Whether it is the hour that daylight saving leaves out.
    """

    row: Indices
    first: Int64s
    count: Int64s
    is_saving: Bools


@dataclass(frozen=True)
class Jumps:
    """Rows where series go back in time, in order of series; one element per row.

    Attributes:
        row: The row that is earlier than the one before it.
        before: End of the period of the row before, UTC seconds.
        is_saving: Whether it is the hour that daylight saving repeats.
    """

    row: Indices
    before: Int64s
    is_saving: Bools


@dataclass(frozen=True)
class Series:
    """Irregularities of all series; rows are those of the frame.

    Attributes:
        gaps: Missing periods.
        jumps: Steps back in time.
        repeats: Shape (k, 2): a row and the one before it of the same series and period.
        count: Number of series.
    """

    gaps: Gaps
    jumps: Jumps
    repeats: Indices
    count: int


@dataclass(frozen=True)
class Horizon:
    """Period ends that every series should have, both ends included, UTC seconds."""

    first: int
    last: int


def codes_of(series: pl.Series) -> tuple[Int32s, int]:
    """Number the distinct values of a categorical column from 0; return how many there are too."""
    physical = series.to_physical().to_numpy()
    if not physical.size:
        return np.zeros(0, dtype=np.int32), 0
    used = np.bincount(physical) > 0
    numbers = np.cumsum(used, dtype=np.int32) - np.int32(1)
    return numbers[physical], int(used.sum())


def examine(
    series: pl.Series,
    end: Int64s,
    step_s: int,
    submitted: pl.Series,
    horizon: Horizon | None = None,
) -> Series:
    """Find repeats, gaps and jumps.

    Args:
        series: Identity of each row, categorical.
        end: Period end of each row, UTC seconds, on the grid of the step.
        step_s: Seconds of a period.
        submitted: Submission of each row, or null; a later submission may go back in time.
        horizon: Periods that each series should cover; by default from its first row to its last.
    """
    code, count = codes_of(series)
    walk = _Walk(code, end, step_s, _grouped(code, count))
    jumps = walk.jumps(submitted)
    return Series(walk.gaps(horizon), jumps, walk.repeats(), count)


def _grouped(code: Int32s, count: int) -> Indices | None:
    """Order that brings the rows of each series together; None where they are so already."""
    changes = np.count_nonzero(code[1:] != code[:-1])
    if changes <= count - 1:
        return None
    keys = code.astype(np.uint16) if count <= _SHORT else code  # 16 bits are sorted by radix
    return np.argsort(keys, kind="stable")


class _Walk:
    """The rows series by series; where a series goes back in time, sorted by time."""

    def __init__(self, code: Int32s, end: Int64s, step_s: int, order: Indices | None) -> None:
        self._order = order
        self._code = code if order is None else code[order]
        self._end = end if order is None else end[order]
        self._step = step_s
        self._same = self._code[1:] == self._code[:-1]
        self._is_regular = not bool((self._same & (np.diff(self._end) != step_s)).any())

    def _row(self, positions: Indices) -> Indices:
        return positions if self._order is None else self._order[positions]

    def jumps(self, submitted: pl.Series) -> Jumps:
        """Find steps back in time, unless a later submission begins there, and sort the series."""
        back = _NO_ROWS if self._is_regular else np.flatnonzero(self._same & self._falls())
        before, to = self._end[back], self._end[back + 1]
        row, last = self._row(back + 1), self._row(back)
        if len(back):
            stamps = submitted.fill_null(-1).to_numpy()
            kept = stamps[row] <= stamps[last]
            row, before, to = row[kept], before[kept], to[kept]
            self._sort(back)
        return Jumps(row, before, is_repeated_hour(before, to, self._step))

    def _falls(self) -> Bools:
        return np.diff(self._end) < 0

    def _sort(self, back: Indices) -> None:
        """Bring the series that go back into order of time; equal times keep their order."""
        affected = np.zeros(int(self._code.max()) + 1, dtype=np.bool_)
        affected[self._code[back]] = True
        positions = np.flatnonzero(affected[self._code])
        run = np.cumsum(np.concatenate(([False], ~self._same)))[positions]
        by_time = positions[np.lexsort((self._end[positions], run))]
        order = np.arange(len(self._code)) if self._order is None else self._order.copy()
        end = self._end.copy()
        order[positions], end[positions] = order[by_time], end[by_time]
        self._order, self._end = order, end  # codes stay: rows move within their series only

    def repeats(self) -> Indices:
        """Pairs of rows of one series and period."""
        if self._is_regular:
            return np.empty((0, 2), dtype=np.intp)
        positions = np.flatnonzero(self._same & (np.diff(self._end) == 0))
        return np.stack((self._row(positions + 1), self._row(positions)), axis=1)

    def gaps(self, horizon: Horizon | None) -> Gaps:
        """Missing periods within each series; of a horizon, where one is given, and at its ends."""
        delta = np.diff(self._end)
        inner = _NO_ROWS if self._is_regular else np.flatnonzero(self._same & (delta > self._step))
        position, kind = inner + 1, np.zeros(len(inner), dtype=np.int8)
        first, after = self._end[inner] + self._step, self._end[inner + 1]
        if horizon is not None and len(self._code):
            late, early = self._ends(horizon)
            position = np.concatenate((position, late, early))
            kind = np.concatenate((kind, np.full(len(late), -1), np.full(len(early), 1)))
            first = np.concatenate(
                (first, np.full(len(late), horizon.first), self._end[early] + self._step)
            )
            beyond = np.full(len(early), horizon.last + self._step)
            after = np.concatenate((after, self._end[late], beyond))
        order = np.lexsort((kind, position))
        position, first, after = position[order], first[order], after[order]
        if horizon is not None:  # rows outside are reported as such, and are no gap
            first = np.maximum(first, horizon.first)
            after = np.minimum(after, horizon.last + self._step)
            inside = first < after
            position, first, after = position[inside], first[inside], after[inside]
        is_saving = is_missing_hour(first - self._step, after, self._step)
        return Gaps(self._row(position), first, (after - first) // self._step, is_saving)

    def _ends(self, horizon: Horizon) -> tuple[Indices, Indices]:
        """First rows of series that begin late, last rows of those that end early."""
        firsts = np.concatenate(([0], np.flatnonzero(~self._same) + 1))
        lasts = np.append(firsts[1:] - 1, len(self._code) - 1)
        late = firsts[self._end[firsts] > horizon.first]
        return late, lasts[self._end[lasts] < horizon.last]
