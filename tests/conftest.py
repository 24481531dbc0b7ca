"""The number of examples: few by default, all where ``CI`` is set, most with ``--campaign``.

Hypothesis's profiles carry the size: ``developer`` tries a quarter of ``ci``. Tests that set a
number of examples of their own take it from `tests.support.sizes`. ``--campaign`` adds the longer
runs; without it they are deselected, not skipped.
"""

import os
import signal
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.anvil import Anvil

LONGEST_TEST_S = 900
"""Far more than any test takes; campaigns have no limit."""

UNIT = Path(__file__).parent / "unit"

# No deadline and no complaint of slowness: they depend on the machine, not on the code.
for _name, _examples in {"developer": 25, "ci": 100}.items():
    settings.register_profile(
        _name,
        max_examples=_examples,
        deadline=None,
        derandomize=False,
        suppress_health_check=[HealthCheck.too_slow],
    )


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--campaign", action="store_true", help="also make the longer runs")


def pytest_configure(config: pytest.Config) -> None:
    is_full = config.getoption("--campaign") or os.environ.get("CI")
    settings.load_profile("ci" if is_full else "developer")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        # Coverage counts what the unit tests reach; measuring it slows all tests that take part.
        if not item.path.is_relative_to(UNIT):
            item.add_marker(pytest.mark.no_cover)
    if config.getoption("--campaign"):
        return
    left_out = [item for item in items if item.get_closest_marker("campaign")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Stop measuring for ``no_cover``: pytest-cov does not in the processes of pytest-xdist."""
    tracer = sys.gettrace()
    if item.get_closest_marker("no_cover"):
        sys.settrace(None)
    try:
        return (yield)
    finally:
        sys.settrace(tracer)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that hangs, so that it does not hold up the others."""

    def give_up(*_: object) -> None:
        raise TimeoutError(f"{item.nodeid} took longer than {LONGEST_TEST_S} s")

    if item.get_closest_marker("campaign"):
        return (yield)
    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(LONGEST_TEST_S)
    try:
        return (yield)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def anvil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Anvil]:
    """One chain whose time a test sets, for each process; every test deploys its own contract."""
    running = Anvil(tmp_path_factory.mktemp("anvil") / "anvil.log")
    yield running
    running.close()


@pytest.fixture
def tests_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a computing process import computations of ``tests.support``."""
    paths = [str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
