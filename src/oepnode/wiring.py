"""Composition root: builds the worker and the services from their settings.

Guarantees: no other module chooses the adapter behind a port of `oepnode.ports`, and everything
built here is closed at the end. ``worker`` names no adapter at all; ``services`` name those of
storage and cryptography that they are built on; ``client``, ``cli`` and ``demo`` name adapters for
jobs without a port, such as key files, pictures and deployment. Layers: import-linter.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import structlog
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
from oepnode.adapters.computing.engine import COMPUTE, EngineSettings, ProcessEngine
from oepnode.adapters.crypto.keyfile import load_account, read_secret
from oepnode.adapters.http.registry import HttpRegistry
from oepnode.adapters.http.relay import HttpRelay
from oepnode.adapters.http.sender import HttpSender
from oepnode.adapters.http.server.serving import listening, serve, stop_signal
from oepnode.adapters.http.signed_client import RequestSigner
from oepnode.adapters.http.signed_documents import SignedRegistry, SignedSender
from oepnode.adapters.storage.bundle_shelf import FileShelf
from oepnode.adapters.storage.equivocation_guard import EquivocationGuard
from oepnode.adapters.storage.private import check_private
from oepnode.adapters.storage.registry_db.database import RegistryDatabase
from oepnode.adapters.storage.sequence_memory import SequenceMemory
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
from oepnode.ports import ChainReader, EnvelopeSource, Registry
from oepnode.services.registry import app as registry
from oepnode.services.relay import app as relay
from oepnode.services.sender import app as sender
from oepnode.worker.metrics import WorkerMetrics
from oepnode.worker.ports import WorkerPorts
from oepnode.worker.status.live_view import LiveView
from oepnode.worker.status.pages import operator_application
from oepnode.worker.status.public_pages import public_application
from oepnode.worker.worker import Worker

_log = structlog.get_logger("oepnode.wiring")
_OWNER_ALONE: Final = 0o077
"""The umask of a worker: nothing that it writes is for other users of the machine."""

AnyServiceSettings = TypeVar("AnyServiceSettings", SenderSettings, RegistrySettings, RelaySettings)

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
        public_app: HTTP application of its public pages.
        operator_app: HTTP application of its operator's pages.
        chain: Connection to the chain.
        sender: Client of the sender's gateway.
        registry: Client of the NMI registry.
        relay: Client of the relay, or None.
    """

    worker: Worker
    public_app: web.Application
    operator_app: web.Application
    chain: EvmChain
    sender: HttpSender
    registry: HttpRegistry
    relay: HttpRelay | None


@asynccontextmanager
async def worker_parts(
    settings: WorkerSettings, compute_function: str = COMPUTE
) -> AsyncIterator[WorkerParts]:
    """Build a worker from its settings, and close everything afterwards.

    Raises:
        ConfigError: For an unusable key file, a chain or contract that does not match, or a
            ``data_dir`` that others can read.
        TransportError: If the node of the chain does not respond.
    """
    account = load_account(settings.key_file)
    check_private(settings.data_dir, "data_dir")
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
        engine = ProcessEngine(_engine_settings(settings, compute_function))
        stack.push_async_callback(engine.close)
        documents, snapshots = _signed_sources(settings, sender_client, registry_client, stack)
        ports = WorkerPorts(
            chain=chain,
            sender=documents,
            registry=snapshots,
            engine=engine,
            shelf=shelf,
            clock=SystemClock(),
            feed=Feed(settings.feed.profile, settings.feed.import_sign),
            relay=relay_client,
        )
        worker = Worker(settings, ports, store, metrics)
        view = LiveView(settings, worker, metrics, "0x" + chain.signer.hex(), shelf.path)
        yield WorkerParts(
            worker,
            public_application(view),
            operator_application(view),
            chain,
            sender_client,
            registry_client,
            relay_client,
        )


async def run_worker(
    settings: WorkerSettings,
    announce: Callable[[str, str], None],
    compute_function: str = COMPUTE,
) -> None:
    """Run a worker until SIGINT or SIGTERM; sets the umask of this process.

    Args:
        settings: The worker's settings.
        announce: Called with the public and the operator's URL once the worker listens.
        compute_function: ``module:function`` that computes a result from inputs.

    Raises:
        OepError: If the worker cannot start, or ends with an error.
    """
    if settings.status.is_public:
        _log.warning(
            "status_listener_public",
            host=settings.status.host,
            fix="set status.host to 127.0.0.1 or an address of a private network",
        )
    os.umask(_OWNER_ALONE)
    async with worker_parts(settings, compute_function) as parts:
        running = asyncio.create_task(parts.worker.run())
        serving = asyncio.create_task(_serve_worker(settings, parts, announce))
        await asyncio.wait({running, serving}, return_when=asyncio.FIRST_COMPLETED)
        ended = running if running.done() else serving
        for task in (running, serving):
            task.cancel()
        await asyncio.gather(running, serving, return_exceptions=True)
        if not ended.cancelled():
            ended.result()


