"""A Boffer in columns: one `BofferDay` per trading day, one row per dispatch interval.

A Boffer offers load (bands 1 to 10, ≤ 0) and generation (bands 11 to 20, ≥ 0) at twenty prices, per
dispatch interval. NMI Boffers are those of Part C §3.3. DUID Boffers have ``duid`` in place of
``nmi``, no ``bofferTiming``, and in each period ``maxAvailLoad``, ``maxAvailGen`` and
``fixedLoad``, the three fields that Part C §3.3 removes.

Guarantees: quantities are W of each band alone, whether or not the document accumulates them; rows
keep the document's order; prices and quantities that a Boffer leaves out are distinguished from
zeros. Leaves out how Boffers are read and written (``json_format``, ``frame``) and every rule
(``validate``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from oepnode.domain.documents.arrays import Bools, Indices, Int16s, Int32s, Int64s
from oepnode.domain.edge.boffers.bands import BANDS
from oepnode.domain.nem.choices import Level, Timing
from oepnode.domain.nem.nem_time import INTERVAL_S, period_start
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.domain.rounds.inputs.supersession import NO_SUBMISSION

NO_PRICES: Final = np.zeros(BANDS, dtype=np.int64)
"""`BofferDay.prices` where ``has_prices`` is false."""

NO_PRICES.setflags(write=False)

HORIZON: Final = 576
"""Dispatch intervals that a submission of a DUID covers: 48 hours (HLD §4.1)."""

Side = Literal["NMI", "DUID"]

SECTION: Final = "Part C §3.3"


@dataclass(frozen=True, eq=False, repr=False)
class BofferDay:
    """One trading day of one Boffer; rows are dispatch intervals in the document's order.

    Its repr shows no NMI.

    Attributes:
        identity: NMI or DUID.
        level: Summation level of its quantities.
        timing: PRE or POST; DUID Boffers are PRE.
        trading_date: The day.
        prices: Shape (20,), int64 cents per MWh; `NO_PRICES` where there are no prices.
        periods: Shape (n,), int16, 1 to 288.
        avail: Shape (n, 20), int32 W of each band alone, load ≤ 0; 0 where not stated.
        max_avail_load: Shape (n,), int32 W, `NO_LIMIT` where not given.
        max_avail_gen: The same for generation.
        fixed_load: Shape (n,), int32 W, `NO_LIMIT` where there is no fixed load.
        submitted_us: Microseconds since the epoch, or `supersession.NO_SUBMISSION`.
        kind: Whether it is the Boffer of an NMI or of a DUID.
        accumulated: Whether the document accumulates its bands.
        record: Position of the record in its document.
        bid: Position within ``energyBids``.
        positions: Shape (n,), position of each row within ``energyPeriods``.
        has_prices: Whether it has prices. Without them a fixed load is dispatched at any price,
            and nothing else is.
        is_price_broken: Whether the document has prices that cannot be read, which is reported
            already.
        has_bands: Shape (n,), whether quantities are stated; None where all are.
        is_rows: Whether it is from a file of rows; ``positions`` then counts those.
    """

    identity: str
    level: Level
    timing: Timing
    trading_date: date
    prices: Int64s
    periods: Int16s
    avail: Int32s
    max_avail_load: Int32s
    max_avail_gen: Int32s
    fixed_load: Int32s
    submitted_us: int = NO_SUBMISSION
    kind: Side = "DUID"
    accumulated: bool = False
    record: int = 0
    bid: int = 0
    positions: Int32s | None = None
    has_prices: bool = True
    is_price_broken: bool = False
    has_bands: Bools | None = None
    is_rows: bool = False

    @property
    def head_path(self) -> str:
        """Path of the Boffer in its document; of its first row in a file of rows."""
        return f"$.rows[{self._position(0)}]" if self.is_rows else f"$.records[{self.record}]"

    @property
    def bid_path(self) -> str:
        """Path of the day in its document."""
        return self.head_path if self.is_rows else f"{self.head_path}.energyBids[{self.bid}]"

    def path(self, row: int) -> str:
        """Path of a row in its document."""
        position = self._position(row)
        if self.is_rows:
            return f"$.rows[{position}]"
        return f"{self.bid_path}.energyPeriods[{position}]"

    def _position(self, row: int) -> int:
        return row if self.positions is None else int(self.positions[row])

    @property
    def states_bands(self) -> Bools:
        """Whether each row's quantities are stated, shape (n,)."""
        every = np.ones(len(self.periods), dtype=np.bool_)
        return every if self.has_bands is None else self.has_bands

    def rows(self, chosen: Indices) -> BofferDay:
        """The day with some of its rows."""
        every = np.arange(len(self.periods), dtype=np.int32)
        positions = every if self.positions is None else self.positions
        return replace(
            self,
            periods=self.periods[chosen],
            avail=self.avail[chosen],
            max_avail_load=self.max_avail_load[chosen],
            max_avail_gen=self.max_avail_gen[chosen],
            fixed_load=self.fixed_load[chosen],
            positions=positions[chosen],
            has_bands=None if self.has_bands is None else self.has_bands[chosen],
        )

    def starts(self) -> Int64s:
        """Start of each row's interval, UTC seconds."""
        first = int(period_start(self.trading_date, 1))
        return first + (self.periods.astype(np.int64) - 1) * INTERVAL_S


