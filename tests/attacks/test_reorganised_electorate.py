"""After a reorganisation a program goes on with the electorate of the branch that is gone.

Who: nobody, or whoever can reorganise a few blocks. The electorate of an epoch was kept for as long
as the program ran, because "it never changes"; on the other branch another one had its number.

What stops it now: an electorate counts only while the block at which it was read is the chain's
(``adapters/chain/electorates.py``).

What remains: nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from oepnode.adapters.chain.electorates import ElectorateCache
from oepnode.demo.devnet import Devnet, account
from tests.attacks.support.chain_world import ChainWorld, chain_world


@pytest.fixture
async def world(devnet: Devnet) -> AsyncIterator[ChainWorld]:
    async with chain_world(devnet) as world:
        yield world


async def operators_before_and_after(world: ChainWorld) -> tuple[set[bytes], set[bytes]]:
    """Operators of the epoch that a fourth worker begins, on a branch and on the one after it."""
    async with world.reader(world.devnet.url) as reader:
        before = int(world.devnet.rpc("eth_blockNumber"), 16)
        await add(world, 13)
        epoch = await reader.current_epoch()
        first = {member.operator for member in (await reader.electorate(epoch)).members}
        newest = int(world.devnet.rpc("eth_blockNumber"), 16)
        world.devnet.rpc("anvil_reorg", newest - before, [])
        await add(world, 14)
        assert await reader.current_epoch() == epoch
        return first, {member.operator for member in (await reader.electorate(epoch)).members}


async def add(world: ChainWorld, index: int) -> None:
    worker = (account(index).address, account(index + 10).address, "")
    await world.admin.transact("addWorkers", [worker])


def operator(index: int) -> bytes:
    return bytes.fromhex(account(index).address[2:])


async def test_the_electorate_is_that_of_the_branch(world: ChainWorld) -> None:
    first, second = await operators_before_and_after(world)
    assert first - second == {operator(13)}
    assert second - first == {operator(14)}


async def test_without_the_check_the_lost_electorate_stays(
    world: ChainWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def always(*_: object) -> bool:
        return True

    monkeypatch.setattr(ElectorateCache, "_is_before", always)
    first, second = await operators_before_and_after(world)
    assert first == second
