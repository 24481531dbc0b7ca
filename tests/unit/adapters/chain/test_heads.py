"""The block to read at, where nodes differ, one is slow and one lies."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from prometheus_client import CollectorRegistry

from oepnode.adapters.chain.agreement import Agreement
from oepnode.adapters.chain.disagreements import Disagreements
from oepnode.adapters.chain.fees import proposed
from oepnode.adapters.chain.head_ages import HeadAges
from oepnode.adapters.chain.heads import Heads
from oepnode.adapters.chain.node import Node
from oepnode.adapters.chain.rpc import RpcClient
from oepnode.adapters.chain.values import FeeSample
from oepnode.config import ChainSettings
from oepnode.domain.rounds.onchain import Head
from oepnode.errors import TransportError
from tests.support.fake_chain import FakeClock

NOW = 1_800_000_000
SLOW_S = 0.8
"""Longer than the grace for a node that has not answered, shorter than a question's deadline."""


def block(number: int, fork: int = 0) -> Head:
    return Head(number, bytes([fork]) + number.to_bytes(31), NOW + 12 * (number - 1_000))


@dataclass
class Says:
    """What a node says: its newest and final block, a price, and after how long."""

    newest: int = 1_000
    final: int | None = 900
    fork: int = 0
    price: int = 100
    after_s: float = 0.0


class FakeNode(Node):
    def __init__(self, index: int, says: Says) -> None:
        super().__init__(RpcClient(f"http://node-{index}:8545", index, 1, 1_000))
        self.says = says

    async def block(self, which: int | str) -> Head:
        await asyncio.sleep(self.says.after_s)
        number = self.says.newest if isinstance(which, str) else which
        if number > self.says.newest:
            raise TransportError("no such block")
        return block(number, self.says.fork)

    async def finalized(self) -> Head | None:
        await asyncio.sleep(self.says.after_s)
        return None if self.says.final is None else block(self.says.final, self.says.fork)

    async def fees(self, at: Head) -> FeeSample:
        await asyncio.sleep(self.says.after_s)
        return FeeSample(None, self.says.price)


class World:
    def __init__(self, *says: Says) -> None:
        nodes = [FakeNode(index, each) for index, each in enumerate(says, 1)]
        self.agreement = Agreement(nodes, 2, 2.0, Disagreements(CollectorRegistry()))
        settings = ChainSettings(
            rpc_urls=("http://localhost:1",),
            chain_id=1,
            contract="0x" + "11" * 20,
            finality="finalized",
        )
        self.metrics = CollectorRegistry()
        self.heads = Heads(self.agreement, settings, FakeClock(NOW), HeadAges(self.metrics))

    def ages(self) -> list[float | None]:
        """Ages that the metrics have for the nodes, None where there is none."""
        return [
            self.metrics.get_sample_value("oepnode_rpc_head_age_seconds", {"node": node.name})
            for node in self.agreement.nodes
        ]


HONEST = Says()
SLOW = Says(after_s=SLOW_S)


@pytest.mark.parametrize("behind", [960, 10])
async def test_a_liar_beside_a_slow_node_holds_no_reader_back(behind: int) -> None:
    world = World(HONEST, SLOW, Says(newest=behind, fork=1))
    assert await world.heads.newest() == block(1_000)
    await world.agreement.close()


async def test_nodes_that_agree_are_not_kept_waiting_by_a_slow_one() -> None:
    world = World(HONEST, Says(newest=1_001), Says(after_s=30))
    started = asyncio.get_running_loop().time()
    assert await world.heads.newest() == block(1_000)
    assert asyncio.get_running_loop().time() - started < 1
    await world.agreement.close()


@pytest.mark.parametrize("final", [None, 0, 1_000])
async def test_a_liar_beside_a_slow_node_changes_no_finality(final: int | None) -> None:
    world = World(HONEST, SLOW, Says(final=final, fork=1))
    assert await world.heads.settled() == block(900)
    await world.agreement.close()


async def test_a_chain_without_the_tag_is_read_at_its_depth() -> None:
    world = World(Says(final=None), Says(final=None), HONEST)
    assert await world.heads.settled() == block(988)
    await world.agreement.close()


async def test_nodes_that_differ_on_the_tag_are_not_believed() -> None:
    silent = Says(after_s=30)
    world = World(HONEST, Says(final=None), silent)
    with pytest.raises(TransportError, match=r"finalized block: .*block 900; .*no such tag"):
        await world.heads.settled()
    await world.agreement.close()


async def test_what_was_final_stays_final() -> None:
    world = World(HONEST, Says(), Says(after_s=30))
    assert await world.heads.settled() == block(900)
    world.agreement.nodes[1].says.final = 10  # type: ignore[attr-defined]
    assert await world.heads.settled() == block(900)
    await world.agreement.close()


@pytest.mark.parametrize("price", [1, 10_000])
async def test_a_liar_beside_a_slow_node_sets_no_price(price: int) -> None:
    world = World(HONEST, SLOW, Says(price=price))
    assert (await proposed(world.agreement, block(1_000))).price == 100
    await world.agreement.close()


async def test_each_nodes_age_is_kept_while_it_answers() -> None:
    world = World(HONEST, Says(newest=999), Says(newest=1_002, after_s=30))
    assert world.ages() == [None, None, None]
    await world.heads.newest()
    assert world.ages() == [0, 12, None]
    world.agreement.nodes[0].says = Says(newest=1_001)  # type: ignore[attr-defined]
    await world.heads.newest()
    assert world.ages() == [-12, 12, None]
    await world.agreement.close()


async def test_ages_are_kept_where_the_nodes_do_not_agree() -> None:
    world = World(HONEST, Says(newest=5), Says(newest=10, fork=1))
    with pytest.raises(TransportError):
        await world.heads.newest()
    assert world.ages() == [0, 12 * 995, 12 * 990]
    await world.agreement.close()
