"""Agreement of several nodes: which answer counts, who is named, who is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from oepnode.adapters.chain.agreement import Agreement
from oepnode.adapters.chain.disagreements import Disagreements
from oepnode.adapters.chain.node import Node, Reverted, SendingRejected
from oepnode.adapters.chain.rpc import RpcClient
from oepnode.errors import TransportError

Say = Callable[[], Any]


class Speaker(Node):
    """A node that says one thing."""

    def __init__(self, index: int, say: Say) -> None:
        super().__init__(RpcClient(f"http://node-{index}:8545/KEY", index, 1, 1_000))
        self.say = say

    async def answer(self) -> Any:
        said = self.say()
        return await said if asyncio.iscoroutine(said) else said


def raising(exc: Exception) -> Say:
    def say() -> Any:
        raise exc

    return say


def value(said: object) -> Say:
    return lambda: said


def silent() -> Any:
    return asyncio.sleep(30)


class World:
    def __init__(self, *says: Say, agree: int = 2) -> None:
        self.metrics = CollectorRegistry()
        nodes = [Speaker(index, say) for index, say in enumerate(says, 1)]
        self.agreement = Agreement(nodes, agree, 0.5, Disagreements(self.metrics))

    async def ask(self) -> Any:
        return await self.agreement.ask("seat", lambda node: node.answer())  # type: ignore[attr-defined]

    def named(self, metric: str) -> set[str]:
        return {
            sample.labels["node"]
            for family in self.metrics.collect()
            for sample in family.samples
            if sample.name == metric and sample.value
        }


DISAGREED, FAILED = "oepnode_rpc_disagreements_total", "oepnode_rpc_failures_total"


@pytest.mark.parametrize("liar", range(3))
async def test_the_majority_counts_and_the_liar_is_named(liar: int) -> None:
    world = World(*(value("lie" if index == liar else "truth") for index in range(3)))
    assert await world.ask() == "truth"
    await asyncio.sleep(0.01)
    assert world.named(DISAGREED) == {f"node-{liar + 1}:8545#{liar + 1}"}
    assert world.named(FAILED) == set()
    await world.agreement.close()


async def test_a_rejection_by_the_contract_is_an_answer() -> None:
    unknown = Reverted(b"\x01\x02\x03\x04")
    world = World(raising(unknown), value(1), raising(Reverted(unknown.data)))
    with pytest.raises(Reverted) as caught:
        await world.ask()
    assert caught.value == unknown
    assert world.named(DISAGREED) == {"node-2:8545#2"}
    await world.agreement.close()


async def test_too_few_equal_answers_say_who_said_what() -> None:
    world = World(value("secret text"), value("other"), raising(TransportError("status 502")))
    with pytest.raises(TransportError) as caught:
        await world.ask()
    assert str(caught.value) == (
        "seat: 2 nodes must agree: node-1:8545#1 answer A; node-2:8545#2 answer B; "
        "node-3:8545#3 status 502; find out which node is wrong, and replace it"
    )
    await world.agreement.close()


async def test_all_of_two_must_agree() -> None:
    world = World(value(1), value(2))
    with pytest.raises(TransportError, match="2 nodes must agree"):
        await world.ask()
    await world.agreement.close()


async def test_a_single_node_is_believed() -> None:
    world = World(value("lie"), agree=1)
    assert await world.ask() == "lie"
    await world.agreement.close()


async def test_a_silent_node_is_not_waited_for_and_named_later() -> None:
    world = World(silent, value(1), value(1))
    started = asyncio.get_running_loop().time()
    assert await world.ask() == 1
    assert asyncio.get_running_loop().time() - started < 0.3
    await asyncio.sleep(0.7)
    assert world.named(FAILED) == {"node-1:8545#1"}
    await world.agreement.close()


async def test_a_node_that_owes_answers_is_asked_no_more() -> None:
    world = World(silent, value(1), value(1))
    for _ in range(20):
        await world.ask()
    assert world.agreement._owed["node-1:8545#1"] == 8
    await world.agreement.close()
    assert world.agreement._owed["node-1:8545#1"] == 0


async def test_a_malformed_answer_is_none() -> None:
    world = World(raising(ValueError("0xzz")), value(1), value(1))
    assert await world.ask() == 1
    await asyncio.sleep(0.01)
    assert world.named(FAILED) == {"node-1:8545#1"}
    await world.agreement.close()


async def test_one_node_that_takes_a_transaction_is_enough() -> None:
    world = World(raising(SendingRejected("overtaken")), value(None), silent)
    await world.agreement.tell("send", lambda node: node.answer())  # type: ignore[attr-defined]
    await world.agreement.close()


async def test_a_transaction_that_all_reject_is_rejected() -> None:
    world = World(*(raising(SendingRejected(why)) for why in ("overtaken", "funds", "overtaken")))
    with pytest.raises(SendingRejected) as caught:
        await world.agreement.tell("send", lambda node: node.answer())  # type: ignore[attr-defined]
    assert caught.value.reason == "overtaken"
    await world.agreement.close()


async def ask_any(world: World) -> Any:
    return await world.agreement.ask_any("transaction", lambda node: node.answer())  # type: ignore[attr-defined]


async def test_one_node_that_has_a_value_that_proves_itself_is_enough() -> None:
    world = World(raising(TransportError("another transaction")), silent, value(b"raw"))
    assert await ask_any(world) == b"raw"
    assert {name[-1] for name in world.named(FAILED)} == {"1"}
    await world.agreement.close()


async def test_a_value_that_no_node_has_says_who_said_what() -> None:
    gone = raising(TransportError("no such transaction"))
    with pytest.raises(TransportError, match=r"transaction: .*no such transaction.*malformed"):
        await ask_any(World(gone, raising(ValueError("?")), gone))


async def test_a_cancelled_question_asks_nobody_any_more() -> None:
    world = World(silent, silent, silent)
    asking = asyncio.ensure_future(world.ask())
    await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.sleep(0.01)
    assert set(world.agreement._owed.values()) == {0}
    await world.agreement.close()
