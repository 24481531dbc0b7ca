"""Accuracy of forecasts: bias, MAE, RMSE and the share within a tolerance.

The error is forecast − actual: a positive bias forecast too much generation, or too little load.
At NMI level the uncontrolled forecast (Part C §5.3) is compared with uncontrolled flow in the
telemetry: that of the connection point without controlled generation and load. At unit level
both are summed over the NMIs that have both, per interval. A Boffer, which in step 1 is the unit's
forecast (HLD §4.3, post-dispatch), is scored by `score_offer` on the quantity that it clears.

Guarantees: integer W go in and errors are exact; only the statistics are floating point. Forecasts
without a measurement and measurements without a forecast are counted, never dropped silently.
Source: Part C §5.3 and §4.3, HLD §4.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from oepnode.domain.documents.arrays import Floats, Indices, Int64s
from oepnode.domain.edge.telemetry.aggregate import UnitTelemetry
from oepnode.domain.edge.timeseries.duplicates import deduplicate
from oepnode.domain.edge.timeseries.lookup import find_times
from oepnode.domain.edge.timeseries.tolerance import Tolerance
from oepnode.domain.nem.choices import Level
from oepnode.domain.nem.nem_time import INTERVAL_S, MICROS

if TYPE_CHECKING:
    import polars as pl

Against = Literal["end", "mean"]


@dataclass(frozen=True, slots=True)
class Score:
    """Accuracy of a forecast over some intervals; NaN where there are none.

    Attributes:
        count: Intervals with forecast and measurement.
        bias_w: Mean of forecast − actual.
        mae_w: Mean of its magnitude.
        rmse_w: Root of the mean of its square.
        within: Share of intervals with a magnitude within the tolerance, 0 to 1.
        worst_w: Largest magnitude.
    """

    count: int
    bias_w: float
    mae_w: float
    rmse_w: float
    within: float
    worst_w: int


@dataclass(frozen=True, repr=False)
class SiteScores:
    """`Score` as columns, one element per NMI; its repr shows no NMI."""

    nmis: tuple[str, ...]
    count: Int64s
    bias_w: Floats
    mae_w: Floats
    rmse_w: Floats
    within: Floats
    worst_w: Int64s


@dataclass(frozen=True, repr=False)
class Accuracy:
    """Accuracy of a portfolio's forecast; its repr shows no NMI.

    Attributes:
        sites: Per NMI.
        all_sites: Over all NMIs and intervals at once.
        unit: The sum over NMIs, per interval.
        interval_end: UTC seconds of the intervals of the unit.
        forecast_w: The unit's forecast.
        actual_w: The unit's measurement.
        nmis: NMIs that each interval of the unit is the sum of.
        unmeasured: Forecasts without a measurement.
        unforecast: Measured intervals without a forecast.
        late: Forecasts submitted after their interval had begun; they are scored as well.
    """

    sites: SiteScores
    all_sites: Score
    unit: Score
    interval_end: Int64s
    forecast_w: Int64s
    actual_w: Int64s
    nmis: Int64s
    unmeasured: int
    unforecast: int
    late: int


def score(forecast_w: Int64s, actual_w: Int64s, tolerance: Tolerance) -> Score:
    """Score a forecast against measurements; permille of the tolerance are of the measurement."""
    error = forecast_w.astype(np.int64) - actual_w.astype(np.int64)
    size = np.abs(error)
    if not len(error):
        return Score(0, np.nan, np.nan, np.nan, np.nan, 0)
    return Score(
        count=len(error),
        bias_w=float(error.mean()),
        mae_w=float(size.mean()),
        rmse_w=float(np.sqrt((error.astype(np.float64) ** 2).mean())),
        within=float((size <= tolerance.allowance(actual_w.astype(np.int64))).mean()),
        worst_w=int(size.max()),
    )


def score_sites(
    nmis: tuple[str, ...],
    site: Indices,
    forecast_w: Int64s,
    actual_w: Int64s,
    tolerance: Tolerance,
) -> SiteScores:
    """Score many forecasts at once, one per NMI; ``site`` is the NMI's index of each element."""
    error = forecast_w.astype(np.int64) - actual_w.astype(np.int64)
    size, total = np.abs(error), len(nmis)
    count = np.bincount(site, minlength=total)
    is_within = size <= tolerance.allowance(actual_w.astype(np.int64))
    worst = np.zeros(total, dtype=np.int64)
    np.maximum.at(worst, site, size)

    def mean(values: npt.NDArray[np.generic]) -> Floats:
        sums = np.bincount(site, weights=values.astype(np.float64), minlength=total)
        means: Floats = np.full(total, np.nan)
        np.divide(sums, count, out=means, where=count > 0)
        return means

    return SiteScores(
        nmis=nmis,
        count=count.astype(np.int64),
        bias_w=mean(error),
        mae_w=mean(size),
        rmse_w=np.sqrt(mean(error.astype(np.float64) ** 2)),
        within=mean(is_within),
        worst_w=worst,
    )


