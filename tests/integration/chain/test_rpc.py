"""Requests that are cancelled leave the connection to the node usable."""

import asyncio

from oepnode.adapters.chain.node import Node
from oepnode.adapters.chain.rpc import RpcClient
from oepnode.demo.devnet import Devnet


async def test_cancelled_requests_do_not_block_later_ones(devnet: Devnet) -> None:
    node = Node(RpcClient(devnet.url, 1, timeout_s=5, max_bytes=2**20))
    try:
        for _ in range(100):
            requests = [asyncio.ensure_future(node.block("latest")) for _ in range(20)]
            await asyncio.sleep(0)
            for request in requests:
                request.cancel()
            await asyncio.gather(*requests, return_exceptions=True)
        async with asyncio.timeout(20):
            assert (await node.block("latest")).number >= 0
    finally:
        await node.close()
