"""``oepnode sample`` as a user types it."""

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run


def test_a_sample_is_described_as_json(run: Run, tmp_path: Path) -> None:
    options = ["--nmis", "30", "--intervals", "6", "--format", "ndjson", "--date", "2026-01-31"]
    done = run("sample", "--out", str(tmp_path / "s"), *options, "--json")
    assert done.exit_code == 0
    printed = json.loads(done.stdout)
    assert printed == json.loads((tmp_path / "s" / "sample.json").read_text())
    assert (printed["nmis"], printed["intervals"], printed["aggregators"]) == (30, 6, 3)
    assert (printed["envelope_file"], printed["trading_date"]) == ("envelope.ndjson", "2026-01-31")


@pytest.mark.parametrize(
    "options", [["--nmis", "3"], ["--date", "31.1.2026"], ["--flex", "2"], ["--format", "xml"]]
)
def test_a_wrong_option_ends_with_2_and_writes_nothing(
    run: Run, tmp_path: Path, options: list[str]
) -> None:
    done = run("sample", "--out", str(tmp_path / "s"), *options)
    assert done.exit_code == 2
    assert options[0] in done.output
    assert not (tmp_path / "s").exists()


def test_a_second_sample_in_one_folder_ends_with_2(run: Run, small_sample: Path) -> None:
    done = run("sample", "--out", str(small_sample))
    assert done.exit_code == 2
    assert "not empty" in done.output
