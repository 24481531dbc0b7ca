"""benchmarks/edge: what it measures is the path by submission timestamp, and both sides agree."""

from __future__ import annotations

from pathlib import Path

from benchmarks import measure_edge

NMIS = 4


def test_telemetry_states_submissions_and_some_were_superseded(tmp_path: Path) -> None:
    assert measure_edge.make(tmp_path, NMIS)["rows"] == NMIS * 1440
    found = measure_edge.columnar(tmp_path, NMIS)
    assert found["superseded_rows"] == NMIS * (288 // 4 + 288 // 8)
    assert found["superseded_envelope_minutes"] == NMIS * 288 // 16 * 5
    slow = measure_edge.plain(tmp_path, NMIS)
    assert slow["rows"] == found["rows"], "it ends where the loop and the columns do not agree"


def test_the_plain_sample_does_not_depend_on_an_option() -> None:
    assert measure_edge.PLAIN_NMIS == 100
    assert "--plain-nmis" not in Path(measure_edge.__file__).read_text("utf-8")
