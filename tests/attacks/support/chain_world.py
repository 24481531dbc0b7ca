"""A contract on a real chain with three workers and a final round, read through several nodes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry

from oepnode.adapters.chain import contract, deploy
from oepnode.adapters.chain.contract import EvmChain, EvmReader
from oepnode.adapters.clock import SystemClock
from oepnode.config import ChainSettings
from oepnode.demo.devnet import CHAIN_ID, Devnet, account
from oepnode.domain.rounds.ballot import Reason, Result, Vote, ballot_for
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Policy
from tests.attacks.support.lying_node import Lie, LyingNode, honest, lying_node

RESULT = Result(b"\x33" * 32, 4)
HORIZON = 1_790_000_100 // 300 * 300
CUSTODY = b"\x77" * 32
STRANGER = bytes.fromhex(account(30).address[2:])


class ChainTime:
    """The clock of a machine whose time is that of the chain, which tests set ahead."""

    def __init__(self, devnet: Devnet) -> None:
        block = devnet.rpc("eth_getBlockByNumber", "latest", False)
        self.ahead_s = int(block["timestamp"], 16) - SystemClock().now()

    def now(self) -> float:
        return SystemClock().now() + self.ahead_s


@dataclass
class ChainWorld:
    """The contract, its administrator and its workers, through the real node.

    Attributes:
        metrics: Of the newest connection through other nodes.
    """

    devnet: Devnet
    settings: ChainSettings
    admin: EvmChain
    workers: list[EvmChain]
    metrics: CollectorRegistry = field(default_factory=CollectorRegistry)

    def nodes(self, *urls: str, **changes: Any) -> ChainSettings:
        """Settings with these nodes, which a machine of the real world would have."""
        limits = {"max_head_age_s": 600.0, "max_head_lead_s": 60.0}
        values = self.settings.model_dump() | limits | changes | {"rpc_urls": urls}
        return ChainSettings(**values)

    async def vote(self, number: int, seat: int) -> Vote:
        context = RoundContext(self.admin.chain_id, self.admin.contract, number)
        return Vote(ballot_for(context, seat, RESULT), CUSTODY)

    async def open_round(self) -> int:
        return (await self.admin.open_round(HORIZON, 6, b"\x11" * 32, b"\x22" * 32)).round

    async def final_round(self) -> int:
        """A round in which two members vote for a result, and one abstains."""
        number = await self.open_round()
        for seat in (0, 2):
            await self.workers[seat].cast_ballot(number, await self.vote(number, seat))
        await self.workers[1].abstain(number, Reason.INPUTS_UNAVAILABLE)
        members = (await self.admin.current_electorate()).members
        ballots = [(members[seat], (await self.vote(number, seat)).ballot) for seat in (0, 2)]
        await self.admin.reveal_root(number, RESULT.root, RESULT.partitions, ballots)
        return number

    @asynccontextmanager
    async def reader(self, *urls: str, **changes: Any) -> AsyncIterator[EvmReader]:
        """A connection for reading through these nodes."""
        clock = ChainTime(self.devnet)
        self.metrics = CollectorRegistry()
        settings = self.nodes(*urls, **changes)
        reader = await contract.connect_reader(settings, clock, self.metrics)
        try:
            yield reader
        finally:
            await reader.close()

    @asynccontextmanager
    async def writer(self, seat: int, *urls: str, **changes: Any) -> AsyncIterator[EvmChain]:
        """A worker's connection through these nodes."""
        self.metrics = CollectorRegistry()
        chain = await contract.connect(
            self.nodes(*urls, **changes),
            account(20 + seat),
            None,
            ChainTime(self.devnet),
            self.metrics,
        )
        try:
            yield chain
        finally:
            await chain.close()

    @asynccontextmanager
    async def three_nodes(self, lie: Lie) -> AsyncIterator[list[LyingNode]]:
        """Three nodes, of which the second lies."""
        async with AsyncExitStack() as stack:
            yield [
                await stack.enter_async_context(lying_node(self.devnet.url, each))
                for each in (honest, lie, honest)
            ]

    def count(self, metric: str, node: LyingNode) -> dict[str, float]:
        """A node's counts in a metric, by question."""
        name = node.url.split("/")[2]
        return {
            sample.labels["what"]: sample.value
            for family in self.metrics.collect()
            for sample in family.samples
            if sample.name == metric and sample.labels["node"].startswith(name + "#")
        }


@asynccontextmanager
async def chain_world(devnet: Devnet) -> AsyncIterator[ChainWorld]:
    """A new contract with three workers, on a running chain."""
    admin = account(0)
    nodes = ChainSettings(rpc_urls=(devnet.url,), chain_id=CHAIN_ID, contract="0x" + "00" * 20)
    policy = Policy(vote_window_s=120, reveal_window_s=120)
    deployed = await deploy.deploy(nodes, admin, bytes.fromhex(admin.address[2:]), policy)
    settings = nodes.model_copy(
        update={"contract": "0x" + deployed.address.hex(), "start_block": deployed.block}
    )
    async with AsyncExitStack() as stack:
        chain = await contract.connect(settings, admin)
        stack.push_async_callback(chain.close)
        workers = []
        for seat in range(3):
            worker = await contract.connect(settings, account(20 + seat))
            stack.push_async_callback(worker.close)
            workers.append(worker)
        await chain.transact(
            "addWorkers",
            [(account(10 + seat).address, account(20 + seat).address, "") for seat in range(3)],
        )
        role = await chain.role_code("REQUESTER_ROLE")
        await chain.transact("grantRole", role, admin.address)
        yield ChainWorld(devnet, settings, chain, workers)
