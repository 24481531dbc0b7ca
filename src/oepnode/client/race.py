"""The first good answer of several peers, of which any may be slow, silent or wrong.

Guarantees: a failure starts the next peer at once, slowness starts it as well after a while, and
one deadline covers all; at most `AT_ONCE` are running, and where a further one is due, that which
has received the least gives way. Leaves out what a good answer is: the caller's function raises for
any other.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeAlias, TypeVar

from oepnode.errors import OepError, TransportError

AT_ONCE: Final = 3

Peer = TypeVar("Peer")
Value = TypeVar("Value")
Received: TypeAlias = Callable[[int], None]
"""Called with the size of each piece that a peer sent."""

Ask: TypeAlias = Callable[[Peer, Received], Awaitable[Value]]


@dataclass
class Outcome(Generic[Peer, Value]):
    """The result of a race.

    Attributes:
        value: The first good answer, or None.
        winner: The peer that gave it, or None.
        failed: The other peers that were asked, in the order in which they ended, with the reason.
    """

    value: Value | None = None
    winner: Peer | None = None
    failed: list[tuple[Peer, Exception]] = field(default_factory=list)


@dataclass
class _Runner(Generic[Peer]):
    """A peer that is being asked."""

    peer: Peer
    received: int = 0

    def add(self, size: int) -> None:
        """Count what it sent."""
        self.received += size


async def run(
    peers: Sequence[Peer], ask: Ask[Peer, Value], *, hedge_s: float, timeout_s: float
) -> Outcome[Peer, Value]:
    """Ask peers in their order until one gives a good answer.

    Args:
        peers: The peers.
        ask: Asks one; raises an `OepError` for anything but a good answer.
        hedge_s: Seconds without an answer after which the next peer is asked as well.
        timeout_s: Deadline of all together, in seconds.
    """
    race = _Race(peers, ask, hedge_s, time.monotonic() + timeout_s)
    try:
        await race.run()
    finally:
        await race.stop()
    return race.outcome


class _Race(Generic[Peer, Value]):
    def __init__(
        self, peers: Sequence[Peer], ask: Ask[Peer, Value], hedge_s: float, deadline: float
    ) -> None:
        self.outcome: Outcome[Peer, Value] = Outcome()
        self._waiting = deque(peers)
        self._ask = ask
        self._hedge_s = hedge_s
        self._deadline = deadline
        self._running: dict[asyncio.Task[Value], _Runner[Peer]] = {}

    async def run(self) -> None:
        """Ask until there is a good answer, nobody is left, or the time is up."""
        self._start()
        while self._running and self.outcome.winner is None:
            left = self._deadline - time.monotonic()
            if left <= 0:
                return
            wait = min(left, self._hedge_s) if self._waiting else left
            done, _ = await asyncio.wait(
                self._running, timeout=wait, return_when=asyncio.FIRST_COMPLETED
            )
            if not done and time.monotonic() < self._deadline:
                await self._make_room()
                self._start()
            for task in done:
                self._finish(task)

    async def stop(self) -> None:
        """Give up those that are still running."""
        is_late = self.outcome.winner is None
        reason = "gave no complete answer before the deadline" if is_late else "slower than another"
        for task in list(self._running):
            await self._give_up(task, reason)
        if is_late:
            never = TransportError("was not asked: the time was up")
            self.outcome.failed += [(peer, never) for peer in self._waiting]

    def _start(self) -> None:
        if self._waiting:
            runner = _Runner(self._waiting.popleft())
            coroutine = self._ask(runner.peer, runner.add)
            self._running[asyncio.ensure_future(coroutine)] = runner

    def _finish(self, task: asyncio.Task[Value]) -> None:
        runner = self._running.pop(task)
        try:
            value = task.result()
        except OepError as exc:
            self._fail(runner, exc)
            return
        except Exception as exc:
            self._fail(runner, TransportError(f"its answer caused a {type(exc).__name__}"))
            return
        if self.outcome.winner is None:
            self.outcome.value, self.outcome.winner = value, runner.peer

    def _fail(self, runner: _Runner[Peer], error: Exception) -> None:
        self.outcome.failed.append((runner.peer, error))
        self._start()

    async def _make_room(self) -> None:
        if self._waiting and len(self._running) >= AT_ONCE:
            slowest = min(self._running, key=lambda task: self._running[task].received)
            await self._give_up(slowest, "gave way to another worker: it sent the least")

    async def _give_up(self, task: asyncio.Task[Value], reason: str) -> None:
        runner = self._running.pop(task)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        error = TransportError(f"{reason} ({runner.received} bytes received)")
        self.outcome.failed.append((runner.peer, error))
