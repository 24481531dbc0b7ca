from collections.abc import Iterator

import pytest

from tests.anvil import Anvil


@pytest.fixture(scope="session")
def anvil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Anvil]:
    """One chain that stands still; every test deploys its own contract."""
    running = Anvil(tmp_path_factory.mktemp("anvil") / "anvil.log")
    yield running
    running.close()
