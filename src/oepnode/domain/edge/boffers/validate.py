"""Both validations of a document of Boffers.

The form (Part C §3.3: types, twenty bands, periods 1 to 288, prices in cents) gives the system
acknowledgement; the business rules give the transaction acknowledgement. Both in one pass: a day
whose form is broken in one place is held to the rules in all others.

Boffers may also be acknowledged one by one, each with both answers of its own: what is rejected
then counts nowhere, and later ones are checked against the accepted ones only (HLD §4.7: the latest
successfully acknowledged Boffer wins).

Here are the rules that need the time: trading dates in the past, and timing. Those that need other
Boffers are in `boffer_document`, those of prices, quantities and steps in `boffer_rules`.

† "Trading date can't be past" (§3.3 field 5.1) cannot hold for POST Boffers, which are made after
their interval; there it is left out. † §3.3 field 3 describes POST with the words of PRE; its third
column says what is meant: made after the interval's end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from oepnode.domain.edge.boffers import rules as boffer_rules
from oepnode.domain.edge.boffers.document_rules import boffers_of, check_document, known_from
from oepnode.domain.edge.boffers.locations import field_place, file_all, place_of, put
from oepnode.domain.edge.boffers.model import (
    DUID_SHAPE,
    NMI_SHAPE,
    SECTION,
    BofferDay,
    Boffers,
    from_frame,
    read_record,
)
from oepnode.domain.edge.boffers.required_fields import check_stated
from oepnode.domain.edge.boffers.tabular import read_rows
from oepnode.domain.edge.schema.json_writer import nem_text
from oepnode.domain.edge.schema.shape import records
from oepnode.domain.edge.validation.acknowledgement import ValidationResult, message_id_of
from oepnode.domain.edge.validation.finding_log import FindingLog
from oepnode.domain.edge.validation.violation import Violation
from oepnode.domain.nem.nem_time import INTERVAL_S, format_nem, trading_period
from oepnode.domain.rounds.inputs.supersession import NO_SUBMISSION

_MICROS: Final = 1_000_000


@dataclass(frozen=True)
class Context:
    """What the receiver knows beyond the document.

    Attributes:
        step: Step 1 (visibility), 2 (self-dispatch) or 3 (scheduled) of HLD §4.3 to §4.5; None
            leaves out what differs between them.
        now_s: The receiver's clock, UTC seconds; without it a Boffer's own submission counts.
        market: Price floor and cap.
        capacity: What the portfolio can consume and generate at most.
        earlier: Days acknowledged before, oldest first, for gate closure.
    """

    step: int | None = None
    now_s: int | None = None
    market: boffer_rules.Market | None = None
    capacity: boffer_rules.Capacity | None = None
    earlier: tuple[BofferDay, ...] = ()


@dataclass(frozen=True)
class AcknowledgedBoffer:
    """One of several Boffers, with acknowledgements of its own.

    Attributes:
        record: Its position in the document.
        first: Its first trading day; None where none can be read.
        received: Its days, and both answers.
    """

    record: int
    first: BofferDay | None
    received: ValidationResult[Boffers]

    @property
    def path(self) -> str:
        """Its place in the document."""
        return f"$.records[{self.record}]" if self.first is None else self.first.head_path

    @property
    def message(self) -> str:
        """Why it is rejected, or that it is not."""
        answers = (self.received.system, self.received.transaction)
        return next((a.message for a in answers if not a.accepted), answers[1].message)


def validate(
    data: bytes, context: Context | None = None, *, message_id: str = ""
) -> ValidationResult[Boffers]:
    """Read Boffers from a JSON array, NDJSON or one object, and check them.

    Args:
        data: The exact bytes.
        context: What the receiver knows.
        message_id: Names the submission; by default a digest of its bytes.

    Returns:
        The Boffers of both kinds, with both acknowledgements.
    """
    log = _ledger()
    days: list[BofferDay] = []
    count = 0
    for number, record in records(data, log):
        days += _read(number, record, context or Context(), log)
        count += 1
    value = _whole(days, count, context or Context(), log)
    return log.received(value, message_id or message_id_of(data))


def validate_each(data: bytes, context: Context | None = None) -> tuple[AcknowledgedBoffer, ...]:
    """Read Boffers as `validate` does, and acknowledge them one by one.

    Raises:
        DocumentFault: If the text holds no records; a record of the wrong form is rejected alone.
    """
    answers = _Answers(context or Context())
    outer = _ledger()
    for number, record in records(data, outer):
        log = _ledger()
        answers.take(number, _read(number, record, answers.context, log), log)
    outer.raise_if_any()
    return tuple(answers.found)


def check_days(
    days: Sequence[BofferDay], context: Context | None = None, *, message_id: str = ""
) -> ValidationResult[Boffers]:
    """Hold Boffers to the business rules that have been read, or made, already."""
    return _checked(days, context or Context(), FindingLog("Boffer", SECTION), message_id)


def validate_frame(
    frame: pl.DataFrame, context: Context | None = None, *, message_id: str = ""
) -> ValidationResult[Boffers]:
    """Check Boffers in columns, as from Parquet.

    Args:
        frame: The columns of `boffer.FRAME`; those that may be null may be left out.
        context: What the receiver knows.
        message_id: Names the submission.

    Returns:
        The Boffers with both acknowledgements.
    """
    log = FindingLog("Boffer", SECTION)
    read = read_rows(frame, log)
    if read is None or log.count:
        return log.received(None, message_id)
    return _checked(from_frame(read).days, context or Context(), log, message_id)


def validate_frame_each(
    frame: pl.DataFrame, context: Context | None = None
) -> tuple[AcknowledgedBoffer, ...]:
    """Check Boffers in columns as `validate_frame` does, and acknowledge them one by one.

    Raises:
        DocumentFault: If the form of any row is wrong.
    """
    outer = FindingLog("Boffer", SECTION)
    read = read_rows(frame, outer)
    outer.raise_if_any()
    answers = _Answers(context or Context())
    for boffer in boffers_of(from_frame(read).days if read is not None else ()):
        log = FindingLog("Boffer", SECTION)
        _check_record(boffer, answers.context, log, is_whole=True)
        answers.take(boffer[0].record, boffer, log)
    return tuple(answers.found)


def _checked(
    days: Sequence[BofferDay], context: Context, log: FindingLog, message_id: str
) -> ValidationResult[Boffers]:
    for boffer in boffers_of(days):
        _check_record(boffer, context, log, is_whole=True)
    count = len({day.record for day in days})
    return log.received(_whole(days, count, context, log), message_id)


def _ledger() -> FindingLog:
    return FindingLog("Boffer", SECTION, DUID_SHAPE.sections() | NMI_SHAPE.sections())


def _read(number: int, record: object, context: Context, log: FindingLog) -> list[BofferDay]:
    """The days of a record, held to the rules of one Boffer."""
    before = log.count
    found = read_record(record, number, log)
    _check_record(found, context, log, is_whole=log.count == before)
    return found


def _whole(days: Sequence[BofferDay], count: int, context: Context, log: FindingLog) -> Boffers:
    """A document's Boffers, held to one another."""
    kept = check_document(days, known_from(context.earlier), context.step, log)
    return Boffers(tuple(_without_repeats(kept)), count)


