"""The open connections of a listener: which one makes room, and which has waited too long.

Guarantees: there are never more connections than the limits say, in total and per address. Where
there is no room, one that waits for its client is closed: of the address with the most
connections, first those that have sent nothing, then those in the middle of a header, idle ones,
those in the middle of a body, then those that have waited for less than a second, those whose body
arrives fast, and at last those whose request has taken long. So a client that sends at once gets
in, however many are slow, and a large document as well. A request that is being processed is never
closed for another; a new connection is refused only if all are.

Leaves out sockets (`acceptor`) and HTTP (`protocol`).
"""

from __future__ import annotations

import ipaddress
from collections import Counter, deque
from collections.abc import Callable, Sequence
from enum import IntEnum
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from oepnode.adapters.http.server.limits import Limits

_ROOM: Final = 16
"""Of this many parts of the connections, one is freed at once: choosing costs time in a flood."""
_ORDER_S: Final = 0.1
"""Time for which an order of closing is used: ranking all for each one costs time in a flood."""
_FRESH_S: Final = 1.0
"""Time in which a client that means to send has sent."""
_LONG_S: Final = 5.0
"""Time after which a request may be closed for another connection."""
_ADDRESSES: Final = 4096
"""Addresses of peers whose reading is remembered."""


class Stage(IntEnum):
    """What a connection waits for; lower stages are closed first where there is no room."""

    SILENT = 0
    HEADER = 1
    IDLE = 2
    BODY = 3
    FRESH = 4
    MOVING = 5
    LONG = 6
    READY = 7
    WORKING = 8


class Connection(Protocol):
    """A connection.

    Attributes:
        address: Address that it counts for.
        since: Time at which its stage began (seconds of the loop's clock).
    """

    address: str
    since: float

    @property
    def stage(self) -> Stage:
        """What the connection waits for."""
        ...

    def abort(self) -> None:
        """Close the connection at once."""
        ...


class _Ranked(NamedTuple):
    """A connection in the order in which they are closed."""

    rank: Stage
    since: float
    number: int
    stage: Stage
    connection: Connection


_NO_ORDER: Final[tuple[deque[_Ranked], float]] = deque(), 0.0


class Connections:
    """The open connections of a listener.

    Args:
        limits: The listener's limits.
        now: Returns the time in seconds.
    """

    def __init__(self, limits: Limits, now: Callable[[], float]) -> None:
        self._limits = limits
        self._now = now
        self._open: set[Connection] = set()
        self._by_address: Counter[str] = Counter()
        self._orders: dict[str | None, tuple[deque[_Ranked], float]] = {}

    def __len__(self) -> int:
        return len(self._open)

    @property
    def is_full(self) -> bool:
        """Whether there are as many connections as there may be in total."""
        return len(self._open) >= self._limits.connections

    def admit(self, address: str) -> bool:
        """Whether there is room for a connection of an address, after closing others for it."""
        is_limited = address not in self._limits.proxies
        if is_limited and self._by_address[address] >= self._limits.per_address:
            return self._close_waiting(address, 0)
        return not self.is_full or self.make_room()

    def make_room(self) -> bool:
        """Close connections that wait for their clients; False if there are none."""
        most = max(self._by_address.values(), default=0)
        if self._close_waiting(None, most):
            return True
        return self._close([entry.connection for entry in self._ranked(None, 0)[:1]])

    def add(self, connection: Connection) -> None:
        """Count a connection that was admitted."""
        self._open.add(connection)
        self._by_address[connection.address] += 1

    def remove(self, connection: Connection) -> None:
        """Count a connection no longer; may be called again."""
        if connection not in self._open:
            return
        self._open.remove(connection)
        self._by_address[connection.address] -= 1
        if not self._by_address[connection.address]:
            del self._by_address[connection.address]

    def close_expired(self) -> int:
        """Close the connections that have waited longer than allowed; returns their number."""
        limits, now = self._limits, self._now()
        longest = {
            Stage.SILENT: limits.silent_s,
            Stage.HEADER: limits.header_s,
            Stage.READY: limits.header_s,
            Stage.IDLE: limits.idle_s,
        }
        self._orders.clear()
        expired = [
            one for one in self._open if now - one.since > longest.get(one.stage, limits.request_s)
        ]
        self._close(expired)
        return len(expired)

    def _close_waiting(self, address: str | None, count: int) -> bool:
        """Close the next ones of an address, or of all addresses with this many connections."""
        order, until = self._orders.get(address, _NO_ORDER)
        chosen = self._next(order, count) if self._now() < until else []
        if not chosen:
            order = deque(self._ranked(address, count))
            self._orders[address] = order, self._now() + _ORDER_S
            chosen = self._next(order, count)
        return self._close([entry.connection for entry in chosen])

    def _ranked(self, address: str | None, count: int) -> list[_Ranked]:
        """Those of an address, or of such addresses, in the order in which they are closed."""
        now, counts = self._now(), self._by_address
        if address is None:
            matching = [one for one in self._open if counts[one.address] >= count]
        else:
            matching = [one for one in self._open if one.address == address]
        ranked = [_Ranked(_rank(one, now), one.since, id(one), one.stage, one) for one in matching]
        return sorted(entry for entry in ranked if entry.rank < Stage.READY)

    def _next(self, order: deque[_Ranked], count: int) -> list[_Ranked]:
        """The next ones to close, without those that have changed since they were ranked."""
        chosen: list[_Ranked] = []
        most = max(1, self._limits.connections // _ROOM)
        while order and len(chosen) < most:
            one = order[0].connection
            if chosen and order[0].rank in _CLOSED_ALONE:
                break
            if self._by_address[one.address] < count:
                break
            entry = order.popleft()
            if one in self._open and (one.since, one.stage) == (entry.since, entry.stage):
                chosen.append(entry)
        return chosen

    def close_unbegun(self) -> None:
        """Close the connections that have sent no whole header of a request."""
        self._close([one for one in self._open if one.stage in {Stage.SILENT, Stage.HEADER}])

    def _close(self, connections: Sequence[Connection]) -> bool:
        for connection in connections:
            self.remove(connection)
            connection.abort()
        return bool(connections)


_CLOSED_ALONE: Final = frozenset({Stage.IDLE, Stage.MOVING, Stage.LONG})
"""Those that lose something: of them one at a time is enough."""


def _rank(connection: Connection, now: float) -> Stage:
    stage, age = connection.stage, now - connection.since
    if stage is Stage.WORKING:
        return Stage.LONG if age > _LONG_S else Stage.WORKING
    if stage is Stage.READY:
        return Stage.READY if age < _FRESH_S else Stage.HEADER
    if stage in {Stage.IDLE, Stage.MOVING}:
        return stage
    return Stage.FRESH if age < _FRESH_S else stage


@lru_cache(_ADDRESSES)
def counted_address(host: str) -> str:
    """The address that a peer counts for: of IPv6 the network of 64 bits, which one client has."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address) or address.is_loopback:
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
