"""Limits of a listener, derived from its settings and the process's limit on open files.

Guarantees: connections leave descriptors free for the program's own files and outgoing
connections, whatever the settings ask for.
"""

from __future__ import annotations

import resource
from typing import Final

import structlog
from msgspec import Struct

from oepnode.config import HttpSettings

_log = structlog.get_logger(__name__)

MOST_FILES: Final = 65_536
"""Open files that a program asks for at most; some systems have no hard limit."""
RESERVED_FILES: Final = 256
"""Descriptors for the program's own files, index, and outgoing connections."""
_FILES_PER_CONNECTION: Final = 3
"""A connection's socket, the file that it may be served, and a share for a second listener."""
FEWEST_CONNECTIONS: Final = 16


class Limits(Struct, frozen=True):
    """Limits of one listener.

    Attributes:
        connections: Connections in total.
        per_address: Connections of one address.
        requests_per_s: Requests a second of one address, on average.
        burst: Requests of one address at once.
        proxies: Addresses that neither limit per address applies to.
        silent_s: Longest wait for the first byte, in seconds.
        header_s: Longest time from a request's first byte to the end of its header.
        idle_s: Longest wait between two requests of a connection.
        request_s: Longest time from a request's header to the end of its response.
    """

    connections: int = 512
    per_address: int = 128
    requests_per_s: float = 50
    burst: int = 200
    proxies: frozenset[str] = frozenset()
    silent_s: float = 10
    header_s: float = 10
    # Longer than clients keep a connection for reuse (aiohttp: 15 s).
    idle_s: float = 20
    request_s: float = 3600


def limits_of(http: HttpSettings, open_files: int) -> Limits:
    """The limits of a listener in a process that may open this many files."""
    room = max((open_files - RESERVED_FILES) // _FILES_PER_CONNECTION, FEWEST_CONNECTIONS)
    connections = min(http.max_connections, room)
    if connections < http.max_connections:
        _log.warning(
            "fewer_connections_than_set",
            connections=connections,
            set=http.max_connections,
            open_files=open_files,
        )
    return Limits(
        connections=connections,
        per_address=min(http.max_connections_per_address, connections),
        requests_per_s=http.requests_per_second,
        burst=max(1, round(4 * http.requests_per_second)),
        proxies=frozenset(http.proxies),
    )


def raise_file_limit() -> int:
    """Raise the process's limit on open files to what the system allows; returns the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return MOST_FILES if soft == resource.RLIM_INFINITY else soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most
