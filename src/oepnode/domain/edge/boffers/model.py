"""Boffers as columns: their model, reading from JSON, canonical JSON, and rows for Parquet.

A Boffer offers load (bands 1 to 10, ≤ 0) and generation (bands 11 to 20, ≥ 0) at twenty prices, per
dispatch interval. NMI Boffers are those of Part C §3.3. DUID Boffers have ``duid`` in place of
``nmi``, no ``bofferTiming``, and in each period ``maxAvailLoad``, ``maxAvailGen`` and
``fixedLoad``, the three fields that Part C §3.3 removes.

Guarantees: quantities are W of each band alone, whether or not the document accumulates them; rows
keep the document's order. † Every example of the HLD prints ``fixedLoad`` 0 beside live bands: 0 is
read as no fixed load, unless ``selfDispatch`` says that it is meant; what it says otherwise has to
fit the fixed load. Prices and quantities that a
Boffer leaves out stay left out, and are told from zeros. Leaves out every rule of prices, signs and
gate closure: `boffer_check` brings those; and where prices and quantities are asked for, which is
in `boffer_stated`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import groupby
from typing import Any, Final, Literal, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from oepnode.domain.edge.clearing.clear import BANDS, GENERATION, LOAD, accumulate
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
from oepnode.domain.edge.schema.units import KW, NONE, PRICE, to_text
from oepnode.domain.edge.validation.finding_log import FindingLog
from oepnode.domain.nem.nem_time import INTERVAL_S, PERIODS_PER_DAY, period_start
from oepnode.domain.rounds.inputs.supersession import NO_SUBMISSION

LOAD_BANDS: Final = 10
"""Bands 1 to 10 offer load, the others generation."""

NO_PRICES: Final = np.zeros(BANDS, dtype=np.int64)
"""Fills the place of the prices where a Boffer has none; `BofferDay.has_prices` tells."""

NO_PRICES.setflags(write=False)

HORIZON: Final = 576
"""Intervals of a DUID Boffer: 48 hours (HLD §4.1)."""

Side = Literal["NMI", "DUID"]
Level = Literal["NMI", "Flex"]
Timing = Literal["PRE", "POST"]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

SECTION: Final = "Part C §3.3"


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
    "all 0, as where a fixed load is all that is offered; asked for in steps 1 and 3, and of sites",
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
        "0 is none unless selfDispatch is true",
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
                    "Price of each band in $/MWh, multiples of 0.01. Left out: there are none, "
                    "as in step 2; asked for in steps 1 and 3, and of sites",
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


# --- the model -----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class BofferDay:
    """One trading day of one Boffer; rows are dispatch intervals in the document's order.

    Attributes:
        identity: NMI or DUID.
        level: What its quantities sum up.
        timing: PRE or POST; DUID Boffers are PRE.
        trading_date: The day.
        prices: Shape (20,), int64 cents per MWh; `NO_PRICES` where it has none.
        periods: Shape (n,), int16, 1 to 288.
        avail: Shape (n, 20), int32 W of each band alone, load ≤ 0; 0 where not stated.
        max_avail_load: Shape (n,), int32 W, `units.NONE` where not given.
        max_avail_gen: The same for generation.
        fixed_load: Shape (n,), int32 W, `units.NONE` where there is no fixed load.
        submitted_us: Microseconds since the epoch, or `supersession.NO_SUBMISSION`.
        kind: Whose Boffer it is.
        accumulated: Whether the document accumulates its bands.
        record: Position of the record in its document.
        bid: Position within ``energyBids``.
        place: Shape (n,), position of each row within ``energyPeriods``.
        has_prices: Whether there are prices to go by. Without them a fixed load is dispatched at
            any price, and there is nothing else to dispatch.
        is_price_broken: Whether the document has prices that cannot be read, a fault told already.
        has_bands: Shape (n,), whether quantities are stated; None where all are.
        is_rows: Whether it is from a file of rows; ``place`` then counts those.
    """

    identity: str
    level: Level
    timing: Timing
    trading_date: date
    prices: Int64s
    periods: npt.NDArray[np.int16]
    avail: Int32s
    max_avail_load: Int32s
    max_avail_gen: Int32s
    fixed_load: Int32s
    submitted_us: int = NO_SUBMISSION
    kind: Side = "DUID"
    accumulated: bool = False
    record: int = 0
    bid: int = 0
    place: Int32s | None = None
    has_prices: bool = True
    is_price_broken: bool = False
    has_bands: Bools | None = None
    is_rows: bool = False

    @property
    def head_path(self) -> str:
        """Place of the Boffer in its document; of its first row in a file of rows."""
        return f"$.rows[{self._row(0)}]" if self.is_rows else f"$.records[{self.record}]"

    @property
    def bid_path(self) -> str:
        """Place of the day in its document."""
        return self.head_path if self.is_rows else f"{self.head_path}.energyBids[{self.bid}]"

    def path(self, row: int) -> str:
        """Place of a row in its document."""
        place = self._row(row)
        return f"$.rows[{place}]" if self.is_rows else f"{self.bid_path}.energyPeriods[{place}]"

    def _row(self, row: int) -> int:
        return row if self.place is None else int(self.place[row])

    @property
    def states_bands(self) -> Bools:
        """Whether each row's quantities are stated, shape (n,)."""
        every = np.ones(len(self.periods), dtype=np.bool_)
        return every if self.has_bands is None else self.has_bands

    def rows(self, chosen: npt.NDArray[np.intp]) -> BofferDay:
        """The day with some of its rows."""
        place = np.arange(len(self.periods), dtype=np.int32) if self.place is None else self.place
        return replace(
            self,
            periods=self.periods[chosen],
            avail=self.avail[chosen],
            max_avail_load=self.max_avail_load[chosen],
            max_avail_gen=self.max_avail_gen[chosen],
            fixed_load=self.fixed_load[chosen],
            place=place[chosen],
            has_bands=None if self.has_bands is None else self.has_bands[chosen],
        )

    def starts(self) -> Int64s:
        """Start of each row's interval, UTC seconds."""
        first = int(period_start(self.trading_date, 1))
        return first + (self.periods.astype(np.int64) - 1) * INTERVAL_S


