"""benchmarks/edge: what it measures is the path by submission timestamp, and both sides agree."""

from __future__ import annotations

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).resolve().parents[3] / "benchmarks" / "edge"
NMIS = 4


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    loader = SourceFileLoader("edge_benchmark", str(FILE))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_telemetry_states_submissions_and_some_were_superseded(
    benchmark: ModuleType, tmp_path: Path
) -> None:
    assert benchmark.make(tmp_path, NMIS)["rows"] == NMIS * 1440
    found = benchmark.columnar(tmp_path, NMIS)
    assert found["superseded_rows"] == NMIS * (288 // 4 + 288 // 8)
    assert found["stale_minutes"] == NMIS * 288 // 16 * 5
    slow = benchmark.plain(tmp_path, NMIS)
    assert slow["rows"] == found["rows"], "it ends where the loop and the columns do not agree"


def test_the_plain_sample_does_not_depend_on_an_option(benchmark: ModuleType) -> None:
    assert benchmark.PLAIN_NMIS == 100
    assert "--plain-nmis" not in FILE.read_text("utf-8")
