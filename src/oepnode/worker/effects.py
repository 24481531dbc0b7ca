"""Carries out effects: each is safe to repeat, and reconciled with the chain before it acts.

A step on chain is done when its event was processed, not when its transaction was sent: a
transaction can be lost with its block, and a node can lag behind. Until then the step reads the
chain repeatedly, acts only where the chain lacks its outcome, and stops only when it has become
pointless. So a crash at any point, a lost response and a reorganisation all end in the same state.

A ballot goes through the relay where one is configured. The relay is not trusted: until the event
of the ballot arrives the ballot is handed in repeatedly, and shortly before the vote deadline it is
cast directly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from oepnode.config import WorkerSettings
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.rounds.ballot import Reason, Result
from oepnode.domain.rounds.onchain import BallotCast, Phase, Round
from oepnode.errors import (
    ComputationFault,
    ConflictError,
    EvidenceError,
    TransportError,
    location_of,
)
from oepnode.ports import ShelvedRound
from oepnode.worker.abstentions import detail_for, reason_for
from oepnode.worker.admission import Admission
from oepnode.worker.computations import Computations, TimedOutcome, jittered
from oepnode.worker.metrics import WorkerMetrics
from oepnode.worker.ports import WorkerPorts
from oepnode.worker.pruning import KeptRound, deletable
from oepnode.worker.relaying import Relaying
from oepnode.worker.shown_errors import shown_error
from oepnode.worker.state import (
    AbstainFromRound,
    CastBallot,
    Change,
    CloseFailedRound,
    Computed,
    ComputeResult,
    Effect,
    NotComputed,
    PublishBundles,
    RevealResult,
    RoundState,
    Skipped,
    Summary,
    effect_id,
)

_FIRST_WAIT_S: Final = 0.25
_LONGEST_WAIT_S: Final = 15.0
_CLOSING_BY_RELAY_S: Final = 600
"""Seconds after the reveal deadline in which closing is left to a relay."""


class EffectRunner:
    """Carries out one worker's effects.

    Args:
        ports: Access to chain, services and storage.
        state_of: Returns the current state of a round, or None.
        report: Applies a change.
        metrics: Counters to update.
        settings: The worker's settings.
    """

    def __init__(
        self,
        ports: WorkerPorts,
        state_of: Callable[[int], RoundState | None],
        report: Callable[[int, Change], None],
        metrics: WorkerMetrics,
        settings: WorkerSettings,
    ) -> None:
        self._ports = ports
        self._state_of = state_of
        self._report = report
        self._metrics = metrics
        self._keep_rounds = settings.keep_rounds
        self._keep_s = settings.keep_hours * 3600
        self._direct_before_s = settings.relay.direct_before_s
        self._admission = Admission(ports.clock, ports.sender, settings.max_rounds_per_hour)
        self._log = structlog.get_logger("oepnode.effects")
        self.computations = Computations(ports, state_of, metrics, self._direct_before_s)
        self.waiting: dict[int, str] = {}
        """Reason why a round's step on chain is waiting, as the status page shows it."""
        self._relaying = Relaying(ports.relay, self.waiting)

    async def carry_out(self, effect: Effect) -> None:
        """Carry out an effect; returns when it is done or has become pointless.

        Raises:
            EvidenceError: If the inputs of a final round now give another result.
            FatalError: If the machine fails.
        """
        if self._state_of(effect.round) is None:
            return
        match effect:
            case ComputeResult():
                await self._compute(self._state(effect))
            case CastBallot() | AbstainFromRound():
                await self._until(effect, _has_voted, self._vote)
            case RevealResult():
                await self._until(effect, _has_revealed, self._reveal)
            case CloseFailedRound():
                await self._until(effect, _is_over, self._close)
            case PublishBundles():
                await self._until(effect, _is_undeliverable, self._publish, is_once=True)

    def note_retry(self, name: str, reason: str) -> None:
        """Log and count that an effect is going to be retried."""
        self._metrics.retries.labels(name.split("/")[1]).inc()
        self._log.warning("effect_retried", effect=name, reason=reason)

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
                    self.waiting[effect.round] = shown_error(exc)
                    self.note_retry(effect_id(effect), str(exc))
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
            raise ConflictError(f"round {effect.round} is unknown to this worker")
        return state

    # --- computing -------------------------------------------------------------------------------

    async def _compute(self, state: RoundState) -> None:
        if state.is_over:
            if not await self._is_worth_delivering(state):
                return
        elif not await self._admission.admits(state):
            self._skip(state)
            return
        try:
            timed = await self.computations.of(state)
        except Exception as exc:
            self._not_computed(state, exc)
        else:
            result, custody = timed.outcome.result, timed.outcome.custody
            change = Computed(state.opened.inputs, result, custody, _summary(timed))
            self._report(state.number, change)

    def _not_computed(self, state: RoundState, error: Exception) -> None:
        reason, detail = reason_for(error), detail_for(error)
        if reason is Reason.INTERNAL_FAULT:
            location = location_of(error)
            self._log.error(
                "computation_failed", round=state.number, error=detail, location=location
            )
        else:
            self._log.warning("inputs_failed", round=state.number, reason=str(error))
        self._report(state.number, NotComputed(state.opened.inputs, reason, detail))

    def _skip(self, state: RoundState) -> None:
        detail = "skipped: too many rounds within an hour (max_rounds_per_hour)"
        self._metrics.rounds_skipped.inc()
        self._log.warning(
            "round_skipped",
            round=state.number,
            requester=state.opened.requester.hex(),
            reason=detail,
            fix="have the administrator revoke the requester's role, if it is not the sender's",
        )
        self._report(state.number, Skipped(state.opened.inputs, detail))

    async def _is_worth_delivering(self, state: RoundState) -> bool:
        """Whether a round that ended before this worker computed it is still kept."""
        opened = state.opened
        end = opened.horizon_start + opened.interval_count * INTERVAL_S
        if end + self._keep_s < self._ports.clock.now():
            return False
        chain = await self._ports.chain.settled()
        latest = await chain.latest_final(opened.horizon_start, opened.interval_count)
        return latest == state.number

    # --- steps on chain --------------------------------------------------------------------------

    async def _on_chain(self, state: RoundState) -> Round:
        on_chain = await self._ports.chain.round(state.number)
        if on_chain is None:
            raise TransportError(f"round {state.number} is unknown to the node now")
        return on_chain

    async def _vote(self, state: RoundState) -> None:
        on_chain = await self._on_chain(state)
        if state.me is None or on_chain.phase != Phase.VOTING:
            return
        if on_chain.voted >> state.me.index & 1:
            return  # cast before, possibly by an earlier run; its event has not arrived yet
        await self._check_round(state)
        vote, chain = state.vote, self._ports.chain
        if vote is None:
            return
        reason = vote.reason
        is_direct = await self._relaying.take(
            state.number,
            "ballot" if reason is None else "abstention",
            lambda relay: relay.hand_in(state.context, vote),
            lambda: (
                chain.cast_ballot(state.number, vote)
                if reason is None
                else chain.abstain(state.number, reason)
            ),
            is_late=state.opened.vote_deadline - state.now < self._direct_before_s,
        )
        if is_direct and reason is None:
            self._log.info("ballot_cast", round=state.number)
        elif is_direct and state.reason is not None:
            self._log.warning(
                "abstained", round=state.number, reason=state.reason.label, detail=state.detail
            )

    async def _check_round(self, state: RoundState) -> None:
        """Check that the newest block still has the round of this number with the same inputs.

        A reorganisation can replace it before its events are processed here.
        """
        opened = await (await self._ports.chain.newest()).opening(state.number)
        if opened is None or opened.inputs != state.opened.inputs:
            raise TransportError(
                f"round {state.number} has other inputs now; the worker reads it again"
            )

    async def _reveal(self, state: RoundState) -> None:
        if (await self._on_chain(state)).phase != Phase.REVEALING or state.result is None:
            return
        result = state.result
        is_direct = await self._relaying.take(
            state.number,
            "reveal",
            lambda relay: relay.reveal(state.context, result),
            lambda: self._reveal_directly(state, result),
            is_late=state.opened.reveal_deadline - state.now < self._direct_before_s,
        )
        if is_direct:
            self._log.info("root_revealed", round=state.number, root=result.root.hex())

    async def _reveal_directly(self, state: RoundState, result: Result) -> None:
        chain = self._ports.chain
        newest = await chain.newest()  # the contract takes all ballots, or none
        ballots = [
            (member, event.ballot)
            for event in await newest.round_events(state.number)
            if isinstance(event, BallotCast)
            and (member := state.electorate.by_operator(event.operator)) is not None
        ]
        await chain.reveal_root(state.number, result.root, result.partitions, ballots)

    async def _close(self, state: RoundState) -> None:
        if (await self._on_chain(state)).phase != Phase.EXPIRED:
            return
        is_direct = await self._relaying.take(
            state.number,
            "closing",
            lambda relay: relay.close_failed(state.context),
            lambda: self._ports.chain.fail_round(state.number),
            is_late=state.now - state.opened.reveal_deadline > _CLOSING_BY_RELAY_S,
        )
        if is_direct:
            self._log.warning("failed_round_closed", round=state.number)

    # --- delivery --------------------------------------------------------------------------------

    async def _publish(self, state: RoundState) -> None:
        count = await self._shelve(state)
        if count is None:  # they were not sealed, or an earlier run was ended before they were
            timed = await self.computations.of(state)
            if timed.outcome.result != state.final:
                self._ports.shelf.discard(state.number)
                raise EvidenceError("the inputs now give another result than the final one")
            count = await self._shelve(state)
        if count is None:
            raise ComputationFault("the bundles could not be sealed; the log has the reason")
        self._log.info("bundles_published", round=state.number, bundles=count)
        await self.prune()

    async def prune(self) -> None:
        """Delete bundles that are kept long enough (`pruning`)."""
        shelf = self._ports.shelf
        shelved = await asyncio.to_thread(shelf.rounds)
        kept = [self._kept(shelved_round) for shelved_round in shelved]
        now = self._ports.clock.now()
        for number in deletable(kept, now, self._keep_rounds, self._keep_s):
            await asyncio.to_thread(shelf.delete, number)
            self._log.info("bundles_deleted", round=number)

    def _kept(self, shelved: ShelvedRound) -> KeptRound:
        state = self._state_of(shelved.number)
        start, count = (
            (0, 0) if state is None else (state.opened.horizon_start, state.opened.interval_count)
        )
        return KeptRound(shelved.number, shelved.published_at, start, count)

    async def _shelve(self, state: RoundState) -> int | None:
        """Publish what was sealed for the round, once sealing has ended."""
        await self._ports.engine.sealed(state.number)
        shelf = self._ports.shelf
        return await asyncio.to_thread(shelf.publish, state.number, state.opened.inputs)


# --- when a step is settled ----------------------------------------------------------------------


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


def _is_undeliverable(state: RoundState) -> bool:
    return state.final is None or state.final != state.result


# --- reports -------------------------------------------------------------------------------------


def _summary(timed: TimedOutcome) -> Summary:
    outcome = timed.outcome
    return Summary(
        sites=outcome.sites,
        partitions=outcome.result.partitions,
        unassigned_nmis=outcome.unassigned_nmis,
        seconds=timed.seconds,
        warnings=outcome.warnings,
    )
