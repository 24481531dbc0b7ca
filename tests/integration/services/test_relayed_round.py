"""Whole rounds on a real chain with the real services, where signers have no coin at all."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from eth_account.signers.local import LocalAccount

from oepnode import wiring
from oepnode.adapters.chain import contract, deploy
from oepnode.adapters.chain.contract import EvmChain
from oepnode.adapters.http.publisher import HttpPublisher
from oepnode.adapters.http.server.serving import listening
from oepnode.client.operation.worker import check_worker
from oepnode.config import (
    ChainSettings,
    HttpSettings,
    RegistrySettings,
    RelaySettings,
    SenderSettings,
    WorkerRelaySettings,
    WorkerSettings,
)
from oepnode.demo.devnet import CHAIN_ID, Devnet, account
from oepnode.domain.rounds.onchain import (
    Abstained,
    BallotCast,
    Phase,
    Policy,
    RootRevealed,
    RoundFailed,
    RoundFinalised,
    RoundOpened,
)
from oepnode.services.registry.store import RegistryStore
from tests.integration.services.conftest import TOKEN, Sample

ADMIN, REQUESTER, RELAY = account(0), account(1), account(2)
OPERATORS = [account(210 + seat) for seat in range(3)]
SIGNERS = [account(200 + seat) for seat in range(3)]
"""An account without money of the devnet."""
RICH = 2
"""The only worker with a coin, where a test does not take it away."""
VOTE_WINDOW_S = 600
"""So long that no worker is short of time, however slow the machine: it would abstain."""
REVEAL_WINDOW_S = 60
TO_ABSTAIN_S = VOTE_WINDOW_S - 70
"""To the last 75 s, in which a worker without inputs abstains by its relay."""
TO_DIRECT_S = VOTE_WINDOW_S - 40
"""To the last 60 s, in which a worker votes directly."""
GIVE_UP_S = 180.0


@dataclass
class World:
    """A contract with three workers, and the services."""

    devnet: Devnet
    folder: Path
    chain_settings: ChainSettings
    chain: EvmChain
    sender_url: str
    registry_url: str
    sample: Sample

    @asynccontextmanager
    async def relay(self) -> AsyncIterator[str]:
        """A relay that waits for every member; yields its URL."""
        settings = RelaySettings(
            chain=self.chain_settings,
            data_dir=self.folder / "relay",
            key_file=key_file(self.folder, RELAY),
            batch_after_s=3600,
            look_interval_s=0.1,
        )
        parts = await wiring.relay_parts(settings)
        async with listening(parts.public_app, HttpSettings()) as url:
            yield url

    @asynccontextmanager
    async def workers(self, relay_url: str) -> AsyncIterator[list[str]]:
        """Three workers at work; yields where they listen for their operators."""
        async with AsyncExitStack() as stack:
            parts = [
                await stack.enter_async_context(wiring.worker_parts(self.settings(n, relay_url)))
                for n in range(3)
            ]
            tasks = [asyncio.create_task(part.worker.run()) for part in parts]
            try:
                yield [
                    await stack.enter_async_context(listening(part.operator_app, HttpSettings()))
                    for part in parts
                ]
                assert [task for task in tasks if task.done()] == []
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    def settings(self, seat: int, relay_url: str) -> WorkerSettings:
        return WorkerSettings(
            chain=self.chain_settings,
            data_dir=self.folder / f"worker-{seat}",
            key_file=key_file(self.folder, SIGNERS[seat]),
            operator=OPERATORS[seat].address,
            sender_url=self.sender_url,
            registry_url=self.registry_url,
            relay=WorkerRelaySettings(url=relay_url),
            follow_interval_s=0.2,
            reveal_turn_s=0,
        )

    async def publish(self) -> int:
        """Publish the sample's document, and return the round that was opened for it."""
        publisher = HttpPublisher(self.sender_url, timeout_s=20)
        document = self.sample.folder / self.sample.summary.envelope_file
        try:
            published = await publisher.publish(document, TOKEN, self.sample.snapshot_digest)
        finally:
            await publisher.close()
        assert published.round is not None
        return published.round

    async def open_without_inputs(self) -> int:
        """A round with inputs that nobody can fetch."""
        requester = await contract.connect(self.chain_settings, REQUESTER)
        try:
            opened = await requester.open_round(1_795_000_200, 6, b"\x11" * 32, b"\x22" * 32)
            return opened.round
        finally:
            await requester.close()

    async def until_phase(self, number: int, phase: Phase) -> None:
        async with asyncio.timeout(GIVE_UP_S):
            while (state := await self.chain.round(number)) is None or state.phase is not phase:
                await asyncio.sleep(0.1)

    def balance(self, of: LocalAccount) -> int:
        return int(self.devnet.rpc("eth_getBalance", of.address, "latest"), 16)

    def sender_of(self, transaction: bytes) -> str:
        details: dict[str, Any] = self.devnet.rpc(
            "eth_getTransactionByHash", "0x" + transaction.hex()
        )
        return str(details["from"])