@dataclass(frozen=True)
class Boffers:
    """A document of Boffers.

    Attributes:
        days: Every trading day of every Boffer, in the document's order.
        records: Number of Boffers.
    """

    days: tuple[BofferDay, ...]
    records: int


def make_day(
    identity: str,
    trading_date: date,
    prices: Sequence[int] | Int64s | None,
    avail: Sequence[Any] | npt.NDArray[np.integer] | None,
    *,
    periods: Sequence[int] | None = None,
    max_avail_load: int | Sequence[int] | None = None,
    max_avail_gen: int | Sequence[int] | None = None,
    fixed_load: int | Sequence[int] | None = None,
    level: Level = "NMI",
    timing: Timing = "PRE",
    kind: Side = "DUID",
    submitted_us: int = NO_SUBMISSION,
    accumulated: bool = False,
) -> BofferDay:
    """Build a day from plain values.

    Args:
        identity: NMI or DUID.
        trading_date: The day.
        prices: Twenty prices in cents; None is a Boffer without.
        avail: Quantities in W of each band alone, shape (20,) or (n, 20); None states none.
        periods: One per row; by default 1, 2, ….
        max_avail_load: W, for all rows or one per row; None is not given.
        max_avail_gen: The same for generation.
        fixed_load: The same for the fixed load; 0 is a target of zero.
        level: What the quantities sum up.
        timing: PRE or POST.
        kind: Whose Boffer it is.
        submitted_us: Submission, microseconds since the epoch.
        accumulated: How the Boffer is written.

    Raises:
        ValueError: If shapes do not fit, or quantities have no prices.
    """
    idle = np.zeros((1 if periods is None else len(periods), BANDS), dtype=np.int32)
    rows = idle if avail is None else np.atleast_2d(np.asarray(avail, dtype=np.int32))
    count = len(rows)
    numbers = np.arange(1, count + 1) if periods is None else np.asarray(periods)
    price_row = NO_PRICES if prices is None else np.asarray(prices, dtype=np.int64)
    if rows.shape[1] != BANDS or price_row.shape != (BANDS,) or numbers.shape != (count,):
        raise ValueError("a day has 20 prices, and 20 bands and one period per row")
    if prices is None and rows.any():
        raise ValueError("each band is a price/quantity pair: no quantity without a price")

    def column(value: int | Sequence[int] | None) -> Int32s:
        given = np.asarray(NONE if value is None else value, dtype=np.int32)
        return np.broadcast_to(given, (count,)).copy()

    return BofferDay(
        identity,
        level,
        timing,
        trading_date,
        price_row,
        numbers.astype(np.int16),
        rows,
        column(max_avail_load),
        column(max_avail_gen),
        column(fixed_load),
        submitted_us,
        kind,
        accumulated,
        has_prices=prices is not None,
        has_bands=np.zeros(count, dtype=np.bool_) if avail is None else None,
    )


