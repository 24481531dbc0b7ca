"""``oepnode forecast``: forecasts and Boffers scored against telemetry."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oepnode.domain.nem.nem_time import format_nem
from tests.support.edge_files import measured, telemetry_file, write
from tests.support.telemetry_columns import START, A, B, reading
from tests.unit.cli.conftest import Run


def test_a_boffer_is_scored_by_its_own_units_telemetry(run: Run, tmp_path: Path) -> None:
    end = format_nem(START + 300)
    rows = f"unit,level,interval_end,cleared_w\nUNIT2,Flex,{end},-30000\n"
    (tmp_path / "c.csv").write_text(rows)
    score = ("forecast", "accuracy", "--cleared", "c.csv", "--telemetry")
    done = run(*score, write(tmp_path / "u.json", measured("UNIT1")))
    assert (done.exit_code, done.stdout) == (1, "")
    assert "duid.mismatch" in done.stderr
    assert run(*score, write(tmp_path / "v.json", measured("UNIT2"))).exit_code == 0
    both = write(tmp_path / "w.json", measured("UNIT1"), measured("UNIT2"))
    mixed = run(*score, both)
    assert (mixed.exit_code, "duid.mixed" in mixed.stderr) == (1, True)
    assert f"{both}: DUID telemetry rejected:" in mixed.stderr
    assert mixed.stderr.endswith("(choose one with --duid)\n")
    assert run(*score, both, "--duid", "UNIT2").exit_code == 0
    of_nmis = telemetry_file(tmp_path / "n.json", reading(A, 5))
    assert run(*score, of_nmis, "--duid", "UNIT2").exit_code == 2


def test_a_forecast_is_acknowledged_and_scored(run: Run, sample: Path) -> None:
    base = sample / "edge" / "sample-01"
    assert run("forecast", "validate", str(base / "forecast")).exit_code == 0
    words = ("forecast", "accuracy", str(base / "forecast"), "--telemetry", str(base / "telemetry"))
    answer = json.loads(run(*words, "--json").stdout)
    counted = json.loads((sample / "edge" / "edge.json").read_text())["forecast_rows"]
    assert answer["all_nmis"]["count"] == counted["sample-01"]
    assert (answer["unmeasured_forecasts"], answer["unforecast_intervals"]) == (0, 0)
    assert answer["unit"]["count"] == 288
    assert answer["unit"]["rmse_w"] < len(answer["sites"]) * answer["all_nmis"]["rmse_w"]
    mean = json.loads(run(*words, "--against", "mean", "--json").stdout)
    assert mean["all_nmis"]["rmse_w"] != answer["all_nmis"]["rmse_w"]
    assert "unit" in run(*words).output
    assert run(*words, "--against", "middle").exit_code == 2


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_boffer_is_scored_as_the_units_forecast(run: Run, sample: Path, form: str) -> None:
    base = sample / "edge" / "sample-01"
    out = f"cleared.{form}"
    words = ("--price", "120", "--date", "2026-11-20", "--out", out)
    assert run("boffer", "clear", str(base / "boffer.json"), *words).exit_code == 0
    score = ("forecast", "accuracy", "--telemetry", str(base / "telemetry"), "--cleared", out)
    answer = json.loads(run(*score, "--json").stdout)["boffer"]
    assert (answer["count"], answer["unmeasured"]) == (288, 0)
    both = json.loads(run(*score, str(base / "forecast"), "--json").stdout)
    assert both["boffer"] == answer
    assert both["unit"]["count"] == 288
    assert "Boffer" in run(*score).output


def test_files_other_than_cleared_quantities_of_a_unit_are_rejected(
    run: Run, sample: Path, tmp_path: Path
) -> None:
    base = sample / "edge" / "sample-01"
    score = ("forecast", "accuracy", "--telemetry", str(base / "telemetry"))
    assert run(*score).exit_code == 2
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    assert run(*score, "--cleared", "x.csv").exit_code == 2
    words = ("--price", "120", "--out", "sites.csv")
    assert run("boffer", "clear", str(base / "nmi-boffers.ndjson"), *words).exit_code == 0
    assert run(*score, "--cleared", "sites.csv").exit_code == 2


def test_a_forecast_without_a_measurement_is_reported(run: Run, tmp_path: Path) -> None:
    forecast = {"nmi": A, "measurementDatetime": format_nem(START + 300), "uncontrolFcst": -1}
    file = write(tmp_path / "f.json", forecast)
    measured = telemetry_file(tmp_path / "t.json", reading(B, 5))
    done = run("forecast", "accuracy", file, "--telemetry", measured)
    assert done.exit_code == 1
    assert "1 forecast without a measurement" in done.stderr
    assert "1 measured interval without a forecast" in done.stderr
    done = run("forecast", "accuracy", file, "--telemetry", measured, "--json")
    assert done.exit_code == 1
    answer = json.loads(done.stdout)
    assert answer["unit"] == {
        "count": 0,
        "bias_w": None,
        "mae_w": None,
        "rmse_w": None,
        "within": None,
        "worst_w": 0,
    }


def test_options_of_accuracy_out_of_range_are_named(run: Run, tmp_path: Path) -> None:
    file = telemetry_file(tmp_path / "t.json", reading(A, 1))
    for words in (["--tolerance-w", "99999999999999999999"], ["--tolerance-percent", "0.05"]):
        done = run("forecast", "accuracy", file, "--telemetry", file, *words)
        assert (done.exit_code, words[0] in done.stderr) == (2, True)
