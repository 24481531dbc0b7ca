from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from oepnode.domain.edge.telemetry import json_format
from tests.support.telemetry_columns import frame

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write JSON records to a file of the test's folder."""

    def records(name: str, *values: dict[str, object]) -> Path:
        (tmp_path / name).write_text(json.dumps(values))
        return tmp_path / name

    return records


@pytest.fixture
def write_telemetry(tmp_path: Path) -> Write:
    """Write rows of NMI telemetry to a file of the test's folder."""

    def rows(name: str, *values: dict[str, object]) -> Path:
        (tmp_path / name).write_bytes(json_format.write_telemetry(frame(*values)))
        return tmp_path / name

    return rows
