"""Deduplicates measurements: the latest submission wins; contradictory copies are set aside.

The rule is that of validation: of several submissions the latest counts; without one, a copy counts
once, and values that contradict each other do not count. Guarantees: every row is in exactly
one of the three parts, whatever their order. Telemetry without repeats, in the order of its series,
costs one pass. Source: Part C §4.1 (one measurement a minute).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from oepnode.domain.documents.arrays import Int32s

if TYPE_CHECKING:
    import polars as pl

_SUBMITTED: Final = "submitted_us"
_TIME: Final = "minute"
_MINUTE_S: Final = 60
_MOST_CELLS: Final = 1 << 28


@dataclass(frozen=True, repr=False)
class Deduplicated:
    """Telemetry in three parts. Its repr shows no NMI.

    Attributes:
        rows: Each series and minute once.
        copies: Rows that repeat one of these, or that a later submission replaces.
        conflicts: All rows of minutes whose values contradict each other.
    """

    rows: pl.DataFrame
    copies: pl.DataFrame
    conflicts: pl.DataFrame


def deduplicate(telemetry: pl.DataFrame, key: str = "nmi") -> Deduplicated:
    """Separate measurements, copies, and conflicts.

    Args:
        telemetry: Columns of `telemetry.json_format.NMI` or `telemetry.json_format.DUID`.
        key: Column of the identity: ``nmi`` or ``duid``.
    """
    empty = telemetry.head(0)
    if _is_once(telemetry, key):
        return Deduplicated(telemetry, empty, empty)
    mask = telemetry.select(key, _TIME).is_duplicated()
    if not mask.any():
        return Deduplicated(telemetry, empty, empty)
    repeated = _resolve(telemetry.filter(mask), key)
    rows = telemetry.filter(~mask).vstack(repeated.rows)
    return Deduplicated(rows, repeated.copies, repeated.conflicts)


def _resolve(rows: pl.DataFrame, key: str) -> Deduplicated:
    import polars as pl

    replaced = _is_replaced(rows, key)
    left = rows.filter(~replaced)
    values = [name for name in rows.columns if name != _SUBMITTED]
    is_first = left.select(pl.struct(values).is_first_distinct()).to_series()
    distinct = is_first.cast(pl.Int64).alias("distinct")
    versions = left.with_columns(distinct).select(pl.col("distinct").sum().over(key, _TIME))
    in_conflict = versions.to_series() > 1
    return Deduplicated(
        rows=left.filter(is_first & ~in_conflict),
        copies=rows.filter(replaced).vstack(left.filter(~is_first & ~in_conflict)),
        conflicts=left.filter(in_conflict),
    )


def _is_replaced(rows: pl.DataFrame, key: str) -> pl.Series:
    """Whether a later submission replaces each row; never where one of a minute has no time."""
    import polars as pl

    if _SUBMITTED not in rows.columns:
        return pl.Series(np.zeros(rows.height, dtype=np.bool_))
    submitted = pl.col(_SUBMITTED)
    is_older = submitted < submitted.max().over(key, _TIME)
    all_timed = submitted.is_not_null().all().over(key, _TIME)
    return rows.select((is_older & all_timed).fill_null(value=False)).to_series()


def _is_once(telemetry: pl.DataFrame, key: str) -> bool:
    """Whether no minute occurs twice; may be false where none does, never true where one does."""
    if not telemetry.height:
        return True
    series = _numbers(telemetry[key])
    minute = telemetry[_TIME].to_numpy()
    changes = series[1:] != series[:-1]
    is_one_run_each = int(changes.sum()) == int(series.max())
    if is_one_run_each and bool((changes | (minute[1:] > minute[:-1])).all()):
        return True
    first = int(minute.min())
    span = (int(minute.max()) - first) // _MINUTE_S + 1
    cells = (int(series.max()) + 1) * span
    if cells > _MOST_CELLS:
        return False
    seen = np.zeros(cells, dtype=np.bool_)
    seen[series.astype(np.int64) * span + (minute - first) // _MINUTE_S] = True
    return int(seen.sum()) == telemetry.height


def _numbers(column: pl.Series) -> Int32s:
    """The distinct values of a column, numbered from 0 without a gap."""
    import polars as pl

    physical = column.cast(pl.Categorical).to_physical().to_numpy()
    used = np.bincount(physical) > 0
    numbers = np.cumsum(used, dtype=np.int32) - np.int32(1)
    return np.asarray(numbers[physical], dtype=np.int32)