# --- reading -------------------------------------------------------------------------------------


def read_record(value: object, number: int, log: FindingLog) -> list[BofferDay]:
    """Read one Boffer: faults of its form go to the log, the readable rest comes back.

    Args:
        value: The record as the strict reader gives it.
        number: Its position in the document.
        log: Takes the faults.
    """
    is_duid = DUID_SHAPE.has(value, "duid")
    shape = DUID_SHAPE if is_duid else NMI_SHAPE
    found = shape.read(value, f"$.records[{number}]", log)
    if found is BAD or found["energyBids"] in (BAD, None):
        return []
    head = _Head(
        identity=_or(found["duid" if is_duid else "nmi"], ""),
        level=_or(found["bofferSummationLevel"], "NMI"),
        timing="PRE" if is_duid else _or(found["bofferTiming"], "PRE"),
        accumulated=_or(found["accumulateBands"], default=False),
        submitted_us=_or(found["submissionDateTime"], NO_SUBMISSION),
        kind="DUID" if is_duid else "NMI",
        record=number,
    )
    days = (_day(head, bid, place, log) for place, bid in enumerate(found["energyBids"]))
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


def _day(head: _Head, bid: Any, place: int, log: FindingLog) -> BofferDay | None:  # noqa: ANN401
    if bid is BAD or bid["energyPeriods"] in (BAD, None):
        return None
    day, prices = bid["tradingDate"], bid["prices"]
    rows = [(i, row) for i, row in enumerate(bid["energyPeriods"]) if _is_usable(row)]
    if day in (BAD, None) or not rows:
        return None
    has_prices = isinstance(prices, list) and BAD not in prices
    has_bands = np.array([row["bandAvail"] is not None for _, row in rows], dtype=np.bool_)
    written = np.zeros((len(rows), BANDS), dtype=np.int64)
    if has_bands.any():
        written[has_bands] = [row["bandAvail"] for _, row in rows if row["bandAvail"] is not None]
    made = BofferDay(
        identity=head.identity,
        level=head.level,
        timing=head.timing,
        trading_date=day,
        prices=np.array(prices, dtype=np.int64) if has_prices else NO_PRICES,
        periods=np.array([row["periodId"] for _, row in rows], dtype=np.int16),
        avail=written.astype(np.int32),
        max_avail_load=_column(row.get("maxAvailLoad") for _, row in rows),
        max_avail_gen=_column(row.get("maxAvailGen") for _, row in rows),
        fixed_load=_column(_fixed(row) for _, row in rows),
        submitted_us=head.submitted_us,
        kind=head.kind,
        accumulated=head.accumulated,
        record=head.record,
        bid=place,
        place=np.array([i for i, _ in rows], dtype=np.int32),
        has_prices=has_prices,
        is_price_broken=prices is not None and not has_prices,
        has_bands=None if has_bands.all() else has_bands,
    )
    for row, (_, given) in enumerate(rows):
        _check_self_dispatch(made, row, given, log)
    return _separated(made, written, log) if head.accumulated else made


def _is_usable(row: Any) -> bool:  # noqa: ANN401 - a read period or BAD
    if row is BAD or row["periodId"] in (BAD, None):
        return False
    avail = row["bandAvail"]
    return avail is None or (isinstance(avail, list) and BAD not in avail)


