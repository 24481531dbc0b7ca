"""Both services on free ports of 127.0.0.1, with the chain in memory."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import aiohttp
import pytest
import structlog
from eth_account import Account
from eth_account.signers.local import LocalAccount

from oepnode.adapters.http.sender import HttpSender
from oepnode.adapters.http.server.serving import listening
from oepnode.adapters.http.signed_client import RequestSigner
from oepnode.config import ChainSettings, HttpSettings, RegistrySettings, SenderSettings
from oepnode.demo.sample.plan import SamplePlan
from oepnode.demo.sample.write import SampleSummary, write_sample
from oepnode.services.registry import app as registry
from oepnode.services.registry.store import RegistryStore
from oepnode.services.sender import app as sender
from tests.support.fake_chain import (
    CHAIN_ID,
    CONTRACT,
    REQUESTER,
    FakeChain,
    FakeClock,
    InMemoryChain,
)

TOKEN = "a-token-of-the-publisher"
LIMIT = 200_000
WORKER = Account.from_key(b"\x01" * 32)
OPERATOR = b"\x71" * 20
LATER = b"\x72" * 20
OPERATORS = ("0x" + OPERATOR.hex(), "0x" + LATER.hex())
CHAIN = ChainSettings(
    rpc_urls=("http://127.0.0.1:1",), chain_id=CHAIN_ID, contract="0x" + CONTRACT.hex()
)


@dataclass
class Sample:
    """A small sample and its files."""

    folder: Path
    summary: SampleSummary
    document: bytes
    snapshot: bytes
    salt: bytes

    @property
    def horizon_start(self) -> int:
        return int(datetime.fromisoformat(self.summary.horizon_start).timestamp())

    @property
    def digest(self) -> bytes:
        return sha256(self.document).digest()

    @property
    def snapshot_digest(self) -> bytes:
        return sha256(self.snapshot).digest()


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[None]:
    """Print no log, and undo a command's log settings after its test."""
    with structlog.testing.capture_logs():
        yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    folder = tmp_path_factory.mktemp("sample")
    summary = write_sample(SamplePlan(nmis=20, intervals=6), folder)
    return Sample(
        folder,
        summary,
        (folder / summary.envelope_file).read_bytes(),
        (folder / "registry.json").read_bytes(),
        bytes.fromhex((folder / "salt").read_text()),
    )


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def blockchain(clock: FakeClock) -> InMemoryChain:
    blockchain = InMemoryChain(clock)
    blockchain.add_member(OPERATOR, bytes.fromhex(WORKER.address[2:]))
    return blockchain


@pytest.fixture
def sender_settings(tmp_path: Path) -> SenderSettings:
    token = tmp_path / "token"
    token.write_text(TOKEN + "\n")
    token.chmod(0o600)
    return SenderSettings(
        chain=CHAIN,
        data_dir=tmp_path / "sender",
        key_file=tmp_path / "key",
        token_file=token,
        max_document_bytes=LIMIT,
        operators=OPERATORS,
    )


@pytest.fixture
def registry_settings(tmp_path: Path) -> RegistrySettings:
    return RegistrySettings(
        chain=CHAIN, data_dir=tmp_path / "registry", max_request_bytes=4000, operators=OPERATORS
    )


@pytest.fixture
async def sender_url(
    sender_settings: SenderSettings, blockchain: InMemoryChain, clock: FakeClock
) -> AsyncIterator[str]:
    app = sender.application(sender_settings, FakeChain(blockchain, REQUESTER), clock)
    async with listening(app, HttpSettings()) as url:
        yield url


@pytest.fixture
async def registry_url(
    registry_settings: RegistrySettings,
    blockchain: InMemoryChain,
    clock: FakeClock,
    sample: Sample,
) -> AsyncIterator[str]:
    store = RegistryStore(registry_settings.data_dir)
    store.publish(sample.snapshot, sample.salt, clock.now())
    store.close()
    app = registry.application(registry_settings, FakeChain(blockchain), clock)
    async with listening(app, HttpSettings()) as url:
        yield url


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield session


def request_signer(
    clock: FakeClock, account: LocalAccount = WORKER, max_bytes: int = LIMIT
) -> RequestSigner:
    """A worker that requests a round's inputs from the services."""
    return RequestSigner(account, CHAIN_ID, CONTRACT, clock, max_bytes, timeout_s=10)


def worker_client(
    url: str, clock: FakeClock, account: LocalAccount = WORKER, max_bytes: int = LIMIT
) -> HttpSender:
    """A worker's client of the gateway."""
    return HttpSender(url, request_signer(clock, account, max_bytes))


async def reason_of(response: aiohttp.ClientResponse) -> str:
    """The code of a rejection; every rejection has a message as well."""
    error = json.loads(await response.read())["error"]
    assert error["message"]
    return str(error["code"])