class Actuals:
    """Uncontrolled flow in NMI telemetry, per NMI and dispatch interval.

    A copy of a measurement counts once, and measurements that contradict each other do not; all
    measurements of a minute of an NMI must be in one piece.

    Args:
        against: ``end``, the measurement at the interval's end, as Part C defines a measurement; or
            ``mean``, the mean of the interval's minutes, to the nearest W.
    """

    def __init__(self, against: Against = "end") -> None:
        self._against = against
        self._parts: list[pl.DataFrame] = []

    def add(self, telemetry: pl.DataFrame) -> None:
        """Add measurements; columns of `telemetry.json_format.NMI`."""
        import polars as pl

        flow = (
            pl.col("active_power_w").cast(pl.Int64)
            - pl.col("controlled_generation_w").cast(pl.Int64)
            - pl.col("controlled_load_w").cast(pl.Int64)
        )
        end = (pl.col("minute") + (INTERVAL_S - 1)) // INTERVAL_S * INTERVAL_S
        rows = deduplicate(telemetry).rows
        if self._against == "end":
            rows = rows.filter(pl.col("minute") % INTERVAL_S == 0)
        part = (
            rows.select(pl.col("nmi"), end.alias("interval_end"), flow.alias("actual_w"))
            .group_by("nmi", "interval_end")
            .agg(pl.col("actual_w").sum(), pl.len().cast(pl.Int64).alias("minutes"))
        )
        if part.height:
            self._parts.append(part)

    def frame(self) -> pl.DataFrame:
        """Columns nmi (String), interval_end, actual_w (Int64s)."""
        import polars as pl

        if not self._parts:
            schema = {"nmi": pl.String, "interval_end": pl.Int64, "actual_w": pl.Int64}
            return pl.DataFrame(schema=schema)
        parts = [part.with_columns(pl.col("nmi").cast(pl.String)) for part in self._parts]
        sums = (
            pl.concat(parts)
            .group_by("nmi", "interval_end")
            .agg(pl.col("actual_w").sum(), pl.col("minutes").sum())
        )
        half = pl.col("minutes") // 2
        nearest = (pl.col("actual_w") + half) // pl.col("minutes")
        return sums.select("nmi", "interval_end", nearest.alias("actual_w"))


def accuracy(
    forecast: pl.DataFrame, actuals: pl.DataFrame, tolerance: Tolerance | None = None
) -> Accuracy:
    """Score uncontrolled forecasts against measurements.

    Args:
        forecast: Columns nmi, interval_end (UTC seconds), uncontrolled_w, submitted_us (null where
            not stated). Of several for one NMI and interval the latest submitted counts.
        actuals: From `Actuals.frame`.
        tolerance: Allowance off the measurement.
    """
    import polars as pl

    allowed = tolerance or Tolerance()
    latest = (
        forecast.with_columns(pl.col("nmi").cast(pl.String))
        .sort("submitted_us", nulls_last=False, maintain_order=True)
        .unique(("nmi", "interval_end"), keep="last", maintain_order=True)
    )
    both = latest.join(actuals, on=("nmi", "interval_end"), how="inner").sort("nmi", "interval_end")
    begun = (pl.col("interval_end") - INTERVAL_S) * MICROS
    late = latest.filter(pl.col("submitted_us") > begun).height
    names = both["nmi"].unique(maintain_order=True)
    predicted, happened = _ints(both["uncontrolled_w"]), _ints(both["actual_w"])
    site = np.unique(both["nmi"].to_numpy().astype("S10"), return_inverse=True)[1]
    unit = (
        both.group_by("interval_end")
        .agg(
            pl.col("uncontrolled_w").cast(pl.Int64).sum(),
            pl.col("actual_w").sum(),
            pl.len().cast(pl.Int64).alias("nmis"),
        )
        .sort("interval_end")
    )
    unit_forecast, unit_actual = _ints(unit["uncontrolled_w"]), _ints(unit["actual_w"])
    return Accuracy(
        sites=score_sites(tuple(names.to_list()), site, predicted, happened, allowed),
        all_sites=score(predicted, happened, allowed),
        unit=score(unit_forecast, unit_actual, allowed),
        interval_end=_ints(unit["interval_end"]),
        forecast_w=unit_forecast,
        actual_w=unit_actual,
        nmis=_ints(unit["nmis"]),
        unmeasured=latest.height - both.height,
        unforecast=actuals.height - both.height,
        late=late,
    )


def score_offer(
    interval_end: Int64s,
    cleared_w: Int64s,
    unit: UnitTelemetry,
    level: Level,
    tolerance: Tolerance | None = None,
) -> tuple[Score, int]:
    """Score a Boffer, which in step 1 is the unit's forecast, against the unit's telemetry.

    Args:
        interval_end: UTC seconds, each once.
        cleared_w: Quantity that the Boffer delivers at the price of each interval
            (``clearing.clear``).
        unit: The unit's telemetry; the measurement at an interval's end counts.
        level: Summation level of the Boffer.
        tolerance: Allowance off the measurement.

    Returns:
        The score, and how many intervals have no measurement.
    """
    measured, index = find_times(unit.minute, interval_end)
    actual = unit.flow_w(level)[index]
    result = score(cleared_w[measured], actual, tolerance or Tolerance())
    return result, int((~measured).sum())


def _ints(column: pl.Series) -> Int64s:
    return np.asarray(column.to_numpy(), dtype=np.int64)
