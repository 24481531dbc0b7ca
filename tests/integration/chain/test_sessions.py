"""Requests that are cancelled leave the connection to the node usable."""

import asyncio

from oepnode.adapters.chain.contract import open_web3
from oepnode.config import ChainSettings
from oepnode.demo.devnet import CHAIN_ID, Devnet


async def test_cancelled_requests_do_not_block_later_ones(devnet: Devnet) -> None:
    settings = ChainSettings(
        rpc_url=devnet.url, chain_id=CHAIN_ID, contract="0x" + "11" * 20, timeout_s=5
    )
    web3 = open_web3(settings)
    try:
        for _ in range(100):
            requests = [asyncio.ensure_future(web3.eth.get_block_number()) for _ in range(20)]
            await asyncio.sleep(0)
            for request in requests:
                request.cancel()
            await asyncio.gather(*requests, return_exceptions=True)
        async with asyncio.timeout(20):
            assert await web3.eth.get_block_number() >= 0
    finally:
        await web3.provider.disconnect()
