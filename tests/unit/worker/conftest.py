"""Fixtures of the worker's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from oepnode.worker import computations, effects
from tests.support.worker_stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for module in (effects, computations):
        monkeypatch.setattr(module, "_FIRST_WAIT_S", 0.002)
        monkeypatch.setattr(module, "_LONGEST_WAIT_S", 0.01)
    yield
