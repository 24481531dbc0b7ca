"""Forecasts scored against telemetry: the report of step 1.

The error is forecast − actual. An uncontrolled forecast is compared with the flow at the connection
point without controlled generation and load; a Boffer, which in step 1 is the unit's forecast, with
the unit's flow. Source: Part C §5.3, HLD §4.3.

Example:
    >>> score = score_forecast(telemetry, load_forecast("forecast.json"))  # doctest: +SKIP
    >>> score.unit.rmse_w                                                  # doctest: +SKIP
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from msgspec import UNSET, Struct, UnsetType

from oepnode.adapters.storage import parquet
from oepnode.client.answers import PrivateStruct
from oepnode.client.edge.submissions import Submission
from oepnode.client.edge.targets import unit_telemetry
from oepnode.client.files import FileName
from oepnode.client.values import counted
from oepnode.domain.documents.arrays import Int64s
from oepnode.domain.edge.timeseries.tolerance import Tolerance
from oepnode.domain.nem.choices import Level, require_choice
from oepnode.domain.nem.nem_time import parse_grid_instant
from oepnode.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

    from oepnode.domain.edge.forecasts.accuracy import Score, SiteScores

Against = Literal["end", "mean"]


class NotClearedQuantitiesError(ConfigError):
    """A file does not hold the quantities that a Boffer clears."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path}: not quantities that a Boffer clears: columns unit, level, interval_end and "
            "cleared_w"
        )


class ClearedQuantities(PrivateStruct, frozen=True):
    """Quantities that one unit's Boffer clears, as `ClearedBoffers.frame` has them.

    Attributes:
        unit: The DUID or NMI.
        level: NMI or Flex, the flows that the quantities sum up.
        interval_end: UTC seconds, each once.
        cleared_w: Quantities in watts.

    Raises:
        ConfigError: For another level.
    """

    unit: str
    level: Level
    interval_end: Int64s
    cleared_w: Int64s

    def __post_init__(self) -> None:
        require_choice("level", self.level, Level)


class ScoreReport(Struct, frozen=True):
    """How good a forecast was; None where there is nothing to score.

    Attributes:
        count: Intervals with forecast and measurement.
        bias_w: Mean error.
        mae_w: Mean magnitude of the error.
        rmse_w: Root of the mean square of the error.
        within: Share of intervals within the tolerance, 0 to 1.
        worst_w: Largest magnitude.
        unmeasured: Intervals without a measurement; of a Boffer only.
    """

    count: int
    bias_w: float | None
    mae_w: float | None
    rmse_w: float | None
    within: float | None
    worst_w: int
    unmeasured: int | UnsetType = UNSET


