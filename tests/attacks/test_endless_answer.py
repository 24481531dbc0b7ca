"""A node of the chain answers without end.

Who: the operator of a JSON-RPC node, or whoever is on the path to one. An answer of 600 MB took
2.2 GiB of memory.

What stops it now: an answer above ``chain.max_response_bytes`` is dropped while it is read, nothing
is decompressed, and JSON is decoded into the expected form alone (``adapters/chain/rpc.py``).

What remains: nodes × the limit, for as long as the requests last.
"""

from __future__ import annotations

import gzip

import pytest
from aiohttp import ClientError, web

from oepnode.adapters.chain.node import Node
from oepnode.adapters.chain.rpc import RpcClient
from oepnode.errors import TransportError
from tests.attacks.support.lying_node import serving

LIMIT = 2**20
WHOLE = 256 * 2**20


class Endless:
    """A node whose answer is a text of 256 MiB."""

    def __init__(self) -> None:
        self.sent = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"jsonrpc":"2.0","id":1,"result":"0x')
        try:
            while self.sent < WHOLE:
                await response.write(b"0" * 2**18)
                self.sent += 2**18
            await response.write(b'1"}')
        except (ConnectionError, ClientError):
            pass
        return response


async def ask(url: str, limit: int) -> int:
    node = Node(RpcClient(url, 1, timeout_s=30, max_bytes=limit))
    try:
        return await node.chain_id()
    finally:
        await node.close()


async def test_an_answer_is_read_up_to_the_limit() -> None:
    endless = Endless()
    async with serving(endless.answer) as url:
        with pytest.raises(TransportError, match="more than 1048576 bytes"):
            await ask(url, LIMIT)
    assert endless.sent < 32 * LIMIT  # what the sockets' buffers take


async def test_without_a_limit_it_is_read_whole() -> None:
    endless = Endless()
    async with serving(endless.answer) as url:
        with pytest.raises(TransportError, match="malformed answer"):
            await ask(url, 2**40)
    assert endless.sent == WHOLE


async def test_a_compressed_answer_stays_compressed() -> None:
    bomb = gzip.compress(b'{"jsonrpc":"2.0","id":1,"result":"0x1"}' + b" " * WHOLE)

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    assert len(bomb) < LIMIT
    async with serving(answer) as url:
        with pytest.raises(TransportError, match="malformed answer"):
            await ask(url, LIMIT)
