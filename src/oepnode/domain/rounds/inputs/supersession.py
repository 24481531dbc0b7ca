"""Supersession: the row that counts where several are for one site and interval.

Rows with equal limits repeat one another. Otherwise each needs a submission time, equal times need
equal limits, and the latest submission wins. Source: rules-v1 section 5 ("Rows"), Part C §6.3
field 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from oepnode.domain.documents.arrays import Bools, Indices, Int32s, Int64s, Ints
from oepnode.domain.documents.faults import FaultLog

JSON_PLACE: Final = "$.records[{}].operatingEnvelopes[{}].intervals[{}]"
"""Path of a row in a document of JSON."""

NO_SUBMISSION: Final = -1
"""Value of an absent submission time; below every instant."""


@dataclass(frozen=True)
class Rows:
    """Rows of a document before supersession, one array per column.

    Attributes:
        site: int64, site index.
        submitted: int64, microseconds since the epoch or `NO_SUBMISSION`.
        start: int64, interval start in UTC seconds.
        limits: Shape (rows, 4), int32.
        location: Shape (rows, 3), int64: record, element and interval index in the document.
        place: Per row, index into ``places``; None where all are at the first one.
        places: Paths of rows, with fields for the columns of ``location``.
    """

    site: Int64s
    submitted: Int64s
    start: Int64s
    limits: Int32s
    location: Int64s
    place: Ints | None = None
    places: tuple[str, ...] = (JSON_PLACE,)

    def path(self, row: int) -> str:
        """Path of a row in the document."""
        place = self.places[0 if self.place is None else int(self.place[row])]
        return place.format(*self.location[row].tolist())

    def select(self, kept: Bools) -> Rows:
        """The rows of a mask."""
        return self.take(np.flatnonzero(kept))

    def take(self, rows: Indices) -> Rows:
        """Some rows, in the order given."""
        return Rows(
            self.site[rows],
            self.submitted[rows],
            self.start[rows],
            self.limits[rows],
            self.location[rows],
            None if self.place is None else self.place[rows],
            self.places,
        )


def resolve(rows: Rows, log: FaultLog) -> Indices:
    """Return the indices of the rows that count, in order of (site, start).

    Conflicts are recorded in ``log``, one per (site, interval).
    """
    order = np.lexsort((rows.submitted, rows.start, rows.site))
    site, start = rows.site[order], rows.start[order]
    same_cell = (site[1:] == site[:-1]) & (start[1:] == start[:-1])
    if same_cell.any():
        _check_conflicts(rows, order, same_cell, log)
    last_of_cell: Bools = np.append(~same_cell, np.True_)
    return np.asarray(order[last_of_cell], dtype=np.intp)


def _check_conflicts(rows: Rows, order: Indices, same_cell: Bools, log: FaultLog) -> None:
    limits, submitted = rows.limits[order], rows.submitted[order]
    cell = np.concatenate(([0], np.cumsum(~same_cell)))
    differs = same_cell & (limits[1:] != limits[:-1]).any(axis=1)
    lacks_time = same_cell & (submitted[:-1] == NO_SUBMISSION)
    clash = differs & (submitted[1:] == submitted[:-1])
    contested = np.isin(cell[1:], cell[1:][differs])
    missing = lacks_time & contested
    for number in np.unique(cell[1:][missing | clash]):
        first, end = np.searchsorted(cell, [number, number + 1])
        in_document_order = np.sort(order[first:end])
        _report(rows, in_document_order.tolist(), log)


def _report(rows: Rows, found: list[int], log: FaultLog) -> None:
    """Record the conflict between the rows of one cell, which are in document order."""
    if any(rows.submitted[row] == NO_SUBMISSION for row in found):
        message = "differing limits for one site and interval need a submissionTimestamp each"
        log.add(
            rows.path(found[-1]),
            "submission.missing",
            f"{message}; the other is {rows.path(found[0])}",
        )
        return
    limits: dict[int, tuple[int, Int32s]] = {}
    for row in found:
        other, expected = limits.setdefault(int(rows.submitted[row]), (row, rows.limits[row]))
        if (rows.limits[row] != expected).any():
            message = "differing limits for one site and interval with one submissionTimestamp"
            log.add(
                rows.path(row), "submission.conflict", f"{message}; the other is {rows.path(other)}"
            )
            return
