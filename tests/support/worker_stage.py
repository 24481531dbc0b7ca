"""A worker with its chain and services in memory, and a real SQLite store.

Time is the chain's clock; retries wait milliseconds. A crash is a worker that is cancelled and
another one that starts from the same database.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

from oepnode.adapters.computing.job import Compute
from oepnode.adapters.crypto.hpke import PrivateKey
from oepnode.adapters.storage.worker_store import SqliteStore
from oepnode.config import ChainSettings, WorkerRelaySettings, WorkerSettings
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.ballot import Result, Vote, ballot_for
from oepnode.domain.rounds.computation import Inputs, compute
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.custody import custody_root
from oepnode.domain.rounds.onchain import Abstained, BallotCast, Phase, RoundOpened
from oepnode.domain.rounds.recipient_keys import KeyKind
from oepnode.ports import Relay
from oepnode.worker.metrics import WorkerMetrics
from oepnode.worker.ports import WorkerPorts
from oepnode.worker.worker import Worker
from tests.support.fake_chain import CHAIN_ID, CONTRACT, FakeChain, FakeClock, InMemoryChain
from tests.support.fake_services import (
    FakeArchive,
    FakeRegistry,
    FakeSender,
    FakeShelf,
    ThreadEngine,
)
from tests.support.round_world import COUNT, ENVELOPE, REGISTRY, SALT, START

DIGEST = sha256(ENVELOPE).digest()
REGISTRY_DIGEST = sha256(REGISTRY).digest()
AUDITOR = PrivateKey(KeyKind.HYBRID, sha256(b"auditor").digest())
GIVE_UP_S = 20.0
DIRECT_BEFORE_S = 45  # of a window of 60


def operator(index: int) -> bytes:
    return bytes([0xA0 + index]) * 20


def signer(index: int) -> bytes:
    return bytes([0xB0 + index]) * 20


class Stage:
    """A chain with enrolled workers, and the services that they use."""

    def __init__(self, folder: Path, members: int = 3) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.blockchain = InMemoryChain(self.clock)
        for index in range(members):
            self.blockchain.add_member(operator(index), signer(index))
        self.sender = FakeSender(ENVELOPE)
        self.registry = FakeRegistry(REGISTRY, SALT)
        self.shelf = FakeShelf()
        self.archive = FakeArchive()
        self.requester = FakeChain(self.blockchain)

    async def open(self, digest: bytes = DIGEST, count: int = COUNT) -> int:
        opened = await self.requester.open_round(START, count, digest, REGISTRY_DIGEST)
        return opened.round

    def publish_another(self) -> bytes:
        """Another document than `ENVELOPE`, which the sender has as well."""
        records = json.loads(ENVELOPE)
        records[0]["operatingEnvelopes"][0]["intervals"][0]["activePowerExportLimit"] = 1.23
        other = json.dumps(records).encode()
        self.sender.documents[sha256(other).digest()] = other
        return other

    def vote_of(self, document: bytes, index: int = 0) -> Vote:
        """A member's vote for the document's result in the only round."""
        (opened,) = (event for event in self.blockchain.log if isinstance(event, RoundOpened))
        context = RoundContext(CHAIN_ID, CONTRACT, 1)
        computed = compute(Inputs(document, REGISTRY, SALT, Feed()), context, opened)
        custody = custody_root(operator(index), computed.result.partitions)
        return Vote(ballot_for(context, index, computed.result.result), custody)

    def result_of(self, document: bytes) -> Result:
        """The document's result in the only round."""
        (opened,) = (event for event in self.blockchain.log if isinstance(event, RoundOpened))
        context = RoundContext(CHAIN_ID, CONTRACT, 1)
        return compute(Inputs(document, REGISTRY, SALT, Feed()), context, opened).result.result

    def worker(
        self,
        index: int = 0,
        *,
        compute_result: Compute = compute,
        is_requester: bool = False,
        relay: Relay | None = None,
        depth: int = 0,
    ) -> Worker:
        chain = FakeChain(self.blockchain, signer(index), depth)
        if is_requester:
            self.blockchain.allow_requests(signer(index))
        settings = WorkerSettings(
            chain=ChainSettings(
                rpc_urls=("http://127.0.0.1",), chain_id=CHAIN_ID, contract="0x" + "c0" * 20
            ),
            data_dir=self.folder,
            key_file=self.folder / "key",
            operator="0x" + operator(index).hex(),
            sender_url="http://sender",
            registry_url="http://registry",
            follow_interval_s=0.01,
            reveal_turn_s=0,
            is_requester=is_requester,
            relay=WorkerRelaySettings(direct_before_s=DIRECT_BEFORE_S),
        )

        ports = WorkerPorts(
            chain=chain,
            sender=self.sender,
            registry=self.registry,
            engine=ThreadEngine(self.shelf, self.archive, AUDITOR.public_key, compute_result),
            shelf=self.shelf,
            clock=self.clock,
            feed=Feed(),
            relay=relay,
        )
        store = SqliteStore(self.folder / f"worker-{index}.sqlite")
        return Worker(settings, ports, store, WorkerMetrics())

    def votes(self, index: int) -> list[BallotCast | Abstained]:
        return [
            event
            for event in self.blockchain.log
            if isinstance(event, BallotCast | Abstained) and event.operator == operator(index)
        ]

    def pass_time(self, seconds: int) -> None:
        """Let time pass, with a block at the end of it."""
        self.clock.time += seconds
        self.blockchain.block_times.append(int(self.clock.time))


@asynccontextmanager
async def running(*workers: Worker) -> AsyncIterator[None]:
    """Workers at work; cancelled, as by a crash, at the end of the block."""
    tasks = [asyncio.create_task(worker.run()) for worker in workers]
    try:
        yield
        ended = [task for task in tasks if task.done()]
        assert not ended, ended[0].exception()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds; a test that waits too long has failed."""
    async with asyncio.timeout(GIVE_UP_S):
        while not condition():
            await asyncio.sleep(0.005)


def phase(stage: Stage, number: int = 1) -> Phase:
    return stage.blockchain.rounds[number].phase
