"""``--campaign`` adds the longer runs; without it they are left out, not skipped."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.anvil import Anvil

# No deadline and no complaint of slowness: they say more of the machine than of the code.
settings.register_profile("oepnode", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("oepnode")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--campaign", action="store_true", help="also make the longer runs")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--campaign"):
        return
    left_out = [item for item in items if item.get_closest_marker("campaign")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def anvil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Anvil]:
    """One chain that stands still; every test deploys its own contract."""
    running = Anvil(tmp_path_factory.mktemp("anvil") / "anvil.log")
    yield running
    running.close()