async def _serve_worker(
    settings: WorkerSettings, parts: WorkerParts, announce: Callable[[str, str], None]
) -> None:
    with stop_signal() as stop:
        async with (
            listening(parts.public_app, settings.http) as public_url,
            listening(parts.operator_app, settings.status, "status") as operator_url,
        ):
            announce(public_url, operator_url)
            await stop.wait()


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


def _signed_sources(
    settings: WorkerSettings, sender: HttpSender, registry: HttpRegistry, stack: AsyncExitStack
) -> tuple[EnvelopeSource, Registry]:
    """Sender and registry, of which each demands signatures where the settings have its key."""
    keys = settings.documents
    if keys.sender_key is None and keys.registry_key is None:
        return sender, registry
    memory = SequenceMemory(settings.data_dir / "document-sequences.sqlite")
    stack.callback(memory.close)
    documents: EnvelopeSource = sender
    snapshots: Registry = registry
    if keys.sender_key is not None:
        documents = SignedSender(sender, bytes.fromhex(keys.sender_key), memory)
    if keys.registry_key is not None:
        snapshots = SignedRegistry(registry, bytes.fromhex(keys.registry_key), memory)
    return documents, snapshots


def _relay_client(settings: WorkerSettings, account: LocalAccount) -> HttpRelay | None:
    if settings.relay.url is None:
        return None
    guard = EquivocationGuard(settings.data_dir / "signed-ballots")
    return HttpRelay(settings.relay.url, account, guard)


def _engine_settings(settings: WorkerSettings, function: str) -> EngineSettings:
    key = settings.archive_key
    return EngineSettings(
        memory_limit_mb=settings.compute.memory_limit_mb,
        timeout_s=settings.compute.timeout_s,
        bundles=settings.data_dir / "bundles",
        archive=None if key is None else settings.data_dir / "archive",
        archive_key=None if key is None else bytes.fromhex(key),
        function=function,
    )


# --- the services --------------------------------------------------------------------------------


async def sender_app(settings: SenderSettings) -> web.Application:
    """The sender's gateway; it closes its connections when it is cleaned up."""
    account = load_account(settings.key_file)
    chain = await connect(settings.chain, account, _spending(settings.data_dir))
    app = sender.application(settings, chain, SystemClock(), account)
    app.on_cleanup.append(_closing(chain))
    return app


async def registry_app(settings: RegistrySettings) -> web.Application:
    """The NMI registry; it closes its connections when it is cleaned up."""
    account = None if settings.grants_key_file is None else load_account(settings.grants_key_file)
    chain = await connect_reader(settings.chain)
    database = registry_database(settings)
    app = registry.application(settings, chain, SystemClock(), account, database)
    app.on_cleanup.append(_closing(chain))
    return app


def registry_database(settings: RegistrySettings) -> RegistryDatabase | None:
    """The registry's database, not checked yet; None where the settings name none.

    Raises:
        ConfigError: If its URL or its password file is not usable.
    """
    if settings.database is None:
        return None
    file = settings.database_password_file
    password = None if file is None else read_secret(file, "database password").decode().strip()
    return RegistryDatabase(settings.database, password, settings.data_dir)


async def relay_app(settings: RelaySettings) -> web.Application:
    """The relay; it closes its connections when it is cleaned up."""
    account = load_account(settings.key_file)
    chain = await connect(settings.chain, account, _spending(settings.data_dir))
    app = relay.application(settings, chain)
    app.on_cleanup.append(_closing(chain))
    return app


async def run_service(
    build: Callable[[AnyServiceSettings], Awaitable[web.Application]],
    settings: AnyServiceSettings,
    announce: Callable[[str], None],
) -> None:
    """Run a service until SIGINT or SIGTERM.

    Args:
        build: Builds its application.
        settings: Its settings.
        announce: Called with the URL once it listens.

    Raises:
        OepError: If it cannot start.
    """
    await serve(await build(settings), settings.http, announce)


def _spending(data_dir: Path) -> SpendingFile:
    return SpendingFile(data_dir / "fees.json", SystemClock())


def _closing(chain: EvmReader) -> Callable[[web.Application], Awaitable[None]]:
    async def close(_: web.Application) -> None:
        await chain.close()

    return close
