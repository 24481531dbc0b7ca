"""A node of the chain lies to the sender's gateway, the registry or a relay.

Who: the operator of a JSON-RPC node, or whoever took it over. A forged electorate gave a stranger
the inputs of a round or a vote at the relay's cost, hidden logs kept them from every worker, a
false receipt denied a round that was open, a high fee emptied the account. And which node it was
stood in the service's log alone, where nobody is alarmed by it.

What stops it now: services ask as workers do (``adapters/chain/agreement.py``): every answer has to
be that of ``chain.agree`` nodes. The operator's listener names the liar in
``oepnode_rpc_disagreements_total`` (``adapters/http/server/operator_pages.py``), and the service
looks at the chain by itself (``services/common/chain_health.py``), so that a node with a false head
is named before anybody asks for anything.

What remains: as many nodes as ``agree`` that lie together. With a single node, that node is
believed: the last tests show lies taking effect, and nobody named.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from oepnode.demo.devnet import Devnet
from oepnode.errors import TransportError
from tests.attacks.support import services_on_chain as services
from tests.attacks.support.chain_world import STRANGER, ChainWorld, chain_world
from tests.attacks.support.lies import CASES, NO_LOGS, SIGNER, Case
from tests.attacks.support.lying_node import Answer, of_view
from tests.attacks.support.services_on_chain import SIGNERS, running, until
from tests.support.round_world import SALT

LIES = CASES | {"electorate": SIGNER, "logs": NO_LOGS}
READING = ("head", "logs", "electorate", "round", "code", "chain id")
PAYING = ("receipts", "fees")
ASKED = {
    "sender": (*READING, *PAYING, "seatOf"),
    "registry": (*READING, "seatOf"),
    "relay": (*READING, *PAYING),
}
"""What each service asks the nodes; a relay knows members by the electorate alone."""
MOST_PER_GAS = 100 * 10**9


@pytest.fixture
async def world(devnet: Devnet) -> AsyncIterator[ChainWorld]:
    async with chain_world(devnet) as world:
        yield world


def prices_since(devnet: Devnet, first: int) -> list[int]:
    """The highest price of each transaction from a block on."""
    last = int(devnet.rpc("eth_blockNumber"), 16)
    blocks = [devnet.rpc("eth_getBlockByNumber", hex(n), True) for n in range(first, last + 1)]
    return [
        int(transaction["maxFeePerGas"], 16)
        for block in blocks
        for transaction in block["transactions"]
    ]


@pytest.mark.parametrize(
    ("name", "lie"), [(name, lie) for name, lies in ASKED.items() for lie in lies]
)
async def test_a_lie_of_one_node_of_three_has_no_effect_and_is_named(
    world: ChainWorld, tmp_path: Path, name: str, lie: str
) -> None:
    case: Case = LIES[lie]
    before = int(world.devnet.rpc("eth_blockNumber"), 16)
    with capture_logs() as log:
        async with world.three_nodes(case.lie) as nodes:
            urls = [node.url for node in nodes]
            async with running(name, world, tmp_path, *urls) as service:
                await services.WORK[name](service)

                async def is_named() -> bool:
                    return ("2", case.what) in await service.disagreements()

                await until(is_named)
                assert {number for number, _ in await service.disagreements()} == {"2"}
                assert await services.fetched(service.status_url + "/healthz") == "ok\n"
    assert max(prices_since(world.devnet, before + 1)) < MOST_PER_GAS
    named = [entry for entry in log if entry["event"] == "rpc_node_disagrees"]
    assert ("2", case.what) in {(one["node"].split("#")[1], one["what"]) for one in named}
    assert {one["node"].split("#")[1] for one in named} == {"2"}
    assert "APIKEY" not in str(log)


@pytest.mark.parametrize("name", ASKED)
async def test_a_false_head_is_named_while_nobody_asks_for_anything(
    world: ChainWorld, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oepnode.services.common.chain_health.LOOK_INTERVAL_S", 0.05)
    async with world.three_nodes(lambda _, answer: answer) as nodes:
        urls = [node.url for node in nodes]
        async with running(name, world, tmp_path, *urls) as service:

            async def is_named() -> bool:
                return await service.disagreements() == {("2", "head")}

            await until(lambda: is_healthy(service.status_url))
            assert not await is_named()
            nodes[1].lie = CASES["head"].lie
            await until(is_named)


# --- with a single node, lies take effect, and nobody is named -----------------------------------


def strangers_seat(seat: dict[str, Any]) -> dict[str, Any]:
    """Puts the stranger in the place of the signer of a listed operator."""
    seats = {"operator": services.OPERATORS[0].address, "signer": "0x" + STRANGER.hex()}
    return seat | seats | {"until": 2**32 - 1}


def stranger_everywhere(request: Answer, answer: Answer) -> Answer:
    return SIGNER.lie(request, of_view("seatOf", strangers_seat)(request, answer))


async def test_without_others_a_stranger_gets_the_salt(world: ChainWorld, tmp_path: Path) -> None:
    async with (
        world.three_nodes(stranger_everywhere) as (_, liar, _third),
        running("registry", world, tmp_path, liar.url) as service,
    ):
        number = await services.open_round(service)
        assert await services.salt(service, services.STRANGER, number) == SALT
        assert await service.disagreements() == set()


async def test_without_others_a_document_is_withheld_from_workers(
    world: ChainWorld, tmp_path: Path
) -> None:
    async with (
        world.three_nodes(NO_LOGS.lie) as (_, liar, _third),
        running("sender", world, tmp_path, liar.url) as service,
    ):
        number = await services.publish(service)
        with pytest.raises(TransportError):
            await services.document(service, SIGNERS[0], number)
        assert await service.disagreements() == set()


async def test_without_others_a_relay_takes_a_strangers_vote(
    world: ChainWorld, tmp_path: Path
) -> None:
    async with (
        world.three_nodes(SIGNER.lie) as (_, liar, _third),
        running("relay", world, tmp_path, liar.url) as service,
    ):
        number = await world.open_round()
        await services.hand_in(service, services.STRANGER, 0, number)
        assert await service.disagreements() == set()


async def is_healthy(status_url: str) -> bool:
    return await services.fetched(status_url + "/healthz") == "ok\n"
