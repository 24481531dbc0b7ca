"""Accepts connections as the limits allow.

Guarantees: a connection that there is no room for is closed before anything is made for it; where
all others are requests in hand it waits for a second first, and so do those behind it; where the
process is out of descriptors it waits, makes room and says so once a minute, instead of trying
without a pause.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog

from oepnode.adapters.http.server.connections import Connections, counted_address
from oepnode.adapters.http.server.pending import Pending

_log = structlog.get_logger(__name__)

AT_ONCE: Final = 64
_PAUSE_S: Final = 0.2
_FULL_S: Final = 1.0
"""Time for which a new connection waits where all others are requests in hand."""
_LOOK_S: Final = 0.01
_LOG_EVERY_S: Final = 60.0
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

MakeProtocol = Callable[[str, bytes], asyncio.BaseProtocol]


class Occasional:
    """Logs an event at most once a minute, with the number of times that it happened.

    Args:
        now: Returns the time in seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._next: dict[str, float] = {}
        self._count: dict[str, int] = {}

    def note(self, event: str, **details: object) -> None:
        """Count an event, and log it if it is due."""
        self._count[event] = self._count.get(event, 0) + 1
        if self._now() < self._next.get(event, 0.0):
            return
        self._next[event] = self._now() + _LOG_EVERY_S
        _log.warning(event, times=self._count.pop(event), **details)


class Acceptor:
    """Accepts the connections of a listening socket.

    Args:
        listener: The socket, not blocking.
        connections: The listener's connections.
        make_protocol: Makes a connection's protocol of its address and the bytes that it has sent;
            the protocol adds itself to ``connections``.
    """

    def __init__(
        self, listener: socket.socket, connections: Connections, make_protocol: MakeProtocol
    ) -> None:
        self._listener = listener
        self._connections = connections
        self._make_protocol = make_protocol
        self._log = Occasional(asyncio.get_running_loop().time)
        self._starting: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Accept until cancelled; then close what has sent no whole header yet."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    await self._begin(*await loop.sock_accept(self._listener))
                    await self._begin_more()
                except OSError as exc:
                    await self._recover(exc)
                await asyncio.sleep(0)
        finally:
            self._connections.close_unbegun()

    async def _begin_more(self) -> None:
        """Accept those that wait already, without a turn of the loop for each."""
        with suppress(BlockingIOError):
            for _ in range(AT_ONCE - 1):
                await self._begin(*self._listener.accept())

    async def _recover(self, exc: OSError) -> None:
        if exc.errno in _EXHAUSTED:
            self._connections.make_room()
            self._log.note("accepting_failed", reason=exc.strerror, open=len(self._connections))
            await asyncio.sleep(_PAUSE_S)
        elif self._listener.fileno() < 0:
            raise exc

    async def _begin(self, accepted: socket.socket, peer: tuple[str, int]) -> None:
        address = counted_address(peer[0])
        if self._connections.admit(address) or await self._is_admitted_later(address):
            accepted.setblocking(False)
            Pending(accepted, address, self._connections, self._hand_over).start()
            return
        self._log.note("connections_refused", open=len(self._connections))
        accepted.close()

    async def _is_admitted_later(self, address: str) -> bool:
        """Whether one of the requests, if there are no other connections, ends in time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _FULL_S
        while self._connections.is_full and loop.time() < deadline:
            await asyncio.sleep(_LOOK_S)
            if self._connections.admit(address):
                return True
        return False

    def _hand_over(self, accepted: socket.socket, address: str, head: bytes) -> None:
        protocol = self._make_protocol(address, head)
        task = asyncio.get_running_loop().create_task(self._connect(accepted, protocol))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _connect(self, accepted: socket.socket, protocol: asyncio.BaseProtocol) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, accepted)
        except OSError:
            accepted.close()
            protocol.connection_lost(None)
