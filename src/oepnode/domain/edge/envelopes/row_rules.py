"""Rules between the rows of an envelope document: conflicts, repeats, daylight saving.

They are checked on the rows that can be read, so that they are reported in the same pass as the
faults of the form. Guarantees: nothing that is reported here depends on a value with a fault; a row
with a fault elsewhere is not taken for a gap. Source: Part C §1.2 (NEM time), §6.3 field 6,
rules-v1 section 5 ("Rows").
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
import polars as pl

from oepnode.domain.documents.arrays import Indices
from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.edge.timeseries import daylight_saving
from oepnode.domain.edge.timeseries.gaps import examine
from oepnode.domain.edge.validation.finding_log import MAX_PER_CODE, FindingLog
from oepnode.domain.nem.nem_time import INTERVAL_S, format_nem
from oepnode.domain.rounds.inputs.supersession import Rows

_SECTION: Final = "Part C §6.3 field 6"
_SECTIONS: Final = {
    "horizon.length": "Part C §6.3 field 5.2",
    "horizon.sparse": "Part C §6.3 field 5.2",
    "site.meaning": "Part C §6.3 fields 2 and 3",
    "submission.conflict": _SECTION,
    "submission.missing": _SECTION,
}
"""Rules between rows or records, whose location is not the field that they concern."""


class BusinessRules(FaultLog):
    """Faults that are broken business rules, recorded in the log of a submission."""

    def __init__(self, log: FindingLog) -> None:
        super().__init__(log.what)
        self._log = log

    def add(self, path: str, code: str, message: str, value: str = "") -> None:
        """Record a broken rule with the section that it is from."""
        self.count += 1
        section = _SECTIONS.get(code) or self._log.section_of(path)
        self._log.business(code, path, section, message, value)


def check_repeats(rows: Rows, log: FindingLog) -> None:
    """Report rows that occur twice, with one submission and the same limits: they count once."""
    order = np.lexsort((rows.submitted, rows.start, rows.site))  # stable: the document's order
    row, other = order[1:], order[:-1]
    is_repeat = (rows.limits[row] == rows.limits[other]).all(axis=1)
    for column in (rows.site, rows.start, rows.submitted):
        is_repeat &= column[row] == column[other]
    row, other = row[is_repeat], other[is_repeat]
    if not len(row):
        return
    groups = _by_records(rows, row, other)
    for repeated, first in groups[:MAX_PER_CODE]:
        _report_repeat(rows, log, repeated, first)
    rest = groups[MAX_PER_CODE:]
    if rest:
        _report_repeat(rows, log, np.concatenate([repeated for repeated, _ in rest]), rest[0][1])


def check_daylight_saving(timed: Rows, log: FindingLog) -> None:
    """Report where a site's intervals lack the hour that daylight saving skips, or repeat it.

    A caution: an envelope may leave hours out, and one that has an hour twice is a conflict or a
    copy already. A later submission may go back in time.
    """
    if not len(timed.site):
        return
    ends = timed.start + INTERVAL_S
    series = examine(pl.Series(timed.site), ends, INTERVAL_S, pl.Series(timed.submitted))

    def report(row: int, message: str, value: str, count: int) -> None:
        code, section = daylight_saving.CODE, daylight_saving.SECTION
        log.caution(code, timed.path(row), section, message, value, count=count)

    jumps, gaps = series.jumps, series.gaps
    daylight_saving.report_repeated(jumps.is_saving, jumps.row, jumps.before, report)
    before = gaps.first - INTERVAL_S
    daylight_saving.report_missing(gaps.is_saving, gaps.row, before, report)


def _by_records(rows: Rows, row: Indices, other: Indices) -> list[tuple[Indices, tuple[int, int]]]:
    """Repeating rows by pair of records; with each group its first row and the one it repeats."""
    records = rows.location[row, 0], rows.location[other, 0]
    order = np.lexsort((rows.location[row, 2], rows.location[row, 1], records[1], records[0]))
    row, other = row[order], other[order]
    own, others = (column[order] for column in records)
    is_new = (own[1:] != own[:-1]) | (others[1:] != others[:-1])
    bounds = [0, *(np.flatnonzero(is_new) + 1).tolist(), len(row)]
    return [(row[a:b], (int(row[a]), int(other[a]))) for a, b in pairwise(bounds)]


def _report_repeat(rows: Rows, log: FindingLog, repeated: Indices, first: tuple[int, int]) -> None:
    count = len(repeated)
    here, other = (rows.path(row) for row in first)
    starts = rows.start[repeated]
    span = f"{format_nem(int(starts.min()))} to {format_nem(int(starts.max()) + INTERVAL_S)}"
    noun = "interval" if count == 1 else "intervals"
    log.caution(
        "submission.duplicate",
        here,
        _SECTION,
        f"the same limits with the same submission occur twice and count once; the first is at "
        f"{other}",
        f"{count} {noun}, {span}",
        count=count,
    )