def _fixed(row: dict[str, Any]) -> object:
    fixed = row.get("fixedLoad")
    is_meant = row.get("selfDispatch") is True
    return None if fixed == 0 and not is_meant else fixed


def _check_self_dispatch(day: BofferDay, row: int, given: dict[str, Any], log: FindingLog) -> None:
    """What ``selfDispatch`` says fits the fixed load beside it.

    Who asks for a target of zero must not have the bands cleared instead, so that without the fixed
    load it is a fault; beside a load that goes before the bands anyway, a no is odd.
    """
    says, fixed = given.get("selfDispatch"), given.get("fixedLoad")
    if fixed is BAD:
        return
    if says is True and fixed is None:
        log.business(
            "boffer.self_dispatch",
            f"{day.path(row)}.selfDispatch",
            "HLD §4.4",
            "self-dispatch has a fixed load, 0 for a target of zero: without it the bands would "
            "clear",
            "true",
        )
    if says is False and fixed:
        log.caution(
            "boffer.not_self_dispatch",
            f"{day.path(row)}.selfDispatch",
            "HLD §4.4",
            "no self-dispatch beside a fixed load: the fixed load goes before the bands all the "
            "same",
            "false",
        )


def _column(values: Iterable[object]) -> Int32s:
    found = [NONE if value is None or value is BAD else value for value in values]
    return np.array(found, dtype=np.int32)


def _separated(day: BofferDay, written: Int64s, log: FindingLog) -> BofferDay:
    """Take the accumulated quantities of a day apart, and note where they fall outwards."""
    load, generation = written[:, LOAD], written[:, GENERATION]
    alone = np.empty_like(written)
    alone[:, LOAD] = -np.diff(load, axis=1, append=np.int64(0))
    alone[:, GENERATION] = np.diff(generation, axis=1, prepend=np.int64(0))
    falls = np.zeros(alone.shape, dtype=np.bool_)
    # Only where both neighbours are on their side: a wrong side is a fault of its own.
    falls[:, : LOAD_BANDS - 1] = (load[:, :-1] > load[:, 1:]) & (load[:, :-1] <= 0)
    falls[:, LOAD_BANDS + 1 :] = (generation[:, 1:] < generation[:, :-1]) & (generation[:, 1:] >= 0)
    for row, band in np.argwhere(falls):
        log.business(
            "bands.accumulation",
            f"{day.path(int(row))}.bandAvail[{band}]",
            f"{SECTION} field 4",
            "accumulated quantities do not shrink from the break between bands 10 and 11 outwards",
            f"{to_text(int(written[row, band]), KW)} kW",
        )
    alone[falls] = 0  # one fault each: not one of the sign as well
    limit = np.iinfo(np.int32)
    return replace(day, avail=np.clip(alone, limit.min + 1, limit.max).astype(np.int32))


# --- writing -------------------------------------------------------------------------------------


