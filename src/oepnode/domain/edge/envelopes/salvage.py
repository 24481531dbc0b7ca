"""Envelopes row by row: what stands twice, and what else is wrong where the form is rejected.

``envelope`` reads a document whole or not at all, and looks for conflicts between rows only where
every row is right. Here a document that it rejected is read once more, as far as it can be, so that
conflicts, the horizon, timings, daylight saving and warnings are told in the same pass as the
faults of the form.

Guarantees: a row takes part only where its site, submission, start and limits can be read, and in
the look for daylight saving where its start can, so that rows with other faults are no gap; nothing
that is found here depends on what cannot. Leaves out the faults of single values, which the first
reading has told.
Source: Part C §1.2 (NEM time), §6.3 field 6, rules-v1 section 5 ("Rows").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.documents.strict_json import read_records
from oepnode.domain.edge.schema.kinds import BAD
from oepnode.domain.edge.schema.shape import Shape
from oepnode.domain.edge.timeseries import daylight_saving as saving_hour
from oepnode.domain.edge.timeseries.gaps import examine
from oepnode.domain.edge.validation.finding_log import MAX_PER_CODE, FindingLog
from oepnode.domain.nem.nem_time import INTERVAL_S, PERIODS_PER_DAY, format_nem, period_start
from oepnode.domain.nem.quantities import KINDS, NO_LIMIT
from oepnode.domain.rounds.inputs import supersession
from oepnode.domain.rounds.inputs.envelope_form import MAX_HORIZON
from oepnode.domain.rounds.inputs.supersession import NO_SUBMISSION, Rows

_SECTION: Final = "Part C §6.3 field 6"
_SECTIONS: Final = {
    "horizon.length": "Part C §6.3 field 5.2",
    "site.meaning": "Part C §6.3 fields 2 and 3",
    "submission.conflict": _SECTION,
    "submission.missing": _SECTION,
}
"""Rules between rows or records, whose place is not the field that they are about."""
_UNUSABLE: Final = (BAD, None)

Site = tuple[str, str]
"""NMI and application level."""


@dataclass(frozen=True)
class Times:
    """When intervals start, in the document's order; their limits and ends may be broken.

    Attributes:
        site: int64, site index.
        submitted: int64, microseconds since the epoch or `NO_SUBMISSION`.
        start: int64, UTC seconds.
        place: Shape (rows, 3), int64: record, element and interval number in the document.
    """

    site: npt.NDArray[np.int64]
    submitted: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    place: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Rest:
    """What can be read of a document that is rejected.

    Attributes:
        timings: NMI and level → PRE or POST, as the first record of the site has it.
        rows: The rows without a fault.
        times: The starts of these, and of rows with a fault elsewhere.
        warnings: What is odd but allowed, as ``faults.FaultLog`` gives it.
    """

    timings: dict[Site, str]
    rows: Rows
    times: Times
    warnings: tuple[str, ...]


def read(data: bytes, shape: Shape) -> Rest:
    """Read the rows of a document that have no fault.

    Args:
        data: The exact bytes.
        shape: The form of a record.
    """
    told = FaultLog("envelope document")  # the first reading has these faults
    gathered = _Gathered()
    for number, value in read_records(data, told):
        record = shape.read(value, f"$.records[{number}]", told)
        if record is not BAD:
            gathered.record(record, number)
    return Rest(gathered.timings, gathered.rows(), gathered.times(), told.warnings)


def put_rule(ledger: FindingLog, code: str, path: str, message: str, value: str = "") -> None:
    """Note a broken rule with the section that it is of."""
    section = _SECTIONS.get(code) or ledger.section_of(path)
    ledger.business(code, path, section, message, value)


def check_conflicts(rows: Rows, ledger: FindingLog) -> None:
    """Hold rows to what ``envelope`` asks of them together."""
    if not len(rows.site):
        return
    supersession.resolve(rows, _Rules(ledger))
    count = (int(rows.start.max()) - int(rows.start.min())) // INTERVAL_S + 1
    if count > MAX_HORIZON:
        message = f"the horizon has {count} intervals, at most {MAX_HORIZON} (7 days) are allowed"
        put_rule(ledger, "horizon.length", "$", message)


def check_repeats(rows: Rows, ledger: FindingLog) -> None:
    """Say which rows stand twice, with one submission and the same limits: they count once."""
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
        _say_repeat(rows, ledger, repeated, first)
    rest = groups[MAX_PER_CODE:]
    if rest:
        _say_repeat(rows, ledger, np.concatenate([repeated for repeated, _ in rest]), rest[0][1])


def times_of(rows: Rows) -> Times:
    """The starts of rows."""
    return Times(rows.site, rows.submitted, rows.start, rows.place)


def check_saving(times: Times, ledger: FindingLog) -> None:
    """Say where a site's intervals lack the hour that daylight saving leaves out, or repeat it.

    A caution: an envelope may leave hours out, and one that says an hour twice is a conflict or a
    copy already. A later submission may go back in time.
    """
    if not len(times.site):
        return
    ends = times.start + INTERVAL_S
    submitted = pl.Series(times.submitted)
    found = examine(pl.Series(times.site), ends, INTERVAL_S, submitted)

    def say(row: int, message: str, value: str, count: int) -> None:
        path = _path(times.place[row])
        ledger.caution(saving_hour.CODE, path, saving_hour.RULE, message, value, count=count)

    saving_hour.tell_doubled(found.jumps, say)
    saving_hour.tell_missing(found.gaps, INTERVAL_S, say)


def _by_records(
    rows: Rows, row: npt.NDArray[np.intp], other: npt.NDArray[np.intp]
) -> list[tuple[npt.NDArray[np.intp], tuple[int, int]]]:
    """Rows that repeat others, a group for two records; with each the first row and its other."""
    records = rows.place[row, 0], rows.place[other, 0]
    order = np.lexsort((rows.place[row, 2], rows.place[row, 1], records[1], records[0]))
    row, other = row[order], other[order]
    mine, theirs = (column[order] for column in records)
    is_new = (mine[1:] != mine[:-1]) | (theirs[1:] != theirs[:-1])
    bounds = [0, *(np.flatnonzero(is_new) + 1).tolist(), len(row)]
    return [(row[a:b], (int(row[a]), int(other[a]))) for a, b in pairwise(bounds)]


def _say_repeat(
    rows: Rows, ledger: FindingLog, repeated: npt.NDArray[np.intp], first: tuple[int, int]
) -> None:
    count = len(repeated)
    here, other = (_path(rows.place[number]) for number in first)
    starts = rows.start[repeated]
    span = f"{format_nem(int(starts.min()))} to {format_nem(int(starts.max()) + INTERVAL_S)}"
    noun = "interval" if count == 1 else "intervals"
    ledger.caution(
        "submission.duplicate",
        here,
        _SECTION,
        f"the same limits with the same submission stand here twice and count once; the first is "
        f"at {other}",
        f"{count} {noun}, {span}",
        count=count,
    )


def _path(place: npt.NDArray[np.int64]) -> str:
    record, element, interval = place.tolist()
    return f"$.records[{record}].operatingEnvelopes[{element}].intervals[{interval}]"


class _Rules(FaultLog):
    """Takes the faults of supersession, which are broken rules, for a ledger."""

    def __init__(self, ledger: FindingLog) -> None:
        super().__init__(ledger.what)
        self._ledger = ledger

    def add(self, path: str, rule: str, message: str, value: str = "") -> None:
        """Note a broken rule under its code."""
        put_rule(self._ledger, rule, path, message, value)


@dataclass
class _Gathered:
    """Rows of the records that can be read."""

    timings: dict[Site, str] = field(default_factory=dict)
    sites: dict[Site, int] = field(default_factory=dict)
    found: list[tuple[int, ...]] = field(default_factory=list)
    starts: list[tuple[int, ...]] = field(default_factory=list)

    def record(self, record: dict[str, Any], number: int) -> None:
        """Take the rows of a record without a fault in what they share."""
        site = record["nmi"], record["oeApplicationLevel"]
        timing, submitted = record["oeTiming"], record["submissionTimestamp"]
        elements = record["operatingEnvelopes"]
        if any(part in _UNUSABLE for part in site):
            return
        if timing not in _UNUSABLE:
            self.timings.setdefault(site, timing)
        if submitted is BAD or record["tradingDate"] is BAD or elements in _UNUSABLE:
            return
        index = self.sites.setdefault(site, len(self.sites))
        stamp = NO_SUBMISSION if submitted is None else submitted
        for place, element in enumerate(elements):
            if element is BAD or not _is_of(element, site):
                continue
            for row in _intervals(element, record["tradingDate"]):
                where = number, place, row.place
                self.starts.append((index, stamp, row.start, *where))
                if row.limits is not None:
                    self.found.append((index, stamp, row.start, *row.limits, *where))

    def rows(self) -> Rows:
        """The rows as columns."""
        table = np.array(self.found, dtype=np.int64).reshape(len(self.found), 10)
        return Rows(
            site=table[:, 0],
            submitted=table[:, 1],
            start=table[:, 2],
            limits=table[:, 3:7].astype(np.int32),
            place=table[:, 7:],
        )

    def times(self) -> Times:
        """The starts of the rows, and of rows with a fault elsewhere."""
        table = np.array(self.starts, dtype=np.int64).reshape(len(self.starts), 6)
        return Times(table[:, 0], table[:, 1], table[:, 2], table[:, 3:])


class _Row(NamedTuple):
    """An interval whose start can be read.

    Attributes:
        place: Its number in the element.
        start: UTC seconds.
        limits: None where one of them, or the end, is broken.
    """

    place: int
    start: int
    limits: list[int] | None


def _is_of(element: dict[str, Any], site: Site) -> bool:
    inner = element["nmi"], element["oeApplicationLevel"]
    return all(part in {None, whole} for part, whole in zip(inner, site, strict=True))


def _intervals(element: dict[str, Any], day: Any) -> Iterator[_Row]:  # noqa: ANN401
    """Each interval whose start can be read."""
    intervals = element["intervals"]
    if intervals in _UNUSABLE:
        return
    is_day = day is not None and len(intervals) == PERIODS_PER_DAY
    for place, interval in enumerate(intervals):
        if interval is BAD:
            continue
        start = _start(interval, int(period_start(day, place + 1)) if is_day else None)
        if start is None or start < 0:
            continue
        yield _Row(place, start, _limits(interval) if _is_ending(interval, start) else None)


def _start(interval: dict[str, Any], by_place: int | None) -> int | None:
    """Start of an interval, UTC seconds; None where its times do not tell it."""
    first, last = interval["diStartTime"], interval["diEndTime"]
    if first not in _UNUSABLE:
        return int(first)
    if last not in _UNUSABLE:
        return int(last) - INTERVAL_S
    return by_place if first is None and last is None else None


def _is_ending(interval: dict[str, Any], start: int) -> bool:
    """Whether the times can be read and are five minutes apart."""
    return interval["diStartTime"] is not BAD and interval["diEndTime"] in {
        None,
        start + INTERVAL_S,
    }


def _limits(interval: dict[str, Any]) -> list[int] | None:
    limits = [interval[name] for name in KINDS]
    if BAD in limits or None in limits[:2]:
        return None
    return [NO_LIMIT if limit is None else limit for limit in limits]