def key_file(folder: Path, of: LocalAccount) -> Path:
    path = folder / f"{of.address}.key"
    path.write_text(of.key.hex())
    path.chmod(0o600)
    return path


async def deployed(devnet: Devnet) -> ChainSettings:
    """A contract with its workers and its requester."""
    owner = bytes.fromhex(ADMIN.address[2:])
    policy = Policy(vote_window_s=VOTE_WINDOW_S, reveal_window_s=REVEAL_WINDOW_S)
    nodes = ChainSettings(rpc_urls=(devnet.url,), chain_id=CHAIN_ID, contract="0x" + "00" * 20)
    done = await deploy.deploy(nodes, ADMIN, owner, policy)
    settings = ChainSettings(
        rpc_urls=(devnet.url,),
        chain_id=CHAIN_ID,
        contract="0x" + done.address.hex(),
        start_block=done.block,
    )
    chain = await contract.connect(settings, ADMIN)
    try:
        workers = zip(OPERATORS, SIGNERS, strict=True)
        await chain.transact(
            "addWorkers", [(operator.address, signer.address, "") for operator, signer in workers]
        )
        role = await chain.role_code("REQUESTER_ROLE")
        await chain.transact("grantRole", role, REQUESTER.address)
    finally:
        await chain.close()
    return settings


@pytest.fixture
async def world(devnet: Devnet, tmp_path: Path, sample: Sample) -> AsyncIterator[World]:
    async with running_world(devnet, tmp_path, sample) as world:
        yield world


@pytest.fixture
async def deep_world(devnet: Devnet, tmp_path: Path, sample: Sample) -> AsyncIterator[World]:
    """A world in which all programs believe a block when two others are on top of it."""
    async with running_world(devnet, tmp_path, sample, confirmations=2) as world:
        yield world


@asynccontextmanager
async def running_world(
    devnet: Devnet, tmp_path: Path, sample: Sample, **chain: Any
) -> AsyncIterator[World]:
    chain_settings = (await deployed(devnet)).model_copy(update=chain)
    devnet.rpc("anvil_setBalance", SIGNERS[RICH].address, hex(10**18))
    token = tmp_path / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    admitted = tuple(
        f"{operator.address}={signer.address}"
        for operator, signer in zip(OPERATORS, SIGNERS, strict=True)
    )
    sender = SenderSettings(
        chain=chain_settings,
        data_dir=tmp_path / "sender",
        key_file=key_file(tmp_path, REQUESTER),
        token_file=token,
        operators=admitted,
    )
    registry = RegistrySettings(
        chain=chain_settings, data_dir=tmp_path / "registry", operators=admitted
    )
    store = RegistryStore(registry.data_dir)
    store.publish(sample.snapshot, sample.salt, 0)
    store.close()
    gateway, nmis = await wiring.sender_parts(sender), await wiring.registry_parts(registry)
    async with (
        listening(gateway.public_app, HttpSettings()) as sender_url,
        listening(nmis.public_app, HttpSettings()) as registry_url,
    ):
        admin = await contract.connect(chain_settings, ADMIN)
        yield World(devnet, tmp_path, chain_settings, admin, sender_url, registry_url, sample)
        await admin.close()


async def test_workers_without_a_coin_go_through_a_final_an_abstained_and_a_failed_round(
    world: World,
) -> None:
    """The relay pays for every ballot, abstention, reveal and closing."""
    world.devnet.rpc("anvil_setBalance", SIGNERS[RICH].address, "0x0")
    async with world.relay() as url, world.workers(url):
        final = await world.publish()
        await world.until_phase(final, Phase.FINAL)
        failed = await world.open_without_inputs()
        world.devnet.rpc("evm_increaseTime", TO_ABSTAIN_S)
        await until(lambda: have_abstained(world, failed))
        world.devnet.rpc("evm_increaseTime", VOTE_WINDOW_S - TO_ABSTAIN_S + REVEAL_WINDOW_S)
        await world.until_phase(failed, Phase.FAILED)
    abstained = [e for e in await world.chain.round_events(final) if isinstance(e, Abstained)]
    assert abstained == [], "a worker with all inputs abstained"
    state = await world.chain.round(final)
    assert state is not None
    assert state.matched == state.voted == 2 ** len(SIGNERS) - 1
    events = [
        event
        for number in (final, failed)
        for event in await world.chain.round_events(number)
        if not isinstance(event, RoundOpened)
    ]
    kinds = {type(event) for event in events}
    assert kinds == {BallotCast, Abstained, RootRevealed, RoundFinalised, RoundFailed}
    assert {e.operator for e in events if isinstance(e, Abstained) and e.round == failed} == {
        bytes.fromhex(operator.address[2:]) for operator in OPERATORS
    }
    senders = {world.sender_of(event.location.transaction).lower() for event in events}
    assert senders == {RELAY.address.lower()}
    assert [world.balance(signer) for signer in SIGNERS] == [0, 0, 0]


