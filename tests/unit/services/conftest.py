"""Unit tests of the services: no network, the chain in memory, time set by the test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_socket

from oepnode.services.common.metrics import InputMetrics
from oepnode.services.registry.app import RequestHandler
from oepnode.services.registry.store import RegistryStore
from oepnode.services.sender.store import EnvelopeStore
from tests.support.fake_chain import FakeChain, FakeClock, InMemoryChain
from tests.support.registry_requests import (
    DIGEST,
    OPERATOR,
    SALT,
    SNAPSHOT,
    WINDOW_S,
    WORKER,
    address,
    allow_list,
)


@pytest.fixture(autouse=True)
def no_network() -> Iterator[None]:
    pytest_socket.disable_socket(allow_unix_socket=True)
    yield
    pytest_socket.enable_socket()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def blockchain(clock: FakeClock) -> InMemoryChain:
    blockchain = InMemoryChain(clock)
    blockchain.add_member(b"\x70" * 20, b"\x7a" * 20)
    return blockchain


@pytest.fixture
def chain(blockchain: InMemoryChain) -> FakeChain:
    return FakeChain(blockchain)


@pytest.fixture
def envelopes(tmp_path: Path) -> Iterator[EnvelopeStore]:
    store = EnvelopeStore(tmp_path / "sender")
    yield store
    store.close()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[RegistryStore]:
    store = RegistryStore(tmp_path / "registry")
    yield store
    store.close()


@pytest.fixture
async def handler(
    chain: FakeChain, blockchain: InMemoryChain, clock: FakeClock, registry: RegistryStore
) -> RequestHandler:
    """A worker in the electorate of round 1, which uses the published snapshot."""
    registry.publish(SNAPSHOT, SALT, clock.now())
    blockchain.add_member(OPERATOR, address(WORKER))
    await chain.open_round(1_795_000_200, 6, b"\x0e" * 32, DIGEST)
    return RequestHandler(chain, clock, registry, WINDOW_S, allow_list(), InputMetrics())
