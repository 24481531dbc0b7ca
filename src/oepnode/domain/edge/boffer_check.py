"""Both validations of a document of Boffers.

The form (Part C §3.3: types, twenty bands, periods 1 to 288, prices in cents) gives the system
acknowledgement; the business rules give the transaction acknowledgement. Both in one pass: a day
whose form is broken in one place is held to the rules in all others.

Here are the rules that need the document or its time: what occurs twice, trading dates in the past,
timing, mixed units. Those of prices, quantities and steps are in `boffer_rules`, gate closure is in
`gate`.

† "Trading date can't be past" (§3.3 field 5.1) cannot hold for POST Boffers, which are made after
their interval; there it is left out. † §3.3 field 3 describes POST with the words of PRE; its third
column says what is meant: made after the interval's end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any, Final

import numpy as np
import polars as pl

from oepnode.domain.edge import boffer_rules, gate
from oepnode.domain.edge.acknowledgement import Ledger, Received, message_id_of
from oepnode.domain.edge.boffer import (
    DUID_SHAPE,
    NMI_SHAPE,
    SECTION,
    BofferDay,
    Boffers,
    from_frame,
    read_record,
)
from oepnode.domain.edge.boffer_rows import read_rows
from oepnode.domain.edge.boffer_stated import check_stated
from oepnode.domain.edge.finding import Broken
from oepnode.domain.edge.spelling import records
from oepnode.domain.edge.text import nem_text
from oepnode.domain.faults import show_value
from oepnode.domain.nem_time import INTERVAL_S, format_nem, trading_period
from oepnode.domain.supersession import NO_SUBMISSION

_MICROS: Final = 1_000_000
_CAUTIONS: Final = boffer_rules.CAUTIONS | gate.CAUTIONS
_COLUMNS: Final = {
    "bandAvail": "avail",
    "bofferSummationLevel": "level",
    "duid": "identity",
    "fixedLoad": "fixed_load",
    "maxAvailGen": "max_avail_gen",
    "maxAvailLoad": "max_avail_load",
    "periodId": "period",
    "submissionDateTime": "submitted_us",
    "tradingDate": "trading_date",
}
"""Names of fields in a file of rows, where they differ."""


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


def validate(
    data: bytes, context: Context | None = None, *, message_id: str = ""
) -> Received[Boffers]:
    """Read Boffers from a JSON array, NDJSON or one object, and check them.

    Args:
        data: The exact bytes.
        context: What the receiver knows.
        message_id: Names the submission; by default a digest of its bytes.

    Returns:
        The Boffers of both kinds, with both acknowledgements.
    """
    log = Ledger("Boffer", SECTION, DUID_SHAPE.sections() | NMI_SHAPE.sections())
    days: list[BofferDay] = []
    count = 0
    for number, record in records(data, log):
        before = log.count
        found = read_record(record, number, log)
        _check_record(found, context or Context(), log, is_whole=log.count == before)
        days += found
        count += 1
    _check_document(days, context or Context(), log)
    value = Boffers(tuple(_without_repeats(days)), count)
    return log.received(value, message_id or message_id_of(data))


def check_days(
    days: Sequence[BofferDay], context: Context | None = None, *, message_id: str = ""
) -> Received[Boffers]:
    """Hold Boffers to the business rules that have been read, or made, already."""
    return _checked(days, context or Context(), Ledger("Boffer", SECTION), message_id)


def validate_frame(
    frame: pl.DataFrame, context: Context | None = None, *, message_id: str = ""
) -> Received[Boffers]:
    """Check Boffers in columns, as from Parquet.

    Args:
        frame: The columns of `boffer.FRAME`; those that may be null may be left out.
        context: What the receiver knows.
        message_id: Names the submission.

    Returns:
        The Boffers with both acknowledgements.
    """
    log = Ledger("Boffer", SECTION)
    read = read_rows(frame, log)
    if read is None or log.count:
        return log.received(None, message_id)
    return _checked(from_frame(read).days, context or Context(), log, message_id)


def _checked(
    days: Sequence[BofferDay], context: Context, log: Ledger, message_id: str
) -> Received[Boffers]:
    for _, group in groupby(days, lambda day: (day.record, day.identity, day.submitted_us)):
        _check_record(list(group), context, log, is_whole=True)
    _check_document(days, context, log)
    count = len({day.record for day in days})
    return log.received(Boffers(tuple(_without_repeats(days)), count), message_id)


# --- one record ----------------------------------------------------------------------------------


def _check_record(days: list[BofferDay], context: Context, log: Ledger, *, is_whole: bool) -> None:
    for day in days:
        for broken in check_stated(day, context.step):
            log.add(_place(day, broken), broken.code, broken.message, section=broken.rule)
        _file(day, _check_rules(day, context), log)
        _check_date(day, context, log)
        _check_timing(day, log)
    for day in days[:1]:
        _check_level(day, log)
    if is_whole and days and days[0].kind == "DUID":
        for broken in boffer_rules.check_horizon(days, context.step):
            _put(days[0].head_path, broken, log)


def _check_rules(day: BofferDay, context: Context) -> Iterable[Broken]:
    return boffer_rules.check_day(day, context.step, context.market, context.capacity)


def _file(day: BofferDay, found: Iterable[Broken], log: Ledger) -> None:
    for broken in found:
        _put(_place(day, broken), broken, log)


def _put(path: str, broken: Broken, log: Ledger) -> None:
    put = log.caution if broken.code in _CAUTIONS else log.business
    put(broken.code, path, broken.rule, broken.message, broken.value)


def _place(day: BofferDay, broken: Broken) -> str:
    path = day.bid_path if broken.row is None else day.path(broken.row)
    if broken.field == "prices":
        path = day.bid_path
    name = broken.field or ("bandAvail" if broken.band is not None else "")
    path = _field(day, path, name) if name else path
    return path if broken.band is None else f"{path}[{broken.band - 1}]"


def _field(day: BofferDay, path: str, name: str) -> str:
    """A field's place, by the name that it has in JSON or in a file of rows."""
    return f"{path}.{_COLUMNS.get(name, name) if day.is_rows else name}"


