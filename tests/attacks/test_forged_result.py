"""A node of the chain shows an auditor or an aggregator another result than the chain's.

Who: the operator of the node that an auditor or an aggregator reads through. ``audit round`` exited
with 0 although ``round()`` had a forged root, and called a member silent whose ``BallotCast`` was
hidden; ``aggregator verify`` took the forged root.

What stops it now: what the contract stores about a round, its events, its electorate and the
ballots counted again are held against each other (``domain/rounds/history.py``,
``client/recounts.py``), by ``audit round`` and by everything that reads a final result; and several
nodes given by ``--rpc`` must all agree.

What remains: one node that forges state, events and ballots consistently. Other nodes help against
that, and a certificate (``test_root_of_a_lying_node.py``).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from typer.testing import CliRunner

from oepnode.cli.main import app
from oepnode.client import ChainTarget, audit_round, final_round
from oepnode.demo.devnet import Devnet
from oepnode.domain.rounds import history
from oepnode.errors import EvidenceError, TransportError
from tests.attacks.support.chain_world import RESULT, ChainWorld, chain_world
from tests.attacks.support.lying_node import Answer, Lie, of, of_view

FORGED = b"\xbb" * 32
BALLOT_CAST_DATA = 2 + 2 * 64


def forged_root(view: dict[str, Any]) -> dict[str, Any]:
    return view | {"root": FORGED}


def forged_record(view: dict[str, Any]) -> dict[str, Any]:
    state = list(view["round"])
    state[-3] = FORGED  # root, partitions, matched are the last
    return view | {"round": tuple(state)}


def without_a_ballot(logs: list[Answer]) -> list[Answer]:
    hidden = next((log for log in logs if len(log["data"]) == BALLOT_CAST_DATA), None)
    return [log for log in logs if log is not hidden]


def everywhere(request: Answer, answer: Answer) -> Answer:
    lies = (of_view("round", forged_root), of_view("record", forged_record))
    for lie in lies:
        answer = lie(request, answer)
    return answer


LIES: dict[str, tuple[Lie, str]] = {
    "round()": (of_view("round", forged_root), "round() and record() of the contract differ"),
    "round() and record()": (everywhere, "no such final result"),
    "a hidden ballot": (of("eth_getLogs", without_a_ballot), "votes of members 0x7 by the record"),
}


@pytest.fixture
async def world(devnet: Devnet) -> AsyncIterator[ChainWorld]:
    async with chain_world(devnet) as world:
        yield world


def target(world: ChainWorld, *urls: str) -> ChainTarget:
    return ChainTarget(urls, world.settings.contract)


@pytest.mark.parametrize(("lie", "difference"), LIES.values(), ids=LIES)
async def test_an_auditor_and_an_aggregator_notice(
    world: ChainWorld, lie: Lie, difference: str
) -> None:
    number = await world.final_round()
    async with world.three_nodes(lie) as (_, liar, _third):
        chain = target(world, liar.url)
        audit = await in_thread(audit_round, chain, number)
        assert any(difference in text for text in audit.differences)
        with pytest.raises(EvidenceError, match="record, events and count of the chain differ"):
            await in_thread(final_round, chain, number)
        words = ["audit", "round", str(number), "--rpc", liar.url, "--contract", chain.contract]
        done = await in_thread(CliRunner().invoke, app, words)
        assert done.exit_code == 1
        assert "record, events and count of the chain differ" in done.stderr


async def test_an_honest_chain_has_no_differences(world: ChainWorld) -> None:
    number = await world.final_round()
    assert (await in_thread(audit_round, target(world, world.devnet.url), number)).differences == ()
    final = await in_thread(final_round, target(world, world.devnet.url), number)
    assert final.root == RESULT.root


async def test_several_nodes_must_all_agree(world: ChainWorld) -> None:
    number = await world.final_round()
    async with world.three_nodes(everywhere) as (first, liar, third):
        with pytest.raises(TransportError, match="3 nodes must agree"):
            await in_thread(final_round, target(world, first.url, liar.url, third.url), number)


async def test_without_the_comparison_the_forged_root_is_final(
    world: ChainWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "differences", lambda *_: ())
    number = await world.final_round()
    async with world.three_nodes(everywhere) as (_, liar, _third):
        final = await in_thread(final_round, target(world, liar.url), number)
    assert final.root == FORGED


async def in_thread(function: Any, *arguments: Any) -> Any:
    import asyncio

    return await asyncio.to_thread(function, *arguments)
