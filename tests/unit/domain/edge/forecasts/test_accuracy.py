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
def test_a_doubled_measurement_is_scored_once_and_a_conflict_not_at_all(against: Against) -> None:
    rows = [reading(A, 4, -400), reading(A, 5, -600), reading(A, 5, -600), reading(A, 10, -100)]
    actuals = Actuals(against)
    actuals.add(frame(*rows, reading(A, 10, -900)))
    found = accuracy(forecast((A, 1, -600, None), (A, 2, -100, None)), actuals.frame())
    assert found.all_sites.count == 1
    assert found.actual_w.tolist() == [-600 if against == "end" else -500]
    assert found.unmeasured == 1


def test_a_score_by_hand() -> None:
    found = score(np.array([100, -50, 0]), np.array([80, -60, 40]), Tolerance(watts=20))
    assert (found.count, found.worst_w) == (3, 40)
    assert found.bias_w == pytest.approx(-10 / 3)
    assert found.mae_w == pytest.approx(70 / 3)
    assert found.rmse_w == pytest.approx(math.sqrt((400 + 100 + 1600) / 3))
    assert found.within == pytest.approx(2 / 3)


def test_a_score_of_nothing_is_nan() -> None:
    empty = np.empty(0, dtype=np.int64)
    found = score(empty, empty, Tolerance())
    assert found.count == 0
    assert math.isnan(found.rmse_w)


def test_the_tolerance_is_a_share_of_what_happened() -> None:
    found = score(np.array([110, 111]), np.array([100, 100]), Tolerance(permille=100))
    assert found.within == 0.5


def test_the_actual_is_the_flow_without_what_was_controlled_part_c_5_3() -> None:
    row = reading(A, 5, -400, controlled_generation_w=2000, controlled_load_w=-500)
    found = run(forecast((A, 1, -1900, None)), row)
    assert found.all_sites.worst_w == 0
    assert found.actual_w.tolist() == [-1900]


def test_against_the_end_or_the_mean_of_the_interval() -> None:
    rows = [reading(A, minute, power) for minute, power in enumerate((1, 2, 3, 4, 10), start=1)]
    assert run(forecast((A, 1, 0, None)), *rows).actual_w.tolist() == [10]
    assert run(forecast((A, 1, 0, None)), *rows, against="mean").actual_w.tolist() == [4]


def test_nmi_and_unit_level() -> None:
    found = run(
        forecast((A, 1, 100, None), (B, 1, -100, None), (A, 2, 50, None), (B, 2, 50, None)),
        reading(A, 5, 0),
        reading(B, 5, 0),
        reading(A, 10, 0),
        reading(B, 10, 0),
        tolerance=Tolerance(watts=50),
    )
    assert found.sites.nmis == (A, B)
    assert found.sites.bias_w.tolist() == [75, -25]
    assert found.sites.mae_w.tolist() == [75, 75]
    assert found.sites.within.tolist() == [0.5, 0.5]
    assert found.sites.worst_w.tolist() == [100, 100]
    assert found.forecast_w.tolist() == [0, 100], "errors cancel in the unit"
    assert found.unit.mae_w == 50
    assert found.nmis.tolist() == [2, 2]
    assert A not in repr(found)


def test_what_has_no_counterpart_is_counted() -> None:
    found = run(
        forecast((A, 1, 0, None), (A, 2, 0, None), (B, 1, 0, None)),
        reading(A, 5),
        reading(A, 15),
        reading(A, 20),
    )
    assert (found.all_sites.count, found.unmeasured, found.unforecast) == (1, 2, 2)


def test_of_several_forecasts_the_latest_counts_and_late_ones_are_told() -> None:
    found = run(
        forecast((A, 1, 3, START * MICROS + 1), (A, 1, 1, None), (A, 1, 2, START * MICROS)),
        reading(A, 5),
    )
    assert found.forecast_w.tolist() == [3]
    assert found.late == 1
    assert found.unmeasured == 0


def test_no_telemetry_leaves_everything_unmeasured() -> None:
    found = run(forecast((A, 1, 3, None)))
    assert found.unmeasured == 1
    assert found.all_sites.count == 0
    assert found.sites.nmis == ()


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
    found, unmeasured = score_offer(ends, offered, unit, "NMI", Tolerance(watts=100))
    assert (found.count, unmeasured) == (2, 1)
    assert (found.bias_w, found.mae_w, found.within, found.worst_w) == (0, 100, 1, 100)
    flex, _ = score_offer(ends, np.array([-800, -800, 0]), unit, "Flex")
    assert flex.worst_w == 0
    nothing, unmeasured = score_offer(ends, offered, UnitSums().unit(), "NMI")
    assert (nothing.count, unmeasured) == (0, 3)