def _check_date(day: BofferDay, context: Context, log: Ledger) -> None:
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
            _field(day, day.bid_path, "tradingDate"),
            f"{SECTION} field 5.1",
            f"the trading date is today's ({today.isoformat()}) or a later one",
            day.trading_date.isoformat(),
        )


def _check_level(day: BofferDay, log: Ledger) -> None:
    """POST Boffers are at the connection point; of PRE ones §3.1 says the one and the other."""
    if (day.timing, day.level) == ("POST", "Flex"):
        log.caution(
            "timing.level",
            _field(day, day.head_path, "bofferSummationLevel"),
            "Part C §2.3, §3.1",
            "a POST Boffer is of the net flow at the connection point, level NMI",
            day.level,
        )


def _check_timing(day: BofferDay, log: Ledger) -> None:
    if day.kind == "DUID" or day.submitted_us == NO_SUBMISSION:
        return
    path, rule = _field(day, day.head_path, "submissionDateTime"), f"{SECTION} field 3"
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


# --- the document --------------------------------------------------------------------------------


def _check_document(days: Sequence[BofferDay], context: Context, log: Ledger) -> None:
    _check_mixed(days, log)
    for day, row, other in _repeats(days):
        is_same_bid = (day.record, day.bid) == (other.record, other.bid)
        where = "this trading day" if is_same_bid else "the same Boffer and submission"
        log.business(
            "period.duplicate",
            _field(day, day.path(row), "periodId"),
            f"{SECTION} field 5.3",
            f"each period occurs once in {where}",
            str(int(day.periods[row])),
        )
    units = [day for day in (*context.earlier, *days) if day.kind == "DUID"]
    earlier = [day for day in context.earlier if day.kind == "DUID"]
    for place, broken in gate.check_rebids(units, context.step, len(earlier)):
        _file(units[place], [broken], log)


def _check_mixed(days: Sequence[BofferDay], log: Ledger) -> None:
    heads = {day.record: day for day in reversed(days)}
    units = [heads[number] for number in sorted(heads)]
    for day in units:
        first = units[0]
        if day.kind != first.kind:
            log.business(
                "document.mixed_kinds",
                day.head_path,
                "HLD §4.2.1",
                f"a document holds {first.kind} Boffers or others, not both",
                f"{day.kind} Boffer",
            )
        elif day.kind == "NMI":
            continue
        elif day.identity != first.identity:
            log.business(
                "duid.mixed",
                _field(day, day.head_path, "duid"),
                "HLD §4.2.1",
                "a document speaks of one DUID, which is the aggregator's whole portfolio",
                show_value(day.identity),
            )
        elif day.level != first.level:
            log.caution(
                "boffer.mixed_levels",
                _field(day, day.head_path, "bofferSummationLevel"),
                "HLD §4.1, §4.7 Boffer Processing",
                "one DUID offers at both levels, and one Boffer of a unit is in force at a time: "
                "each level is judged apart",
                day.level,
            )


def _repeats(days: Sequence[BofferDay]) -> Iterator[tuple[BofferDay, int, BofferDay]]:
    """Each row whose period its Boffer has had before, with the day that had it."""
    seen: dict[tuple[Any, ...], dict[int, BofferDay]] = defaultdict(dict)
    for day in days:
        rows = seen[_boffer_day(day)]
        for row, period in enumerate(day.periods.tolist()):
            other = rows.setdefault(period, day)
            if other is not day or row != _first_row(day, period):
                yield day, row, other


def _boffer_day(day: BofferDay) -> tuple[str, str, str, str, date, int]:
    return day.kind, day.identity, day.level, day.timing, day.trading_date, day.submitted_us


def _first_row(day: BofferDay, period: int) -> int:
    return int(np.argmax(day.periods == period))


def _without_repeats(days: Sequence[BofferDay]) -> Iterator[BofferDay]:
    """The days with the first row of each period only; the document is refused where it differs."""
    for day in days:
        _, first = np.unique(day.periods, return_index=True)
        yield day if len(first) == len(day.periods) else day.rows(np.sort(first))