async def test_a_round_of_which_every_step_waits_until_it_is_deep_enough(
    deep_world: World,
) -> None:
    """Opening, ballots and finality are each believed two blocks later; all three deliver."""
    world = deep_world
    world.devnet.rpc("anvil_setBalance", SIGNERS[RICH].address, "0x0")
    async with world.relay() as url, world.workers(url):
        number = await world.publish()
        await world.until_phase(number, Phase.FINAL)
        await until(lambda: have_all_delivered(world, number))
    opened, *events = await world.chain.round_events(number)
    assert isinstance(opened, RoundOpened)
    (revealed,) = (event for event in events if isinstance(event, RootRevealed))
    cast = [event for event in events if isinstance(event, BallotCast)]
    assert len(cast) == len(SIGNERS)
    assert min(ballot.location.block for ballot in cast) - opened.location.block > 2
    assert revealed.location.block - max(ballot.location.block for ballot in cast) > 2


async def test_check_reports_windows_that_are_too_short_for_the_depth(deep_world: World) -> None:
    world = deep_world
    async with world.relay() as url:
        settings = world.settings(0, url)
        world.devnet.rpc("anvil_mine", "0x3")
        lines = {line.check: line for line in await asyncio.to_thread(check_worker, settings)}
        assert lines["windows"].fine
        world.devnet.rpc("evm_increaseTime", VOTE_WINDOW_S)
        world.devnet.rpc("evm_mine")
        lines = {line.check: line for line in await asyncio.to_thread(check_worker, settings)}
    assert not lines["windows"].fine
    assert "lower chain.confirmations" in lines["windows"].what


async def test_a_relay_that_is_gone_costs_only_those_who_cannot_pay_their_vote(
    world: World, http: aiohttp.ClientSession
) -> None:
    async with world.relay() as url:
        pass  # nobody listens there any more
    async with world.workers(url) as urls:
        number = await world.publish()
        await until(lambda: all_report(http, urls, "no usable response"))
        world.devnet.rpc("evm_increaseTime", TO_DIRECT_S)
        await until(lambda: all_report(http, urls[:RICH], "fee.unpaid"))
        await until(lambda: has_vote(world, number))
    events = await world.chain.round_events(number)
    (vote,) = (event for event in events if isinstance(event, BallotCast))
    assert vote.operator == bytes.fromhex(OPERATORS[RICH].address[2:])
    assert world.sender_of(vote.location.transaction).lower() == SIGNERS[RICH].address.lower()


async def test_check_reports_what_a_worker_without_gas_relies_on(world: World) -> None:
    async with world.relay() as url:
        settings = world.settings(0, url)
        lines = {line.check: line for line in await asyncio.to_thread(check_worker, settings)}
    assert all(line.fine for line in lines.values())
    assert "the relay pays for its ballots" in lines["fee money"].what
    assert lines["relay"].what == "takes ballots for this contract"
    lines = {line.check: line for line in await asyncio.to_thread(check_worker, settings)}
    assert [name for name, line in lines.items() if not line.fine] == ["relay"]


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(GIVE_UP_S):
        while not await holds():
            await asyncio.sleep(0.1)


async def has_vote(world: World, number: int) -> bool:
    return any(isinstance(e, BallotCast) for e in await world.chain.round_events(number))


async def have_all_delivered(world: World, number: int) -> bool:
    folders = [world.folder / f"worker-{seat}" / "bundles" for seat in range(3)]
    return all(any((folder / str(number)).glob("*")) for folder in folders)


async def have_abstained(world: World, number: int) -> bool:
    events = await world.chain.round_events(number)
    return len([event for event in events if isinstance(event, Abstained)]) == len(SIGNERS)


async def all_report(http: aiohttp.ClientSession, urls: list[str], outcome: str) -> bool:
    """Whether each worker's status has a text in the details of its newest round."""
    for url in urls:
        async with http.get(url + "/v1/status") as response:
            rounds = (await response.json())["rounds"]
        if not rounds or outcome not in rounds[0]["detail"]:
            return False
    return True
