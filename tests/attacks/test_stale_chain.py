"""A result that the chain does not keep, and a chain that has stopped for one reader.

Who: the operator of a JSON-RPC node, or nobody at all: a reorganisation. ``aggregator verify``
passed on the newest block, and 30 blocks later the round was gone; a node that stood still for
eight minutes gave a "latest final" round that was superseded; health said ok.

What stops it now: every reader reads one block that is final by the chain's own tag, or deep enough
where it has none (``adapters/chain/heads.py``, ``profiles.py``), and says which and of when; a
newest block above 2 minutes of age is noted (``client/recounts.py``), above 10 it is an error, by
which a worker is unhealthy too.

What remains: on a chain without a tag, a reorganisation deeper than ``--confirmations``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from oepnode.adapters.chain import contract
from oepnode.client import recounts
from oepnode.demo.devnet import Devnet
from oepnode.domain.rounds.onchain import Phase
from oepnode.errors import TransportError
from tests.attacks.support.chain_world import ChainTime, ChainWorld, chain_world

DEPTH = 12


@pytest.fixture
async def world(devnet: Devnet) -> AsyncIterator[ChainWorld]:
    async with chain_world(devnet) as world:
        yield world


class LateClock(ChainTime):
    """A clock that has gone on while the chain stood still."""

    def __init__(self, devnet: Devnet, late_s: float) -> None:
        super().__init__(devnet)
        self.ahead_s += late_s


async def erase(world: ChainWorld, number: int) -> None:
    """Reorganise the chain so that a round was never opened."""
    async with world.reader(world.devnet.url, confirmations=0) as reader:
        state = await reader.round(number)
    assert state is not None
    newest = int(world.devnet.rpc("eth_blockNumber"), 16)
    world.devnet.rpc("anvil_reorg", newest - state.opened_in_block + 1, [])


async def test_a_result_that_a_reorganisation_can_erase_is_not_read(world: ChainWorld) -> None:
    world.devnet.rpc("anvil_mine", hex(2 * DEPTH))
    number = await world.final_round()
    async with world.reader(world.devnet.url, confirmations=DEPTH) as patient:
        assert await (await patient.settled()).round(number) is None
        await erase(world, number)
        assert await (await patient.settled()).round(number) is None


async def test_without_a_depth_a_result_is_believed_and_then_gone(world: ChainWorld) -> None:
    world.devnet.rpc("anvil_mine", hex(2 * DEPTH))
    number = await world.final_round()
    async with world.reader(world.devnet.url, confirmations=0) as hasty:
        state = await (await hasty.settled()).round(number)
        assert state is not None
        assert state.phase is Phase.FINAL
        await erase(world, number)
        assert await (await hasty.settled()).round(number) is None


async def test_a_result_that_is_deep_enough_is_read(world: ChainWorld) -> None:
    number = await world.final_round()
    world.devnet.rpc("anvil_mine", hex(DEPTH))
    async with world.reader(world.devnet.url, confirmations=DEPTH) as patient:
        pinned = await patient.settled()
        state = await pinned.round(number)
    assert state is not None
    assert state.phase is Phase.FINAL
    assert (await pinned.head()).number <= int(world.devnet.rpc("eth_blockNumber"), 16) - DEPTH


async def test_the_chains_own_tag_counts_where_it_has_one(
    world: ChainWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    from oepnode.adapters.chain import heads
    from oepnode.adapters.chain.profiles import ChainProfile

    monkeypatch.setattr(heads, "profile_of", lambda _: ChainProfile())
    world.devnet.rpc("anvil_mine", hex(100))
    async with world.reader(world.devnet.url, finality="finalized") as reader:
        head = await reader.head()
    finalized = int(world.devnet.rpc("eth_getBlockByNumber", "finalized", False)["number"], 16)
    newest = int(world.devnet.rpc("eth_blockNumber"), 16)
    assert finalized - 5 <= head.number <= finalized
    assert finalized < newest


@pytest.mark.parametrize("late_s", [700, 3_600])
async def test_a_chain_that_stands_still_is_an_error(world: ChainWorld, late_s: float) -> None:
    settings = world.nodes(world.devnet.url)
    with pytest.raises(TransportError, match="the nodes lag, or the chain has stopped"):
        await contract.connect_reader(settings, LateClock(world.devnet, late_s))


async def test_without_a_limit_of_its_age_the_chain_that_stands_still_is_read(
    world: ChainWorld,
) -> None:
    number = await world.final_round()
    settings = world.nodes(world.devnet.url, max_head_age_s=1e9)
    reader = await contract.connect_reader(settings, LateClock(world.devnet, 3_600))
    state = await (await reader.settled()).round(number)
    await reader.close()
    assert state is not None
    assert state.phase is Phase.FINAL


async def test_an_old_chain_is_noted_and_a_longer_age_can_be_allowed(world: ChainWorld) -> None:
    for late_s, allowed, notes in ((60, 600, 0), (300, 600, 1), (3_600, 7_200, 1)):
        settings = world.nodes(world.devnet.url, max_head_age_s=allowed)
        reader = await contract.connect_reader(settings, LateClock(world.devnet, late_s))
        assert len(await recounts.age_notes(reader)) == notes
        await reader.close()
        await asyncio.sleep(0)
