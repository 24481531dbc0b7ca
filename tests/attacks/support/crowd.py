"""Hostile clients in a process of their own.

    python -m tests.attacks.support.crowd KIND COUNT URL [--again-s SECONDS] [BODY_FILE …]

``KIND`` is idle (connections without a byte), slow (a byte a second: half of them in the header,
half in the body of a request) or strangers (``COUNT`` requests a second with the bodies of the
files, in turn). Connections that the server closes are opened again after ``SECONDS``. Prints a
line of JSON once all have been opened, or the first second is over; at SIGTERM another one to its
standard error, with the number of connections that it opened and the seconds that it took.

Written on bare sockets, so that a small share of a core is enough for a whole crowd. Once that line
is printed it runs at the lowest priority, unless ``--keep-priority`` is given: it stands for other
people's machines, which take no time from the servers'.
"""

import argparse
import errno
import json
import os
import resource
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from heapq import heappop, heappush
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

_BYTE_S: Final = 1.0
AGAIN_S: Final = 5.0
"""Seconds until what was closed is opened again, by default."""
_CONNECTED_S: Final = 20.0
_ANSWER_S: Final = 1.0
_OPENED_S: Final = 10.0
_HEADER = b"GET /healthz HTTP/1.1\r\nHost: target\r\nX-Slow: " + b"x" * 4000
_BODY = b"POST /v1/requests HTTP/1.1\r\nHost: target\r\nContent-Length: 1000\r\n\r\n"
_BALLOT = _BODY.replace(b"/v1/requests", b"/v1/ballots")


class Crowd:
    """Many connections of one process, and what is due at a time."""

    def __init__(self, address: tuple[str, int], *, yields: bool) -> None:
        self.address = address
        self.opened = 0
        self._yields = yields
        self._selector = selectors.DefaultSelector()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._entries = 0
        self._start = time.monotonic()
        signal.signal(signal.SIGTERM, self._end)

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Act at a time."""
        self._entries += 1
        heappush(self._due, (when, self._entries, action))

    def watch(self, one: socket.socket, event: int, action: Callable[[], None]) -> None:
        """Act once a socket can be read or written, instead of what was due for it."""
        try:
            self._selector.modify(one, event, action)
        except KeyError:
            self._selector.register(one, event, action)

    def close(self, one: socket.socket) -> None:
        """Close a socket; may be called again."""
        with suppress(KeyError, ValueError):
            self._selector.unregister(one)
        one.close()

    def announce(self, what: str, number: int) -> None:
        """Say that the attack is on."""
        if self._yields:
            _yield_cores()
        print(json.dumps({what: number}), flush=True)

    def run(self) -> None:
        """Act until the process is ended."""
        while True:
            now = time.monotonic()
            while self._due and self._due[0][0] <= now:
                heappop(self._due)[2]()
            wait = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
            for key, _ in self._selector.select(wait):
                key.data()

    def _end(self, *_: object) -> None:
        taken = time.monotonic() - self._start
        print(json.dumps({"opened": self.opened, "seconds": taken}), file=sys.stderr, flush=True)
        os._exit(0)


class Connection:
    """One connection at a time: opened, used, and opened again when it is closed.

    Args:
        crowd: The crowd that it is one of.
        data: What is sent at once.
        rest: What is sent in single bytes afterwards.
        again_s: Seconds until it is opened again; None for never.
        longest_s: Seconds after which it is given up; None for never.
    """

    def __init__(
        self,
        crowd: Crowd,
        data: bytes,
        rest: bytes = b"",
        again_s: float | None = None,
        longest_s: float | None = None,
    ) -> None:
        self._crowd = crowd
        self._data, self._rest = data, rest
        self._again_s, self._longest_s = again_s, longest_s
        self._sent = 0
        self.times_opened = 0
        self._socket: socket.socket | None = None
        self.open()

    def open(self) -> None:
        """Begin to connect."""
        one = self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        one.setblocking(False)
        one.connect_ex(self._crowd.address)
        self._crowd.watch(one, selectors.EVENT_WRITE, self._begin)
        deadline = time.monotonic() + (self._longest_s or _CONNECTED_S)
        self._crowd.at(deadline, lambda: self._expire(one))

    def _begin(self) -> None:
        one = self._socket
        assert one is not None
        error = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error in {0, errno.ECONNRESET, errno.EPIPE}:
            self._crowd.opened += 1
            self.times_opened += 1
        if error:
            self._close()
            return
        self._sent = 0
        self._crowd.watch(one, selectors.EVENT_READ, self._close)
        with suppress(OSError):
            if self._data:
                one.send(self._data)
        if self._rest:
            self._send_byte(one)

    def _send_byte(self, one: socket.socket) -> None:
        if one is not self._socket or self._sent == len(self._rest):
            return
        with suppress(OSError):
            one.send(self._rest[self._sent : self._sent + 1])
        self._sent += 1
        self._crowd.at(time.monotonic() + _BYTE_S, lambda: self._send_byte(one))

    def _expire(self, one: socket.socket) -> None:
        is_open = self._longest_s is None and self._crowd_has(one)
        if one is self._socket and not is_open:
            self._close()

    def _crowd_has(self, one: socket.socket) -> bool:
        try:
            one.getpeername()
        except OSError:
            return False
        return True

    def _close(self) -> None:
        """The server answered or closed it, or nothing came in time."""
        one, self._socket = self._socket, None
        if one is not None:
            self._crowd.close(one)
        if self._again_s is not None:
            self._crowd.at(time.monotonic() + self._again_s, self.open)


def _connections(crowd: Crowd, kind: str, count: int, again_s: float) -> None:
    everybody: list[Connection] = []
    for number in range(count):
        if kind == "idle":
            head, rest = b"", b""
        elif number % 2:
            head, rest = _BODY if number % 4 == 1 else _BALLOT, b"x" * 999
        else:
            head, rest = b"", _HEADER
        everybody.append(Connection(crowd, head, rest, again_s))
    deadline = time.monotonic() + _OPENED_S

    def say() -> None:
        opened = sum(1 for one in everybody if one.times_opened)
        if opened == count or time.monotonic() > deadline:
            crowd.announce("opened", opened)
        else:
            crowd.at(time.monotonic() + 0.05, say)

    say()


def _strangers(crowd: Crowd, rate: int, requests: list[bytes]) -> None:
    start, number = time.monotonic(), 0

    def send() -> None:
        nonlocal number
        Connection(crowd, requests[number % len(requests)], longest_s=_ANSWER_S)
        number += 1
        if number == rate:
            crowd.announce("sent", number)
        crowd.at(start + number / rate, send)

    send()


def _yield_cores() -> None:
    """Run at the lowest priority.

    Where the system shares the cores between sessions first, a process's niceness says nothing
    beyond its session, and the session's is set as well.
    """
    os.nice(19)
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text("19")


def main() -> None:
    """Attack until the process is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("idle", "slow", "strangers"))
    parser.add_argument("count", type=int)
    parser.add_argument("url")
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--again-s", type=float, default=AGAIN_S)
    parser.add_argument("--keep-priority", action="store_true")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    parts = urlsplit(options.url)
    crowd = Crowd((str(parts.hostname), int(parts.port or 80)), yields=not options.keep_priority)
    if options.kind == "strangers":
        _strangers(crowd, options.count, [file.read_bytes() for file in options.files])
    else:
        _connections(crowd, options.kind, options.count, options.again_s)
    crowd.run()


if __name__ == "__main__":
    main()
