"""Boffers in columns, one row per dispatch interval, as Parquet files hold them.

Guarantees: `from_frame` returns the days that `to_frame` was given, in the order in which each
first occurs. Leaves out checking the form of columns that others wrote (``tabular``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, cast

import numpy as np
import polars as pl

from oepnode.domain.documents.arrays import Int32s, Ints
from oepnode.domain.edge.boffers.bands import BANDS
from oepnode.domain.edge.boffers.model import NO_PRICES, BofferDay, Boffers, Side
from oepnode.domain.nem.choices import Level, Timing
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.domain.rounds.inputs.supersession import NO_SUBMISSION

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
    """Return rows of `FRAME`, one per dispatch interval."""
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
    rest: dict[str, Ints] = {
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
        optional.replace(NO_LIMIT, None),
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
"""The first fields of the key identify a Boffer, the others one of its days."""


def from_frame(frame: pl.DataFrame) -> Boffers:
    """Return the days of rows of `FRAME`, in the order in which each first occurs.

    Raises:
        ValueError: If a column is missing or of another type.
    """
    if dict(frame.schema) != dict(FRAME):
        raise ValueError(f"Boffers in rows have the columns {', '.join(FRAME.names())}")
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
        max_avail_load=_watts(rows, "max_avail_load"),
        max_avail_gen=_watts(rows, "max_avail_gen"),
        fixed_load=_watts(rows, "fixed_load"),
        submitted_us=NO_SUBMISSION if submitted is None else submitted,
        kind=cast("Side", kind),
        accumulated=accumulated,
        record=record,
        bid=bid,
        positions=rows["row"].to_numpy().astype(np.int32),
        has_prices=prices is not None,
        has_bands=None if has_bands.all() else has_bands,
        is_rows=True,
    )


def _watts(rows: pl.DataFrame, name: str) -> Int32s:
    return rows[name].fill_null(NO_LIMIT).to_numpy().astype(np.int32)
