"""Listening sockets.

Guarantees: where the system can, it keeps a connection to itself until its client has sent a byte
or some seconds have passed, so that silent ones cost the program next to nothing. It does so only
where the system still answers everybody when its own queue of such connections is full. Elsewhere
the program gets every connection at once, and bounds them by itself (`connections`).
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from pathlib import Path
from typing import Final

from oepnode.config import HttpSettings

_BACKLOG: Final = 4096
"""Connections that the system keeps until they are accepted; it may have a lower limit."""
_DEFER_S: Final = 5
"""Time for which the system keeps a silent connection; Linux makes about 7 seconds of it."""
_COOKIES: Final = Path("/proc/sys/net/ipv4/tcp_syncookies")


async def bind(http: HttpSettings) -> list[socket.socket]:
    """Sockets that listen on every address of the host.

    Raises:
        OSError: If the program cannot listen on one of them.
    """
    found = await asyncio.get_running_loop().getaddrinfo(
        http.host or None, http.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    is_deferring = await asyncio.to_thread(answers_when_full)
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            listener = socket.socket(family, kind, protocol)
            sockets.append(listener)
            listener.setblocking(False)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if is_deferring:
                defer_silent(listener)
            listener.bind(address)
            listener.listen(_BACKLOG)
    except OSError:
        for listener in sockets:
            listener.close()
        raise
    return sockets


def defer_silent(listener: socket.socket, option: str = "TCP_DEFER_ACCEPT") -> bool:
    """Let the system keep silent connections; False where it cannot.

    Args:
        listener: The socket, before it listens.
        option: Name of the option, which not every system has.
    """
    with suppress(AttributeError, OSError):
        listener.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), _DEFER_S)
        return True
    return False


def answers_when_full(cookies: Path = _COOKIES) -> bool:
    """Whether the system answers new clients while its queue of silent ones is full.

    Linux does with SYN cookies, its default. Without them a silent crowd would fill the queue that
    is to protect from it.
    """
    try:
        return cookies.read_text("ascii").strip() not in {"", "0"}
    except (OSError, ValueError):
        return False