def write(days: Sequence[BofferDay], *, ndjson: bool = False) -> bytes:
    """Write Boffers as canonical JSON: one spelling, exact numbers, NEM time.

    Neighbouring days of one identity, level, timing and submission are one record. Each Boffer is
    accumulated as its days say.
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
    parts += [f'"{name}":{to_text(watts, KW)}' for name, watts in named if watts != NONE]
    if fixed == 0:
        parts.append('"selfDispatch":true')
    return f"{{{','.join(parts)}}}"


# --- rows for Parquet ----------------------------------------------------------------------------

_COLUMNS: Final[dict[str, pl.DataType]] = {
    "kind": pl.String(),
    "identity": pl.String(),
    "level": pl.String(),
    "timing": pl.String(),
    "accumulated": pl.Boolean(),
    "submitted_us": pl.Int64(),
    "trading_date": pl.Date(),
    "period": pl.Int16(),
    "prices": pl.Array(pl.Int64, BANDS),
    "avail": pl.Array(pl.Int32, BANDS),
    "max_avail_load": pl.Int32(),
    "max_avail_gen": pl.Int32(),
    "fixed_load": pl.Int32(),
}
FRAME: Final = pl.Schema(_COLUMNS)
"""Columns of Boffers in Parquet: cents, W of each band alone, null where not given."""


def to_frame(days: Sequence[BofferDay]) -> pl.DataFrame:
    """Rows of `FRAME`, one per dispatch interval."""
    frames = [_frame(day) for day in days]
    return pl.concat(frames) if frames else pl.DataFrame(schema=FRAME)


def _frame(day: BofferDay) -> pl.DataFrame:
    count = len(day.periods)
    same: dict[str, object] = {
        "kind": day.kind,
        "identity": day.identity,
        "level": day.level,
        "timing": day.timing,
        "accumulated": day.accumulated,
        "submitted_us": None if day.submitted_us == NO_SUBMISSION else day.submitted_us,
        "trading_date": day.trading_date,
    }
    columns = {name: pl.Series([value] * count, dtype=FRAME[name]) for name, value in same.items()}
    rest: dict[str, npt.NDArray[Any]] = {
        "period": day.periods,
        "prices": np.ascontiguousarray(np.broadcast_to(day.prices, (count, BANDS))),
        "avail": day.avail,
        "max_avail_load": day.max_avail_load,
        "max_avail_gen": day.max_avail_gen,
        "fixed_load": day.fixed_load,
    }
    columns |= {name: pl.Series(values, dtype=FRAME[name]) for name, values in rest.items()}
    optional = pl.col("max_avail_load", "max_avail_gen", "fixed_load")
    given = {"prices": np.full(count, day.has_prices), "avail": day.states_bands}
    return pl.DataFrame(columns).with_columns(
        optional.replace(NONE, None),
        *(pl.when(pl.Series(mask)).then(pl.col(name)).alias(name) for name, mask in given.items()),
    )


_DAY_KEY: Final = (
    "kind",
    "identity",
    "level",
    "timing",
    "accumulated",
    "submitted_us",
    "trading_date",
    "prices",
)
_HEAD: Final = 6
"""So many of the key tell a Boffer; the others its days."""


def from_frame(frame: pl.DataFrame) -> Boffers:
    """Days of rows of `FRAME`, in the order in which each day first occurs.

    Raises:
        ValueError: If a column is missing or of another type.
    """
    if dict(frame.schema) != dict(FRAME):
        raise ValueError(f"Boffers in Parquet have the columns {', '.join(FRAME.names())}")
    keyed = frame.with_columns(pl.col("prices").arr.to_list()).with_row_index("row")
    boffers: dict[tuple[Any, ...], int] = {}
    bids: Counter[int] = Counter()
    days = []
    for key, rows in keyed.group_by(_DAY_KEY, maintain_order=True):
        record = boffers.setdefault(key[:_HEAD], len(boffers))
        days.append(_from_rows(key, rows, record, bids[record]))
        bids[record] += 1
    return Boffers(tuple(days), len(boffers))


def _from_rows(key: tuple[Any, ...], rows: pl.DataFrame, record: int, bid: int) -> BofferDay:
    kind, identity, level, timing, accumulated, submitted, day, prices = key
    column: Callable[[str], Int32s] = lambda name: (  # noqa: E731
        rows[name].fill_null(NONE).to_numpy().astype(np.int32)
    )
    has_bands = rows["avail"].is_not_null().to_numpy()
    avail = np.zeros((rows.height, BANDS), dtype=np.int32)
    avail[has_bands] = rows["avail"].drop_nulls().to_numpy()
    return BofferDay(
        identity=identity,
        level=cast("Level", level),
        timing=cast("Timing", timing),
        trading_date=day,
        prices=NO_PRICES if prices is None else np.array(prices, dtype=np.int64),
        periods=rows["period"].to_numpy().astype(np.int16),
        avail=avail,
        max_avail_load=column("max_avail_load"),
        max_avail_gen=column("max_avail_gen"),
        fixed_load=column("fixed_load"),
        submitted_us=NO_SUBMISSION if submitted is None else submitted,
        kind=cast("Side", kind),
        accumulated=accumulated,
        record=record,
        bid=bid,
        place=rows["row"].to_numpy().astype(np.int32),
        has_prices=prices is not None,
        has_bands=None if has_bands.all() else has_bands,
        is_rows=True,
    )
