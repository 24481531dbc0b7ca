"""Serves a program on its two listeners: for everybody, and for its operator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import structlog
from aiohttp import web

from oepnode.adapters.http.server.protocol import OnRejected
from oepnode.adapters.http.server.serving import Listener, serve
from oepnode.config import HttpSettings

_log = structlog.get_logger("oepnode.wiring")


class _Settings(Protocol):
    @property
    def http(self) -> HttpSettings: ...

    @property
    def status(self) -> HttpSettings: ...


async def serve_both(
    settings: _Settings,
    public_app: web.Application,
    operator_app: web.Application,
    announce: Callable[[str, str], None],
    on_rejected: OnRejected | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        settings: The program's settings.
        public_app: HTTP application for everybody.
        operator_app: HTTP application for the operator.
        announce: Called with the public and the operator's URL once the program listens.
        on_rejected: Called with status and code of a public request that no handler sees.

    Raises:
        ConfigError: If the program cannot listen on an address.
    """
    await serve(
        announce,
        Listener(public_app, settings.http, on_rejected=on_rejected),
        Listener(operator_app, settings.status, "status"),
    )


def warn_if_public(status: HttpSettings) -> None:
    """Log a warning where the operator's listener may be reached from anywhere."""
    if status.is_public:
        _log.warning(
            "status_listener_public",
            host=status.host,
            fix="set status.host to 127.0.0.1 or an address of a private network",
        )
