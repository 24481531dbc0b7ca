"""A node of the chain makes a worker pay an absurd fee.

Who: the operator of a JSON-RPC node, or a maker of blocks that shares the tip with it. A lying tip
made one ballot cost 45 coins.

What stops it now: the fee is the median of the nodes' proposals, each the median of recent blocks,
and no transaction is signed above ``chain.max_fee_gwei``, ``chain.max_fee_per_tx`` and
``chain.fee_budget_per_day`` (``adapters/chain/fees.py``); the budget survives a restart
(``adapters/storage/spending.py``). Reading, computing and serving go on meanwhile.

What remains: a liar on whom a worker relies alone can still make it pay up to the limits, so set
them for your chain; and it can stop it from voting directly, which no node can with a relay.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from oepnode.adapters.chain.fees import FeeLimitError
from oepnode.adapters.clock import SystemClock
from oepnode.adapters.storage.spending import SpendingFile
from oepnode.demo.devnet import Devnet, account
from tests.attacks.support.chain_world import ChainWorld, chain_world
from tests.attacks.support.lying_node import Answer, of

ABSURD = 1_000_000 * 10**9


@pytest.fixture
async def world(devnet: Devnet) -> AsyncIterator[ChainWorld]:
    async with chain_world(devnet) as world:
        yield world


def absurd(history: Answer) -> Answer:
    return history | {"reward": [[hex(ABSURD)] for _ in history["reward"]]}


def balance(world: ChainWorld) -> int:
    return int(world.devnet.rpc("eth_getBalance", account(20).address, "latest"), 16)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({}, "above chain.max_fee_gwei"),
        ({"max_fee_gwei": 10**9}, "above chain.max_fee_per_tx"),
        ({"max_fee_gwei": 10**9, "max_fee_per_tx": 10**6}, "exceed chain.fee_budget_per_day"),
    ],
    ids=["price of gas", "fee of a transaction", "budget of a day"],
)
async def test_no_fee_above_a_limit_is_paid(
    world: ChainWorld, limits: dict[str, Any], message: str
) -> None:
    number, before = await world.open_round(), balance(world)
    async with (
        world.three_nodes(of("eth_feeHistory", absurd)) as (_, liar, _third),
        world.writer(0, liar.url, **limits) as chain,
    ):
        with pytest.raises(FeeLimitError, match=message):
            await chain.cast_ballot(number, await world.vote(number, 0))
        assert (await chain.round_count()) == number  # reading goes on
    assert balance(world) == before


async def test_without_limits_one_ballot_costs_dozens_of_coins(world: ChainWorld) -> None:
    number, before = await world.open_round(), balance(world)
    everything = {"max_fee_gwei": 1e12, "max_fee_per_tx": 1e9, "fee_budget_per_day": 1e9}
    async with (
        world.three_nodes(of("eth_feeHistory", absurd)) as (_, liar, _third),
        world.writer(0, liar.url, **everything) as chain,
    ):
        await chain.cast_ballot(number, await world.vote(number, 0))
    assert before - balance(world) > 30 * 10**18


def test_a_restart_does_not_renew_the_budget(tmp_path: Path) -> None:
    record = SpendingFile(tmp_path / "fees.json", SystemClock())
    record.reserve("a", 3 * 10**18)
    record.reserve("b", 5 * 10**18)
    record.settle("b", 10**18)
    assert SpendingFile(tmp_path / "fees.json", SystemClock()).of_last_day() == 4 * 10**18
