"""A round's result: inputs fetched and checked, computed in a thread, archived, kept a while.

Fetching goes on until shortly before the voting deadline, so that a worker which cannot have the
inputs still has time to say so. Chain time decides, as it does in the contract; a fetch that hangs
is cut off there. One computes at a time, and a round whose inputs stay away holds up no other.
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
    """A computation and the seconds that it took."""

    computation: Computation
    seconds: float


class Computations:
    """Computes the results of one worker's rounds.

    Args:
        outside: The ports.
        state_of: The state of a round now, or None.
        metrics: Where to count.

    Attributes:
        progress: Per round that is being computed, how far it is.
    """

    def __init__(
        self,
        outside: WorkerPorts,
        state_of: Callable[[int], RoundState | None],
        metrics: WorkerMetrics,
    ) -> None:
        self._outside = outside
        self._state_of = state_of
        self._metrics = metrics
        self._log = structlog.get_logger("oepnode.computing")
        self._lock = asyncio.Lock()
        self._kept: OrderedDict[tuple[int, bytes], TimedComputation] = OrderedDict()
        self.progress: dict[int, str] = {}

    async def of(self, state: RoundState) -> TimedComputation:
        """The computation of a round: kept from before, or done now.

        Raises:
            EvidenceError: If the inputs are not those of the round, or break the rules.
            ConflictError: If sender or registry reject this worker.
            TransportError: If the inputs could not be had in time.
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
        outside, started = self._outside, self._outside.clock.now()
        try:
            computation = await asyncio.to_thread(
                outside.compute, inputs, state.context, state.opened, self._teller(state.number)
            )
        finally:
            self.progress.pop(state.number, None)
        timed = TimedComputation(computation, outside.clock.now() - started)
        self._metrics.compute_seconds.observe(timed.seconds)
        return timed

    def _teller(self, number: int) -> Callable[[str, int, int], None]:
        clock, told = self._outside.clock, self._outside.clock.now()

        def tell(stage: str, done: int, total: int) -> None:
            nonlocal told
            share = f"{stage} {100 * done // max(total, 1)} %"
            self.progress[number] = share
            if clock.now() - told >= _PROGRESS_EVERY_S:
                told = clock.now()
                self._log.info("computing", round=number, progress=share)

        return tell

    async def _archive(self, state: RoundState, inputs: Inputs) -> None:
        """Keep the inputs for the auditor; a full disk must not cost the vote."""
        archive, seal = self._outside.archive, self._outside.seal_inputs
        if archive is None or seal is None:
            return
        try:
            archive.put(state.number, await asyncio.to_thread(seal, state.context, inputs))
        except OepError as exc:
            self._log.error("inputs not archived", round=state.number, why=str(exc))

    # -- fetching --------------------------------------------------------------------------

    async def _fetch(self, state: RoundState) -> Inputs:
        opened, outside, number = state.opened, self._outside, state.number
        return Inputs(
            await self._fetch_with_retry(
                state, "envelope", lambda: outside.sender.document(number, opened.envelope_digest)
            ),
            await self._fetch_with_retry(
                state, "snapshot", lambda: outside.registry.snapshot(number, opened.registry_digest)
            ),
            await self._fetch_with_retry(
                state, "salt", lambda: outside.registry.salt(number, opened.registry_digest)
            ),
            outside.feed,
        )

    async def _fetch_with_retry(
        self, state: RoundState, what: str, fetch: Callable[[], Awaitable[T]]
    ) -> T:
        """Try a fetch until it works or it is time to give up."""
        wait = _FIRST_WAIT_S
        while True:
            left = self._seconds_left(state)
            try:
                async with asyncio.timeout(left if left > 0 else _LEAST_FETCH_S):
                    return await fetch()
            except TimeoutError as exc:
                raise TransportError(f"{what}: no answer before it was time to give up") from exc
            except TransportError as exc:
                left = self._seconds_left(state)
                if left <= 0:
                    raise
                self._metrics.retries.labels(f"fetch {what}").inc()
                self._log.warning("will try again", round=state.number, what=what, why=str(exc))
            await asyncio.sleep(min(jittered(wait), left))
            wait = min(wait * 2, _LONGEST_WAIT_S)

    def _seconds_left(self, state: RoundState) -> float:
        """Chain seconds until there is just time enough left to abstain."""
        newest = self._state_of(state.number) or state
        window, deadline = newest.electorate.vote_window_s, newest.opened.vote_deadline
        now = newest.now or deadline - window
        return deadline - min(30.0, window * 0.25) - now


def jittered(wait_s: float) -> float:
    """A wait that is spread, so that workers do not come back all at once."""
    return wait_s * random.uniform(0.5, 1.5)  # noqa: S311 - spreads retries, guards nothing
