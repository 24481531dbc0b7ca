"""A node of the chain claims blocks and rounds that do not exist.

Who: the operator of a JSON-RPC node. A single answer with a head 20,000 blocks ahead was stored as
the last processed block, and the worker waited for the chain to get there, restarts included. A
single forged ``RoundOpened`` with the number 4·10⁹ made it delete all bundles.

What stops it now: the newest block must fit the clock, and may not advance faster than a chain can
(``adapters/chain/heads.py``); an opening must fit the round's own state
(``adapters/chain/log_checks.py``); a worker remembers several cursors and goes on from the newest
that still stands (``worker/worker.py``, ``adapters/storage/worker_store.py``).

What remains: a false head during the first seconds of a worker that reads through this node alone;
it costs a pass over the newest rounds once the node tells the truth.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from oepnode.adapters.chain import contract, heads
from oepnode.demo.devnet import Devnet
from oepnode.domain.rounds.onchain import RoundOpened
from oepnode.errors import TransportError
from oepnode.ports import Cursor
from oepnode.worker import worker as worker_module
from tests.attacks.support.chain_world import ChainWorld, chain_world
from tests.attacks.support.lying_node import Answer, honest, of, with_number
from tests.support.worker_stage import Stage

FORGED = 4_000_000_000


@pytest.fixture
async def world(devnet: Devnet) -> AsyncIterator[ChainWorld]:
    async with chain_world(devnet) as world:
        yield world


def later(seconds: int) -> object:
    return lambda block: block | {"timestamp": hex(int(block["timestamp"], 16) + seconds)}


FALSE_HEADS = {
    "far ahead": (with_number(20_000), "blocks after the last one"),
    "of the future": (later(3_600), "ahead of this machine's clock"),
    "of the past": (later(-3_600), "the nodes lag, or the chain has stopped"),
}


@pytest.mark.parametrize(("change", "message"), FALSE_HEADS.values(), ids=FALSE_HEADS)
async def test_a_head_that_cannot_be_is_not_believed(
    world: ChainWorld, change: object, message: str
) -> None:
    async with (
        world.three_nodes(honest) as (_, node, _third),
        world.reader(node.url) as reader,
    ):
        before = await reader.head()
        node.lie = of("eth_getBlockByNumber", change)  # type: ignore[arg-type]
        with pytest.raises(TransportError, match=message):
            await reader.head()
        node.lie = honest
        assert 0 <= (await reader.head()).number - before.number < 20


@pytest.mark.parametrize("change", [head for head, _ in FALSE_HEADS.values()], ids=FALSE_HEADS)
async def test_without_clock_and_last_head_it_is_believed(
    world: ChainWorld, change: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads.Heads, "_problem", lambda *_: "")
    async with (
        world.three_nodes(honest) as (_, node, _third),
        world.reader(node.url) as reader,
    ):
        before = await reader.head()
        node.lie = of("eth_getBlockByNumber", change)  # type: ignore[arg-type]
        after = await reader.head()
    assert after.number - before.number >= 20_000 or abs(after.time - before.time) > 3_500


def with_a_forged_round(logs: list[Answer]) -> list[Answer]:
    """Adds an opening of round 4·10⁹ like that of the first round."""
    opening = next(
        (log for log in logs if len(log["topics"]) == 4 and len(log["data"]) > 400), None
    )
    if opening is None:
        return logs
    topics = [opening["topics"][0], "0x" + FORGED.to_bytes(32).hex(), *opening["topics"][2:]]
    return [*logs, opening | {"topics": topics, "logIndex": hex(900)}]


async def openings(world: ChainWorld, url: str) -> list[int]:
    async with world.reader(url) as reader:
        head = await reader.head()
        events = await reader.events(world.settings.start_block, head.number)
    return [event.round for event in events if isinstance(event, RoundOpened)]


async def test_a_forged_round_is_not_believed(world: ChainWorld) -> None:
    await world.open_round()
    async with world.three_nodes(of("eth_getLogs", with_a_forged_round)) as (honest_one, node, _):
        assert await openings(world, honest_one.url) == [1]
        with pytest.raises(
            TransportError, match=r"RoundOpened of round 4000000000 .* no such round"
        ):
            await openings(world, node.url)


async def test_without_the_check_the_forged_round_is_believed(
    world: ChainWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.open_round()
    monkeypatch.setattr(contract, "check_events", lambda *_: None)
    async with world.three_nodes(of("eth_getLogs", with_a_forged_round)) as (_, node, _third):
        assert await openings(world, node.url) == [1, FORGED]


# --- a worker that has believed one --------------------------------------------------------------


async def test_a_worker_goes_back_to_a_block_that_stands(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    worker = stage.worker()
    await worker.follow()
    worker._store.set_cursor(Cursor(20_000, b"\xde" * 32))  # the false head
    number = await stage.open()
    restarted = stage.worker()
    await restarted.follow()
    state = restarted.state_of(number)
    assert state is not None
    assert state.opened.round == number
    assert restarted._store.cursors()[0].block < 100


async def test_without_earlier_cursors_the_worker_waits_forever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "_LAG_BLOCKS", 10**9)
    stage = Stage(tmp_path)
    worker = stage.worker()
    await worker.follow()
    worker._store.set_cursor(Cursor(20_000, b"\xde" * 32))
    number = await stage.open()
    restarted = stage.worker()
    with pytest.raises(TransportError, match="wait until the nodes have caught up"):
        await restarted.follow()
    assert restarted.state_of(number) is None
