"""A node of the chain makes a program send requests to an address of the node's choice.

Who: the operator of a JSON-RPC node. It answers a call with the revert ``OffchainLookup`` (CCIP
read, EIP-3668), which names URLs; web3 requested them, from inside the operator's network.

What stops it now: calls are sent by ``adapters/chain/rpc.py``, to which that revert is an error
like any other; web3 encodes and decodes only.

What remains: nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from eth_abi.abi import encode
from web3 import AsyncHTTPProvider, AsyncWeb3
from web3.utils import async_exception_handling

from oepnode.adapters.chain import artefact
from oepnode.demo.devnet import Devnet
from oepnode.errors import OepError
from tests.attacks.support.chain_world import ChainWorld, chain_world
from tests.attacks.support.lying_node import Answer, Lie, serving


@pytest.fixture
async def world(devnet: Devnet) -> AsyncIterator[ChainWorld]:
    async with chain_world(devnet) as world:
        yield world


def offchain_lookup(contract: str, url: str) -> Lie:
    types = ["address", "string[]", "bytes", "bytes4", "bytes"]
    arguments = encode(types, [contract, [url], b"\x01", b"\x02" * 4, b""])
    data = "0x556f1830" + arguments.hex()

    def lie(request: Answer, answer: Answer) -> Answer:
        if request["method"] != "eth_call":
            return answer
        error = {"code": 3, "message": "execution reverted", "data": data}
        return {"jsonrpc": "2.0", "id": answer["id"], "error": error}

    return lie


class Inside:
    """A service inside the operator's network, which counts its requests."""

    def __init__(self) -> None:
        self.requests = 0

    async def answer(self, _: web.Request) -> web.Response:
        self.requests += 1
        return web.json_response({"data": "0x"})


async def test_no_url_of_a_node_is_requested(world: ChainWorld) -> None:
    inside = Inside()
    async with serving(inside.answer) as url:
        lie = offchain_lookup(world.settings.contract, url + "/{sender}/{data}.json")
        async with (
            world.three_nodes(lie) as (_, liar, _third),
            world.reader(liar.url) as reader,
        ):
            with pytest.raises(OepError, match="the contract rejected it"):
                await reader.round_count()
    assert inside.requests == 0


async def test_without_an_own_client_it_is(
    world: ChainWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """web3 itself; its check of the URL's host, which spares this machine, is taken out."""

    async def any_host(_: str) -> None:
        return

    def any_scheme(*_: object, **__: object) -> None:
        return

    monkeypatch.setattr(async_exception_handling, "async_validate_ccip_url_host", any_host)
    monkeypatch.setattr(async_exception_handling, "validate_ccip_url_scheme", any_scheme)
    inside = Inside()
    async with serving(inside.answer) as url:
        lie = offchain_lookup(world.settings.contract, url + "/{sender}/{data}.json")
        async with world.three_nodes(lie) as (_, liar, _third):
            web3: AsyncWeb3[Any] = AsyncWeb3(AsyncHTTPProvider(liar.url))
            address = web3.to_checksum_address(world.settings.contract)
            contract = web3.eth.contract(address=address, abi=artefact.consensus()["abi"])
            with pytest.raises(Exception):  # noqa: B017 - whatever web3 makes of the answer
                await contract.functions.roundCount().call()
            await web3.provider.disconnect()
    assert inside.requests > 0
