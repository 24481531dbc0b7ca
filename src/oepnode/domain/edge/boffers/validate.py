"""Both validations of a document of Boffers.

The form (Part C §3.3: types, twenty bands, periods 1 to 288, prices in cents) gives the system
acknowledgement; the business rules give the transaction acknowledgement. Both in one pass: a day
whose form is broken in one place is checked against the rules everywhere else.

Boffers may also be acknowledged one by one, each with both acknowledgements of its own: one that is
rejected then counts nowhere, and later ones are checked against the accepted ones only (HLD §4.7:
the latest successfully acknowledged Boffer wins).

Checks itself what depends on the time: trading dates in the past, and timing. Leaves out rules
between Boffers (``document_rules``) and those of prices, quantities and steps (``rules``).

† "Trading date can't be past" (§3.3 field 5.1) cannot hold for POST Boffers, which are made after
their interval; it is not applied to them. † §3.3 field 3 describes POST with the words of PRE; its
third column has the meaning: made after the interval's end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from oepnode.domain.edge.boffers.document_rules import boffers_of, check_document, prior_boffers
from oepnode.domain.edge.boffers.frame import from_frame
from oepnode.domain.edge.boffers.json_format import DUID_SHAPE, NMI_SHAPE, read_record
from oepnode.domain.edge.boffers.locations import field_path, note, note_all, path_of
from oepnode.domain.edge.boffers.model import SECTION, BofferDay, Boffers
from oepnode.domain.edge.boffers.required_fields import check_required_fields
from oepnode.domain.edge.boffers.rules import Capacity, Market, check_day, check_horizon
from oepnode.domain.edge.boffers.tabular import read_rows
from oepnode.domain.edge.schema.json_writer import nem_text
from oepnode.domain.edge.schema.shape import records
from oepnode.domain.edge.validation.acknowledgement import ValidationResult, message_id_of
from oepnode.domain.edge.validation.finding_log import FindingLog
from oepnode.domain.edge.validation.violation import Violation
from oepnode.domain.nem.nem_time import INTERVAL_S, MICROS, format_nem, trading_period
from oepnode.domain.rounds.inputs.supersession import NO_SUBMISSION


@dataclass(frozen=True)
class Context:
    """Knowledge of the receiver beyond the document.

    Attributes:
        step: Step 1 (visibility), 2 (self-dispatch) or 3 (scheduled) of HLD §4.3 to §4.5; None
            leaves out rules that differ between them.
        now_s: The receiver's clock, UTC seconds; without it a Boffer's own submission counts.
        market: Price floor and ceiling.
        capacity: The most that the portfolio can consume and generate.
        earlier: Days acknowledged before, oldest first, for gate closure.
    """

    step: int | None = None
    now_s: int | None = None
    market: Market | None = None
    capacity: Capacity | None = None
    earlier: tuple[BofferDay, ...] = ()


@dataclass(frozen=True, repr=False)
class AcknowledgedBoffer:
    """One of several Boffers, with acknowledgements of its own. Its repr shows no NMI.

    Attributes:
        record: Its position in the document.
        first: Its first trading day; None where no day can be read.
        received: Its days, and both acknowledgements.
    """

    record: int
    first: BofferDay | None
    received: ValidationResult[Boffers]

    @property
    def path(self) -> str:
        """Its path in the document."""
        return f"$.records[{self.record}]" if self.first is None else self.first.head_path

    @property
    def message(self) -> str:
        """The reason of its rejection, or that it is accepted."""
        answers = (self.received.system, self.received.transaction)
        return next((a.message for a in answers if not a.accepted), answers[1].message)


def validate(
    data: bytes, context: Context | None = None, *, message_id: str = ""
) -> ValidationResult[Boffers]:
    """Read Boffers from a JSON array, NDJSON or one object, and check them.

    Args:
        data: The exact bytes.
        context: Knowledge of the receiver.
        message_id: Names the submission; by default a digest of its bytes.

    Returns:
        The Boffers of both kinds, with both acknowledgements.
    """
    log = _log()
    days: list[BofferDay] = []
    count = 0
    for number, record in records(data, log):
        days += _read(number, record, context or Context(), log)
        count += 1
    value = _document(days, count, context or Context(), log)
    return log.received(value, message_id or message_id_of(data))


def validate_each(data: bytes, context: Context | None = None) -> tuple[AcknowledgedBoffer, ...]:
    """Read Boffers as `validate` does, and acknowledge them one by one.

    Raises:
        DocumentFault: If the text has no records; a record of the wrong form is rejected alone.
    """
    acknowledged = _OneByOne(context or Context())
    outer = _log()
    for number, record in records(data, outer):
        log = _log()
        acknowledged.add(number, _read(number, record, acknowledged.context, log), log)
    outer.raise_if_any()
    return tuple(acknowledged.boffers)


def check_days(
    days: Sequence[BofferDay], context: Context | None = None, *, message_id: str = ""
) -> ValidationResult[Boffers]:
    """Check Boffers that have been read already against the business rules."""
    return _checked(days, context or Context(), FindingLog("Boffer", SECTION), message_id)


def validate_frame(
    frame: pl.DataFrame, context: Context | None = None, *, message_id: str = ""
) -> ValidationResult[Boffers]:
    """Check Boffers in columns, as from Parquet.

    Args:
        frame: The columns of `frame.FRAME`; those that may be null may be left out.
        context: Knowledge of the receiver.
        message_id: Names the submission.

    Returns:
        The Boffers with both acknowledgements.
    """
    log = FindingLog("Boffer", SECTION)
    rows = read_rows(frame, log)
    if rows is None or log.count:
        return log.received(None, message_id)
    return _checked(from_frame(rows).days, context or Context(), log, message_id)


def validate_frame_each(
    frame: pl.DataFrame, context: Context | None = None
) -> tuple[AcknowledgedBoffer, ...]:
    """Check Boffers in columns as `validate_frame` does, and acknowledge them one by one.

    Raises:
        DocumentFault: If the form of any row is wrong.
    """
    outer = FindingLog("Boffer", SECTION)
    rows = read_rows(frame, outer)
    outer.raise_if_any()
    acknowledged = _OneByOne(context or Context())
    for boffer in boffers_of(from_frame(rows).days if rows is not None else ()):
        log = FindingLog("Boffer", SECTION)
        _check_boffer(boffer, acknowledged.context, log, is_complete=True)
        acknowledged.add(boffer[0].record, boffer, log)
    return tuple(acknowledged.boffers)


def _checked(
    days: Sequence[BofferDay], context: Context, log: FindingLog, message_id: str
) -> ValidationResult[Boffers]:
    for boffer in boffers_of(days):
        _check_boffer(boffer, context, log, is_complete=True)
    count = len({day.record for day in days})
    return log.received(_document(days, count, context, log), message_id)


def _log() -> FindingLog:
    return FindingLog("Boffer", SECTION, DUID_SHAPE.sections() | NMI_SHAPE.sections())


def _read(number: int, record: object, context: Context, log: FindingLog) -> list[BofferDay]:
    """The days of a record, checked against the rules of one Boffer."""
    before = log.count
    days = read_record(record, number, log)
    _check_boffer(days, context, log, is_complete=log.count == before)
    return days


def _document(days: Sequence[BofferDay], count: int, context: Context, log: FindingLog) -> Boffers:
    """A document's Boffers, checked against one another."""
    kept = check_document(days, prior_boffers(context.earlier), context.step, log)
    return Boffers(tuple(_without_repeats(kept)), count)


