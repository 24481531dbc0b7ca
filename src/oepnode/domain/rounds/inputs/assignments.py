"""Changes of effective-dated assignments, as columns: overlays, differences and their counts.

Guarantees: the result of `overlay` has no overlap, and of two assignments that meet never both with
one holder; one change or a million take the same path. Leaves out reading, validating and storing
them. Source: ``docs/design.md §3``, docs/services.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from oepnode.domain.documents.arrays import Bools, Int32s, Int64s, Texts

OPEN_END: Final = 2**62
"""The end of an assignment without an end, UTC seconds."""

NO_AGGREGATOR: Final = -1
"""Holder of an interval that no assignment covers."""

_TIME_BITS: Final = 34
_LAST: Final = (1 << _TIME_BITS) - 1
"""Sorts after every instant that can be written, which are below 2^33; stands for an open end."""


@dataclass(frozen=True, repr=False)
class Assignments:
    """Assignments as columns, without an overlap. Its repr: no NMI.

    Attributes:
        nmi: NMI or token, as `site_id_column`.
        aggregator: Number of the holder, int32; in a change, `NO_AGGREGATOR` takes the site away.
        start: First covered interval start, UTC seconds, int64.
        end: First interval start no longer covered, or `OPEN_END`.
    """

    nmi: Texts
    aggregator: Int32s
    start: Int64s
    end: Int64s

    def __len__(self) -> int:
        return len(self.nmi)

    def take(self, rows: Bools) -> Assignments:
        """The rows that a mask marks."""
        return Assignments(self.nmi[rows], self.aggregator[rows], self.start[rows], self.end[rows])

    def sites(self) -> Texts:
        """The distinct sites of rows in order of their sites."""
        first = np.ones(len(self), dtype=bool)
        first[1:] = self.nmi[1:] != self.nmi[:-1]
        return self.nmi[first]

    def of_sites(self, sites: Texts) -> Assignments:
        """The rows of some sites, which are distinct and in order."""
        if not len(sites):
            return self.take(np.zeros(len(self), dtype=bool))
        nearest = np.minimum(np.searchsorted(sites, self.nmi), len(sites) - 1)
        return self.take(sites[nearest] == self.nmi)

    def previous_ends(self) -> Int64s:
        """Per row, the end of the site's one before it, or -1; rows in order of `overlay`."""
        previous = np.full(len(self), -1, dtype=np.int64)
        same = self.nmi[1:] == self.nmi[:-1]
        previous[1:][same] = self.end[:-1][same]
        return previous


@dataclass(frozen=True)
class ChangeCounts:
    """Sites that a change concerns.

    Attributes:
        new: Had no assignment, and have one.
        changed: Have other assignments than before.
        ended: Had an assignment without an end, and have none; or have none at all any more.
        unchanged: Are named by the change, and stay as they were.
    """

    new: int
    changed: int
    ended: int
    unchanged: int


@dataclass(frozen=True, repr=False)
class Difference:
    """What distinguishes two states of assignments.

    Attributes:
        removed: Mask of the rows before that are no more.
        added: Mask of the rows after that were not there.
        counts: Sites by kind of change.
    """

    removed: Bools
    added: Bools
    counts: ChangeCounts

    @property
    def is_any(self) -> bool:
        """Whether anything differs."""
        return bool(self.removed.any() or self.added.any())


def no_assignments() -> Assignments:
    """Columns without a row."""
    return Assignments(
        np.empty(0, "S10"), np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.int64)
    )


def overlay(present: Assignments, changes: Assignments) -> Assignments:
    """The assignments after changes, which replace what they cover; in order of (NMI, from).

    Args:
        present: Those before.
        changes: Those that are written over them.
    """
    sites, code = np.unique(np.concatenate([present.nmi, changes.nmi]), return_inverse=True)
    code = code.astype(np.int64) << _TIME_BITS
    old, new = code[: len(present)], code[len(present) :]
    bounds = np.unique(
        np.concatenate(
            [*_keys(old, present), *_keys(new, changes)]
        )  # one number per (NMI, instant)
    )
    holder, is_changed = _holders(bounds, new, changes)
    kept, _ = _holders(bounds, old, present)
    holder = np.where(is_changed, holder, kept)
    if not len(bounds):
        return no_assignments()
    # The last bound of a site starts nothing: no row covers it.
    meets = (bounds[1:] >> _TIME_BITS) == (bounds[:-1] >> _TIME_BITS)
    continues = np.append(False, meets & (holder[1:] == holder[:-1]))
    first = np.flatnonzero(~continues & (holder != NO_AGGREGATOR))
    after = np.append(np.flatnonzero(~continues), len(bounds))
    end = bounds[after[np.searchsorted(after, first, side="right")]] & _LAST
    return Assignments(
        sites[bounds[first] >> _TIME_BITS],
        holder[first],
        bounds[first] & _LAST,
        np.where(end == _LAST, OPEN_END, end),
    )


def _keys(code: Int64s, rows: Assignments) -> tuple[Int64s, Int64s]:
    return code | rows.start, code | np.minimum(rows.end, _LAST)


def _holders(bounds: Int64s, code: Int64s, rows: Assignments) -> tuple[Int32s, Bools]:
    """Per bound, the holder that the rows give it, and whether one covers it."""
    holder = np.full(len(bounds), NO_AGGREGATOR, dtype=np.int32)
    if not len(rows):
        return holder, np.zeros(len(bounds), dtype=bool)
    start, end = _keys(code, rows)
    order = np.argsort(start, kind="stable")
    start, end = start[order], end[order]
    last = np.searchsorted(start, bounds, side="right") - 1
    safe = np.maximum(last, 0)
    covered = (last >= 0) & (bounds < end[safe])
    holder[covered] = rows.aggregator[order[safe[covered]]]
    return holder, covered


def compare(before: Assignments, after: Assignments) -> Difference:
    """Compare two states of the same sites, row for row."""
    sites, code = np.unique(np.concatenate([before.nmi, after.nmi]), return_inverse=True)
    code = code.astype(np.int64)
    old, new = code[: len(before)], code[len(before) :]
    removed = ~_is_among(before, old, after, new)
    added = ~_is_among(after, new, before, old)
    had, has = _sites(old, sites), _sites(new, sites)
    had_open = _sites(old[before.end == OPEN_END], sites)
    has_open = _sites(new[after.end == OPEN_END], sites)
    differs = _sites(np.concatenate([old[removed], new[added]]), sites)
    ended = had & (~has | had_open & ~has_open)
    return Difference(
        removed,
        added,
        ChangeCounts(
            new=int(np.count_nonzero(has & ~had)),
            changed=int(np.count_nonzero(differs & had & ~ended)),
            ended=int(np.count_nonzero(ended)),
            unchanged=int(np.count_nonzero(~differs)),
        ),
    )


def _is_among(rows: Assignments, code: Int64s, others: Assignments, other_code: Int64s) -> Bools:
    """Per row, whether the others have the same one."""
    if not len(others):
        return np.zeros(len(rows), dtype=bool)
    keys = (other_code << _TIME_BITS) | others.start
    order = np.argsort(keys, kind="stable")
    wanted = (code << _TIME_BITS) | rows.start
    at = order[np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)]
    same: Bools = (
        (keys[at] == wanted)
        & (others.aggregator[at] == rows.aggregator)
        & (others.end[at] == rows.end)
    )
    return same


def _sites(codes: Int64s, sites: Texts) -> Bools:
    """A mask of the sites that a code names."""
    mask = np.zeros(len(sites), dtype=bool)
    mask[codes] = True
    return mask
