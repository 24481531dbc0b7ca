"""A connection's HTTP protocol: aiohttp's, with its stage, and checks before any handler.

Guarantees: a response names no software version; a header that must stand once stands once; an
address past its requests a second gets 429 before anything is read for it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from aiohttp import web
from msgspec import json as msgspec_json

from oepnode.adapters.http.server.connections import Connections, Stage
from oepnode.adapters.http.server.limits import Limits
from oepnode.adapters.http.server.token_bucket import TokenBuckets

_log = structlog.get_logger(__name__)
_http_log = logging.getLogger("oepnode.http")

SERVER_NAME: Final = "oepnode"
_LINGER_S: Final = 2.0
"""How long the rest of a body is read that no handler wanted."""
_MOVING_S: Final = 1.0
_MOVING_BYTES: Final = 2**16
"""A body of which this much came within that time is not slow."""
_LOGGED_PER_S: Final = 1 / 3
_LOGGED_AT_ONCE: Final = 20
_STAND_ONCE: Final = (
    "Authorization",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "Host",
    "Transfer-Encoding",
)

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
OnRejected = Callable[[int, str], None]


class BoundedProtocol(web.RequestHandler):
    """One connection, counted in `Connections`.

    Args:
        server: aiohttp's server.
        connections: The listener's connections.
        address: Address that the connection counts for.
        head: Bytes that were read from it already.
        limits: The listener's limits.
    """

    __slots__ = (
        "_arrived",
        "_busy",
        "_connections",
        "_head",
        "_is_aborted",
        "_moved_at",
        "_request",
        "address",
        "since",
    )

    def __init__(
        self,
        server: web.Server,
        connections: Connections,
        address: str,
        head: bytes,
        limits: Limits,
    ) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=limits.idle_s,
            logger=_http_log,
            access_log=None,  # type: ignore[arg-type]  # no log of requests
            lingering_time=_LINGER_S,
            auto_decompress=False,
        )
        self.address = address
        self.since = loop.time()
        self._connections = connections
        self._busy = Stage.READY
        self._head = head
        self._request: web.BaseRequest | None = None
        self._arrived = 0
        self._moved_at = -_MOVING_S
        self._is_aborted = False
        connections.add(self)

    @property
    def stage(self) -> Stage:
        """What the connection waits for."""
        if self._request is None:
            return self._busy
        if self._request.content.is_eof():
            return Stage.WORKING
        return Stage.MOVING if self._is_moving() else Stage.BODY

    def _is_moving(self) -> bool:
        """Whether a body arrives fast, or waits for the handler instead of its client."""
        is_stopped = isinstance(self.transport, asyncio.Transport) and (
            not self.transport.is_closing() and not self.transport.is_reading()
        )
        return is_stopped or self._loop.time() - self._moved_at < _MOVING_S

    def abort(self) -> None:
        """Close the connection at once."""
        self._is_aborted = True
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()

    def begin(self, request: web.BaseRequest) -> None:
        """A request's header is complete."""
        self._enter(Stage.WORKING, request)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start; a connection that was closed for another one meanwhile ends at once."""
        super().connection_made(transport)
        if self._is_aborted:
            self.abort()
            return
        head, self._head = self._head, b""
        self.data_received(head)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Count the connection no longer."""
        self._connections.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read bytes of the client."""
        if self._request is None and self._busy is Stage.IDLE:
            self._enter(Stage.HEADER)
        elif self._request is not None:
            self._arrived += len(data)
            if self._arrived >= _MOVING_BYTES:
                self._arrived, self._moved_at = 0, self._loop.time()
        super().data_received(data)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Write a response."""
        resp.headers.setdefault("Server", SERVER_NAME)
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._enter(Stage.IDLE)

    def _enter(self, stage: Stage, request: web.BaseRequest | None = None) -> None:
        self._busy, self._request = stage, request
        self.since = self._loop.time()


def checked(
    handler: Handler, limits: Limits, buckets: TokenBuckets, on_rejected: OnRejected | None = None
) -> Handler:
    """A server's handler behind the checks of this module.

    Args:
        handler: The handler.
        limits: The listener's limits.
        buckets: Requests that each address has left.
        on_rejected: Called with status and code of each rejection.
    """

    def rejected(
        status: int, code: str, message: str, headers: dict[str, str] | None = None
    ) -> web.Response:
        if on_rejected is not None:
            on_rejected(status, code)
        return _rejected(status, code, message, headers)

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        protocol = request.protocol
        if isinstance(protocol, BoundedProtocol):
            protocol.begin(request)
            if protocol.address not in limits.proxies and not buckets.take(protocol.address):
                message = "too many requests from this address; retry later"
                return rejected(429, "address.too_fast", message, {"Retry-After": "1"})
        for name in _STAND_ONCE:
            if len(request.headers.getall(name, ())) > 1:
                return rejected(400, "header.repeated", f"the header {name} is given twice")
        return await handler(request)

    return handle


def _rejected(
    status: int, code: str, message: str, headers: dict[str, str] | None = None
) -> web.Response:
    body = msgspec_json.encode({"error": {"code": code, "message": message}})
    response = web.Response(
        body=body, status=status, content_type="application/json", headers=headers
    )
    response.force_close()
    return response


class MalformedHttp(logging.Filter):
    """Reduces aiohttp's log of malformed HTTP to the error's type.

    Its own records quote the malformed line, which can be part of a document when a client states a
    wrong length. Of each type it logs a few a minute.
    """

    def __init__(self) -> None:
        super().__init__()
        self._budget = TokenBuckets(_LOGGED_PER_S, _LOGGED_AT_ONCE, time.monotonic)

    def filter(self, record: logging.LogRecord) -> bool:
        """Log the type through structlog, and drop the record."""
        kind = record.exc_info[0] if record.exc_info else None
        name = kind.__name__ if kind else "unknown"
        if self._budget.take(name):
            _log.info("malformed_http", error=name)
        return False


def quieten() -> None:
    """Install `MalformedHttp`, once."""
    if not any(isinstance(known, MalformedHttp) for known in _http_log.filters):
        _http_log.addFilter(MalformedHttp())


def factory(
    server: web.Server, connections: Connections, limits: Limits
) -> Callable[[str, bytes], Any]:
    """Makes the protocol of a connection from its address and the bytes that it has sent."""

    def make(address: str, head: bytes) -> BoundedProtocol:
        return BoundedProtocol(server, connections, address, head, limits)

    return make
