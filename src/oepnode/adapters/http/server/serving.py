"""Serves an HTTP application until a signal stops it, with bounded connections."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Final

from aiohttp import web
from msgspec import Struct

from oepnode.adapters.http.server.acceptor import Acceptor
from oepnode.adapters.http.server.connections import Connections
from oepnode.adapters.http.server.limits import Limits, limits_of, raise_file_limit
from oepnode.adapters.http.server.protocol import OnRejected, checked, factory, quieten
from oepnode.adapters.http.server.sockets import bind
from oepnode.adapters.http.server.token_bucket import TokenBuckets
from oepnode.config import HttpSettings
from oepnode.errors import ConfigError

_SHUTDOWN_S: Final = 5.0
_SWEEP_S: Final = 1.0


class Listener(Struct, frozen=True):
    """An application and its address, as `listening` takes them."""

    app: web.Application
    http: HttpSettings
    name: str = "http"
    on_rejected: OnRejected | None = None


@asynccontextmanager
async def listening(
    app: web.Application,
    http: HttpSettings,
    name: str = "http",
    on_rejected: OnRejected | None = None,
) -> AsyncIterator[str]:
    """Serve an application while the block runs; yields the URL, such as ``http://127.0.0.1:8080``.

    Args:
        app: The application; it is set up and cleaned up here.
        http: The address, and the limits.
        name: Table of the settings, for messages.
        on_rejected: Called with status and code of a request that no handler sees.

    Raises:
        ConfigError: If the program cannot listen on the address.
    """
    quieten()
    limits = limits_of(http, raise_file_limit())
    runner = web.AppRunner(app, shutdown_timeout=_SHUTDOWN_S)
    sockets: Sequence[socket.socket] = ()
    tasks: list[asyncio.Task[None]] = []
    try:
        await runner.setup()
        try:
            sockets = await bind(http)
        except OSError as exc:
            raise ConfigError(
                f"cannot listen on {http.host} port {http.port} (settings {name}.host, "
                f"{name}.port): {exc.strerror}"
            ) from exc
        tasks = _start(runner, limits, sockets, on_rejected)
        host, port = sockets[0].getsockname()[:2]
        yield f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for listener in sockets:
            listener.close()
        await runner.cleanup()


async def serve(announce: Callable[..., None], *listeners: Listener) -> None:
    """Serve until SIGINT or SIGTERM; calls ``announce`` with each URL once all listen.

    Raises:
        ConfigError: If the program cannot listen on an address.
    """
    with _stop_signal() as stop:
        async with AsyncExitStack() as stack:
            urls = [
                await stack.enter_async_context(
                    listening(one.app, one.http, one.name, one.on_rejected)
                )
                for one in listeners
            ]
            announce(*urls)
            await stop.wait()


@contextmanager
def _stop_signal() -> Iterator[asyncio.Event]:
    """An event that SIGINT or SIGTERM sets while the block runs."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _start(
    runner: web.AppRunner,
    limits: Limits,
    sockets: Sequence[socket.socket],
    on_rejected: OnRejected | None,
) -> list[asyncio.Task[None]]:
    """Start accepting; all sockets share the limits."""
    server = runner.server
    if server is None:
        raise AssertionError("the runner is set up")
    now = asyncio.get_running_loop().time
    buckets = TokenBuckets(limits.requests_per_s, limits.burst, now)
    server.request_handler = checked(server.request_handler, limits, buckets, on_rejected)
    connections = Connections(limits, now)
    make = factory(server, connections, limits)
    acceptors = [Acceptor(listener, connections, make) for listener in sockets]
    tasks = [asyncio.create_task(acceptor.run()) for acceptor in acceptors]
    return [*tasks, asyncio.create_task(_sweep(connections))]


async def _sweep(connections: Connections) -> None:
    while True:
        await asyncio.sleep(_SWEEP_S)
        connections.close_expired()
