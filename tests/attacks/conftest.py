"""Attacks: real nodes, servers and sockets on free ports of 127.0.0.1."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from oepnode.demo.devnet import Devnet


@pytest.fixture(scope="session")
def devnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    """One chain for the whole session; every test deploys its own contract."""
    log: Path = tmp_path_factory.mktemp("devnet") / "anvil.log"
    running = Devnet(log, accounts=40)
    yield running
    running.stop()
