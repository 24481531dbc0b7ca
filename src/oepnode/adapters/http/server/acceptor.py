"""Accepts connections as the limits allow.

Guarantees: a connection that there is no room for is closed before anything is made for it; where
the process is out of descriptors it waits, makes room and says so once a minute, instead of
trying without a pause.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Final

import structlog

from oepnode.adapters.http.server.connections import Connections, counted_address

_log = structlog.get_logger(__name__)

BACKLOG: Final = 4096
"""Connections that the system keeps until they are accepted; it may have a lower limit."""
AT_ONCE: Final = 64
_PAUSE_S: Final = 0.2
_LOG_EVERY_S: Final = 60.0
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

MakeProtocol = Callable[[str], asyncio.BaseProtocol]


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
        make_protocol: Makes a connection's protocol; it adds itself to ``connections``.
    """

    def __init__(
        self, listener: socket.socket, connections: Connections, make_protocol: MakeProtocol
    ) -> None:
        self._listener = listener
        self._connections = connections
        self._make_protocol = make_protocol
        self._log = Occasional(asyncio.get_running_loop().time)

    async def run(self) -> None:
        """Accept until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted = [await loop.sock_accept(self._listener)]
                accepted += self._more()
            except OSError as exc:
                await self._recover(exc)
                continue
            admitted = [one for one in accepted if self._admits(*one)]
            await asyncio.gather(*(self._connect(*one) for one in admitted))
            await asyncio.sleep(0)

    def _more(self) -> list[tuple[socket.socket, tuple[str, int]]]:
        """Connections that wait already, without a turn of the loop for each."""
        more: list[tuple[socket.socket, tuple[str, int]]] = []
        try:
            while len(more) < AT_ONCE - 1:
                more.append(self._listener.accept())
        except OSError:
            pass  # nobody waits, or the next call says what is wrong
        return more

    async def _recover(self, exc: OSError) -> None:
        if exc.errno in _EXHAUSTED:
            self._connections.make_room()
            self._log.note("accepting_failed", reason=exc.strerror, open=len(self._connections))
            await asyncio.sleep(_PAUSE_S)
        elif self._listener.fileno() < 0:
            raise exc
        await asyncio.sleep(0)

    def _admits(self, accepted: socket.socket, peer: tuple[str, int]) -> bool:
        if self._connections.admit(counted_address(peer[0])):
            return True
        self._log.note("connections_refused", open=len(self._connections))
        accepted.close()
        return False

    async def _connect(self, accepted: socket.socket, peer: tuple[str, int]) -> None:
        accepted.setblocking(False)
        protocol = self._make_protocol(counted_address(peer[0]))
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, accepted)
        except OSError:
            accepted.close()
            protocol.connection_lost(None)
