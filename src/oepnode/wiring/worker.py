"""Builds and runs a worker."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from eth_account.signers.local import LocalAccount

from oepnode.adapters.chain.contract import EvmChain, connect
from oepnode.adapters.clock import SystemClock
from oepnode.adapters.computing.engine import COMPUTE, EngineSettings, ProcessEngine
from oepnode.adapters.computing.messages import ClusterAddress
from oepnode.adapters.crypto.keyfile import load_account
from oepnode.adapters.http.registry import HttpRegistry
from oepnode.adapters.http.relay import HttpRelay
from oepnode.adapters.http.sender import HttpSender
from oepnode.adapters.http.server.operator_pages import operator_application
from oepnode.adapters.http.signed_client import RequestSigner
from oepnode.adapters.http.signed_documents import SignedRegistry, SignedSender
from oepnode.adapters.storage.bundle_shelf import FileShelf
from oepnode.adapters.storage.equivocation_guard import EquivocationGuard
from oepnode.adapters.storage.private import check_private
from oepnode.adapters.storage.sequence_memory import SequenceMemory
from oepnode.adapters.storage.worker_store import SqliteStore
from oepnode.config import WorkerSettings
from oepnode.domain.nem.quantities import Feed
from oepnode.ports import ChainReader, EnvelopeSource, Registry
from oepnode.wiring.chain import spending
from oepnode.wiring.serving import serve_both, warn_if_public
from oepnode.worker.metrics import WorkerMetrics
from oepnode.worker.ports import WorkerPorts
from oepnode.worker.status.live_view import LiveView
from oepnode.worker.status.pages import add_status_pages
from oepnode.worker.status.public_pages import public_application
from oepnode.worker.worker import Worker

_OWNER_ALONE: Final = 0o077
"""The umask of a worker: nothing that it writes is for other users of the machine."""


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
            settings.chain, account, spending(settings.data_dir), metrics=metrics.registry
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
    warn_if_public(settings.status)
    os.umask(_OWNER_ALONE)
    async with worker_parts(settings, compute_function) as parts:
        running = asyncio.create_task(parts.worker.run())
        serving = asyncio.create_task(
            serve_both(settings, parts.public_app, parts.operator_app, announce)
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
        spill=settings.data_dir / "spill",
        archive=None if key is None else settings.data_dir / "archive",
        archive_key=None if key is None else bytes.fromhex(key),
        processes=settings.compute.processes,
        cluster=cluster_of(settings),
        function=function,
    )


def cluster_of(settings: WorkerSettings) -> ClusterAddress | None:
    """The Dask cluster that a worker computes on; None if it computes on its own machine."""
    compute = settings.compute
    if compute.engine == "local" or compute.scheduler is None:
        return None
    is_tls = compute.scheduler.startswith("tls://")
    files = (compute.tls_ca_file, compute.tls_cert_file, compute.tls_key_file)
    ca, cert, key = (str(path) if is_tls and path is not None else "" for path in files)
    return ClusterAddress(compute.scheduler, ca, cert, key, compute.shares_documents)
