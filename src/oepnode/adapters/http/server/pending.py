"""A connection until its first request has come: a socket and the bytes read.

Guarantees: until a client has sent a request it costs a small object, and no HTTP protocol, task or
handler; the bytes kept are bounded; what is no beginning of a request goes to HTTP at once, which
answers it. A small body that is still to come is waited for here for a second, a larger one and
one that is slower in HTTP.

Leaves out whether there is room (`connections`), and HTTP (`protocol`): the bytes are looked at
only to see whether HTTP could go on.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable
from typing import Final

from oepnode.adapters.http.server.connections import Connections, Stage

_READ_BYTES: Final = 2**16
_HEADER_BYTES: Final = 2**14
"""Bytes without the end of a header that are kept; HTTP rejects a header of this size."""
_BODY_BYTES: Final = 2**14
"""Size of a body that is waited for here."""
_BODY_S: Final = 1.0
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,6})[ \t]*\r\n", re.IGNORECASE)
_GOES_ON: Final = re.compile(rb"\r\n(?:expect|transfer-encoding):", re.IGNORECASE)
"""Headers with which a client waits for an answer, or says later how much is to come."""

HandOver = Callable[[socket.socket, str, bytes], None]
"""Takes a socket, the address that it counts for, and the bytes read from it."""


class Pending:
    """A connection whose first request has not come yet; adds itself to ``connections``.

    Args:
        accepted: Its socket, not blocking.
        address: Address that it counts for.
        connections: The listener's connections.
        hand_over: Called once with the socket when HTTP can go on; adds what continues it.
    """

    __slots__ = (
        "_connections",
        "_hand_over",
        "_loop",
        "_read",
        "_socket",
        "_timer",
        "address",
        "since",
        "stage",
    )

    def __init__(
        self,
        accepted: socket.socket,
        address: str,
        connections: Connections,
        hand_over: HandOver,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = accepted
        self._connections = connections
        self._hand_over = hand_over
        self._read = b""
        self._timer: asyncio.TimerHandle | None = None
        self.address = address
        self.stage = Stage.SILENT
        self.since = self._loop.time()
        connections.add(self)

    def start(self) -> None:
        """Read what has come already, and from now on."""
        self._loop.add_reader(self._socket.fileno(), self._receive)
        self._receive()

    def abort(self) -> None:
        """Close the connection at once."""
        self._stop()
        self._socket.close()

    def _stop(self) -> None:
        self._loop.remove_reader(self._socket.fileno())
        if self._timer is not None:
            self._timer.cancel()

    def _receive(self) -> None:
        try:
            data = self._socket.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._connections.remove(self)
            self.abort()
            return
        if self.stage is Stage.SILENT:
            self._enter(Stage.HEADER)
        self._read += data
        if self.stage is Stage.HEADER and is_for_http(self._read) and is_body_to_come(self._read):
            self._enter(Stage.BODY)
            self._timer = self._loop.call_later(_BODY_S, self._continue)
        elif is_for_http(self._read) and not is_body_to_come(self._read):
            self._continue()

    def _enter(self, stage: Stage) -> None:
        self.stage, self.since = stage, self._loop.time()

    def _continue(self) -> None:
        self._stop()
        self._hand_over(self._socket, self.address, self._read)
        self._connections.remove(self)


def is_for_http(read: bytes) -> bool:
    r"""Whether there is something to answer: a whole header, or no header at all.

    ::

        is_for_http(b"GET / HTTP/1.1\r\nHost: x") is False
        is_for_http(b"\x16\x03\x01") is True  # TLS
    """
    return (
        b"\r\n\r\n" in read
        or b"\n\n" in read
        or len(read) > _HEADER_BYTES
        or not read[:1].isalpha()
    )


def is_body_to_come(read: bytes) -> bool:
    """Whether a small body is incomplete, and its client sends it without being asked for it."""
    header, end, body = read.partition(b"\r\n\r\n")
    header += b"\r\n"
    length = _LENGTH.search(header)
    if not end or length is None or _GOES_ON.search(header):
        return False
    return len(body) < int(length[1]) <= _BODY_BYTES
