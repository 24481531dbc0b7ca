"""Forecasts and cleared quantities scored against telemetry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import UNSET

from oepnode.client.answers import to_json
from oepnode.client.edge.forecasts import ClearedQuantities, load_cleared, score_forecast
from oepnode.client.edge.submissions import Submission, load_forecast, load_telemetry
from oepnode.domain.edge.timeseries.tolerance import Tolerance
from oepnode.domain.nem.nem_time import format_nem
from oepnode.errors import ConfigError
from tests.support import edge_documents
from tests.support.telemetry_columns import START, A, B, C, reading
from tests.unit.client.edge.conftest import Write

END = format_nem(START + 300)


@pytest.fixture
def measured(write_telemetry: Write) -> Submission:
    return load_telemetry(write_telemetry("t.json", reading(A, 5, 1000), reading(A, 4, 3000)))


def forecast(nmi: str, kilowatts: float) -> dict[str, object]:
    return {"nmi": nmi, "measurementDatetime": END, "uncontrolFcst": kilowatts}


def test_a_forecast_is_scored_per_nmi_and_for_the_unit(measured: Submission, write: Write) -> None:
    predicted = load_forecast(write("f.json", forecast(A, 1.5), forecast(B, 1)))
    score = score_forecast(measured, predicted, tolerance=Tolerance(watts=500))
    assert score.unit is not UNSET
    assert (score.unit.count, score.unit.bias_w, score.unit.within) == (1, 500.0, 1.0)
    assert (score.unmeasured_forecasts, score.boffer) == (1, UNSET)
    assert score.sites is not UNSET
    assert score.sites["worst_w"].to_list() == [500]
    mean = score_forecast(measured, predicted, against="mean")
    assert mean.unit is not UNSET
    assert mean.unit.bias_w == -500.0
    assert to_json(mean)["sites"][0]["nmi"] == A


def test_the_worst_nmis_go_first_and_what_was_not_scored_is_noted(
    write: Write, write_telemetry: Write
) -> None:
    measured = load_telemetry(write_telemetry("t.json", reading(A, 5, 1000), reading(B, 5, 1000)))
    predicted = load_forecast(write("f.json", forecast(A, 1.1), forecast(B, 3), forecast(C, 1)))
    score = score_forecast(measured, predicted)
    assert score.worst_sites is not None
    assert score.worst_sites["nmi"].to_list() == [B, A]
    assert score.notes == ("1 forecast without a measurement",)


def test_another_word_for_the_measurement_is_rejected(measured: Submission) -> None:
    against: Any = "middle"
    with pytest.raises(ConfigError, match="against must be end or mean, received 'middle'"):
        score_forecast(measured, against=against)


def test_without_a_measurement_nothing_is_scored(measured: Submission, write: Write) -> None:
    score = score_forecast(measured, load_forecast(write("f.json", forecast(B, 1))))
    assert not score.is_scored
    assert score.all_nmis is not UNSET
    assert (score.all_nmis.count, score.all_nmis.rmse_w) == (0, None)
    assert "nothing to score" in score.notes[0]


def test_cleared_quantities_are_scored_as_the_units_forecast(
    measured: Submission, tmp_path: Path
) -> None:
    file = tmp_path / "c.csv"
    file.write_text(f"unit,level,interval_end,cleared_w\nUNIT1,NMI,{END},900\n")
    score = score_forecast(measured, cleared=load_cleared(str(file)))
    assert score.boffer is not UNSET
    assert (score.boffer.count, score.boffer.bias_w, score.boffer.unmeasured) == (1, -100.0, 0)
    assert set(to_json(score)) == {"boffer"}
    assert (score.worst_sites, score.notes) == (None, ())


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a,b\n1,2\n", "not quantities that a Boffer clears"),
        (f"unit,level,interval_end,cleared_w\nU,NMI,{END},1\nU,NMI,{END},1\n", "several"),
        *(
            (f"unit,level,interval_end,cleared_w\nU,{values}\n", "not quantities")
            for values in (f"NMI,{END},x", f"NMI,{END},", f"flex,{END},1", f",{END},1")
        ),
    ],
)
def test_other_files_are_rejected(tmp_path: Path, rows: str, message: str) -> None:
    (tmp_path / "c.csv").write_text(rows)
    with pytest.raises(ConfigError, match=message):
        load_cleared(tmp_path / "c.csv")


def test_cleared_quantities_have_one_of_two_levels() -> None:
    level: Any = "flex"
    none = np.empty(0, dtype=np.int64)
    with pytest.raises(ConfigError, match="level must be NMI or Flex, received 'flex'"):
        ClearedQuantities("U", level, none, none)


def test_forecasts_are_not_scored_by_telemetry_of_a_duid(write: Write, tmp_path: Path) -> None:
    (tmp_path / "u.json").write_bytes(edge_documents.document(edge_documents.duid_telemetry()))
    unit = load_telemetry(tmp_path / "u.json")
    with pytest.raises(ConfigError, match="telemetry of a DUID"):
        score_forecast(unit, load_forecast(write("f.json", forecast(A, 1))))


def test_there_must_be_something_to_score(measured: Submission) -> None:
    with pytest.raises(ConfigError, match="nothing to score"):
        score_forecast(measured)
