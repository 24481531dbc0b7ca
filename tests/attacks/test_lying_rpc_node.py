"""A node of the chain lies to a worker or service that reads through it.

Who: the operator of a JSON-RPC node, or whoever took it over. Everything that a program knows of
the chain came from one node and was believed: a forged seat opened the registry to a stranger, a
forged root became "final", a hidden ballot made a member look silent, a high fee emptied the
worker's account.

What stops it now: each question is put to all nodes of ``chain.rpc_urls``, at one block whose hash
they agree on first, and an answer counts only if ``chain.agree`` of them give it
(``adapters/chain/agreement.py``, ``heads.py``). A node that answers otherwise changes nothing, and
is named in ``oepnode_rpc_disagreements_total`` and in the log, without the key in its URL.

What remains: as many nodes as ``agree`` that lie together. With a single node, that node is
believed: the second test shows every lie taking effect.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from oepnode.adapters.chain.contract import EvmReader
from oepnode.demo.devnet import Devnet
from oepnode.domain.rounds.onchain import BallotCast
from oepnode.errors import ConfigError, ConflictError, TransportError
from tests.attacks.support.chain_world import RESULT, STRANGER, ChainWorld, chain_world
from tests.attacks.support.lies import CASES, Case
from tests.attacks.support.lying_node import LyingNode, honest, serving


@pytest.fixture
async def world(devnet: Devnet) -> AsyncIterator[ChainWorld]:
    async with chain_world(devnet) as world:
        yield world


async def observed(reader: EvmReader, number: int) -> dict[str, Any]:
    """What a program decides by."""
    pinned = await reader.settled()
    history = await pinned.history(number)
    assert history is not None
    signers = {member.signer for member in (await pinned.current_electorate()).members}
    return {
        "state": await pinned.round(number),
        "stranger": await pinned.member_of_signer(STRANGER),
        "members": [await pinned.member_of_signer(signer) for signer in sorted(signers)],
        "events": await pinned.round_events(number),
        "history": history,
        "count": await pinned.round_count(),
    }


async def is_named(world: ChainWorld, node: LyingNode, what: str) -> bool:
    """Whether a node is named for its answer to a question, now or in a moment."""
    for _ in range(100):
        if world.count("oepnode_rpc_disagreements_total", node).get(what):
            return True
        await asyncio.sleep(0.05)
    return False


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_a_lie_of_one_node_of_three_has_no_effect(world: ChainWorld, case: Case) -> None:
    number, other = await world.final_round(), await world.open_round()
    truth = await observed(world.admin, number)
    with capture_logs() as log:
        async with world.three_nodes(case.lie) as (first, liar, third):
            urls = (first.url, liar.url, third.url)
            async with world.writer(0, *urls) as chain:
                assert await observed(chain, number) == truth
                head = (await chain.head()).number
                transaction = await chain.cast_ballot(other, await world.vote(other, 0))
                assert await is_named(world, liar, case.what)
    sent = world.devnet.rpc("eth_getTransactionByHash", "0x" + transaction.hex())
    assert int(sent["maxFeePerGas"], 16) < 100 * 10**9
    assert 0 <= int(world.devnet.rpc("eth_blockNumber"), 16) - head < 20
    for node in (first, third):
        assert not world.count("oepnode_rpc_disagreements_total", node)
    named = [entry for entry in log if entry["event"] == "rpc_node_disagrees"]
    assert {(entry["node"].split("#")[1], entry["what"]) for entry in named} >= {("2", case.what)}
    assert {entry["node"].split("#")[1] for entry in named} == {"2"}
    assert "APIKEY" not in str(log)


# --- with a single node, the same lies take effect ----------------------------------------------


@pytest.mark.parametrize("name", ["code", "chain id"])
async def test_without_others_a_lie_keeps_a_worker_from_starting(
    world: ChainWorld, name: str
) -> None:
    async with world.three_nodes(CASES[name].lie) as (_, liar, _third):
        with pytest.raises(ConfigError):
            async with world.reader(liar.url):
                pass


async def test_without_others_a_head_is_believed(world: ChainWorld) -> None:
    real = int(world.devnet.rpc("eth_blockNumber"), 16)
    async with (
        world.three_nodes(honest) as (_, liar, _third),
        world.reader(liar.url, max_head_lead_s=10**9) as reader,
    ):
        reader._quorum.heads._last = None  # as after a start
        liar.lie = CASES["head"].lie
        assert (await reader.head()).number >= real + 20_000


async def test_without_others_a_ballot_is_hidden(world: ChainWorld) -> None:
    number = await world.final_round()
    async with (
        world.three_nodes(CASES["logs"].lie) as (_, liar, _third),
        world.reader(liar.url) as reader,
    ):
        events = await reader.round_events(number)
    assert sum(isinstance(event, BallotCast) for event in events) == 1


async def test_without_others_a_stranger_has_a_seat(world: ChainWorld) -> None:
    async with (
        world.three_nodes(CASES["seatOf"].lie) as (_, liar, _third),
        world.reader(liar.url) as reader,
    ):
        member = await reader.member_of_signer(STRANGER)
    assert member is not None
    assert member.operator == b"\x66" * 20


async def test_without_others_a_root_is_forged(world: ChainWorld) -> None:
    number = await world.final_round()
    async with (
        world.three_nodes(CASES["round"].lie) as (_, liar, _third),
        world.reader(liar.url) as reader,
    ):
        state = await reader.round(number)
    assert state is not None
    assert state.root == b"\xbb" * 32 != RESULT.root


async def test_without_others_a_ballot_that_is_cast_seems_rejected(world: ChainWorld) -> None:
    number = await world.open_round()
    async with (
        world.three_nodes(CASES["receipts"].lie) as (_, liar, _third),
        world.writer(0, liar.url) as chain,
    ):
        with pytest.raises(ConflictError, match="mined and reverted"):
            await chain.cast_ballot(number, await world.vote(number, 0))
    state = await world.admin.round(number)
    assert state is not None
    assert state.voted == 0b001


async def test_without_others_a_fee_is_as_high_as_the_limits_allow(world: ChainWorld) -> None:
    number = await world.open_round()
    async with (
        world.three_nodes(CASES["fees"].lie) as (_, liar, _third),
        world.writer(0, liar.url, max_fee_gwei=10_000, max_fee_per_tx=10) as chain,
    ):
        transaction = await chain.cast_ballot(number, await world.vote(number, 0))
    sent = world.devnet.rpc("eth_getTransactionByHash", "0x" + transaction.hex())
    assert int(sent["maxFeePerGas"], 16) > 3_000 * 10**9


# --- nodes that do not lie, and are no use either ------------------------------------------------


async def test_a_silent_node_is_not_waited_for(world: ChainWorld) -> None:
    number = await world.final_round()
    truth = await observed(world.admin, number)

    async def silence(_: web.Request) -> web.Response:
        await asyncio.sleep(60)
        raise AssertionError

    async with (
        world.three_nodes(honest) as (first, _, third),
        serving(silence) as url,
        world.reader(first.url, url, third.url) as reader,
    ):
        assert await observed(reader, number) == truth
        started = asyncio.get_running_loop().time()
        assert await observed(reader, number) == truth
        assert asyncio.get_running_loop().time() - started < 5


async def test_too_few_that_agree_are_an_error_that_says_who_said_what(world: ChainWorld) -> None:
    async with (
        world.three_nodes(CASES["seatOf"].lie) as (first, liar, third),
        world.reader(first.url, liar.url, third.url, agree=3) as reader,
    ):
        with pytest.raises(TransportError) as caught:
            await reader.member_of_signer(STRANGER)
    said = str(caught.value)
    assert said.count("answer A") == 2
    assert said.count("answer B") == 1
    assert "#2 answer B" in said
    assert "APIKEY" not in said
    assert "66" * 20 not in said
