"""The one place that names concrete adapters: settings in, running parts out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from eth_account.signers.local import LocalAccount
from prometheus_client import generate_latest
from pydantic import ValidationError

from oepnode import __version__
from oepnode.adapters.chain import contract as evm
from oepnode.adapters.clock import SystemClock
from oepnode.adapters.crypto import hpke as sealing
from oepnode.adapters.crypto.keyfile import load_account
from oepnode.adapters.http.registry import HttpRegistry
from oepnode.adapters.http.relay import HttpRelay
from oepnode.adapters.http.sender import HttpSender
from oepnode.adapters.http.signed_client import RequestSigner
from oepnode.adapters.storage import input_archive as archive
from oepnode.adapters.storage.equivocation_guard import EquivocationGuard
from oepnode.adapters.storage.files import FileArchive, FileShelf
from oepnode.adapters.storage.worker_store import SqliteStore
from oepnode.config import (
    ChainSettings,
    RegistrySettings,
    RelaySettings,
    SenderSettings,
    WorkerSettings,
)
from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.ballot import Reason
from oepnode.domain.rounds.computation import Inputs, compute
from oepnode.domain.rounds.pseudonyms import RoundContext
from oepnode.errors import ConfigError
from oepnode.ports import ChainReader
from oepnode.services.common.serving import serve
from oepnode.services.registry import app as registry
from oepnode.services.relay import app as relay
from oepnode.services.sender import app as sender
from oepnode.worker.metrics import WorkerMetrics
from oepnode.worker.ports import Compute, SealInputs, WorkerPorts
from oepnode.worker.state import RoundState
from oepnode.worker.status.pages import application
from oepnode.worker.status.view import RoundLine, WorkerStatus
from oepnode.worker.worker import Worker

_SHOWN_ROUNDS = 20


# -- the chain -----------------------------------------------------------------------------


@asynccontextmanager
async def chain_reader(
    rpc_url: str, contract: str, chain_id: int | None = None, start_block: int = 0
) -> AsyncIterator[ChainReader]:
    """A connection for reading; without ``chain_id`` the node's own is taken.

    Raises:
        ConfigError: For a node of another chain, or an address without a contract.
        TransportError: If the node does not answer.
    """
    if chain_id is None:
        chain_id = await evm.chain_id_of(rpc_url)
    try:
        settings = ChainSettings(
            rpc_url=rpc_url, chain_id=chain_id, contract=contract, start_block=start_block
        )
    except ValidationError as exc:
        raise ConfigError(f"{contract}: not the address of a contract") from exc
    reader = await evm.connect_reader(settings)
    try:
        yield reader
    finally:
        await reader.close()


# -- the worker ----------------------------------------------------------------------------


@dataclass
class WorkerParts:
    """A worker and what shows it.

    Attributes:
        worker: To be run.
        app: Its HTTP application.
        chain: Its connection.
        sender: Its client of the sender's gateway.
        registry: Its client of the NMI registry.
        relay: Its client of the relay, or None.
    """

    worker: Worker
    app: web.Application
    chain: evm.EvmChain
    sender: HttpSender
    registry: HttpRegistry
    relay: HttpRelay | None


@asynccontextmanager
async def worker_parts(
    settings: WorkerSettings, compute_result: Compute = compute
) -> AsyncIterator[WorkerParts]:
    """Build a worker from its settings, and close everything afterwards.

    Raises:
        ConfigError: For a key, chain or contract that does not fit.
        TransportError: If the node of the chain does not answer.
    """
    account = load_account(settings.key_file)
    async with AsyncExitStack() as stack:
        chain = await evm.connect(settings.chain, account)
        stack.push_async_callback(chain.close)
        clock = SystemClock()
        request_signer = RequestSigner(
            account,
            chain.chain_id,
            chain.contract,
            clock,
            max_bytes=settings.max_document_bytes,
            timeout_s=settings.http_timeout_s,
        )
        sender_client = HttpSender(settings.sender_url, request_signer)
        stack.push_async_callback(sender_client.close)
        registry_client = HttpRegistry(settings.registry_url, request_signer)
        stack.push_async_callback(registry_client.close)
        relay_client = _relay_client(settings, account)
        if relay_client is not None:
            stack.push_async_callback(relay_client.close)
        store = SqliteStore(settings.data_dir / "worker.sqlite")
        stack.callback(store.close)
        shelf = FileShelf(settings.data_dir / "bundles")
        metrics = WorkerMetrics()
        ports = WorkerPorts(
            chain=chain,
            sender=sender_client,
            registry=registry_client,
            shelf=shelf,
            seal=sealing.seal,
            archive=FileArchive(settings.data_dir / "archive") if settings.archive_key else None,
            seal_inputs=_seal_inputs(settings.archive_key),
            clock=clock,
            compute=compute_result,
            feed=Feed(settings.feed.profile, settings.feed.import_sign),
            relay=relay_client,
        )
        worker = Worker(settings, ports, store, metrics)
        view = _View(settings, worker, shelf, metrics, "0x" + chain.signer.hex())
        yield WorkerParts(
            worker, application(view), chain, sender_client, registry_client, relay_client
        )


async def run_worker(
    settings: WorkerSettings, announce: Callable[[str], None], compute_result: Compute = compute
) -> None:
    """Run a worker until SIGINT or SIGTERM.

    Args:
        settings: As parsed.
        announce: Told the URL once the worker listens.
        compute_result: From inputs to result.

    Raises:
        OepError: Whatever ends the worker by itself.
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


