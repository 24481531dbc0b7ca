"""Unit tests of the services: no network, the chain in memory, time set by the test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_socket

from oepnode.services.registry.store import RegistryStore
from oepnode.services.sender.store import EnvelopeStore
from tests.support.fake_chain import FakeChain, FakeClock, InMemoryChain


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
