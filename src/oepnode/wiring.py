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
from oepnode.adapters.crypto.keyfile import load_account
from oepnode.adapters.http.registry import HttpRegistry
from oepnode.adapters.http.relay import HttpRelay
from oepnode.adapters.http.sender import HttpSender
from oepnode.adapters.http.server.operator_pages import operator_application
from oepnode.adapters.http.server.serving import Listener, serve
from oepnode.adapters.http.signed_client import RequestSigner
from oepnode.adapters.http.signed_documents import SignedRegistry, SignedSender
from oepnode.adapters.storage.bundle_shelf import FileShelf
from oepnode.adapters.storage.equivocation_guard import EquivocationGuard
from oepnode.adapters.storage.private import check_private
from oepnode.adapters.storage.sequence_memory import SequenceMemory
from oepnode.adapters.storage.spending import SpendingFile
from oepnode.adapters.storage.worker_store import SqliteStore
from oepnode.config import (
    ChainSettings,
    HttpSettings,
    RegistrySettings,
    RelaySettings,
    SenderSettings,
    WorkerSettings,
)
from oepnode.domain.nem.quantities import Feed
from oepnode.ports import ChainReader, EnvelopeSource, Registry
from oepnode.services.common.chain_health import ChainHealth
from oepnode.services.common.metrics import InputMetrics, ServiceMetrics
from oepnode.services.registry import app as registry
from oepnode.services.relay import app as relay
from oepnode.services.relay.metrics import RelayMetrics
from oepnode.services.sender import app as sender
from oepnode.services.sender.metrics import SenderMetrics
from oepnode.worker.metrics import WorkerMetrics
from oepnode.worker.ports import WorkerPorts
from oepnode.worker.status.live_view import LiveView
from oepnode.worker.status.pages import add_status_pages
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
        view = LiveView(settings, worker, "0x" + chain.signer.hex(), shelf.path)
        operator_app = operator_application(metrics.registry, view.problem)
        add_status_pages(operator_app, view)
        yield WorkerParts(
            worker,
            public_application(view),
            operator_app,
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
    _warn_if_public(settings.status)
    os.umask(_OWNER_ALONE)
    async with worker_parts(settings, compute_function) as parts:
        running = asyncio.create_task(parts.worker.run())
        serving = asyncio.create_task(
            serve(
                announce,
                Listener(parts.public_app, settings.http),
                Listener(parts.operator_app, settings.status, "status"),
            )
        )
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


@dataclass
class ServiceParts:
    """A service's applications.

    Attributes:
        public_app: Its own; the connection to the chain is closed when it is cleaned up.
        operator_app: For its operator; it looks at the chain while it is served.
        metrics: Its metrics.
    """

    public_app: web.Application
    operator_app: web.Application
    metrics: ServiceMetrics


async def sender_parts(settings: SenderSettings) -> ServiceParts:
    """The sender's gateway."""
    account = load_account(settings.key_file)
    metrics = SenderMetrics()
    chain = await connect(
        settings.chain, account, _spending(settings.data_dir), metrics=metrics.registry
    )
    app = sender.application(settings, chain, SystemClock(), account, metrics)
    return _service_parts(app, chain, metrics, ChainHealth(chain))


async def registry_parts(settings: RegistrySettings) -> ServiceParts:
    """The NMI registry."""
    account = None if settings.grants_key_file is None else load_account(settings.grants_key_file)
    metrics = InputMetrics()
    chain = await connect_reader(settings.chain, metrics=metrics.registry)
    app = registry.application(settings, chain, SystemClock(), account, metrics)
    return _service_parts(app, chain, metrics, ChainHealth(chain))


async def relay_parts(settings: RelaySettings) -> ServiceParts:
    """The relay."""
    account = load_account(settings.key_file)
    metrics = RelayMetrics()
    chain = await connect(
        settings.chain, account, _spending(settings.data_dir), metrics=metrics.registry
    )
    health = ChainHealth(chain)
    app = relay.application(settings, chain, metrics, health)
    return _service_parts(app, chain, metrics, health)


def _service_parts(
    app: web.Application, chain: EvmReader, metrics: ServiceMetrics, health: ChainHealth
) -> ServiceParts:
    async def close(_: web.Application) -> None:
        await chain.close()

    async def look(_: web.Application) -> AsyncIterator[None]:
        looking = asyncio.create_task(health.watch())
        yield
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)

    app.on_cleanup.append(close)
    operator_app = operator_application(metrics.registry, health.problem)
    operator_app.cleanup_ctx.append(look)
    return ServiceParts(app, operator_app, metrics)


async def run_service(
    build: Callable[[AnyServiceSettings], Awaitable[ServiceParts]],
    settings: AnyServiceSettings,
    announce: Callable[[str, str], None],
) -> None:
    """Run a service until SIGINT or SIGTERM.

    Args:
        build: Builds its applications.
        settings: Its settings.
        announce: Called with the public and the operator's URL once the service listens.

    Raises:
        OepError: If it cannot start.
    """
    _warn_if_public(settings.status)
    parts = await build(settings)
    await serve(
        announce,
        Listener(parts.public_app, settings.http, on_rejected=parts.metrics.count_early_rejection),
        Listener(parts.operator_app, settings.status, "status"),
    )


def _warn_if_public(status: HttpSettings) -> None:
    if status.is_public:
        _log.warning(
            "status_listener_public",
            host=status.host,
            fix="set status.host to 127.0.0.1 or an address of a private network",
        )


def _spending(data_dir: Path) -> SpendingFile:
    return SpendingFile(data_dir / "fees.json", SystemClock())
