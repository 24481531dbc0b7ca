from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from oepnode.domain.edge.forecasts.accuracy import (
    Accuracy,
    Actuals,
    Against,
    accuracy,
    score,
    score_offer,
)
from oepnode.domain.edge.telemetry.aggregate import UnitSums
from oepnode.domain.edge.timeseries.tolerance import Tolerance
from tests.support.telemetry_columns import START, A, B, frame, reading

MICROS = 1_000_000
SCHEMA = {
    "nmi": pl.String,
    "interval_end": pl.Int64,
    "uncontrolled_w": pl.Int32,
    "submitted_us": pl.Int64,
}


def forecast(*rows: tuple[str, int, int, int | None]) -> pl.DataFrame:
    """(NMI, interval from 1, W, submitted µs)."""
    data = [(nmi, START + 300 * interval, watts, us) for nmi, interval, watts, us in rows]
    return pl.DataFrame(data, schema=SCHEMA, orient="row")


def run(
    predicted: pl.DataFrame,
    *rows: dict[str, object],
    against: Against = "end",
    tolerance: Tolerance | None = None,
) -> Accuracy:
    actuals = Actuals(against)
    for row in rows:
        actuals.add(frame(row))
    return accuracy(predicted, actuals.frame(), tolerance)


@pytest.mark.parametrize("against", ["end", "mean"])
def test_a_duplicate_measurement_is_scored_once_and_a_conflict_not_at_all(against: Against) -> None:
    rows = [reading(A, 4, -400), reading(A, 5, -600), reading(A, 5, -600), reading(A, 10, -100)]
    actuals = Actuals(against)
    actuals.add(frame(*rows, reading(A, 10, -900)))
    result = accuracy(forecast((A, 1, -600, None), (A, 2, -100, None)), actuals.frame())
    assert result.all_sites.count == 1
    assert result.actual_w.tolist() == [-600 if against == "end" else -500]
    assert result.unmeasured == 1


def test_a_score_by_hand() -> None:
    result = score(np.array([100, -50, 0]), np.array([80, -60, 40]), Tolerance(watts=20))
    assert (result.count, result.worst_w) == (3, 40)
    assert result.bias_w == pytest.approx(-10 / 3)
    assert result.mae_w == pytest.approx(70 / 3)
    assert result.rmse_w == pytest.approx(math.sqrt((400 + 100 + 1600) / 3))
    assert result.within == pytest.approx(2 / 3)


def test_a_score_of_nothing_is_nan() -> None:
    empty = np.empty(0, dtype=np.int64)
    result = score(empty, empty, Tolerance())
    assert result.count == 0
    assert math.isnan(result.rmse_w)


def test_the_tolerance_is_a_share_of_what_happened() -> None:
    result = score(np.array([110, 111]), np.array([100, 100]), Tolerance(permille=100))
    assert result.within == 0.5


def test_the_actual_is_the_flow_without_controlled_assets_part_c_5_3() -> None:
    row = reading(A, 5, -400, controlled_generation_w=2000, controlled_load_w=-500)
    result = run(forecast((A, 1, -1900, None)), row)
    assert result.all_sites.worst_w == 0
    assert result.actual_w.tolist() == [-1900]


def test_against_the_end_or_the_mean_of_the_interval() -> None:
    rows = [reading(A, minute, power) for minute, power in enumerate((1, 2, 3, 4, 10), start=1)]
    assert run(forecast((A, 1, 0, None)), *rows).actual_w.tolist() == [10]
    assert run(forecast((A, 1, 0, None)), *rows, against="mean").actual_w.tolist() == [4]


def test_nmi_and_unit_level() -> None:
    result = run(
        forecast((A, 1, 100, None), (B, 1, -100, None), (A, 2, 50, None), (B, 2, 50, None)),
        reading(A, 5, 0),
        reading(B, 5, 0),
        reading(A, 10, 0),
        reading(B, 10, 0),
        tolerance=Tolerance(watts=50),
    )
    assert result.sites.nmis == (A, B)
    assert result.sites.bias_w.tolist() == [75, -25]
    assert result.sites.mae_w.tolist() == [75, 75]
    assert result.sites.within.tolist() == [0.5, 0.5]
    assert result.sites.worst_w.tolist() == [100, 100]
    assert result.forecast_w.tolist() == [0, 100], "errors cancel in the unit"
    assert result.unit.mae_w == 50
    assert result.nmis.tolist() == [2, 2]
    assert A not in repr(result)


def test_values_without_a_counterpart_are_counted() -> None:
    result = run(
        forecast((A, 1, 0, None), (A, 2, 0, None), (B, 1, 0, None)),
        reading(A, 5),
        reading(A, 15),
        reading(A, 20),
    )
    assert (result.all_sites.count, result.unmeasured, result.unforecast) == (1, 2, 2)


def test_of_several_forecasts_the_latest_counts_and_late_ones_are_reported() -> None:
    result = run(
        forecast((A, 1, 3, START * MICROS + 1), (A, 1, 1, None), (A, 1, 2, START * MICROS)),
        reading(A, 5),
    )
    assert result.forecast_w.tolist() == [3]
    assert result.late == 1
    assert result.unmeasured == 0


def test_no_telemetry_leaves_everything_unmeasured() -> None:
    result = run(forecast((A, 1, 3, None)))
    assert result.unmeasured == 1
    assert result.all_sites.count == 0
    assert result.sites.nmis == ()


def test_a_boffer_is_the_units_forecast_in_step_1_hld_4_3() -> None:
    sums = UnitSums()
    rows = [
        reading(nmi, minute, -1000, controlled_load_w=-400)
        for nmi in (A, B)
        for minute in (4, 5, 10)
    ]
    sums.add(frame(*rows))
    unit = sums.unit()
    ends = START + 300 * np.arange(1, 4)
    offered = np.array([-2100, -1900, -5000])
    result, unmeasured = score_offer(ends, offered, unit, "NMI", Tolerance(watts=100))
    assert (result.count, unmeasured) == (2, 1)
    assert (result.bias_w, result.mae_w, result.within, result.worst_w) == (0, 100, 1, 100)
    flex, _ = score_offer(ends, np.array([-800, -800, 0]), unit, "Flex")
    assert flex.worst_w == 0
    nothing, unmeasured = score_offer(ends, offered, UnitSums().unit(), "NMI")
    assert (nothing.count, unmeasured) == (0, 3)
