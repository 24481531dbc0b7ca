"""A reorganisation takes a round's opening away, and its number goes to another document's round.

Who: nobody, or whoever can reorganise a few blocks. Sender and registry gave document, snapshot and
salt for an opening of the newest block, which was then gone: with a requester's key and one block
of its own anybody could have a salt given out for a round that never was. The gateway looked its
openings up by number: after the reorganisation it answered for one document with the round of
another, and opened a second round while the first one was not deep enough to be seen.

What stops it now: inputs are granted only for an opening that is deep enough, 12 blocks where the
settings say nothing (``adapters/chain/profiles.py``). The gateway remembers each opening with its
block (``services/sender/openings.py``), and answers only with a round that the newest block has
with exactly these inputs (``services/sender/round_opener.py``).

What remains: a reorganisation deeper than that.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest

from oepnode.adapters.chain import contract
from oepnode.adapters.chain.contract import EvmChain
from oepnode.adapters.clock import SystemClock
from oepnode.adapters.http.publisher import HttpPublisher, Published
from oepnode.adapters.http.registry import HttpRegistry
from oepnode.adapters.http.sender import HttpSender
from oepnode.adapters.http.server.serving import listening
from oepnode.adapters.http.signed_client import RequestSigner
from oepnode.config import ChainSettings, HttpSettings, RegistrySettings, SenderSettings
from oepnode.demo.devnet import CHAIN_ID, Devnet, account
from oepnode.domain.rounds.onchain import RoundOpened
from oepnode.errors import TransportError
from oepnode.services.registry import app as registry
from oepnode.services.registry.store import RegistryStore
from oepnode.services.sender import app as sender
from oepnode.services.sender import round_opener
from oepnode.services.sender.openings import Openings
from tests.attacks.support.chain_world import ChainTime, ChainWorld, chain_world
from tests.support.round_world import ENVELOPE, REGISTRY, SALT

DEPTH = 4
TOKEN = "a-token-of-the-publisher"
REGISTRY_DIGEST = sha256(REGISTRY).digest()


def another(limit_kw: float) -> bytes:
    """Another document than `ENVELOPE`."""
    records = json.loads(ENVELOPE)
    records[0]["operatingEnvelopes"][0]["intervals"][0]["activePowerExportLimit"] = limit_kw
    return json.dumps(records).encode()


A, B = another(1.23), another(1.24)


@dataclass
class Services:
    """Gateway and registry on a real chain, which can be reorganised.

    Attributes:
        world: The chain.
        folder: Their data folders are below it.
        depth: Blocks on top of one that they believe.
    """

    world: ChainWorld
    folder: Path
    depth: int = DEPTH
    sender_url: str = ""
    registry_url: str = ""
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def settings(self) -> ChainSettings:
        return self.world.nodes(self.world.devnet.url, confirmations=self.depth)

    async def start(self) -> None:
        """Start both, on what earlier ones have stored."""
        operators = tuple(account(10 + seat).address for seat in range(3))
        key, token = self.folder / "key", self.folder / "token"
        for path, text in ((key, "11" * 32), (token, TOKEN)):
            path.write_text(text)
            path.chmod(0o600)
        gateway = sender.application(
            SenderSettings(
                chain=self.settings,
                data_dir=self.folder / "sender",
                key_file=key,
                token_file=token,
                operators=operators,
            ),
            await self._chain(),
            SystemClock(),
        )
        nmis = registry.application(
            RegistrySettings(
                chain=self.settings, data_dir=self.folder / "registry", operators=operators
            ),
            await self._chain(),
            SystemClock(),
        )
        self.sender_url = await self.stack.enter_async_context(listening(gateway, HttpSettings()))
        self.registry_url = await self.stack.enter_async_context(listening(nmis, HttpSettings()))

    async def restart(self) -> None:
        """Stop both as a crash would, and start them again."""
        await self.stack.aclose()
        self.stack = AsyncExitStack()
        await self.start()

    async def _chain(self) -> EvmChain:
        clock = ChainTime(self.world.devnet)
        chain = await contract.connect(self.settings, account(0), clock=clock)
        self.stack.push_async_callback(chain.close)
        return chain

    async def publish(self, document: bytes) -> Published:
        """Publish a document, and request its round."""
        path = self.folder / "document.json"
        path.write_bytes(document)
        publisher = HttpPublisher(self.sender_url, timeout_s=20)
        try:
            return await publisher.publish(path, TOKEN, REGISTRY_DIGEST)
        finally:
            await publisher.close()

    def mine(self, blocks: int) -> None:
        self.world.devnet.rpc("anvil_mine", hex(blocks))

    async def erase(self, number: int) -> None:
        """Reorganise the chain so that a round was never opened."""
        state = await self.world.admin.round(number)
        assert state is not None
        newest = int(self.world.devnet.rpc("eth_blockNumber"), 16)
        self.world.devnet.rpc("anvil_reorg", newest - state.opened_in_block + 1, [])
        assert await self.world.admin.round(number) is None

    async def rounds(self) -> list[bytes]:
        """The documents of all rounds, in the order of their numbers."""
        newest = await self.world.admin.newest()
        openings = [await newest.opening(n + 1) for n in range(await newest.round_count())]
        return [o.envelope_digest for o in openings if isinstance(o, RoundOpened)]

    async def salt(self, number: int) -> bytes:
        """The salt for a round, as a worker requests it."""
        client = HttpRegistry(self.registry_url, self._signer())
        try:
            await client.snapshot(number, REGISTRY_DIGEST)
            return await client.salt(number, REGISTRY_DIGEST)
        finally:
            await client.close()

    async def document(self, number: int, document: bytes) -> bytes:
        """A document for a round, as a worker requests it."""
        client = HttpSender(self.sender_url, self._signer())
        try:
            return await client.document(number, sha256(document).digest())
        finally:
            await client.close()

    def _signer(self) -> RequestSigner:
        contract_ = self.world.admin.contract
        return RequestSigner(account(20), CHAIN_ID, contract_, SystemClock(), 2**22, timeout_s=20)

    def grants(self) -> int:
        """Inputs that were granted, as both services' logs have them."""
        found = 0
        for name in ("sender", "registry"):
            index = sqlite3.connect(self.folder / name / "index.sqlite")
            found += index.execute("SELECT count(*) FROM access_log").fetchone()[0]
            index.close()
        return found


