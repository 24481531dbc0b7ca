"""Results of rounds: fetches and validates inputs, computes in a thread, archives, caches.

Fetching is retried until shortly before the voting deadline, so that a worker without the inputs
still has time to abstain. Chain time decides, as it does in the contract; a fetch that hangs is cut
off there. One round is computed at a time, and a round without its inputs delays no other.
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog

from oepnode.domain.rounds.computation import Computation, Inputs
from oepnode.domain.rounds.custody import custody_root
from oepnode.errors import OepError, TransportError
from oepnode.worker.metrics import WorkerMetrics
from oepnode.worker.ports import WorkerPorts
from oepnode.worker.state import RoundState

_FIRST_WAIT_S: Final = 0.25
_LONGEST_WAIT_S: Final = 15.0
_LEAST_FETCH_S: Final = 5.0
_KEPT: Final = 2
_PROGRESS_EVERY_S: Final = 2.0

T = TypeVar("T")


@dataclass(frozen=True)
class TimedComputation:
    """A computation, this worker's custody root of it, and the seconds that both took."""

    computation: Computation
    custody: bytes
    seconds: float


class Computations:
    """Computes the results of one worker's rounds.

    Args:
        ports: Access to chain, sender and registry.
        state_of: Returns the current state of a round, or None.
        metrics: Counters to update.

    Attributes:
        progress: Progress of each round that is being computed, such as ``encode 40 %``.
    """

    def __init__(
        self,
        ports: WorkerPorts,
        state_of: Callable[[int], RoundState | None],
        metrics: WorkerMetrics,
    ) -> None:
        self._ports = ports
        self._state_of = state_of
        self._metrics = metrics
        self._log = structlog.get_logger("oepnode.computing")
        self._lock = asyncio.Lock()
        self._kept: OrderedDict[tuple[int, bytes], TimedComputation] = OrderedDict()
        self.progress: dict[int, str] = {}

    async def of(self, state: RoundState) -> TimedComputation:
        """The computation of a round, cached or computed now.

        Raises:
            EvidenceError: If the inputs are not those of the round, or violate the rules.
            ConflictError: If sender or registry reject this worker.
            TransportError: If the inputs could not be fetched in time.
        """
        key = state.number, state.opened.inputs
        if key not in self._kept:
            inputs = await self._fetch(state)
            async with self._lock:
                self._kept[key] = await self._compute(state, inputs)
            await self._archive(state, inputs)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return self._kept[key]

    async def _compute(self, state: RoundState, inputs: Inputs) -> TimedComputation:
        ports, started = self._ports, self._ports.clock.now()
        try:
            computation = await asyncio.to_thread(
                ports.compute, inputs, state.context, state.opened, self._reporter(state.number)
            )
            partitions = computation.result.partitions
            custody = await asyncio.to_thread(custody_root, state.operator, partitions)
        finally:
            self.progress.pop(state.number, None)
        timed = TimedComputation(computation, custody, ports.clock.now() - started)
        self._metrics.compute_seconds.observe(timed.seconds)
        return timed

    def _reporter(self, number: int) -> Callable[[str, int, int], None]:
        """A progress callback that updates `progress`, and logs every few seconds."""
        clock, logged_at = self._ports.clock, self._ports.clock.now()

        def report(stage: str, done: int, total: int) -> None:
            nonlocal logged_at
            share = f"{stage} {100 * done // max(total, 1)} %"
            self.progress[number] = share
            if clock.now() - logged_at >= _PROGRESS_EVERY_S:
                logged_at = clock.now()
                self._log.info("computation_progress", round=number, progress=share)

        return report

    async def _archive(self, state: RoundState, inputs: Inputs) -> None:
        """Archive the inputs for the auditor; a full disk must not cost the vote."""
        archive, seal = self._ports.archive, self._ports.seal_inputs
        if archive is None or seal is None:
            return
        try:
            await asyncio.to_thread(lambda: archive.put(state.number, seal(state.context, inputs)))
        except OepError as exc:
            self._log.error("archiving_failed", round=state.number, reason=str(exc))

    # --- fetching --------------------------------------------------------------------------------

    async def _fetch(self, state: RoundState) -> Inputs:
        opened, ports, number = state.opened, self._ports, state.number
        return Inputs(
            await self._fetch_with_retry(
                state, "envelope", lambda: ports.sender.document(number, opened.envelope_digest)
            ),
            await self._fetch_with_retry(
                state, "snapshot", lambda: ports.registry.snapshot(number, opened.registry_digest)
            ),
            await self._fetch_with_retry(
                state, "salt", lambda: ports.registry.salt(number, opened.registry_digest)
            ),
            ports.feed,
        )

    async def _fetch_with_retry(
        self, state: RoundState, what: str, fetch: Callable[[], Awaitable[T]]
    ) -> T:
        """Retry a fetch until it succeeds, or only enough time to abstain is left."""
        wait = _FIRST_WAIT_S
        while True:
            left = self._seconds_left(state)
            try:
                async with asyncio.timeout(left if left > 0 else _LEAST_FETCH_S):
                    return await fetch()
            except TimeoutError as exc:
                raise TransportError(f"{what}: no response before the worker must vote") from exc
            except TransportError as exc:
                left = self._seconds_left(state)
                if left <= 0:
                    raise
                self._metrics.retries.labels(f"fetch {what}").inc()
                self._log.warning("fetch_retried", round=state.number, input=what, reason=str(exc))
            await asyncio.sleep(min(jittered(wait), left))
            wait = min(wait * 2, _LONGEST_WAIT_S)

    def _seconds_left(self, state: RoundState) -> float:
        """Chain seconds until only enough time to abstain is left."""
        newest = self._state_of(state.number) or state
        window, deadline = newest.electorate.vote_window_s, newest.opened.vote_deadline
        now = newest.now or deadline - window
        return deadline - min(30.0, window * 0.25) - now


def jittered(wait_s: float) -> float:
    """A random wait around ``wait_s``, so that workers do not retry all at once."""
    return wait_s * random.uniform(0.5, 1.5)  # noqa: S311 - spreads retries, guards nothing
