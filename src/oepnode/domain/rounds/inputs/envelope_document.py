"""The envelope document: bytes in, a canonical table of columns out, or every fault with its place.

Guarantees: a document is read whole or rejected whole; power is integer watts; each (site,
interval) has one row; the order of records in the document does not matter. Leaves out who holds a
site: that
is ``partition``. Source: Part C §6.3, rules-v1 sections 2 to 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from oepnode.domain.documents import json_fields as fields
from oepnode.domain.documents.faults import FaultLog, show_value
from oepnode.domain.documents.json_fields import pick
from oepnode.domain.documents.strict_json import Number, Progress, read_records
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
    LimitError,
    canonical_limit,
    parse_milli,
)
from oepnode.domain.rounds.inputs import supersession
from oepnode.domain.rounds.inputs.envelope_form import (
    ELEMENT,
    INTERVAL,
    LEVELS,
    MAX_HORIZON,
    MAX_INTERVALS,
    RECORD,
    TIMINGS,
)
from oepnode.domain.rounds.inputs.supersession import NO_SUBMISSION, Rows

Names = Mapping[str, str]


@dataclass(frozen=True)
class Document:
    """A valid envelope document as columns; sites in order of (NMI, level).

    Attributes:
        horizon_start: Earliest interval start, UTC seconds.
        interval_count: Length of the horizon in dispatch intervals.
        nmi: Per site, shape (sites,), ``S10``.
        level: Per site, uint8: 0 NMI, 1 Flex.
        timing: Per site, uint8: 0 PRE, 1 POST.
        objective: Per site, the objective function.
        row_site: Per row, index of its site, int32; rows are in order of (site, interval).
        row_interval: Per row, interval index within the horizon, int32.
        limits: Shape (rows, 4), int32 W or var in the order of `power.KINDS`; `power.NO_LIMIT`
            where none is published.
        records: Number of records read.
        warnings: What was odd but allowed.
    """

    horizon_start: int
    interval_count: int
    nmi: npt.NDArray[np.bytes_]
    level: npt.NDArray[np.uint8]
    timing: npt.NDArray[np.uint8]
    objective: tuple[str, ...]
    row_site: npt.NDArray[np.int32]
    row_interval: npt.NDArray[np.int32]
    limits: npt.NDArray[np.int32]
    records: int
    warnings: tuple[str, ...]

    @property
    def site_count(self) -> int:
        """Number of (NMI, application level) pairs."""
        return len(self.nmi)

    @property
    def horizon_end(self) -> int:
        """Latest interval end, UTC seconds."""
        return self.horizon_start + self.interval_count * INTERVAL_S


def parse_document(
    data: bytes, feed: Feed | None = None, progress: Progress | None = None
) -> Document:
    """Read an envelope document from a JSON array or NDJSON.

    Args:
        data: The exact bytes.
        feed: The feed's settings; by default profile ``wide``, canonical signs.
        progress: Told how far the reading is.

    Raises:
        DocumentFault: With every fault, by path, rule and value.
    """
    return parse_history(data, feed, progress)[0]


def parse_history(
    data: bytes, feed: Feed | None = None, progress: Progress | None = None
) -> tuple[Document, Rows]:
    """Read an envelope document as `parse_document` does, and keep what was superseded.

    Returns:
        The document, and all its rows with their submission times, the standing ones included.

    Raises:
        DocumentFault: With every fault, by path, rule and value.
    """
    log = FaultLog("envelope document")
    reader = _Reader(log, feed or Feed())
    for number, record in read_records(data, log, progress):
        reader.record(record, f"$.records[{number}]", number)
    reader.check_import_signs()
    if log.count:
        log.raise_if_any()
    return reader.document()


@dataclass(frozen=True, slots=True)
class _Site:
    nmi: str
    level: int


class _Reader:
    """Gathers rows as columns; only faults leave a Python object per interval behind."""

    def __init__(self, log: FaultLog, feed: Feed) -> None:
        self._log = log
        self._feed = feed
        self._limits_seen: tuple[dict[str, int], dict[str, int]] = ({}, {})
        self._times_seen: dict[tuple[str, bool], Timestamp] = {}
        self._sites: dict[tuple[str, int], int] = {}
        self._meaning: list[tuple[int, str]] = []
        self._import_positive = ""
        self._import_negative = ""
        self._columns: list[npt.NDArray[np.int64]] = []
        self._records = 0

    # -- records ---------------------------------------------------------------------------

    def record(self, value: object, path: str, number: int) -> None:
        """Read one record of Part C §6.3."""
        log = self._log
        self._records += 1
        before = log.count
        names = RECORD.spellings(value, path, log)
        if names is None or not isinstance(value, dict):
            return
        nmi = fields.read_nmi(pick(value, names, "nmi"), f"{path}.nmi", log)
        level = fields.read_choice(
            pick(value, names, "oeApplicationLevel"), f"{path}.oeApplicationLevel", log, LEVELS
        )
        timing = fields.read_choice(
            pick(value, names, "oeTiming"), f"{path}.oeTiming", log, TIMINGS
        )
        objective = fields.read_text(
            pick(value, names, "oeObjectiveFunction"), f"{path}.oeObjectiveFunction", log, 255
        )
        submitted = self._submission(_optional(value, names, "submissionTimestamp"), path)
        day = self._trading_date(_optional(value, names, "tradingDate"), path)
        site = -1
        if nmi is not None and level is not None and timing is not None and objective is not None:
            site = self._site(_Site(nmi, level), (timing, objective), path)
        elements = fields.read_array(
            pick(value, names, "operatingEnvelopes"), f"{path}.operatingEnvelopes", log, None
        )
        whole = log.count == before
        for place, element in enumerate(elements or ()):
            here = f"{path}.operatingEnvelopes[{place}]"
            rows = self._element(element, here, nmi, level, day)
            if whole and rows is not None:
                self._keep(rows, number, place, site, submitted)

    def _site(self, site: _Site, meaning: tuple[int, str], path: str) -> int:
        index = self._sites.setdefault((site.nmi, site.level), len(self._sites))
        if index == len(self._meaning):
            self._meaning.append(meaning)
        elif self._meaning[index] != meaning:
            self._log.add(
                path,
                "site.meaning",
                "one NMI and application level has one oeTiming and one oeObjectiveFunction",
                show_value(meaning[1]),
            )
        return index

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
            self._log.add(here, "field.type", "a trading date is a string", show_value(value))
            return None
        try:
            return parse_trading_date(value)
        except ValueError as exc:
            self._log.add(here, "time.format", str(exc), show_value(value))
            return None

    # -- elements and intervals --------------------------------------------------------------

    def _element(
        self,
        value: object,
        path: str,
        nmi: str | None,
        level: int | None,
        day: date | None,
    ) -> npt.NDArray[np.int64] | None:
        log = self._log
        before = log.count
        names = ELEMENT.spellings(value, path, log)
        if names is None or not isinstance(value, dict):
            return None
        self._check_inner(value, names, path, nmi, level)
        intervals = fields.read_array(
            pick(value, names, "intervals"), f"{path}.intervals", log, MAX_INTERVALS
        )
        if intervals is None:
            return None
        rows = np.empty((len(intervals), 5), dtype=np.int64)
        for place, interval in enumerate(intervals):
            row = self._interval(interval, path, place, len(intervals), day)
            if row is not None:
                rows[place] = row
        return rows if log.count == before else None

    def _check_inner(
        self,
        value: dict[str, Any],
        names: Names,
        path: str,
        nmi: str | None,
        level: int | None,
    ) -> None:
        inner = _optional(value, names, "nmi")
        if inner is not None:
            read = fields.read_nmi(inner, f"{path}.nmi", self._log)
            if read is not None and nmi is not None and read != nmi:
                self._log.add(f"{path}.nmi", "nmi.mismatch", "differs from the record's nmi")
        inner = _optional(value, names, "oeApplicationLevel")
        if inner is not None:
            here = f"{path}.oeApplicationLevel"
            code = fields.read_choice(inner, here, self._log, LEVELS)
            if code is not None and level is not None and code != level:
                self._log.add(
                    here, "level.mismatch", "differs from the record's level", show_value(inner)
                )

    def _interval(
        self,
        value: object,
        path: str,
        place: int,
        count: int,
        day: date | None,
    ) -> tuple[int, int, int, int, int] | None:
        here = f"{path}.intervals[{place}]"
        names = INTERVAL.spellings(value, here, self._log)
        if names is None or not isinstance(value, dict):
            return None
        limits = [self._limit(value, names, here, kind) for kind in range(4)]
        start = self._start(value, names, here, place, count, day)
        if start is None or None in limits:
            return None
        return (start, *limits)  # type: ignore[return-value]

    def _limit(
        self,
        value: dict[str, Any],
        names: Names,
        path: str,
        kind: int,
    ) -> int | None:
        name = names.get(KINDS[kind])
        text = None if name is None else value[name]
        if text is None and kind > 1:
            return NO_LIMIT
        if name is None:
            return None  # its absence has been noted
        seen = self._limits_seen[kind & 1]
        known = seen.get(text) if isinstance(text, Number) else None
        if type(known) is int:
            return known
        here = f"{path}.{KINDS[kind]}"
        if not isinstance(text, Number):
            rule = "number.constant" if fields.is_constant(text) else "field.type"
            self._log.add(here, rule, "a number of kW (or kVAr) is expected", show_value(text))
            return None
        limit = self._read_limit(text, here, kind)
        if limit is not None:
            seen[text] = limit
        return limit

    def _read_limit(self, text: str, path: str, kind: int) -> int | None:
        try:
            watts = parse_milli(text, self._feed)
            if kind in IMPORT_KINDS:
                self._note_sign(watts, path)
            return canonical_limit(watts, kind, self._feed)
        except LimitError as exc:
            self._log.add(path, exc.rule, str(exc), show_value(text))
        return None

    def _note_sign(self, watts: int, path: str) -> None:
        if watts > 0 and not self._import_positive:
            self._import_positive = path
        if watts < 0 and not self._import_negative:
            self._import_negative = path

    def check_import_signs(self) -> None:
        """Report positive and negative imports in one document (rules-v1 section 5)."""
        if self._import_positive and self._import_negative:
            self._log.add(
                self._import_positive,
                "import_sign.mixed",
                f"positive here, negative at {self._import_negative}",
            )

    def _start(
        self,
        value: dict[str, Any],
        names: Names,
        path: str,
        place: int,
        count: int,
        day: date | None,
    ) -> int | None:
        first, last = _optional(value, names, "diStartTime"), _optional(value, names, "diEndTime")
        if first is None and last is None:
            if day is None or count != PERIODS_PER_DAY:
                self._log.add(
                    path,
                    "time.missing",
                    "without interval times a record has a tradingDate and 288 intervals",
                )
                return None
            return self._after_epoch(period_start(day, place + 1), path)
        start = None if first is None else self._time(first, f"{path}.diStartTime", grid=True)
        end = None if last is None else self._time(last, f"{path}.diEndTime", grid=True)
        if first is None:
            return None if end is None else self._after_epoch(end - INTERVAL_S, path)
        if start is not None and last is not None and end is not None:
            self._check_order(start, end, path, last)
        return start

    def _after_epoch(self, start: int, path: str) -> int | None:
        if start >= 0:
            return start
        self._log.add(path, "time.format", "the interval starts before 1970-01-01T00:00:00Z")
        return None

    def _check_order(self, start: int, end: int, path: str, shown: object) -> None:
        if end <= start:
            message = "the end is not after the start"
            self._log.add(f"{path}.diEndTime", "time.order", message, show_value(shown))
        elif end - start != INTERVAL_S:
            message = f"a dispatch interval lasts 300 s, not {end - start} s"
            self._log.add(f"{path}.diEndTime", "time.length", message, show_value(shown))

    def _time(self, value: object, path: str, *, grid: bool) -> int | None:
        """Seconds of a grid instant, or microseconds of any other."""
        if type(value) is not str:
            self._log.add(path, "field.type", "a timestamp is a string", show_value(value))
            return None
        instant = self._times_seen.get((value, grid))
        if instant is None:
            try:
                instant = parse_grid_instant(value) if grid else parse_timestamp(value)
            except ValueError as exc:
                rule = "time.grid" if isinstance(exc, OffGridError) else "time.format"
                self._log.add(path, rule, str(exc), show_value(value))
                return None
            self._times_seen[value, grid] = instant
        if instant.warning:
            self._log.warn(path, instant.warning)
        return instant.seconds if grid else instant.total_micros

    # -- columns -----------------------------------------------------------------------------

    def _keep(
        self, rows: npt.NDArray[np.int64], record: int, element: int, site: int, submitted: int
    ) -> None:
        count = len(rows)
        block = np.empty((count, 10), dtype=np.int64)
        block[:, 0] = site
        block[:, 1] = submitted
        block[:, 2:7] = rows
        block[:, 7] = record
        block[:, 8] = element
        block[:, 9] = np.arange(count)
        self._columns.append(block)

    def document(self) -> tuple[Document, Rows]:
        """Resolve supersession and build the table; the rows come with it.

        Raises:
            DocumentFault: On conflicts between records, or a horizon that is too long.
        """
        block = np.concatenate(self._columns)
        order, nmi, level = self._site_order()
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        rows = Rows(
            site=rank[block[:, 0]],
            submitted=block[:, 1],
            start=block[:, 2],
            limits=block[:, 3:7].astype(np.int32),
            place=block[:, 7:10],
        )
        standing = supersession.resolve(rows, self._log)
        start = int(rows.start.min())
        count = (int(rows.start.max()) - start) // INTERVAL_S + 1
        if count > MAX_HORIZON:
            message = (
                f"the horizon has {count} intervals, at most {MAX_HORIZON} (7 days) are allowed"
            )
            self._log.add("$", "horizon.length", message)
        self._log.raise_if_any()
        document = Document(
            horizon_start=start,
            interval_count=count,
            nmi=nmi[order],
            level=level[order],
            timing=np.array([self._meaning[i][0] for i in order], dtype=np.uint8),
            objective=tuple(self._meaning[i][1] for i in order),
            row_site=rows.site[standing].astype(np.int32),
            row_interval=((rows.start[standing] - start) // INTERVAL_S).astype(np.int32),
            limits=rows.limits[standing],
            records=self._records,
            warnings=self._log.warnings,
        )
        return document, rows

    def _site_order(
        self,
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bytes_], npt.NDArray[np.uint8]]:
        nmi = np.array([name for name, _ in self._sites], dtype="S10")
        level = np.array([code for _, code in self._sites], dtype=np.uint8)
        return np.lexsort((level, nmi)), nmi, level


def _optional(value: dict[str, Any], names: Names, name: str) -> Any | None:  # noqa: ANN401
    spelling = names.get(name)
    return None if spelling is None else value[spelling]
