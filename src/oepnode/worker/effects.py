"""Carrying out effects: each safe to repeat, each reconciled with the chain before it acts.

A step on chain is done when its event was taken in, and not when its transaction was sent: a
transaction can be lost with its block, and a node can lag behind. Until then the step looks at the
chain again and again, acts only where the chain lacks it, and gives up only when it has become
pointless. So a crash at any point, a lost answer and a reorganisation all end in the same state.

A ballot goes through the relay where there is one. The relay is not believed: while no event of the
ballot came it is handed in again and again, and when time is short it is cast directly.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import structlog

from oepnode.domain.rounds.ballot import Reason, ballot_for
from oepnode.domain.rounds.onchain import BallotCast, Phase, Round, RoundOpened
from oepnode.errors import (
    ConfigError,
    ConflictError,
    DigestMismatch,
    DocumentFault,
    EvidenceError,
    TransportError,
)
from oepnode.worker import delivery
from oepnode.worker import state as st
from oepnode.worker.computations import Computations, TimedComputation, jittered
from oepnode.worker.metrics import WorkerMetrics
from oepnode.worker.ports import WorkerPorts
from oepnode.worker.state import Change, Computed, Effect, NotComputed, RoundState, Summary

_FIRST_WAIT_S: Final = 0.25
_LONGEST_WAIT_S: Final = 15.0
_FAULTS_TOLD: Final = 5
_AT_RELAY: Final = "the ballot is with the relay, and not on chain yet"


class EffectRunner:
    """Carries out one worker's effects.

    Args:
        outside: The ports.
        state_of: The state of a round now, or None.
        report: Takes a change in.
        metrics: Where to count.
        keep_rounds: How many of the newest rounds are worth delivering late.
        direct_before_s: A ballot that no relay has cast so long before the vote deadline, in
            seconds, is cast directly.
    """

    def __init__(
        self,
        outside: WorkerPorts,
        state_of: Callable[[int], RoundState | None],
        report: Callable[[int, Change], None],
        metrics: WorkerMetrics,
        keep_rounds: int,
        direct_before_s: int,
    ) -> None:
        self._outside = outside
        self._state_of = state_of
        self._report = report
        self._metrics = metrics
        self._keep_rounds = keep_rounds
        self._direct_before_s = direct_before_s
        self._log = structlog.get_logger("oepnode.effects")
        self.computations = Computations(outside, state_of, metrics)
        self.waiting: dict[int, str] = {}
        """What the step on chain of a round waits for, in words."""

    async def carry_out(self, effect: Effect) -> None:
        """Carry out an effect; returns when it is done or has become pointless.

        Raises:
            EvidenceError: If the inputs of a final round are had no more as they were.
            FatalError: If the machine fails.
        """
        if self._state_of(effect.round) is None:
            return
        match effect:
            case st.ComputeResult():
                await self._compute(self._state(effect))
            case st.CastBallot() | st.AbstainFromRound():
                await self._until(effect, _has_voted, self._vote)
            case st.RevealResult():
                await self._until(effect, _has_revealed, self._reveal)
            case st.CloseFailedRound():
                await self._until(effect, _is_over, self._close)
            case st.PublishBundles():
                await self._until(effect, _is_not_ours, self._publish, is_once=True)

    def note_retry(self, name: str, why: str) -> None:
        """Log and count that an effect will be tried again."""
        self._metrics.retries.labels(name.split("/")[1]).inc()
        self._log.warning("will try again", effect=name, why=why)

    async def _until(
        self,
        effect: Effect,
        is_settled: Callable[[RoundState], bool],
        step: Callable[[RoundState], Awaitable[None]],
        *,
        is_once: bool = False,
    ) -> None:
        """Repeat a step until the round's state shows that it is settled.

        With ``is_once``, until the step has succeeded.
        """
        wait = _FIRST_WAIT_S
        try:
            while not is_settled(self._state(effect)):
                try:
                    await step(self._state(effect))
                except (TransportError, ConflictError) as exc:
                    self.waiting[effect.round] = str(exc)
                    self.note_retry(st.effect_id(effect), str(exc))
                else:
                    if is_once:
                        return
                await asyncio.sleep(jittered(wait))
                wait = min(wait * 2, _LONGEST_WAIT_S)
        finally:
            self.waiting.pop(effect.round, None)

    def _state(self, effect: Effect) -> RoundState:
        state = self._state_of(effect.round)
        if state is None:
            raise ConflictError(f"round {effect.round} is not known here")
        return state

    # -- computing -------------------------------------------------------------------------

    async def _compute(self, state: RoundState) -> None:
        if state.is_over and not await self._is_worth_delivering(state):
            return
        try:
            timed = await self.computations.of(state)
        except DigestMismatch as exc:
            self._not_computed(state, Reason.INPUT_MISMATCH, str(exc))
        except DocumentFault as exc:
            self._not_computed(state, Reason.INPUT_INVALID, _told(exc))
        except EvidenceError as exc:
            self._not_computed(state, Reason.INPUT_INVALID, str(exc))
        except (TransportError, ConflictError) as exc:
            self._not_computed(state, Reason.INPUTS_UNAVAILABLE, str(exc))
        except Exception as exc:
            self._log.error("computing failed", round=state.number, where=place_of(exc))
            self._not_computed(state, Reason.INTERNAL_FAULT, type(exc).__name__)
        else:
            result = timed.computation.result.result
            change = Computed(state.opened.inputs, result, _summary(timed))
            self._report(state.number, change)

    def _not_computed(self, state: RoundState, reason: Reason, detail: str) -> None:
        self._report(state.number, NotComputed(state.opened.inputs, reason, detail))

    async def _is_worth_delivering(self, state: RoundState) -> bool:
        """Whether a round that was final before this worker computed it is still of use."""
        chain, opened = self._outside.chain, state.opened
        if state.number <= await chain.round_count() - self._keep_rounds:
            return False
        latest = await chain.latest_final(opened.horizon_start, opened.interval_count)
        return latest == state.number

    # -- steps on chain --------------------------------------------------------------------

    async def _on_chain(self, state: RoundState) -> Round:
        on_chain = await self._outside.chain.round(state.number)
        if on_chain is None:
            raise TransportError(f"the node does not know round {state.number} yet, or no more")
        return on_chain

    async def _vote(self, state: RoundState) -> None:
        on_chain = await self._on_chain(state)
        if state.me is None or on_chain.phase != Phase.VOTING:
            return
        if on_chain.voted >> state.me.index & 1:
            return  # cast before, by this worker or its former self; its event is on the way
        await self._check_round(state)
        if state.result is not None:
            ballot = ballot_for(state.context, state.operator, state.result)
            if await self._is_with_relay(state, ballot):
                return
            await self._outside.chain.cast_ballot(state.number, ballot)
            self._log.info("ballot cast", round=state.number)
        elif state.reason is not None:
            await self._outside.chain.abstain(state.number, state.reason)
            self._log.warning(
                "abstained", round=state.number, reason=state.reason.label, why=state.detail
            )

    async def _is_with_relay(self, state: RoundState, ballot: bytes) -> bool:
        """Hand the ballot to the relay; False where there is none, none that takes it, or no time.

        Casting directly beside a relay does no harm: the contract passes over what comes second.
        """
        relay = self._outside.relay
        if relay is None:
            return False
        if state.opened.vote_deadline - state.now < self._direct_before_s:
            self._cast_directly(state, "time is short and the relay's ballot is not on chain")
            return False
        try:
            await relay.hand_in(state.context, ballot)
        except (ConflictError, ConfigError) as exc:
            self._cast_directly(state, str(exc))
            return False
        if self.waiting.get(state.number) != _AT_RELAY:
            self._log.info("ballot handed to the relay", round=state.number)
        self.waiting[state.number] = _AT_RELAY
        return True

    def _cast_directly(self, state: RoundState, why: str) -> None:
        self.waiting[state.number] = f"the ballot is cast directly: {why}"
        self._log.warning("casting directly in spite of the relay", round=state.number, why=why)

    async def _check_round(self, state: RoundState) -> None:
        """Check that the round under this number still is the one that was computed.

        A reorganisation can put another one in its place before its events are taken in here.
        """
        events = await self._outside.chain.round_events(state.number)
        opened = next((event for event in events if isinstance(event, RoundOpened)), None)
        if opened is None or opened.inputs != state.opened.inputs:
            raise TransportError(f"round {state.number} is another one now; it will be read anew")

    async def _reveal(self, state: RoundState) -> None:
        if (await self._on_chain(state)).phase != Phase.REVEALING or state.result is None:
            return
        chain, result = self._outside.chain, state.result
        ballots = [
            (member, event.ballot)
            for event in await chain.round_events(state.number)
            if isinstance(event, BallotCast)
            and (member := state.electorate.by_operator(event.operator)) is not None
        ]
        await chain.reveal_root(state.number, result.root, result.partitions, ballots)
        self._log.info("root revealed", round=state.number, root=result.root.hex())

    async def _close(self, state: RoundState) -> None:
        if (await self._on_chain(state)).phase == Phase.EXPIRED:
            await self._outside.chain.fail_round(state.number)
            self._log.warning("round closed as failed", round=state.number)

    # -- delivery --------------------------------------------------------------------------

    async def _publish(self, state: RoundState) -> None:
        timed = await self.computations.of(state)
        if timed.computation.result.result != state.final:
            raise EvidenceError("the inputs now give another result than before")
        count = await asyncio.to_thread(delivery.publish, self._outside, state, timed.computation)
        self._log.info("bundles published", round=state.number, bundles=count)


# -- when a step is settled ----------------------------------------------------------------


def _has_voted(state: RoundState) -> bool:
    return state.have_i_voted or state.is_over or state.now >= state.opened.vote_deadline


def _has_revealed(state: RoundState) -> bool:
    return (
        state.is_over
        or state.now >= state.opened.reveal_deadline
        or any(candidate.result == state.result for candidate in state.candidates)
    )


def _is_over(state: RoundState) -> bool:
    return state.is_over


def _is_not_ours(state: RoundState) -> bool:
    return state.final is None or state.final != state.result


# -- what is told of it --------------------------------------------------------------------


def _told(fault: DocumentFault) -> str:
    told = [str(one) for one in fault.faults[:_FAULTS_TOLD]]
    more = len(fault.faults) + fault.more - len(told)
    return "; ".join(told) + (f"; and {more} more" if more > 0 else "")


def _summary(timed: TimedComputation) -> Summary:
    result = timed.computation.result
    return Summary(
        sites=sum(partition.site_count for partition in result.partitions),
        partitions=result.partition_count,
        unassigned_nmis=result.unassigned_nmis,
        seconds=timed.seconds,
        warnings=timed.computation.warnings,
    )


def place_of(exc: Exception) -> str:
    """Type and place of a fault of ours. Its message is left out: it could hold an NMI."""
    frame = traceback.extract_tb(exc.__traceback__)[-1]
    return f"{type(exc).__name__} at {Path(frame.filename).name}:{frame.lineno}"
