"""Options that the commands of the EDGE datasets share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.edge_files import telemetry_file
from tests.support.telemetry_columns import A, reading
from tests.unit.cli.conftest import Run


@pytest.mark.parametrize("day", ["0001-01-01", "1969-12-31", "2106-01-01", "9999-12-31", "today"])
@pytest.mark.parametrize("dataset", ["telemetry", "forecast", "dispatch"])
def test_a_day_that_no_timestamp_can_name_is_rejected(
    run: Run, tmp_path: Path, dataset: str, day: str
) -> None:
    file = telemetry_file(tmp_path / "t.json", reading(A, 1))
    done = run(dataset, "validate", file, "--date", day)
    assert (done.exit_code, "--date must be yyyy-mm-dd" in done.stderr) == (2, True)
    for first_or_last in ("1970-01-01", "2105-12-31"):
        assert run(dataset, "validate", file, "--date", first_or_last).exit_code == 1