class _Answers:
    """Boffers acknowledged one after the other; the accepted ones are what later ones meet."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.found: list[AcknowledgedBoffer] = []
        self._known = known_from(context.earlier)

    def take(self, number: int, days: Sequence[BofferDay], log: FindingLog) -> None:
        """Acknowledge a Boffer whose own rules are in the ledger already."""
        kept = check_document(days, self._known, self.context.step, log)
        value = Boffers(tuple(_without_repeats(kept)), 1)
        answer = AcknowledgedBoffer(number, next(iter(days), None), log.received(value, ""))
        if answer.received.accepted:
            self._known.take(kept)
        self.found.append(answer)


# --- one record ----------------------------------------------------------------------------------


def _check_record(
    days: Sequence[BofferDay], context: Context, log: FindingLog, *, is_whole: bool
) -> None:
    for day in days:
        for broken in check_stated(day, context.step):
            log.add(place_of(day, broken), broken.code, broken.message, section=broken.section)
        file_all(day, _check_rules(day, context), log)
        _check_date(day, context, log)
        _check_timing(day, log)
    for day in days[:1]:
        _check_level(day, log)
    if is_whole and days and days[0].kind == "DUID":
        for broken in boffer_rules.check_horizon(days, context.step):
            put(days[0].head_path, broken, log)


def _check_rules(day: BofferDay, context: Context) -> Iterable[Violation]:
    return boffer_rules.check_day(day, context.step, context.market, context.capacity)


def _check_date(day: BofferDay, context: Context, log: FindingLog) -> None:
    if day.timing == "POST":
        return
    now_s = context.now_s
    if now_s is None:
        if day.submitted_us == NO_SUBMISSION:
            return
        now_s = day.submitted_us // _MICROS
    today = trading_period(now_s)[0]
    if day.trading_date < today:
        log.business(
            "trading_date.past",
            field_place(day, day.bid_path, "tradingDate"),
            f"{SECTION} field 5.1",
            f"the trading date is today's ({today.isoformat()}) or a later one",
            day.trading_date.isoformat(),
        )


def _check_level(day: BofferDay, log: FindingLog) -> None:
    """POST Boffers are at the connection point; of PRE ones §3.1 says the one and the other."""
    if (day.timing, day.level) == ("POST", "Flex"):
        log.caution(
            "timing.level",
            field_place(day, day.head_path, "bofferSummationLevel"),
            "Part C §2.3, §3.1",
            "a POST Boffer is of the net flow at the connection point, level NMI",
            day.level,
        )


def _check_timing(day: BofferDay, log: FindingLog) -> None:
    if day.kind == "DUID" or day.submitted_us == NO_SUBMISSION:
        return
    path, rule = field_place(day, day.head_path, "submissionDateTime"), f"{SECTION} field 3"
    starts = day.starts()
    first, last = int(starts.min()), int(starts.max()) + INTERVAL_S
    shown = nem_text(day.submitted_us)
    if day.timing == "POST" and day.submitted_us < last * _MICROS:
        message = f"a POST Boffer is made after its interval's end ({format_nem(last)})"
        log.business("timing.post", path, rule, message, shown)
    if day.timing == "PRE" and day.submitted_us >= first * _MICROS:
        # Batches are uploaded afterwards (§3.1), so the time may be that of the batch.
        message = f"a PRE Boffer is made before its interval's start ({format_nem(first)})"
        log.caution("timing.pre", path, rule, message, shown)


def _without_repeats(days: Sequence[BofferDay]) -> Iterator[BofferDay]:
    """The days with the first row of each period only; a document that differs is rejected."""
    for day in days:
        _, first = np.unique(day.periods, return_index=True)
        yield day if len(first) == len(day.periods) else day.rows(np.sort(first))
