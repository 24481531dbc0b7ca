"""``oepnode telemetry validate``: both acknowledgements of a submission."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from tests.unit.cli.conftest import Run


def test_sample_telemetry_is_acknowledged(run: Run, sample: Path) -> None:
    for name in ("telemetry", "telemetry/part-0001.parquet", "telemetry-one-nmi.json"):
        file = str(sample / "edge" / "sample-02" / name)
        assert run("telemetry", "validate", file).exit_code == 0
    whole = run("telemetry", "validate", file, "--date", "2026-11-20")
    assert whole.exit_code == 0, whole.output
    assert run("telemetry", "validate", file, "--date", "2026-11-21").exit_code == 1
    assert run("telemetry", "validate", file, "--date", "today").exit_code == 2


def test_a_folder_without_valid_parquet_is_rejected(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert run("telemetry", "validate", "empty").exit_code == 2
    pl.DataFrame({"x": [1]}).write_parquet(tmp_path / "empty" / "a.parquet")
    assert run("telemetry", "validate", "empty").exit_code == 1
    pl.DataFrame({"y": [1]}).write_parquet(tmp_path / "empty" / "b.parquet")
    assert run("telemetry", "validate", "empty").exit_code == 2
