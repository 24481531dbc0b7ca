"""At the contract's address there is other code, in which any root may be final.

Who: whoever hands out the address of a contract (a web page, a mail, a settings file that was
changed), or the operator of a JSON-RPC node.

Before: only ``contract deploy --verify-only`` looked at the code. A contract with the same
functions, in which its maker decides what is final, was read and voted in like the real one.

What stops it now: every connection to the contract, of workers, services, aggregators and auditors,
compares every byte of the code with the artefact of this release, except the values that the
constructor fills in (``adapters/chain/code.py``, ``adapters/chain/quorum.py``).

What remains: the right code says nothing of who administers it (``contract roles``), and a single
node can lie about the code as about everything else.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from oepnode.adapters.chain import quorum
from oepnode.client import ChainTarget, audit_round, final_round
from oepnode.client.operation.worker import check_worker
from oepnode.config import WorkerSettings
from oepnode.demo.devnet import Devnet, account
from oepnode.errors import ConfigError
from oepnode.wiring import worker_parts
from tests.attacks.support.chain_world import RESULT, ChainWorld, chain_world

OTHER = "other code than OepConsensus: byte"


@pytest.fixture
async def world(devnet: Devnet) -> AsyncIterator[ChainWorld]:
    async with chain_world(devnet) as world:
        yield world


def change_a_byte(world: ChainWorld) -> None:
    """Put other code at the address: one byte of its last 40 differs."""
    contract, rpc = world.settings.contract, world.devnet.rpc
    code = bytearray.fromhex(rpc("eth_getCode", contract, "latest")[2:])
    code[-40] ^= 1
    rpc("anvil_setCode", contract, "0x" + code.hex())


def worker_settings(world: ChainWorld, folder: Path) -> WorkerSettings:
    key = folder / "key"
    key.write_text(account(20).key.hex())
    key.chmod(0o600)
    (folder / "data").mkdir(mode=0o700)
    return WorkerSettings(
        chain=world.settings,
        data_dir=folder / "data",
        key_file=key,
        operator=account(10).address,
        sender_url="http://127.0.0.1:1",
        registry_url="http://127.0.0.1:1",
    )


async def test_a_worker_does_not_vote_in_it(world: ChainWorld, tmp_path: Path) -> None:
    settings = worker_settings(world, tmp_path)
    verdicts = {line.check: line for line in await asyncio.to_thread(check_worker, settings)}
    assert verdicts["chain"].fine and verdicts["membership"].fine

    change_a_byte(world)
    verdicts = {line.check: line for line in await asyncio.to_thread(check_worker, settings)}
    assert not verdicts["chain"].fine
    assert OTHER in verdicts["chain"].what
    with pytest.raises(ConfigError, match=OTHER):
        async with worker_parts(settings):  # as `worker run` begins
            pass


async def test_its_results_are_not_believed(world: ChainWorld) -> None:
    number = await world.final_round()
    change_a_byte(world)
    chain = ChainTarget(world.devnet.url, world.settings.contract)
    for read in (final_round, audit_round):
        with pytest.raises(ConfigError, match=OTHER):
            await asyncio.to_thread(read, chain, number)


async def test_without_the_comparison_it_is_read_like_the_real_one(
    world: ChainWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quorum, "code_difference", lambda *_: "")
    number = await world.final_round()
    change_a_byte(world)
    chain = ChainTarget(world.devnet.url, world.settings.contract)
    assert (await asyncio.to_thread(final_round, chain, number)).root == RESULT.root
    async with worker_parts(worker_settings(world, tmp_path)):
        pass
