"""Boffers as JSON: the form of the documents, reading, and canonical writing.

Guarantees: a fault of the form is noted with its path, and whatever can be read is returned; what
is written has one spelling, exact numbers and NEM time. † Every example of the HLD prints
``fixedLoad`` 0 with live bands: 0 is read as no fixed load unless ``selfDispatch`` is true.

Leaves out where prices and quantities are mandatory (``required_fields``) and the rules of prices,
signs and gate closure (``validate``). Source: Part C §3.3, HLD §4.2.4, §4.2.5, §4.4, §4.6 (11).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Final

import numpy as np

from oepnode.domain.documents.arrays import Int32s, Int64s
from oepnode.domain.edge.boffers.bands import (
    BANDS,
    LOAD_BANDS,
    accumulate,
    differences,
)
from oepnode.domain.edge.boffers.model import NO_PRICES, SECTION, BofferDay, Side
from oepnode.domain.edge.schema.json_writer import nem_text, write_records
from oepnode.domain.edge.schema.kinds import (
    BAD,
    Choice,
    Day,
    Flag,
    Identity,
    Instant,
    Items,
    NmiText,
    Quantity,
    Whole,
)
from oepnode.domain.edge.schema.shape import Attribute, Shape
from oepnode.domain.edge.validation.finding_log import FindingLog
from oepnode.domain.nem.choices import Level, Timing
from oepnode.domain.nem.nem_time import PERIODS_PER_DAY
from oepnode.domain.nem.quantities import KW, NO_LIMIT, PRICE, to_text
from oepnode.domain.rounds.inputs.supersession import NO_SUBMISSION

# --- the documents' form -------------------------------------------------------------------------

_PERIOD_ID = Attribute(
    "periodId",
    Whole(1, PERIODS_PER_DAY, "period.range", "a trading day has periods"),
    f"{SECTION} field 5.3.1",
    "Dispatch interval of the trading day: 1 ends 04:05, 288 ends 04:00 of the next day",
    ("periodld",),
)
_BAND_AVAIL = Attribute(
    "bandAvail",
    Items(Quantity(KW), BANDS, BANDS, "bands.count"),
    f"{SECTION} field 5.3.2",
    "Quantity of each band in kW: bands 1 to 10 load ≤ 0, 11 to 20 generation ≥ 0. Left out: "
    "all 0, as where only a fixed load is offered; mandatory in steps 1 and 3, and for sites",
    ("bandAvailability",),
    required=False,
)
_NMI_PERIOD = Shape(_PERIOD_ID, _BAND_AVAIL)
_DUID_PERIOD = Shape(
    _PERIOD_ID,
    _BAND_AVAIL,
    Attribute(
        "maxAvailLoad",
        Quantity(KW),
        "HLD §4.2.4",
        "Most load that may be dispatched, kW ≤ 0",
        required=False,
        nullable=True,
    ),
    Attribute(
        "maxAvailGen",
        Quantity(KW),
        "HLD §4.2.5",
        "Most generation that may be dispatched, kW ≥ 0",
        ("maxAvailGeneration",),
        required=False,
        nullable=True,
    ),
    Attribute(
        "fixedLoad",
        Quantity(KW),
        "HLD §4.6 (11)",
        "Energy fixed loading in kW, load negative; it takes precedence over the bands. "
        "0 is no fixed load unless selfDispatch is true",
        ("energyFixedLoading", "efl"),
        required=False,
        nullable=True,
    ),
    Attribute(
        "selfDispatch",
        Flag(),
        "HLD §4.4",
        "Whether a fixedLoad of 0 is a target of zero; true needs a fixedLoad",
        required=False,
        nullable=True,
    ),
)


def _bids(period: Shape) -> Attribute:
    return Attribute(
        "energyBids",
        Items(
            Shape(
                Attribute(
                    "tradingDate",
                    Day(),
                    f"{SECTION} field 5.1",
                    "Trading day, 04:00 to 04:00 NEM time",
                ),
                Attribute(
                    "prices",
                    Items(Quantity(PRICE), BANDS, BANDS, "prices.count"),
                    f"{SECTION} field 5.2",
                    "Price of each band in $/MWh, multiples of 0.01. Left out: no prices, as "
                    "in step 2; mandatory in steps 1 and 3, and for sites",
                    required=False,
                ),
                Attribute(
                    "energyPeriods",
                    Items(period, 1, PERIODS_PER_DAY, "periods.count"),
                    f"{SECTION} field 5.3",
                    "Dispatch intervals, each once",
                ),
            )
        ),
        f"{SECTION} field 5",
        "Prices and quantities by trading day",
    )


_LEVEL = Attribute(
    "bofferSummationLevel",
    Choice(("NMI", "Flex")),
    f"{SECTION} field 2",
    "Whether quantities are the net flow at the connection point or of controllable assets only",
)
_ACCUMULATE = Attribute(
    "accumulateBands",
    Flag(),
    f"{SECTION} field 4",
    "Whether each band's quantity includes those nearer to the break between bands 10 and 11",
)
_SUBMITTED = Attribute(
    "submissionDateTime",
    Instant(),
    f"{SECTION} field 6",
    "When the Boffer was made, NEM time; it decides which is the latest",
    ("submissionTimestamp",),
)
NMI_SHAPE: Final = Shape(
    Attribute("nmi", NmiText(), f"{SECTION} field 1", "The NMI without checksum"),
    _LEVEL,
    Attribute(
        "bofferTiming",
        Choice(("PRE", "POST")),
        f"{SECTION} field 3",
        "Whether the Boffer was computed before the interval's start or after its end",
    ),
    _ACCUMULATE,
    _bids(_NMI_PERIOD),
    _SUBMITTED,
)
DUID_SHAPE: Final = Shape(
    Attribute("duid", Identity(), "HLD §4.1", "The aggregator's unit: its whole portfolio"),
    _LEVEL,
    _ACCUMULATE,
    _bids(_DUID_PERIOD),
    _SUBMITTED,
)


# --- reading -------------------------------------------------------------------------------------


def read_record(value: object, number: int, log: FindingLog) -> list[BofferDay]:
    """Read one Boffer: note faults of its form, and return the days that can be read.

    Args:
        value: The record as the strict reader gives it.
        number: Its position in the document.
        log: Takes the faults.
    """
    is_duid = DUID_SHAPE.has(value, "duid")
    shape = DUID_SHAPE if is_duid else NMI_SHAPE
    fields = shape.read(value, f"$.records[{number}]", log)
    if fields is BAD or fields["energyBids"] in (BAD, None):
        return []
    head = _Head(
        identity=_or(fields["duid" if is_duid else "nmi"], ""),
        level=_or(fields["bofferSummationLevel"], "NMI"),
        timing="PRE" if is_duid else _or(fields["bofferTiming"], "PRE"),
        accumulated=_or(fields["accumulateBands"], default=False),
        submitted_us=_or(fields["submissionDateTime"], NO_SUBMISSION),
        kind="DUID" if is_duid else "NMI",
        record=number,
    )
    days = (_day(head, bid, index, log) for index, bid in enumerate(fields["energyBids"]))
    return [day for day in days if day is not None]


@dataclass(frozen=True)
class _Head:
    identity: str
    level: Level
    timing: Timing
    accumulated: bool
    submitted_us: int
    kind: Side
    record: int


def _or(value: Any, default: Any) -> Any:  # noqa: ANN401 - any attribute
    return default if value is None or value is BAD else value


def _day(head: _Head, bid: Any, index: int, log: FindingLog) -> BofferDay | None:  # noqa: ANN401
    if bid is BAD or bid["energyPeriods"] in (BAD, None):
        return None
    trading_date, prices = bid["tradingDate"], bid["prices"]
    usable = [(i, row) for i, row in enumerate(bid["energyPeriods"]) if _is_usable(row)]
    if trading_date in (BAD, None) or not usable:
        return None
    rows = [row for _, row in usable]
    has_prices = isinstance(prices, list) and BAD not in prices
    has_bands = np.array([row["bandAvail"] is not None for row in rows], dtype=np.bool_)
    written = np.zeros((len(rows), BANDS), dtype=np.int64)
    if has_bands.any():
        written[has_bands] = [row["bandAvail"] for row in rows if row["bandAvail"] is not None]
    day = BofferDay(
        identity=head.identity,
        level=head.level,
        timing=head.timing,
        trading_date=trading_date,
        prices=np.array(prices, dtype=np.int64) if has_prices else NO_PRICES,
        periods=np.array([row["periodId"] for row in rows], dtype=np.int16),
        avail=written.astype(np.int32),
        max_avail_load=_column(row.get("maxAvailLoad") for row in rows),
        max_avail_gen=_column(row.get("maxAvailGen") for row in rows),
        fixed_load=_column(map(_fixed_load, rows)),
        submitted_us=head.submitted_us,
        kind=head.kind,
        accumulated=head.accumulated,
        record=head.record,
        bid=index,
        positions=np.array([i for i, _ in usable], dtype=np.int32),
        has_prices=has_prices,
        is_price_broken=prices is not None and not has_prices,
        has_bands=None if has_bands.all() else has_bands,
    )
    for number, row in enumerate(rows):
        _check_self_dispatch(day, number, row, log)
    return _separated(day, written, log) if head.accumulated else day


def _is_usable(row: Any) -> bool:  # noqa: ANN401 - a read period or BAD
    if row is BAD or row["periodId"] in (BAD, None):
        return False
    avail = row["bandAvail"]
    return avail is None or (isinstance(avail, list) and BAD not in avail)


def _fixed_load(row: dict[str, Any]) -> object:
    fixed = row.get("fixedLoad")
    is_meant = row.get("selfDispatch") is True
    return None if fixed == 0 and not is_meant else fixed


def _column(values: Iterable[object]) -> Int32s:
    watts = [NO_LIMIT if value is None or value is BAD else value for value in values]
    return np.array(watts, dtype=np.int32)


def _check_self_dispatch(day: BofferDay, row: int, given: dict[str, Any], log: FindingLog) -> None:
    """Check that ``selfDispatch`` fits the fixed load of its period.

    A target of zero without a fixed load is a fault, because the bands would clear instead. A
    ``selfDispatch`` of false with a fixed load is only odd: the fixed load takes precedence anyway.
    """
    flag, fixed = given.get("selfDispatch"), given.get("fixedLoad")
    if fixed is BAD:
        return
    if flag is True and fixed is None:
        log.business(
            "boffer.self_dispatch",
            f"{day.path(row)}.selfDispatch",
            "HLD §4.4",
            "selfDispatch is true without a fixedLoad, so that the bands would clear: state a "
            "fixedLoad, 0 for a target of zero",
            "true",
        )
    if flag is False and fixed:
        log.caution(
            "boffer.not_self_dispatch",
            f"{day.path(row)}.selfDispatch",
            "HLD §4.4",
            "selfDispatch is false, but there is a fixedLoad, which takes precedence over the "
            "bands anyway",
            "false",
        )


def _separated(day: BofferDay, written: Int64s, log: FindingLog) -> BofferDay:
    """Return a day with the quantity of each band; note accumulated ones that shrink outwards."""
    alone = differences(written)
    shrinks = np.zeros(alone.shape, dtype=np.bool_)
    # Only where the outer neighbour is on its side: a wrong side is a fault of its own.
    load, generation = slice(0, LOAD_BANDS - 1), slice(LOAD_BANDS + 1, BANDS)
    shrinks[:, load] = (alone[:, load] > 0) & (written[:, load] <= 0)
    shrinks[:, generation] = (alone[:, generation] < 0) & (written[:, generation] >= 0)
    for row, band in np.argwhere(shrinks):
        log.business(
            "bands.accumulation",
            f"{day.path(int(row))}.bandAvail[{band}]",
            f"{SECTION} field 4",
            "accumulated quantities must not shrink outwards from the break between bands 10 "
            "and 11",
            f"{to_text(int(written[row, band]), KW)} kW",
        )
    alone[shrinks] = 0  # one fault each: not one of the sign as well
    limit = np.iinfo(np.int32)
    return replace(day, avail=np.clip(alone, limit.min + 1, limit.max).astype(np.int32))


# --- writing -------------------------------------------------------------------------------------


def write_boffers(days: Sequence[BofferDay], *, ndjson: bool = False) -> bytes:
    """Write Boffers as canonical JSON: one spelling, exact numbers, NEM time.

    Neighbouring days of one identity, level, timing and submission are one record. Each Boffer is
    accumulated as its days state.
    """
    return write_records((_record(list(group)) for _, group in groupby(days, _boffer_of)), ndjson)


def _boffer_of(day: BofferDay) -> tuple[object, ...]:
    return day.kind, day.identity, day.level, day.timing, day.submitted_us, day.accumulated


def _record(days: list[BofferDay]) -> Iterator[tuple[str, str]]:
    first = days[0]
    yield ("nmi" if first.kind == "NMI" else "duid"), f'"{first.identity}"'
    yield "bofferSummationLevel", f'"{first.level}"'
    if first.kind == "NMI":
        yield "bofferTiming", f'"{first.timing}"'
    yield "accumulateBands", "true" if first.accumulated else "false"
    yield "energyBids", f"[{','.join(map(_bid_text, days))}]"
    if first.submitted_us != NO_SUBMISSION:
        yield "submissionDateTime", f'"{nem_text(first.submitted_us)}"'


def _bid_text(day: BofferDay) -> str:
    head = f'"tradingDate":"{day.trading_date.isoformat()}"'
    if day.has_prices:
        head += f',"prices":[{",".join(to_text(price, PRICE) for price in day.prices.tolist())}]'
    avail = accumulate(day.avail) if day.accumulated else day.avail
    bands = [
        row if is_stated else None
        for row, is_stated in zip(avail.tolist(), day.states_bands.tolist(), strict=True)
    ]
    single = (day.max_avail_load, day.max_avail_gen, day.fixed_load)
    rows = zip(day.periods.tolist(), bands, *(column.tolist() for column in single), strict=True)
    periods = ",".join(_period_text(*row) for row in rows)
    return f'{{{head},"energyPeriods":[{periods}]}}'


def _period_text(
    period: int, avail: list[int] | None, load: int, generation: int, fixed: int
) -> str:
    parts = [f'"periodId":{period}']
    if avail is not None:
        parts.append(f'"bandAvail":[{",".join(to_text(watts, KW) for watts in avail)}]')
    named = (("maxAvailLoad", load), ("maxAvailGen", generation), ("fixedLoad", fixed))
    parts += [f'"{name}":{to_text(watts, KW)}' for name, watts in named if watts != NO_LIMIT]
    if fixed == 0:
        parts.append('"selfDispatch":true')
    return f"{{{','.join(parts)}}}"