@asynccontextmanager
async def running(devnet: Devnet, folder: Path, depth: int) -> AsyncIterator[Services]:
    store = RegistryStore(folder / "registry")
    store.publish(REGISTRY, SALT, 1.0)
    store.close()
    async with chain_world(devnet) as world:
        services = Services(world, folder, depth)
        services.mine(2 * DEPTH)
        await services.start()
        try:
            yield services
        finally:
            await services.stack.aclose()


@pytest.fixture(scope="module")
def devnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    """A chain without blocks but those of the tests, which count how deep a round is."""
    running_devnet = Devnet(tmp_path_factory.mktemp("devnet") / "anvil.log", accounts=40)
    running_devnet.rpc("evm_setIntervalMining", 0)
    running_devnet.rpc("evm_setAutomine", True)
    yield running_devnet
    running_devnet.stop()


@pytest.fixture
async def services(devnet: Devnet, tmp_path: Path) -> AsyncIterator[Services]:
    async with running(devnet, tmp_path, DEPTH) as services:
        yield services


@pytest.fixture
async def hasty(devnet: Devnet, tmp_path: Path) -> AsyncIterator[Services]:
    async with running(devnet, tmp_path, 0) as services:
        yield services


# --- rounds --------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_restarted", [False, True], ids=["running", "restarted"])
async def test_every_document_is_answered_with_its_own_round(
    services: Services, is_restarted: bool
) -> None:
    first = await services.publish(A)
    assert (first.round, first.settled) == (1, False)
    await services.erase(1)
    if is_restarted:
        await services.restart()
    assert (await services.publish(B)).round == 1
    assert (await services.publish(A)).round == 2
    assert [(await services.publish(document)).round for document in (B, A)] == [1, 2]
    assert await services.rounds() == [sha256(B).digest(), sha256(A).digest()]


async def test_also_where_blocks_are_believed_at_once(hasty: Services) -> None:
    assert (await hasty.publish(A)).settled
    await hasty.erase(1)
    assert (await hasty.publish(B)).round == 1
    assert (await hasty.publish(A)).round == 2


async def test_without_comparing_the_inputs_another_documents_round_is_answered(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    await services.publish(A)
    await services.erase(1)
    await services.publish(B)
    monkeypatch.setattr(round_opener, "_is_of", lambda *_: True)
    assert (await services.publish(A)).round == 1
    assert await services.rounds() == [sha256(B).digest()]


async def test_repeated_requests_open_one_round_before_it_is_deep_enough(
    services: Services,
) -> None:
    for _ in range(DEPTH):
        published = await services.publish(A)
        assert (published.round, published.settled) == (1, False)
        await services.restart()
        services.mine(1)
    published = await services.publish(A)
    assert (published.round, published.settled) == (1, True)
    assert len(await services.rounds()) == 1


async def test_without_looking_at_the_newest_block_a_second_round_is_opened(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    await services.publish(A)
    monkeypatch.setattr(EvmChain, "newest", EvmChain.settled)
    with pytest.raises(TransportError, match=r"node\.behind"):
        await services.publish(A)  # the memory alone stops it
    monkeypatch.setattr(Openings, "of", lambda *_: None)
    await services.publish(A)
    monkeypatch.undo()
    assert len(await services.rounds()) == 2


# --- inputs --------------------------------------------------------------------------------------


async def test_no_input_is_granted_for_an_opening_that_vanishes(services: Services) -> None:
    await services.publish(A)
    services.mine(DEPTH - 1)
    for fetch in (services.salt(1), services.document(1, A)):
        with pytest.raises(TransportError, match="unknown to this service's node"):
            await fetch
    await services.erase(1)
    services.mine(2 * DEPTH)
    for fetch in (services.salt(1), services.document(1, A)):
        with pytest.raises(TransportError, match="unknown to this service's node"):
            await fetch
    assert services.grants() == 0


async def test_inputs_are_granted_for_an_opening_that_is_deep_enough(services: Services) -> None:
    await services.publish(A)
    services.mine(DEPTH)
    assert await services.salt(1) == SALT
    assert await services.document(1, A) == A
    assert services.grants() == 3


async def test_without_a_depth_they_are_given_for_a_round_that_never_was(hasty: Services) -> None:
    await hasty.publish(A)
    assert await hasty.salt(1) == SALT
    await hasty.erase(1)
    assert hasty.grants() == 2
    assert await hasty.rounds() == []