class _OneByOne:
    """Acknowledges Boffers one after the other, each checked against the accepted ones."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.boffers: list[AcknowledgedBoffer] = []
        self._prior = prior_boffers(context.earlier)

    def add(self, number: int, days: Sequence[BofferDay], log: FindingLog) -> None:
        """Acknowledge a Boffer; the findings of its own rules are in the log already."""
        kept = check_document(days, self._prior, self.context.step, log)
        value = Boffers(tuple(_without_repeats(kept)), 1)
        boffer = AcknowledgedBoffer(number, next(iter(days), None), log.received(value, ""))
        if boffer.received.accepted:
            self._prior.add(kept)
        self.boffers.append(boffer)


# --- one Boffer ----------------------------------------------------------------------------------


def _check_boffer(
    days: Sequence[BofferDay], context: Context, log: FindingLog, *, is_complete: bool
) -> None:
    for day in days:
        for missing in check_required_fields(day, context.step):
            log.add(path_of(day, missing), missing.code, missing.message, section=missing.section)
        note_all(day, _check_rules(day, context), log)
        _check_date(day, context, log)
        _check_timing(day, log)
    for day in days[:1]:
        _check_level(day, log)
    if is_complete and days and days[0].kind == "DUID":
        for violation in check_horizon(days):
            note(days[0].head_path, violation, log)


def _check_rules(day: BofferDay, context: Context) -> Iterable[Violation]:
    return check_day(day, context.step, context.market, context.capacity)


def _check_date(day: BofferDay, context: Context, log: FindingLog) -> None:
    if day.timing == "POST":
        return
    now_s = context.now_s
    if now_s is None:
        if day.submitted_us == NO_SUBMISSION:
            return
        now_s = day.submitted_us // MICROS
    today = trading_period(now_s)[0]
    if day.trading_date < today:
        log.business(
            "trading_date.past",
            field_path(day, day.bid_path, "tradingDate"),
            f"{SECTION} field 5.1",
            f"the trading date must be today's ({today.isoformat()}) or a later one",
            day.trading_date.isoformat(),
        )


def _check_level(day: BofferDay, log: FindingLog) -> None:
    """Caution about POST Boffers of level Flex; for PRE ones §3.1 allows both levels."""
    if (day.timing, day.level) == ("POST", "Flex"):
        log.caution(
            "timing.level",
            field_path(day, day.head_path, "bofferSummationLevel"),
            "Part C §2.3, §3.1",
            "a POST Boffer should be of the net flow at the connection point, level NMI",
            day.level,
        )


def _check_timing(day: BofferDay, log: FindingLog) -> None:
    if day.kind == "DUID" or day.submitted_us == NO_SUBMISSION:
        return
    path, rule = field_path(day, day.head_path, "submissionDateTime"), f"{SECTION} field 3"
    starts = day.starts()
    first, last = int(starts.min()), int(starts.max()) + INTERVAL_S
    submitted = nem_text(day.submitted_us)
    if day.timing == "POST" and day.submitted_us < last * MICROS:
        message = f"a POST Boffer must be made after its interval's end ({format_nem(last)})"
        log.business("timing.post", path, rule, message, submitted)
    if day.timing == "PRE" and day.submitted_us >= first * MICROS:
        # Batches are uploaded afterwards (§3.1), so the time may be that of the batch.
        message = f"a PRE Boffer should be made before its interval's start ({format_nem(first)})"
        log.caution("timing.pre", path, rule, message, submitted)


def _without_repeats(days: Sequence[BofferDay]) -> Iterator[BofferDay]:
    """The days with the first row of each period only; repeats are findings already."""
    for day in days:
        _, first = np.unique(day.periods, return_index=True)
        yield day if len(first) == len(day.periods) else day.rows(np.sort(first))
