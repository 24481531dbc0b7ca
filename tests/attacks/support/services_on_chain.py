"""Sender, registry and relay as their commands run them, on a real chain read through nodes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import aiohttp
import pytest
from eth_account.signers.local import LocalAccount
from prometheus_client.parser import text_string_to_metric_families

from oepnode import wiring
from oepnode.adapters.clock import SystemClock
from oepnode.adapters.http.client import RequestRejected
from oepnode.adapters.http.publisher import HttpPublisher
from oepnode.adapters.http.registry import HttpRegistry
from oepnode.adapters.http.relay import HttpRelay
from oepnode.adapters.http.sender import HttpSender
from oepnode.adapters.http.server.serving import listening
from oepnode.adapters.http.signed_client import RequestSigner
from oepnode.adapters.storage.equivocation_guard import EquivocationGuard
from oepnode.config import (
    ChainSettings,
    HttpSettings,
    RegistrySettings,
    RelaySettings,
    SenderSettings,
)
from oepnode.demo.devnet import account
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Phase
from oepnode.services.registry.store import RegistryStore
from oepnode.wiring import ServiceParts
from tests.attacks.support.chain_world import RESULT, ChainWorld
from tests.support.round_world import COUNT, ENVELOPE, REGISTRY, SALT, START

TOKEN = "a-token-of-the-publisher"
REQUESTER, STRANGER, RELAY, GRANTS = account(0), account(30), account(25), account(26)
OPERATORS = [account(10 + seat) for seat in range(3)]
SIGNERS = [account(20 + seat) for seat in range(3)]
SNAPSHOT_DIGEST = sha256(REGISTRY).digest()
DOCUMENT_DIGEST = sha256(ENVELOPE).digest()
GIVE_UP_S = 30.0


@dataclass
class Running:
    """A service that runs.

    Attributes:
        world: The chain, as it is.
        folder: Folder for files.
        url: URL of its public listener.
        status_url: URL of its operator's listener.
    """

    world: ChainWorld
    folder: Path
    url: str
    status_url: str

    async def disagreements(self) -> set[tuple[str, str]]:
        """The nodes that the operator sees as outvoted: number, and question."""
        text = await fetched(self.status_url + "/metrics")
        assert "APIKEY" not in text
        return {
            (sample.labels["node"].split("#")[1], sample.labels["what"])
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "oepnode_rpc_disagreements_total"
        }

    def request_signer(self, who: LocalAccount) -> RequestSigner:
        admin = self.world.admin
        return RequestSigner(who, admin.chain_id, admin.contract, SystemClock(), 2**22, 20)


async def fetched(url: str) -> str:
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        return await response.text()


def key_file(folder: Path, of: LocalAccount) -> Path:
    path = folder / f"{of.address}.key"
    path.write_text(of.key.hex())
    path.chmod(0o600)
    return path


def _operators(settings: ChainSettings) -> tuple[str, ...]:
    """The list that a service with one node must have; three nodes stand in for it."""
    one = len(settings.rpc_urls) < 3
    return tuple(operator.address for operator in OPERATORS) if one else ()


async def sender_parts(folder: Path, chain: ChainSettings) -> ServiceParts:
    token = folder / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    return await wiring.sender_parts(
        SenderSettings(
            chain=chain,
            data_dir=folder / "sender",
            key_file=key_file(folder, REQUESTER),
            token_file=token,
            operators=_operators(chain),
        )
    )


async def registry_parts(folder: Path, chain: ChainSettings) -> ServiceParts:
    store = RegistryStore(folder / "registry")
    store.publish(REGISTRY, SALT, 0.0)
    store.close()
    return await wiring.registry_parts(
        RegistrySettings(
            chain=chain,
            data_dir=folder / "registry",
            grants_key_file=key_file(folder, GRANTS),
            operators=_operators(chain),
        )
    )


async def relay_parts(folder: Path, chain: ChainSettings) -> ServiceParts:
    return await wiring.relay_parts(
        RelaySettings(
            chain=chain,
            data_dir=folder / "relay",
            key_file=key_file(folder, RELAY),
            batch_after_s=0,
            look_interval_s=0.05,
        )
    )


PARTS = {"sender": sender_parts, "registry": registry_parts, "relay": relay_parts}


@asynccontextmanager
async def running(name: str, world: ChainWorld, folder: Path, *urls: str) -> AsyncIterator[Running]:
    """A service that reads the chain through these nodes."""
    chain = world.settings.model_copy(update={"rpc_urls": urls})
    async with AsyncExitStack() as stack:
        parts = await PARTS[name](folder, chain)
        http = HttpSettings()
        url = await stack.enter_async_context(listening(parts.public_app, http))
        status = await stack.enter_async_context(listening(parts.operator_app, http, "status"))
        yield Running(world, folder, url, status)


# --- what each service is for, and what it gives to nobody else -----------------------------------


async def open_and_serve(service: Running) -> None:
    """A publisher opens a round; a worker gets the document, and a stranger does not."""
    number = await publish(service)
    opening = await service.world.admin.opening(number)
    assert opening is not None
    assert (opening.envelope_digest, opening.registry_digest) == (DOCUMENT_DIGEST, SNAPSHOT_DIGEST)
    assert await document(service, SIGNERS[0], number) == ENVELOPE
    with pytest.raises(RequestRejected, match="not an enrolled worker's"):
        await document(service, STRANGER, number)
    await check_grants(service, number)


async def give_snapshot(service: Running) -> None:
    """A worker gets snapshot and salt, and a stranger does not."""
    number = await open_round(service)
    assert await salt(service, SIGNERS[0], number) == SALT
    with pytest.raises(RequestRejected, match="not an enrolled worker's"):
        await salt(service, STRANGER, number)
    await check_grants(service, number)


async def cast_and_reveal(service: Running) -> None:
    """Three workers' votes are cast, a stranger's is not, and their result is revealed."""
    world = service.world
    number = await world.open_round()
    with pytest.raises(RequestRejected, match="member"):
        await hand_in(service, STRANGER, 0, number)
    for seat, signer in enumerate(SIGNERS):
        await hand_in(service, signer, seat, number)
    await until(lambda: is_in(world, number, Phase.REVEALING))
    client = relay_client(service, SIGNERS[0])
    try:
        context = RoundContext(world.admin.chain_id, world.admin.contract, number)
        await client.reveal(context, RESULT)
    finally:
        await client.close()
    await until(lambda: is_in(world, number, Phase.FINAL))
    state = await world.admin.round(number)
    assert state is not None
    assert (state.root, state.partitions, state.matched) == (RESULT.root, RESULT.partitions, 0b111)


WORK: dict[str, Callable[[Running], Awaitable[None]]] = {
    "sender": open_and_serve,
    "registry": give_snapshot,
    "relay": cast_and_reveal,
}


async def publish(service: Running) -> int:
    path = service.folder / "document.json"
    path.write_bytes(ENVELOPE)
    publisher = HttpPublisher(service.url, timeout_s=20)
    try:
        published = await publisher.publish(path, TOKEN, SNAPSHOT_DIGEST)
    finally:
        await publisher.close()
    assert published.round is not None
    return published.round


async def open_round(service: Running) -> int:
    """A round of the snapshot, opened by somebody else."""
    opened = await service.world.admin.open_round(START, COUNT, DOCUMENT_DIGEST, SNAPSHOT_DIGEST)
    return opened.round


async def document(service: Running, who: LocalAccount, number: int) -> bytes:
    client = HttpSender(service.url, service.request_signer(who))
    try:
        return await client.document(number, DOCUMENT_DIGEST)
    finally:
        await client.close()


async def salt(service: Running, who: LocalAccount, number: int) -> bytes:
    client = HttpRegistry(service.url, service.request_signer(who))
    try:
        return await client.salt(number, SNAPSHOT_DIGEST)
    finally:
        await client.close()


def relay_client(service: Running, who: LocalAccount) -> HttpRelay:
    guard = EquivocationGuard(service.folder / f"signed-{who.address}")
    return HttpRelay(service.url, who, guard)


async def hand_in(service: Running, who: LocalAccount, seat: int, number: int) -> None:
    world = service.world
    client = relay_client(service, who)
    try:
        context = RoundContext(world.admin.chain_id, world.admin.contract, number)
        await client.hand_in(context, await world.vote(number, seat))
    finally:
        await client.close()


async def check_grants(service: Running, number: int) -> None:
    """The grant list names the worker's operator, and nobody else."""
    listed = await fetched(f"{service.url}/v1/rounds/{number}/grants")
    first, *others = (operator.address[2:].lower() for operator in OPERATORS)
    assert first in listed
    assert not [other for other in others if other in listed]


async def is_in(world: ChainWorld, number: int, phase: Phase) -> bool:
    state = await world.admin.round(number)
    return state is not None and state.phase is phase


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(GIVE_UP_S):
        while not await holds():
            await asyncio.sleep(0.05)