@dataclass(frozen=True, repr=False)
class Boffers:
    """A document of Boffers. Its repr shows no NMI.

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
        prices: Twenty prices in cents; None where the Boffer has no prices.
        avail: Quantities in W of each band alone, shape (20,) or (n, 20); None where not stated.
        periods: One per row; by default 1, 2, ….
        max_avail_load: W, for all rows or one per row; None is not given.
        max_avail_gen: The same for generation.
        fixed_load: The same for the fixed load; 0 is a target of zero.
        level: Summation level of the quantities.
        timing: PRE or POST.
        kind: Whether it is the Boffer of an NMI or of a DUID.
        submitted_us: Submission, microseconds since the epoch.
        accumulated: Whether it is written with accumulated bands.

    Raises:
        ValueError: If shapes do not fit, or quantities have no prices.
    """
    empty = np.zeros((1 if periods is None else len(periods), BANDS), dtype=np.int32)
    rows = empty if avail is None else np.atleast_2d(np.asarray(avail, dtype=np.int32))
    count = len(rows)
    return BofferDay(
        identity,
        level,
        timing,
        trading_date,
        _price_row(prices, rows),
        _period_column(periods, rows),
        rows,
        _watt_column(max_avail_load, count),
        _watt_column(max_avail_gen, count),
        _watt_column(fixed_load, count),
        submitted_us,
        kind,
        accumulated,
        has_prices=prices is not None,
        has_bands=np.zeros(count, dtype=np.bool_) if avail is None else None,
    )


_SHAPES: Final = "a day has 20 prices, and 20 bands and one period per row"


def _price_row(prices: Sequence[int] | Int64s | None, rows: Int32s) -> Int64s:
    if prices is None and rows.any():
        raise ValueError("each band is a price/quantity pair: a quantity needs a price")
    row = NO_PRICES if prices is None else np.asarray(prices, dtype=np.int64)
    if row.shape != (BANDS,):
        raise ValueError(_SHAPES)
    return row


def _period_column(periods: Sequence[int] | None, rows: Int32s) -> Int16s:
    column = np.arange(1, len(rows) + 1) if periods is None else np.asarray(periods)
    if rows.shape != (len(column), BANDS) or column.ndim != 1:
        raise ValueError(_SHAPES)
    return column.astype(np.int16)


def _watt_column(value: int | Sequence[int] | None, count: int) -> Int32s:
    given = np.asarray(NO_LIMIT if value is None else value, dtype=np.int32)
    return np.broadcast_to(given, (count,)).copy()
