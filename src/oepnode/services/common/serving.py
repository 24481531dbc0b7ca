"""Serves an HTTP application until a signal stops it."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from oepnode.config import HttpSettings
from oepnode.errors import ConfigError
from oepnode.services.common.http import MalformedHttp

_SHUTDOWN_S: Final = 5.0
_http_log = logging.getLogger("oepnode.http")


@asynccontextmanager
async def listening(app: web.Application, http: HttpSettings) -> AsyncIterator[str]:
    """Serve an application while the block runs; yields the URL, such as ``http://127.0.0.1:8080``.

    Raises:
        ConfigError: If the program cannot listen on the address.
    """
    _quieten()
    runner = web.AppRunner(app, access_log=None, logger=_http_log, shutdown_timeout=_SHUTDOWN_S)
    try:
        await runner.setup()
        try:
            await web.TCPSite(runner, http.host, http.port).start()
        except OSError as exc:
            raise ConfigError(
                f"cannot listen on {http.host} port {http.port} (settings http.host, http.port): "
                f"{exc.strerror}"
            ) from exc
        host, port = runner.addresses[0][:2]
        yield f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    finally:
        await runner.cleanup()


async def serve(app: web.Application, http: HttpSettings, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; calls ``announce`` with the URL once it listens.

    Raises:
        ConfigError: If the program cannot listen on the address.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        async with listening(app, http) as url:
            announce(url)
            await stop.wait()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _quieten() -> None:
    if not any(isinstance(known, MalformedHttp) for known in _http_log.filters):
        _http_log.addFilter(MalformedHttp())
