"""Results of rounds: fetches inputs, has them computed, and tries again while that can help.

This is the one place that decides what is tried again before a worker abstains, because an
abstention cannot be taken back:

- a service that does not respond, rejects the worker, or serves other bytes than the digest says
  (a node of it that is a block behind, a byte flipped on the way) is asked again until only the
  time to abstain is left;
- a computation that ended without a result (memory, time, an internal error) is tried twice, and
  the abstention waits until then: the round is not decided without this worker before its time;
- inputs that have the right digests and violate the rules are final at once: the same bytes give
  the same verdict, and waiting would only delay the round for all others.

Chain time decides, as it does in the contract; a fetch that hangs is cut off there. A round without
its inputs delays no other.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

import structlog

from oepnode.domain.rounds.computation import Inputs
from oepnode.errors import (
    ConflictError,
    DigestMismatch,
    EvidenceError,
    OepError,
    TransportError,
    location_of,
)
from oepnode.ports import Outcome, RoundTask
from oepnode.worker.metrics import WorkerMetrics
from oepnode.worker.ports import WorkerPorts
from oepnode.worker.state import RoundState

_FIRST_WAIT_S: Final = 0.25
_LONGEST_WAIT_S: Final = 15.0
_LEAST_FETCH_S: Final = 5.0
_COMPUTE_ATTEMPTS: Final = 2
_TO_ABSTAIN_S: Final = 30.0
_TO_ABSTAIN_SHARE: Final = 0.25
"""Time that an abstention needs: seconds, or a share of a short vote."""
_TO_HAND_IN_S: Final = 15.0
_TO_HAND_IN_SHARE: Final = 0.8
"""Time that a relay needs for an abstention, besides that in which it is bypassed; in a short vote
a share of it, so that some time is left to try again."""

T = TypeVar("T")


@dataclass(frozen=True)
class TimedOutcome:
    """An outcome and the seconds that computing it took."""

    outcome: Outcome
    seconds: float


@dataclass
class _Attempt:
    """What a round has so far: fetched inputs, and failures to compute.

    Attributes:
        envelope: The envelope document, or None.
        registry: The registry snapshot, or None.
        salt: The snapshot's salt, or None.
        step: The step that is being done, for metrics and log.
        faults: Computations that ended without a result.
        is_late: Whether a fetch took all the time that there was.
    """

    envelope: bytes | None = field(default=None, repr=False)
    registry: bytes | None = field(default=None, repr=False)
    salt: bytes | None = field(default=None, repr=False)
    step: str = ""
    faults: int = 0
    is_late: bool = False

    def forget(self) -> None:
        """Forget the inputs, so that they are fetched again."""
        self.envelope = self.registry = self.salt = None


class Computations:
    """Computes the results of one worker's rounds.

    Args:
        ports: Access to chain, sender, registry and engine.
        state_of: Returns the current state of a round, or None.
        metrics: Counters to update.
        direct_before_s: Seconds before the vote deadline from which a relay is bypassed.
    """

    def __init__(
        self,
        ports: WorkerPorts,
        state_of: Callable[[int], RoundState | None],
        metrics: WorkerMetrics,
        direct_before_s: int,
    ) -> None:
        self._direct_before_s = direct_before_s
        self._ports = ports
        self._state_of = state_of
        self._metrics = metrics
        self._log = structlog.get_logger("oepnode.computing")

    async def of(self, state: RoundState) -> TimedOutcome:
        """Fetch the inputs of a round and compute it; sealing goes on afterwards.

        Raises:
            EvidenceError: If the inputs are not those of the round, or violate the rules.
            ConflictError: If sender or registry reject this worker.
            TransportError: If the inputs could not be fetched.
            ComputationFault: If the computation ended without a result.
        """
        attempt, wait = _Attempt(), _FIRST_WAIT_S
        while True:
            try:
                return await self._try(state, attempt)
            except Exception as exc:
                error = exc
            if not self._may_help(error, attempt):
                raise error
            left = self._seconds_left(state)
            if left <= 0 or attempt.is_late:
                raise error
            self._metrics.retries.labels(attempt.step).inc()
            self._log.warning(
                "inputs_retried", round=state.number, step=attempt.step, reason=_reason(error)
            )
            if attempt.faults >= _COMPUTE_ATTEMPTS:
                await self._until_time_is_short(state)
                raise error
            await asyncio.sleep(min(jittered(wait), left))
            wait = min(wait * 2, _LONGEST_WAIT_S)

    def _may_help(self, error: Exception, attempt: _Attempt) -> bool:
        """Whether trying again can help; notes what has to be done again."""
        match error:
            case DigestMismatch():
                attempt.forget()
            case EvidenceError():
                return False
            case TransportError() | ConflictError():
                pass
            case _:
                attempt.faults += 1
        return True

    async def _until_time_is_short(self, state: RoundState) -> None:
        while (left := self._seconds_left(state)) > 0:
            await asyncio.sleep(min(left, _LONGEST_WAIT_S))

    # --- one attempt -----------------------------------------------------------------------------

    async def _try(self, state: RoundState, attempt: _Attempt) -> TimedOutcome:
        inputs = await self._fetch(state, attempt)
        attempt.step = "compute"
        ports, started = self._ports, self._ports.clock.now()
        task = RoundTask(state.context, state.opened, state.operator)
        outcome = await ports.engine.compute(task, inputs, self._stage_logger(state.number))
        return TimedOutcome(outcome, ports.clock.now() - started)

    def _stage_logger(self, number: int) -> Callable[[str], None]:
        def log(stage: str) -> None:
            self._log.info("computation_progress", round=number, stage=stage)

        return log

    async def _fetch(self, state: RoundState, attempt: _Attempt) -> Inputs:
        """The inputs of a round; those that an earlier attempt has fetched are kept."""
        opened, ports, number = state.opened, self._ports, state.number
        if attempt.envelope is None:
            attempt.step = "fetch envelope"
            document = ports.sender.document(number, opened.envelope_digest)
            attempt.envelope = await self._in_time(state, attempt, document)
        if attempt.registry is None:
            attempt.step = "fetch snapshot"
            snapshot = ports.registry.snapshot(number, opened.registry_digest)
            attempt.registry = await self._in_time(state, attempt, snapshot)
        if attempt.salt is None:
            attempt.step = "fetch salt"
            salt = ports.registry.salt(number, opened.registry_digest)
            attempt.salt = await self._in_time(state, attempt, salt)
        return Inputs(attempt.envelope, attempt.registry, attempt.salt, ports.feed)

    async def _in_time(self, state: RoundState, attempt: _Attempt, fetch: Awaitable[T]) -> T:
        left = self._seconds_left(state)
        try:
            async with asyncio.timeout(left if left > 0 else _LEAST_FETCH_S):
                return await fetch
        except TimeoutError as exc:
            attempt.is_late = True
            raise TransportError("no response before the worker must vote") from exc

    def _seconds_left(self, state: RoundState) -> float:
        """Chain seconds until only the time to abstain is left; 0 once the round is over."""
        newest = self._state_of(state.number) or state
        if newest.is_over:
            return 0.0
        window, deadline = newest.electorate.vote_window_s, newest.opened.vote_deadline
        now = newest.now or deadline - window
        return deadline - self._time_to_abstain(window) - now

    def _time_to_abstain(self, window: int) -> float:
        direct_s = min(_TO_ABSTAIN_S, window * _TO_ABSTAIN_SHARE)
        if self._ports.relay is None:
            return direct_s
        handed_in_s = min(self._direct_before_s + _TO_HAND_IN_S, window * _TO_HAND_IN_SHARE)
        return max(direct_s, handed_in_s)


def jittered(wait_s: float) -> float:
    """A random wait around ``wait_s``, so that workers do not retry all at once."""
    return wait_s * random.uniform(0.5, 1.5)  # noqa: S311 - spreads retries, guards nothing


def _reason(error: Exception) -> str:
    """An error for the log; an unexpected one could quote an input."""
    known = isinstance(error, OepError)
    return str(error) if known else f"{type(error).__name__} at {location_of(error)}"
