"""An outsider makes a service read years of the chain for one request.

Who: anyone who reaches a sender's gateway or a registry. Grant lists are public, of every round.

Before: the list of a round needs the round's opening, which was looked for in all blocks since: a
year of a chain with a block every 5 seconds is 1,260 questions to each node, for one ``GET``. A
loop over old rounds used up a provider's quota, and the workers' requests waited for the same
nodes.
Now: the contract keeps the number of the block in which a round was opened, and that block alone
is read (``opening`` of ``adapters/chain/contract.py``), for grant lists as for workers' requests.
Lists are made one at a time, and served again from memory (``services/common/grants.py``).

What remains: a few questions to each node for each list; the limit of requests an address is for
more than that.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from eth_account import Account

from oepnode.adapters.chain import contract
from oepnode.adapters.chain.contract import EvmReader
from oepnode.adapters.clock import SystemClock
from oepnode.demo.devnet import Devnet
from oepnode.domain.rounds.onchain import RoundOpened
from oepnode.services.common.grants import GrantPublisher
from oepnode.services.registry.store import RegistryStore
from tests.attacks.support.chain_world import ChainWorld, chain_world
from tests.attacks.support.lying_node import LyingNode, honest

BLOCKS = 200
PAGE_BLOCKS = 10
"""Blocks whose logs are read at once; 5,000 otherwise."""


@pytest.fixture
async def world(devnet: Devnet, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChainWorld]:
    monkeypatch.setattr(contract, "_PAGE_BLOCKS", PAGE_BLOCKS)
    async with chain_world(devnet) as world:
        yield world


async def logs_read_for_a_list(world: ChainWorld, folder: Path) -> int:
    """Questions for logs that one request for the list of an old round leads to."""
    number = await world.open_round()
    world.devnet.rpc("anvil_mine", hex(BLOCKS))
    store = RegistryStore(folder / "registry")
    async with world.three_nodes(honest) as nodes, world.reader(nodes[0].url) as chain:
        publisher = GrantPublisher(
            "registry",
            chain,
            SystemClock(),
            store.access_log,
            Account.from_key(b"\x01" * 32),
            lambda _: True,
        )
        before = _log_questions(nodes[0])
        await publisher.list_of(number)
    store.close()
    return _log_questions(nodes[0]) - before


def _log_questions(node: LyingNode) -> int:
    return node.requests.count("eth_getLogs")


async def test_one_block_is_read_for_a_list(world: ChainWorld, tmp_path: Path) -> None:
    assert await logs_read_for_a_list(world, tmp_path) == 1


async def test_without_the_block_of_the_opening_all_are_read(
    world: ChainWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def opening(reader: EvmReader, number: int) -> RoundOpened | None:
        events = await reader.round_events(number)
        return next((event for event in events if isinstance(event, RoundOpened)), None)

    monkeypatch.setattr(EvmReader, "opening", opening)
    assert await logs_read_for_a_list(world, tmp_path) >= BLOCKS / PAGE_BLOCKS
