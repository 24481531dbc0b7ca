"""Odd responses of a node or its proxy: a `TransportError` that reveals no secret."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from oepnode.adapters.chain.contract import EvmReader
from oepnode.adapters.chain.quorum import open_quorum
from oepnode.config import ChainSettings
from oepnode.errors import ConfigError, TransportError

Answer = Callable[[web.Request], Awaitable[web.Response]]
CONTRACT = "0x" + "11" * 20


def fixed(body: str, status: int = 200, kind: str = "application/json") -> Answer:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body, status=status, content_type=kind)

    return answer


def result(value: str) -> Answer:
    return fixed('{"jsonrpc":"2.0","id":1,"result":' + value + "}")


ODD = {
    "an HTML page": fixed("<html>busy</html>", kind="text/html"),
    "nothing": fixed(""),
    "cut JSON": fixed('{"jsonrpc":"2.0","id":1,"resu'),
    "no object": fixed("[]"),
    "null": result("null"),
    "a wrong type": result('{"a":1}'),
    "a short word": result('"0x01"'),
    "not hex": result('"0xzz"'),
    "a list of nothing": result("[null]"),
    "a log without topics": result('[{"blockNumber":"0x1","logIndex":"0x0","topics":[]}]'),
    "a nesting bomb": fixed("[" * 100_000),
    "unauthorised": fixed("no", status=401),
    "a gateway's error": fixed("bad", status=502, kind="text/html"),
    "an error": fixed('{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"busy"}}'),
}

CALLS: dict[str, Callable[[EvmReader], Awaitable[object]]] = {
    "head": lambda reader: reader.head(),
    "round": lambda reader: reader.round(1),
    "electorate": lambda reader: reader.electorate(1),
    "events": lambda reader: reader.events(0, 5),
    "round_events": lambda reader: reader.round_events(1),
    "opening": lambda reader: reader.opening(1),
    "member_of_signer": lambda reader: reader.member_of_signer(b"\x11" * 20),
    "round_count": lambda reader: reader.round_count(),
    "block_hash": lambda reader: reader.block_hash(1),
}


@pytest.fixture(params=list(ODD.values()), ids=list(ODD))
async def reader(request: pytest.FixtureRequest) -> AsyncIterator[EvmReader]:
    app = web.Application()
    app.router.add_post("/v3/{key}", request.param)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    settings = ChainSettings(
        rpc_urls=(f"http://user:PASSWORD@127.0.0.1:{port}/v3/APIKEY",),
        chain_id=2,
        contract=CONTRACT,
        timeout_s=5,
    )
    chain_reader = EvmReader(open_quorum(settings), settings)
    yield chain_reader
    await chain_reader.close()
    await runner.cleanup()


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_an_odd_answer_is_a_transport_error(
    reader: EvmReader, call: Callable[[EvmReader], Awaitable[object]]
) -> None:
    with pytest.raises(TransportError) as caught:
        async with asyncio.timeout(20):
            await call(reader)
    assert "PASSWORD" not in str(caught.value)
    assert "APIKEY" not in str(caught.value)


async def test_connecting_to_an_odd_node_reveals_no_secret(reader: EvmReader) -> None:
    with pytest.raises((TransportError, ConfigError)) as caught:
        await reader.check()
    assert "PASSWORD" not in str(caught.value)
    assert "APIKEY" not in str(caught.value)
