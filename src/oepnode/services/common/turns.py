"""Turns for requests that cost something: a few at a time, a few waiting, the rest rejected.

Guarantees: the number of requests that are processed or wait is bounded, in total and for each
signer, so that one member cannot keep the others waiting; a request whose client has gone gets no
turn.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from typing import Final

from oepnode.services.common.http import Rejection

AT_A_TIME: Final = 4
"""Requests that a service processes at once: bounds its memory and its reads of the chain."""
MOST_WAITING: Final = 64
MOST_OF_ONE: Final = 8
_RETRY_AFTER_S: Final = 1


class Turns:
    """A bounded queue.

    Args:
        at_a_time: Requests that are processed at once.
        most: Requests that are processed or wait, at most.
        most_of_one: The same, of one signer.
    """

    def __init__(
        self,
        at_a_time: int = AT_A_TIME,
        most: int = MOST_WAITING,
        most_of_one: int = MOST_OF_ONE,
    ) -> None:
        self._free = asyncio.Semaphore(at_a_time)
        self._most = most
        self._most_of_one = most_of_one
        self._of: Counter[Hashable] = Counter()
        self._total = 0
        self._in_use = 0

    @property
    def in_use(self) -> int:
        """Number of requests that are processed."""
        return self._in_use

    @property
    def waiting(self) -> int:
        """Number of requests that wait for a turn."""
        return self._total - self._in_use

    @asynccontextmanager
    async def turn(
        self, key: Hashable, is_gone: Callable[[], bool] = lambda: False
    ) -> AsyncIterator[None]:
        """Wait for a turn, and hold it while the block runs.

        Args:
            key: Whom the request counts for.
            is_gone: Whether the client has closed its connection.

        Raises:
            Rejection: 503 if too many wait already; 499 if the client has gone meanwhile.
        """
        if self._total >= self._most or self._of[key] >= self._most_of_one:
            raise Rejection(
                503,
                "service.busy",
                "too many requests are waiting; retry later",
                retry_after_s=_RETRY_AFTER_S,
            )
        self._count(key, 1)
        try:
            async with self._free:
                if is_gone():
                    raise Rejection(499, "client.gone", "the client closed the connection")
                self._in_use += 1
                try:
                    yield
                finally:
                    self._in_use -= 1
        finally:
            self._count(key, -1)

    def _count(self, key: Hashable, change: int) -> None:
        self._total += change
        self._of[key] += change
        if not self._of[key]:
            del self._of[key]
