"""A worker's waits, shortened so that attacks on it run in seconds."""

import pytest

from oepnode.worker import computations, effects


def shorten_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a worker retry after milliseconds."""
    for module in (effects, computations):
        monkeypatch.setattr(module, "_FIRST_WAIT_S", 0.002)
        monkeypatch.setattr(module, "_LONGEST_WAIT_S", 0.01)