def _relay_client(settings: WorkerSettings, account: LocalAccount) -> HttpRelay | None:
    if settings.relay.url is None:
        return None
    kept = EquivocationGuard(settings.data_dir / "signed-ballots")
    return HttpRelay(settings.relay.url, account, kept)


def _seal_inputs(archive_key: str | None) -> SealInputs | None:
    if archive_key is None:
        return None
    key = bytes.fromhex(archive_key)

    def seal(context: RoundContext, inputs: Inputs) -> bytes:
        return archive.seal_inputs(
            key, context, inputs.envelope, inputs.registry, inputs.salt, inputs.feed
        )

    return seal


class _View:
    """The worker as its pages see it."""

    def __init__(
        self,
        settings: WorkerSettings,
        worker: Worker,
        shelf: FileShelf,
        metrics: WorkerMetrics,
        signer: str,
    ) -> None:
        self._settings = settings
        self._worker = worker
        self._shelf = shelf
        self._metrics = metrics
        self._signer = signer

    def status(self) -> WorkerStatus:
        health = self._worker.health
        return WorkerStatus(
            version=__version__,
            operator=self._settings.operator,
            signer=self._signer,
            chain_id=self._settings.chain.chain_id,
            contract=self._settings.chain.contract,
            head_block=None if health.head is None else health.head.number,
            head_time="" if health.head is None else format_nem(health.head.time),
            chain_error=health.chain_error,
            sender_error=health.sender_error,
            rounds=[self._line(state) for state in self._worker.newest(_SHOWN_ROUNDS)],
        )

    def bundle(self, round_number: int, name: str) -> Path | None:
        return self._shelf.path(round_number, name)

    def metrics(self) -> bytes:
        return generate_latest(self._metrics.registry)

    def _line(self, state: RoundState) -> RoundLine:
        summary, opened = state.summary, state.opened
        return RoundLine(
            round=state.number,
            phase=state.phase.name.lower(),
            horizon=f"{format_nem(opened.horizon_start)}, {opened.interval_count} intervals",
            mine=self._mine(state),
            root="" if state.result is None else state.result.root.hex(),
            final_root="" if state.final is None else state.final.root.hex(),
            votes=len(state.ballots) + len(state.abstentions),
            members=len(state.electorate.members),
            sites=None if summary is None else summary.sites,
            partitions=None if summary is None else summary.partitions,
            unassigned_nmis=None if summary is None else summary.unassigned_nmis,
            seconds=None if summary is None else summary.seconds,
            detail=state.detail
            or self._worker.runner.waiting.get(state.number, "")
            or ("; ".join(summary.warnings) if summary else ""),
        )

    def _mine(self, state: RoundState) -> str:
        if state.me is None:
            return "not a member"
        if state.result is None:
            if state.reason is not None:
                return f"abstained: {Reason(state.reason).label}"
            progress = self._worker.runner.computations.progress.get(state.number, "")
            return f"computing {progress}".strip()
        if state.final is not None:
            return "matched" if state.final == state.result else "voted for another root"
        return "ballot cast" if state.have_i_voted else "computed, not voted yet"


# -- the services --------------------------------------------------------------------------


async def sender_app(settings: SenderSettings) -> web.Application:
    """The sender's gateway; it closes its connections when it is cleaned up."""
    chain = await evm.connect(settings.chain, load_account(settings.key_file))
    app = sender.application(settings, chain, SystemClock())
    app.on_cleanup.append(_closing(chain))
    return app


async def registry_app(settings: RegistrySettings) -> web.Application:
    """The NMI registry; it closes its connections when it is cleaned up."""
    chain = await evm.connect_reader(settings.chain)
    app = registry.application(settings, chain, SystemClock())
    app.on_cleanup.append(_closing(chain))
    return app


async def relay_app(settings: RelaySettings) -> web.Application:
    """The relay; it closes its connections when it is cleaned up."""
    chain = await evm.connect(settings.chain, load_account(settings.key_file))
    app = relay.application(settings, chain)
    app.on_cleanup.append(_closing(chain))
    return app


def _closing(chain: evm.EvmReader) -> Callable[[web.Application], Awaitable[None]]:
    async def close(_: web.Application) -> None:
        await chain.close()

    return close
