"""Composition root: builds the worker and the services from their settings.

Guarantees: no other module chooses the adapter behind a port of `oepnode.ports`, and everything
built here is closed at the end. ``worker`` names no adapter at all; ``services`` name those of
storage and cryptography that they are built on; ``client``, ``cli`` and ``demo`` name adapters for
jobs without a port, such as key files, pictures and deployment. Layers: import-linter.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aiohttp import web
from eth_account.signers.local import LocalAccount

from oepnode.adapters.chain.contract import (
    EvmChain,
    EvmReader,
    connect,
    connect_reader,
    with_chain_id,
)
from oepnode.adapters.clock import SystemClock
from oepnode.adapters.crypto import sealing
from oepnode.adapters.crypto.keyfile import load_account
from oepnode.adapters.http.registry import HttpRegistry
from oepnode.adapters.http.relay import HttpRelay
from oepnode.adapters.http.sender import HttpSender
from oepnode.adapters.http.signed_client import RequestSigner
from oepnode.adapters.storage import input_archive
from oepnode.adapters.storage.equivocation_guard import EquivocationGuard
from oepnode.adapters.storage.files import FileArchive, FileShelf
from oepnode.adapters.storage.spending import SpendingFile
from oepnode.adapters.storage.worker_store import SqliteStore
from oepnode.config import (
    ChainSettings,
    RegistrySettings,
    RelaySettings,
    SenderSettings,
    WorkerSettings,
)
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.computation import compute
from oepnode.ports import ChainReader
from oepnode.services.common.serving import serve
from oepnode.services.registry import app as registry
from oepnode.services.relay import app as relay
from oepnode.services.sender import app as sender
from oepnode.worker.metrics import WorkerMetrics
from oepnode.worker.ports import Compute, SealInputs, WorkerPorts
from oepnode.worker.status.live_view import LiveView
from oepnode.worker.status.pages import application
from oepnode.worker.worker import Worker

# --- the chain -----------------------------------------------------------------------------------


@asynccontextmanager
async def chain_reader(
    settings: ChainSettings, *, any_chain: bool = False
) -> AsyncIterator[EvmReader]:
    """A connection for reading.

    Args:
        settings: Chain, contract and nodes.
        any_chain: Whether the nodes' own chain id is taken in place of that of the settings.

    Raises:
        ConfigError: For nodes of another chain, or an address without this release's contract.
        TransportError: If too few nodes respond or agree.
    """
    reader = await connect_reader(await _resolved(settings, any_chain=any_chain))
    try:
        yield reader
    finally:
        await reader.close()


@asynccontextmanager
async def chain_writer(
    settings: ChainSettings, key_file: Path, *, any_chain: bool = False
) -> AsyncIterator[EvmChain]:
    """A connection for reading and writing, with the account whose key is in a file.

    Args:
        settings: As of `chain_reader`.
        key_file: The file.
        any_chain: As of `chain_reader`.

    Raises:
        ConfigError: As `chain_reader`, or for a file without a key.
        TransportError: If too few nodes respond or agree.
    """
    account = load_account(key_file)
    chain = await connect(await _resolved(settings, any_chain=any_chain), account)
    try:
        yield chain
    finally:
        await chain.close()


async def _resolved(settings: ChainSettings, *, any_chain: bool) -> ChainSettings:
    return await with_chain_id(settings) if any_chain else settings


# --- the worker ----------------------------------------------------------------------------------


@dataclass
class WorkerParts:
    """A worker with its pages and connections.

    Attributes:
        worker: The worker, not running yet.
        app: HTTP application of its pages.
        chain: Connection to the chain.
        sender: Client of the sender's gateway.
        registry: Client of the NMI registry.
        relay: Client of the relay, or None.
    """

    worker: Worker
    app: web.Application
    chain: EvmChain
    sender: HttpSender
    registry: HttpRegistry
    relay: HttpRelay | None


@asynccontextmanager
async def worker_parts(
    settings: WorkerSettings, compute_result: Compute = compute
) -> AsyncIterator[WorkerParts]:
    """Build a worker from its settings, and close everything afterwards.

    Raises:
        ConfigError: For an unusable key file, or a chain or contract that does not match.
        TransportError: If the node of the chain does not respond.
    """
    account = load_account(settings.key_file)
    async with AsyncExitStack() as stack:
        metrics = WorkerMetrics()
        chain = await connect(
            settings.chain, account, _spending(settings.data_dir), metrics=metrics.registry
        )
        stack.push_async_callback(chain.close)
        request_signer = _request_signer(settings, account, chain)
        sender_client = HttpSender(settings.sender_url, request_signer)
        registry_client = HttpRegistry(settings.registry_url, request_signer)
        relay_client = _relay_client(settings, account)
        for client in (sender_client, registry_client, relay_client):
            if client is not None:
                stack.push_async_callback(client.close)
        store = SqliteStore(settings.data_dir / "worker.sqlite")
        stack.callback(store.close)
        shelf = FileShelf(settings.data_dir / "bundles")
        ports = WorkerPorts(
            chain=chain,
            sender=sender_client,
            registry=registry_client,
            shelf=shelf,
            seal=sealing.seal,
            archive=FileArchive(settings.data_dir / "archive") if settings.archive_key else None,
            seal_inputs=_seal_inputs(settings.archive_key),
            clock=SystemClock(),
            compute=compute_result,
            feed=Feed(settings.feed.profile, settings.feed.import_sign),
            relay=relay_client,
        )
        worker = Worker(settings, ports, store, metrics)
        view = LiveView(settings, worker, metrics, "0x" + chain.signer.hex(), shelf.path)
        yield WorkerParts(
            worker, application(view), chain, sender_client, registry_client, relay_client
        )


async def run_worker(
    settings: WorkerSettings, announce: Callable[[str], None], compute_result: Compute = compute
) -> None:
    """Run a worker until SIGINT or SIGTERM.

    Args:
        settings: The worker's settings.
        announce: Called with the URL once the worker listens.
        compute_result: Computes a result from inputs.

    Raises:
        OepError: If the worker cannot start, or ends with an error.
    """
    async with worker_parts(settings, compute_result) as parts:
        running = asyncio.create_task(parts.worker.run())
        serving = asyncio.create_task(serve(parts.app, settings.http, announce))
        await asyncio.wait({running, serving}, return_when=asyncio.FIRST_COMPLETED)
        ended = running if running.done() else serving
        for task in (running, serving):
            task.cancel()
        await asyncio.gather(running, serving, return_exceptions=True)
        if not ended.cancelled():
            ended.result()


def _request_signer(
    settings: WorkerSettings, account: LocalAccount, chain: ChainReader
) -> RequestSigner:
    return RequestSigner(
        account,
        chain.chain_id,
        chain.contract,
        SystemClock(),
        max_bytes=settings.max_document_bytes,
        timeout_s=settings.http_timeout_s,
    )


def _relay_client(settings: WorkerSettings, account: LocalAccount) -> HttpRelay | None:
    if settings.relay.url is None:
        return None
    guard = EquivocationGuard(settings.data_dir / "signed-ballots")
    return HttpRelay(settings.relay.url, account, guard)


def _seal_inputs(archive_key: str | None) -> SealInputs | None:
    if archive_key is None:
        return None
    return partial(input_archive.seal_inputs, bytes.fromhex(archive_key))


# --- the services --------------------------------------------------------------------------------


async def sender_app(settings: SenderSettings) -> web.Application:
    """The sender's gateway; it closes its connections when it is cleaned up."""
    account = load_account(settings.key_file)
    chain = await connect(settings.chain, account, _spending(settings.data_dir))
    app = sender.application(settings, chain, SystemClock())
    app.on_cleanup.append(_closing(chain))
    return app


async def registry_app(settings: RegistrySettings) -> web.Application:
    """The NMI registry; it closes its connections when it is cleaned up."""
    chain = await connect_reader(settings.chain)
    app = registry.application(settings, chain, SystemClock())
    app.on_cleanup.append(_closing(chain))
    return app


async def relay_app(settings: RelaySettings) -> web.Application:
    """The relay; it closes its connections when it is cleaned up."""
    account = load_account(settings.key_file)
    chain = await connect(settings.chain, account, _spending(settings.data_dir))
    app = relay.application(settings, chain)
    app.on_cleanup.append(_closing(chain))
    return app


def _spending(data_dir: Path) -> SpendingFile:
    return SpendingFile(data_dir / "fees.json", SystemClock())


def _closing(chain: EvmReader) -> Callable[[web.Application], Awaitable[None]]:
    async def close(_: web.Application) -> None:
        await chain.close()

    return close