class ForecastScore(PrivateStruct, frozen=True, kw_only=True):
    """Result of scoring forecasts against telemetry.

    Attributes:
        boffer: The unit's Boffer, where it was scored; the others are of the forecast, if any.
        against: ``end``, the measurement at an interval's end, or ``mean`` of its minutes.
        all_nmis: Over all NMIs and intervals.
        unit: The sum over NMIs, per interval.
        unmeasured_forecasts: Forecasts without a measurement.
        unforecast_intervals: Measured intervals without a forecast.
        late_forecasts: Forecasts submitted after their interval had begun.
        sites: A row per NMI, with the columns of a score.
    """

    boffer: ScoreReport | UnsetType = UNSET
    against: str | UnsetType = UNSET
    all_nmis: ScoreReport | UnsetType = UNSET
    unit: ScoreReport | UnsetType = UNSET
    unmeasured_forecasts: int | UnsetType = UNSET
    unforecast_intervals: int | UnsetType = UNSET
    late_forecasts: int | UnsetType = UNSET
    sites: pl.DataFrame | UnsetType = UNSET

    @property
    def is_scored(self) -> bool:
        """Whether everything that was given has something to score."""
        scores = (self.boffer, self.all_nmis)
        return all(score is UNSET or score.count > 0 for score in scores)

    @property
    def worst_sites(self) -> pl.DataFrame | None:
        """The NMIs with the largest RMSE first; None where no forecasts were scored."""
        if self.sites is UNSET:
            return None
        return self.sites.sort("rmse_w", descending=True, maintain_order=True)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on forecasts and measurements that were not scored."""
        notes = []
        if self.boffer is not UNSET and self.boffer.unmeasured:
            intervals = counted(self.boffer.unmeasured, "interval")
            notes.append(f"{intervals} of the Boffer without a measurement")
        if self.all_nmis is not UNSET and not self.all_nmis.count:
            notes.append("no forecast has a measurement at its interval: nothing to score")
        counts = (
            (self.unmeasured_forecasts, "forecast", "without a measurement"),
            (self.unforecast_intervals, "measured interval", "without a forecast"),
            (self.late_forecasts, "forecast", "submitted after the interval had begun"),
        )
        notes += [f"{counted(count, noun)} {what}" for count, noun, what in counts if count]
        return tuple(notes)


def load_cleared(path: FileName) -> ClearedQuantities:
    """Load the quantities that a Boffer clears, a file of `ClearedBoffers.frame`.

    Raises:
        NotClearedQuantitiesError: If the file is not that.
        ConfigError: If it has several units or levels.
    """
    import polars as pl

    path = Path(path)
    try:
        frame = parquet.read_rows(path) if parquet.is_parquet(path) else pl.read_csv(path)
        names = (pl.col("unit").cast(pl.String), pl.col("level").cast(pl.String))
        rows = frame.select(*names, "interval_end", pl.col("cleared_w").cast(pl.Int64))
        ends = [parse_grid_instant(str(text)).seconds for text in rows["interval_end"]]
    except (pl.exceptions.PolarsError, ValueError) as exc:
        raise NotClearedQuantitiesError(path) from exc
    if rows["cleared_w"].null_count():
        raise NotClearedQuantitiesError(path)
    units = rows.select("unit", "level").unique()
    if units.height != 1 or len(set(ends)) < len(ends):
        raise ConfigError(
            f"{path}: several quantities for one interval; clear the Boffer of one unit and level"
        )
    unit, level = units.row(0)
    if level not in get_args(Level):
        raise NotClearedQuantitiesError(path)
    watts = np.asarray(rows["cleared_w"].to_numpy(), dtype=np.int64)
    return ClearedQuantities(unit, level, np.array(ends, dtype=np.int64), watts)


def score_forecast(
    telemetry: Submission,
    forecast: Submission | None = None,
    *,
    cleared: ClearedQuantities | None = None,
    against: Against = "end",
    tolerance: Tolerance | None = None,
) -> ForecastScore:
    """Score uncontrolled forecasts, the quantities that a Boffer clears, or both.

    Args:
        telemetry: Of NMIs, or of the unit where a Boffer is scored only.
        forecast: Uncontrolled forecasts.
        cleared: Quantities that the unit's Boffer clears.
        against: The measurement at an interval's end, or the mean of its minutes.
        tolerance: Largest error that counts as good.

    Raises:
        ConfigError: If there is nothing to score, ``against`` is another word, or forecasts meet
            telemetry of a DUID.
        DocumentFault: If the Boffer is of another unit than the telemetry.
    """
    require_choice("against", against, Against)
    if forecast is None and cleared is None:
        raise ConfigError("nothing to score: give forecasts, cleared quantities or both")
    if forecast is not None and telemetry.duid is not None:
        raise ConfigError(
            f"{telemetry.name}: forecasts are of NMIs, and this is telemetry of a DUID"
        )
    tolerance = tolerance or Tolerance()
    boffer = UNSET if cleared is None else _score_boffer(cleared, telemetry, tolerance)
    if forecast is None:
        return ForecastScore(boffer=boffer)
    return _score_sites(boffer, telemetry, forecast, against, tolerance)


def _score_boffer(
    cleared: ClearedQuantities, telemetry: Submission, tolerance: Tolerance
) -> ScoreReport:
    from oepnode.domain.edge.forecasts.accuracy import score_offer
    from oepnode.domain.edge.telemetry import duid as duids

    if telemetry.duid is not None:
        duids.check_same("what a Boffer clears", cleared.unit, telemetry.duid, "telemetry")
    unit = unit_telemetry(telemetry)
    ends, watts = cleared.interval_end, cleared.cleared_w
    score, unmeasured = score_offer(ends, watts, unit, cleared.level, tolerance)
    return _report(score, unmeasured)


def _score_sites(
    boffer: ScoreReport | UnsetType,
    telemetry: Submission,
    forecast: Submission,
    against: Against,
    tolerance: Tolerance,
) -> ForecastScore:
    from oepnode.domain.edge.forecasts.accuracy import Actuals, accuracy

    actuals = Actuals(against)
    actuals.add(telemetry.rows)
    result = accuracy(forecast.rows, actuals.frame(), tolerance)
    return ForecastScore(
        boffer=boffer,
        against=against,
        all_nmis=_report(result.all_sites),
        unit=_report(result.unit),
        unmeasured_forecasts=result.unmeasured,
        unforecast_intervals=result.unforecast,
        late_forecasts=result.late,
        sites=_site_rows(result.sites),
    )


def _report(score: Score, unmeasured: int | UnsetType = UNSET) -> ScoreReport:
    return ScoreReport(
        score.count,
        _rounded(score.bias_w, 3),
        _rounded(score.mae_w, 3),
        _rounded(score.rmse_w, 3),
        _rounded(score.within, 6),
        score.worst_w,
        unmeasured,
    )


def _rounded(value: float, decimals: int) -> float | None:
    return None if math.isnan(value) else round(value, decimals)


def _site_rows(sites: SiteScores) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame(
        {
            "nmi": pl.Series(sites.nmis, dtype=pl.String),
            "count": sites.count,
            "bias_w": sites.bias_w.round(3),
            "mae_w": sites.mae_w.round(3),
            "rmse_w": sites.rmse_w.round(3),
            "within": sites.within.round(6),
            "worst_w": sites.worst_w,
        }
    )
