"""The one reader of the envelope document's form: records in, rows as columns out.

Guarantees: power is integer watts; every fault is recorded with its path; the rows that can be read
are kept also where others cannot, so that a rejected document can be checked further in the same
pass. Leaves out which row of several counts: that is ``supersession``. Source: Part C §6.3,
rules-v1 sections 2 to 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, NamedTuple

import numpy as np

from oepnode.domain.documents.arrays import Bytes, Int64s, Texts
from oepnode.domain.documents.faults import FaultLog, show_value
from oepnode.domain.documents.json_fields import (
    SiteIdReader,
    is_constant,
    pick,
    read_array,
    read_choice,
    read_text,
)
from oepnode.domain.documents.progress import Progress
from oepnode.domain.documents.strict_json import Number, read_records
from oepnode.domain.nem.nem_time import (
    INTERVAL_S,
    PERIODS_PER_DAY,
    OffGridError,
    Timestamp,
    parse_grid_instant,
    parse_timestamp,
    parse_trading_date,
    period_start,
)
from oepnode.domain.nem.quantities import (
    IMPORT_KINDS,
    KINDS,
    NO_LIMIT,
    Feed,
    QuantityError,
    canonical_limit,
    parse_limit,
)
from oepnode.domain.rounds.inputs.envelope_form import (
    ELEMENT,
    INTERVAL,
    LEVELS,
    MAX_INTERVALS,
    MAX_OBJECTIVE_BYTES,
    NO_TIMING,
    RECORD,
    TIMINGS,
    WIDE_INTERVAL,
)
from oepnode.domain.rounds.inputs.site_ids import site_id_column
from oepnode.domain.rounds.inputs.supersession import NO_SUBMISSION, Rows

Names = Mapping[str, str]
Row = tuple[int, ...]
"""Interval start, UTC seconds, and the four limits."""

_NO_START: Final = -1
_BROKEN: Final = 2**40
"""A limit that cannot be read; beyond every limit."""
_BROKEN_ROW: Final = (_BROKEN,) * 4
_NO_LIMITS: Final = [NO_LIMIT] * 4


@dataclass(frozen=True, repr=False)
class EnvelopeRows:
    """The rows of an envelope document that can be read; sites in order of (NMI, level).

    Its repr shows no NMI.

    Attributes:
        nmi: Per site, NMI or token, as `site_id_column`.
        level: Per site, uint8: 0 NMI, 1 Flex.
        timing: Per site, uint8: 0 PRE, 1 POST, as its first record has it; `NO_TIMING` where it
            cannot be read.
        objective: Per site, the objective function; empty where it cannot be read.
        rows: Rows whose times and limits can be read, in document order.
        timed: These, and other rows whose start can be read; their limits are `NO_LIMIT`.
        records: Number of records read.
    """

    nmi: Texts
    level: Bytes
    timing: Bytes
    objective: tuple[str, ...]
    rows: Rows
    timed: Rows
    records: int


def read_rows(
    data: bytes,
    log: FaultLog,
    feed: Feed | None = None,
    progress: Progress | None = None,
    *,
    needs_active: bool = False,
) -> EnvelopeRows:
    """Read the rows of an envelope document from a JSON array or NDJSON.

    Args:
        data: The exact bytes.
        log: Takes every fault of a value, and positive imports among negative ones.
        feed: The feed's settings; by default profile ``wide``, canonical signs.
        progress: Progress callback.
        needs_active: Demand both active limits in each interval, as Part C does, in profile
            ``wide`` too.
    """
    reader = _Reader(log, feed or Feed(), needs_active=needs_active)
    for number, record in read_records(data, log, progress):
        reader.record(record, f"$.records[{number}]", number)
    reader.check_import_signs()
    return reader.rows()


def read_texts(
    texts: Iterable[bytes], log: FaultLog, feed: Feed | None = None, *, needs_active: bool = False
) -> tuple[EnvelopeRows, list[int]]:
    """Read records from several texts of one document, as `read_rows` reads all of it.

    Args:
        texts: Each as `read_records` reads it: a JSON array, or lines of NDJSON.
        log: Takes faults, with records counted over all texts.
        feed: As in `read_rows`.
        needs_active: As in `read_rows`.

    Returns:
        The rows, and the number of records of each text.
    """
    reader = _Reader(log, feed or Feed(), needs_active=needs_active)
    counts: list[int] = []
    total = 0
    for text in texts:
        count = 0
        for _, record in read_records(text, log):
            reader.record(record, f"$.records[{total + count}]", total + count)
            count += 1
        total += count
        counts.append(count)
    reader.check_import_signs()
    return reader.rows(), counts


class RecordJudge:
    """Finds the faults of a document whose records come one by one, and keeps no row.

    Args:
        log: Takes every fault, as `read_rows` would record it.
        feed: As in `read_rows`.
        needs_active: As in `read_rows`.
    """

    def __init__(self, log: FaultLog, feed: Feed, *, needs_active: bool) -> None:
        self._reader = _Reader(log, feed, needs_active=needs_active, keeps_rows=False)
        self._number = 0

    def judge(self, record: object) -> None:
        """Take the next record."""
        self._reader.record(record, f"$.records[{self._number}]", self._number)
        self._number += 1

    def take_good(self, nmi: str, level: int, timing: int, objective: str) -> None:
        """Take the next record, which has no fault by itself."""
        self._reader.good_record(nmi, level, timing, objective, f"$.records[{self._number}]")
        self._number += 1

    def finish(self) -> None:
        """Check what holds over all records."""
        self._reader.check_import_signs()


class _Record(NamedTuple):
    """The values of a record that its elements are read with; None where broken or absent."""

    nmi: str | None
    level: int | None
    day: date | None


class _Reader:
    """Gathers rows as columns; only faults leave a Python object per interval behind."""

    def __init__(
        self, log: FaultLog, feed: Feed, *, needs_active: bool, keeps_rows: bool = True
    ) -> None:
        self._log = log
        self._feed = feed
        self._keeps_rows = keeps_rows
        self._needs_active = needs_active or feed.profile == "edge"
        self._interval_shape = INTERVAL if self._needs_active else WIDE_INTERVAL
        self._site_ids = SiteIdReader(log)
        self._limits_seen: tuple[dict[str, int], dict[str, int]] = ({}, {})
        self._times_seen: dict[tuple[str, bool], Timestamp] = {}
        self._sites: dict[tuple[str, int], int] = {}
        self._timings: dict[int, int] = {}
        self._meanings: dict[int, tuple[int, str]] = {}
        self._import_positive = ""
        self._import_negative = ""
        self._blocks: list[Int64s] = []
        self._records = 0

    # --- records ---------------------------------------------------------------------------------

    def record(self, value: object, path: str, number: int) -> None:
        """Read one record of Part C §6.3."""
        log = self._log
        self._records += 1
        names = RECORD.spellings(value, path, log)
        if names is None or not isinstance(value, dict):
            return
        nmi = self._site_ids.read(pick(value, names, "nmi"), f"{path}.nmi")
        level = self._choice(value, names, "oeApplicationLevel", LEVELS, path)
        timing = self._choice(value, names, "oeTiming", TIMINGS, path)
        objective = read_text(
            pick(value, names, "oeObjectiveFunction"),
            f"{path}.oeObjectiveFunction",
            log,
            MAX_OBJECTIVE_BYTES,
        )
        before = log.count
        submitted = self._submission(_optional(value, names, "submissionTimestamp"), path)
        day = self._trading_date(_optional(value, names, "tradingDate"), path)
        is_dated = log.count == before
        site = self._site(nmi, level, timing, objective, path)
        elements = read_array(
            pick(value, names, "operatingEnvelopes"), f"{path}.operatingEnvelopes", log, None
        )
        for index, element in enumerate(elements or ()):
            here = f"{path}.operatingEnvelopes[{index}]"
            rows = self._element(element, here, _Record(nmi, level, day))
            if self._keeps_rows and rows is not None and site is not None and is_dated:
                self._keep(rows, number, index, site, submitted)

    def good_record(self, nmi: str, level: int, timing: int, objective: str, path: str) -> None:
        """Note what a record without a fault has in common with others."""
        self._site_ids.read(nmi, f"{path}.nmi")
        self._site(nmi, level, timing, objective, path)

    def _choice(
        self, value: dict[str, Any], names: Names, name: str, choices: Mapping[str, int], path: str
    ) -> int | None:
        return read_choice(pick(value, names, name), f"{path}.{name}", self._log, choices)

    def _site(
        self,
        nmi: str | None,
        level: int | None,
        timing: int | None,
        objective: str | None,
        path: str,
    ) -> int | None:
        """Index of a record's site in order of appearance; None where it cannot be read."""
        if nmi is None or level is None:
            return None
        site = self._sites.setdefault((nmi, level), len(self._sites))
        if timing is None:
            return site
        self._timings.setdefault(site, timing)
        if objective is None:
            return site
        if self._meanings.setdefault(site, (timing, objective)) != (timing, objective):
            message = "one NMI and level must have one oeTiming and one oeObjectiveFunction"
            self._log.add(path, "site.meaning", message, show_value(objective))
        return site

    def _submission(self, value: object, path: str) -> int:
        if value is None:
            return NO_SUBMISSION
        instant = self._time(value, f"{path}.submissionTimestamp", grid=False)
        return NO_SUBMISSION if instant is None else instant

    def _trading_date(self, value: object, path: str) -> date | None:
        if value is None:
            return None
        here = f"{path}.tradingDate"
        if type(value) is not str:
            self._log.add(here, "field.type", "a trading date must be a string", show_value(value))
            return None
        try:
            return parse_trading_date(value)
        except ValueError as exc:
            self._log.add(here, "time.format", str(exc), show_value(value))
            return None

    # --- elements and intervals ------------------------------------------------------------------

    def _element(self, value: object, path: str, record: _Record) -> Int64s | None:
        """Rows of an element, one for each interval; None where they are not the record's."""
        log = self._log
        names = ELEMENT.spellings(value, path, log)
        if names is None or not isinstance(value, dict):
            return None
        before = log.count
        self._check_inner(value, names, path, record)
        is_of_record = log.count == before
        intervals = read_array(
            pick(value, names, "intervals"), f"{path}.intervals", log, MAX_INTERVALS
        )
        if intervals is None:
            return None
        rows = np.empty((len(intervals), 5), dtype=np.int64)
        day = record.day
        for index, interval in enumerate(intervals):
            rows[index] = self._interval(interval, path, index, len(intervals), day)
        return rows if is_of_record else None

    def _check_inner(self, value: dict[str, Any], names: Names, path: str, record: _Record) -> None:
        inner = _optional(value, names, "nmi")
        if inner is not None:
            nmi = self._site_ids.read(inner, f"{path}.nmi")
            if nmi is not None and record.nmi is not None and nmi != record.nmi:
                self._log.add(f"{path}.nmi", "nmi.mismatch", "differs from the record's nmi")
        inner = _optional(value, names, "oeApplicationLevel")
        if inner is not None:
            here = f"{path}.oeApplicationLevel"
            level = read_choice(inner, here, self._log, LEVELS)
            if level is not None and record.level is not None and level != record.level:
                message = "differs from the record's level"
                self._log.add(here, "level.mismatch", message, show_value(inner))

    def _interval(self, value: object, path: str, index: int, count: int, day: date | None) -> Row:
        log, here = self._log, f"{path}.intervals[{index}]"
        names = self._interval_shape.spellings(value, here, log)
        if names is None or not isinstance(value, dict):
            return _NO_START, *_BROKEN_ROW
        limits = [self._limit(value, names, here, kind) for kind in range(4)]
        before = log.count
        if limits == _NO_LIMITS:
            log.add(here, "interval.no_limit", "an interval must have at least one limit")
        start = self._start(value, names, here, index, count, day)
        if log.count != before:
            return start, *_BROKEN_ROW
        return start, *limits

    def _limit(self, value: dict[str, Any], names: Names, path: str, kind: int) -> int:
        name = names.get(KINDS[kind])
        text = None if name is None else value[name]
        if text is None and (kind > 1 or not self._needs_active):
            return NO_LIMIT
        if name is None:
            return _BROKEN  # its absence has been recorded
        known = self._limits_seen[kind & 1].get(text) if isinstance(text, Number) else None
        if known is not None:
            return known
        here = f"{path}.{KINDS[kind]}"
        if not isinstance(text, Number):
            code = "number.constant" if is_constant(text) else "field.type"
            self._log.add(here, code, "a number of kW (or kVAr) is expected", show_value(text))
            return _BROKEN
        return self._read_limit(text, here, kind)

    def _read_limit(self, text: str, path: str, kind: int) -> int:
        """Watts of a number; with the wrong sign as written, so that rows can be compared still."""
        watts = _BROKEN
        try:
            watts = parse_limit(text, self._feed)
            if kind in IMPORT_KINDS:
                self._note_sign(watts, path)
            limit = canonical_limit(watts, kind, self._feed)
        except QuantityError as exc:
            self._log.add(path, exc.code, str(exc), show_value(text))
            return watts
        self._limits_seen[kind & 1][text] = limit
        return limit

    def _note_sign(self, watts: int, path: str) -> None:
        if watts > 0 and not self._import_positive:
            self._import_positive = path
        if watts < 0 and not self._import_negative:
            self._import_negative = path

    def check_import_signs(self) -> None:
        """Report positive and negative imports in one document (rules-v1 section 5)."""
        if self._import_positive and self._import_negative:
            message = (
                f"imports must have one sign: positive here, negative at {self._import_negative}"
            )
            self._log.add(self._import_positive, "import_sign.mixed", message)

    # --- times -----------------------------------------------------------------------------------

    def _start(
        self,
        value: dict[str, Any],
        names: Names,
        path: str,
        index: int,
        count: int,
        day: date | None,
    ) -> int:
        """Interval start, UTC seconds, or `_NO_START`; with a fault recorded where one is."""
        first, last = _optional(value, names, "diStartTime"), _optional(value, names, "diEndTime")
        if first is None and last is None:
            return self._start_in_day(path, index, count, day)
        start = None if first is None else self._time(first, f"{path}.diStartTime", grid=True)
        end = None if last is None else self._time(last, f"{path}.diEndTime", grid=True)
        if start is not None:
            if end is not None:
                self._check_order(start, end, path, last)
            return start
        if end is None:
            return _NO_START
        if first is not None:
            return max(end - INTERVAL_S, _NO_START)
        return self._after_epoch(end - INTERVAL_S, path)

    def _start_in_day(self, path: str, index: int, count: int, day: date | None) -> int:
        """Start of an interval that has no times, by its index in a trading day."""
        if day is None or count != PERIODS_PER_DAY:
            message = "without interval times a record must have a tradingDate and 288 intervals"
            self._log.add(path, "time.missing", message)
            return _NO_START
        return self._after_epoch(period_start(day, index + 1), path)

    def _after_epoch(self, start: int, path: str) -> int:
        if start >= 0:
            return start
        message = "the interval starts before 1970-01-01T00:00:00Z"
        self._log.add(path, "time.format", message)
        return _NO_START

    def _check_order(self, start: int, end: int, path: str, last: object) -> None:
        if end <= start:
            message = "the end must be after the start"
            self._log.add(f"{path}.diEndTime", "time.order", message, show_value(last))
        elif end - start != INTERVAL_S:
            message = f"a dispatch interval must last 300 s, received {end - start} s"
            self._log.add(f"{path}.diEndTime", "time.length", message, show_value(last))

    def _time(self, value: object, path: str, *, grid: bool) -> int | None:
        """Seconds of a grid instant, or microseconds of any other."""
        if type(value) is not str:
            self._log.add(path, "field.type", "a timestamp must be a string", show_value(value))
            return None
        instant = self._times_seen.get((value, grid))
        if instant is None:
            try:
                instant = parse_grid_instant(value) if grid else parse_timestamp(value)
            except ValueError as exc:
                code = "time.grid" if isinstance(exc, OffGridError) else "time.format"
                self._log.add(path, code, str(exc), show_value(value))
                return None
            self._times_seen[value, grid] = instant
        if instant.warning:
            self._log.warn(path, instant.warning)
        return instant.seconds if grid else instant.total_micros

    # --- columns ---------------------------------------------------------------------------------

    def _keep(self, rows: Int64s, record: int, element: int, site: int, submitted: int) -> None:
        count = len(rows)
        block = np.empty((count, 10), dtype=np.int64)
        block[:, 0] = site
        block[:, 1] = submitted
        block[:, 2:7] = rows
        block[:, 7] = record
        block[:, 8] = element
        block[:, 9] = np.arange(count)
        self._blocks.append(block)

    def rows(self) -> EnvelopeRows:
        """All that was read, as columns."""
        block = np.concatenate((np.empty((0, 10), dtype=np.int64), *self._blocks))
        nmi = site_id_column([name for name, _ in self._sites], self._site_ids.kind)
        level = np.array([code for _, code in self._sites], dtype=np.uint8)
        order = np.lexsort((level, nmi))
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        is_timed = block[:, 2] != _NO_START
        is_good = (block[:, 3:7] != _BROKEN).all(axis=1)
        block[~is_good, 3:7] = NO_LIMIT
        rows = Rows(
            site=rank[block[:, 0]],
            submitted=block[:, 1],
            start=block[:, 2],
            limits=block[:, 3:7].astype(np.int32),
            location=block[:, 7:10],
        )
        return EnvelopeRows(
            nmi=nmi[order],
            level=level[order],
            timing=np.array([self._timings.get(i, NO_TIMING) for i in order], dtype=np.uint8),
            objective=tuple(self._meanings.get(i, (0, ""))[1] for i in order),
            rows=rows if is_good.all() else rows.select(is_good),
            timed=rows if is_timed.all() else rows.select(is_timed),
            records=self._records,
        )


def _optional(value: dict[str, Any], names: Names, name: str) -> Any | None:  # noqa: ANN401
    spelling = names.get(name)
    return None if spelling is None else value[spelling]
