"""Builds and runs sender, registry and relay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import web

from oepnode.adapters.chain.contract import EvmReader, connect, connect_reader
from oepnode.adapters.clock import SystemClock
from oepnode.adapters.crypto.keyfile import load_account
from oepnode.adapters.http.server.operator_pages import operator_application
from oepnode.adapters.storage.registry_db.database import RegistryDatabase, connect_database
from oepnode.config import RegistrySettings, RelaySettings, SenderSettings
from oepnode.services.common.chain_health import ChainHealth
from oepnode.services.common.metrics import InputMetrics, ServiceMetrics
from oepnode.services.registry import app as registry
from oepnode.services.relay import app as relay
from oepnode.services.relay.metrics import RelayMetrics
from oepnode.services.sender import app as sender
from oepnode.services.sender.metrics import SenderMetrics
from oepnode.wiring.chain import spending
from oepnode.wiring.serving import serve_both, warn_if_public

AnyServiceSettings = TypeVar("AnyServiceSettings", SenderSettings, RegistrySettings, RelaySettings)


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
        settings.chain, account, spending(settings.data_dir), metrics=metrics.registry
    )
    app = sender.application(settings, chain, SystemClock(), account, metrics)
    return _service_parts(app, chain, metrics, ChainHealth(chain))


async def registry_parts(settings: RegistrySettings) -> ServiceParts:
    """The NMI registry."""
    account = None if settings.grants_key_file is None else load_account(settings.grants_key_file)
    metrics = InputMetrics()
    chain = await connect_reader(settings.chain, metrics=metrics.registry)
    app = registry.application(
        settings, chain, SystemClock(), account, metrics, _registry_database(settings)
    )
    return _service_parts(app, chain, metrics, ChainHealth(chain))


def _registry_database(settings: RegistrySettings) -> RegistryDatabase | None:
    """The registry's database, not checked yet; None where the settings name none."""
    if settings.database is None:
        return None
    return connect_database(settings.database, settings.database_password_file, settings.data_dir)


async def relay_parts(settings: RelaySettings) -> ServiceParts:
    """The relay."""
    account = load_account(settings.key_file)
    metrics = RelayMetrics()
    chain = await connect(
        settings.chain, account, spending(settings.data_dir), metrics=metrics.registry
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
    warn_if_public(settings.status)
    parts = await build(settings)
    await serve_both(
        settings,
        parts.public_app,
        parts.operator_app,
        announce,
        parts.metrics.count_early_rejection,
    )
