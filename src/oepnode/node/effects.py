"""Carrying out effects: each safe to repeat, each reconciled with the chain before it acts.

A crash between acting and noting that it was done makes the effect pending again on the next start;
the check of the chain at the head of each write then finds the step done. Retries are here and
nowhere else: the wait doubles, is jittered and bounded, and ends when the step has become
pointless.
"""

from __future__ import annotations

import asyncio
import random
import traceback
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import structlog

from oepnode.domain import bundle
from oepnode.domain.ballot import Reason, ballot_for
from oepnode.domain.computation import Computation, Inputs
from oepnode.domain.facts import BallotCast, Phase, RoundOpened
from oepnode.domain.json_text import Progress
from oepnode.domain.keys import UNASSIGNED, RoundContext
from oepnode.domain.power import Feed
from oepnode.errors import (
    ConflictError,
    DigestMismatch,
    DocumentFault,
    EvidenceError,
    TransportError,
)
from oepnode.node import state as st
from oepnode.node.metrics import WorkerMetrics
from oepnode.node.state import Change, Computed, Effect, NotComputed, RoundState, Summary
from oepnode.ports import BundleShelf, Chain, Clock, EnvelopeSource, InputArchive, Registry

_FIRST_WAIT_S: Final = 0.25
_LONGEST_WAIT_S: Final = 15.0
_KEPT_COMPUTATIONS: Final = 2
_FAULTS_TOLD: Final = 5
_PROGRESS_EVERY_S: Final = 2.0

Seal = Callable[[bytes, bytes, bytes], bytes]
Compute = Callable[[Inputs, RoundContext, RoundOpened, Progress | None], Computation]
SealInputs = Callable[[RoundContext, Inputs], bytes]
T = TypeVar("T")


@dataclass(frozen=True)
class Outside:
    """All that a worker reaches beyond itself.

    Attributes:
        chain: The consensus contract.
        sender: The envelope source.
        registry: The NMI registry.
        shelf: Where sealed bundles lie.
        seal: (public key, plaintext, info) → sealed bundle.
        archive: Where inputs are kept, or None.
        seal_inputs: Seals a round's inputs for the archive, or None.
        clock: Time of day.
        compute: From inputs to result.
        feed: How documents are read.
    """

    chain: Chain
    sender: EnvelopeSource
    registry: Registry
    shelf: BundleShelf
    seal: Seal
    archive: InputArchive | None
    seal_inputs: SealInputs | None
    clock: Clock
    compute: Compute
    feed: Feed


@dataclass(frozen=True)
class _Timed:
    """A computation and the seconds that it took."""

    computation: Computation
    seconds: float


class EffectRunner:
    """Carries out one worker's effects.

    Args:
        outside: The ports.
        state_of: The state of a round now, or None.
        report: Takes a change in.
        metrics: Where to count.
    """

    def __init__(
        self,
        outside: Outside,
        state_of: Callable[[int], RoundState | None],
        report: Callable[[int, Change], None],
        metrics: WorkerMetrics,
    ) -> None:
        self._outside = outside
        self._state_of = state_of
        self._report = report
        self._metrics = metrics
        self._log = structlog.get_logger("oepnode.effects")
        self._computing = asyncio.Lock()
        self._computations: OrderedDict[int, _Timed] = OrderedDict()
        self.progress: dict[int, str] = {}

    async def carry_out(self, effect: Effect) -> None:
        """Carry out an effect; returns when it is done or has become pointless."""
        if self._state_of(effect.round) is None:
            return
        match effect:
            case st.ComputeResult():
                await self._compute_result(effect)
            case st.CastBallot():
                await self._retrying(effect, lambda: self._cast(effect))
            case st.AbstainFromRound():
                await self._retrying(effect, lambda: self._abstain(effect))
            case st.RevealResult():
                await self._retrying(effect, lambda: self._reveal(effect))
            case st.CloseFailedRound():
                await self._retrying(effect, lambda: self._close(effect))
            case st.PublishBundles():
                await self._retrying(effect, lambda: self._publish(effect))

    # -- computing -------------------------------------------------------------------------

    async def _compute_result(self, effect: st.ComputeResult) -> None:
        state = self._state(effect)
        if state.is_over and not await self._is_latest_final(state):
            return
        try:
            timed = await self._computation(state)
        except DigestMismatch as exc:
            self._not_computed(state, Reason.INPUT_MISMATCH, exc)
        except TransportError as exc:
            self._not_computed(state, Reason.INPUTS_UNAVAILABLE, exc)
        except EvidenceError as exc:
            self._not_computed(state, Reason.INPUT_INVALID, exc)
        except ConflictError as exc:
            self._not_computed(state, Reason.INPUTS_UNAVAILABLE, exc)
        except Exception as exc:
            self._log.error("computing failed", round=state.number, where=place_of(exc))
            self._not_computed(state, Reason.INTERNAL_FAULT, type(exc).__name__)
        else:
            self._metrics.compute_seconds.observe(timed.seconds)
            result = timed.computation.result.result
            self._report(state.number, Computed(result, _summary(timed)))

    def _not_computed(self, state: RoundState, reason: Reason, why: object) -> None:
        if isinstance(why, DocumentFault):
            told = [str(fault) for fault in why.faults[:_FAULTS_TOLD]]
            more = len(why.faults) + why.more - len(told)
            detail = "; ".join(told) + (f"; and {more} more" if more > 0 else "")
        else:
            detail = str(why)
        self._report(state.number, NotComputed(reason, detail))

    async def _computation(self, state: RoundState) -> _Timed:
        """The computation of a round: kept, or done now.

        One computes at a time; fetching does not wait for it, so that a round whose inputs stay
        away holds up no other.
        """
        kept = self._computations.get(state.number)
        if kept is not None:
            return kept
        inputs = await self._inputs(state)
        async with self._computing:
            outside = self._outside
            started = outside.clock.now()
            computation = await asyncio.to_thread(
                outside.compute, inputs, state.context, state.opened, self._progress(state.number)
            )
            self.progress.pop(state.number, None)
            timed = _Timed(computation, outside.clock.now() - started)
            await self._keep_inputs(state, inputs)
            self._computations[state.number] = timed
            while len(self._computations) > _KEPT_COMPUTATIONS:
                self._computations.popitem(last=False)
            return timed

    async def _inputs(self, state: RoundState) -> Inputs:
        """Fetch a round's inputs, trying until shortly before the voting deadline."""
        opened, outside = state.opened, self._outside
        window = opened.vote_deadline - (state.now or outside.clock.now())
        give_up = opened.vote_deadline - min(30.0, max(window, 0.0) * 0.2)
        envelope = await self._until(
            give_up,
            "fetch envelope",
            lambda: outside.sender.document(state.number, opened.envelope_digest),
        )
        registry = await self._until(
            give_up,
            "fetch snapshot",
            lambda: outside.registry.snapshot(state.number, opened.registry_digest),
        )
        salt = await self._until(
            give_up,
            "fetch salt",
            lambda: outside.registry.salt(state.number, opened.registry_digest),
        )
        return Inputs(envelope, registry, salt, outside.feed)

    async def _until(self, deadline: float, step: str, fetch: Callable[[], Awaitable[T]]) -> T:
        """Try a fetch until it works or the deadline (UTC seconds) has passed."""
        wait = _FIRST_WAIT_S
        while True:
            try:
                return await fetch()
            except TransportError as exc:
                left = deadline - self._outside.clock.now()
                if left <= 0:
                    raise
                self._metrics.retries.labels(step).inc()
                self._log.warning("will try again", step=step, why=str(exc))
                await asyncio.sleep(min(_jittered(wait), left))
                wait = min(wait * 2, _LONGEST_WAIT_S)

    async def _keep_inputs(self, state: RoundState, inputs: Inputs) -> None:
        archive, seal = self._outside.archive, self._outside.seal_inputs
        if archive is not None and seal is not None:
            archive.put(state.number, await asyncio.to_thread(seal, state.context, inputs))

    def _progress(self, number: int) -> Callable[[str, int, int], None]:
        clock, told = self._outside.clock, self._outside.clock.now()

        def note(stage: str, done: int, total: int) -> None:
            nonlocal told
            share = f"{stage} {100 * done // max(total, 1)} %"
            self.progress[number] = share
            if clock.now() - told >= _PROGRESS_EVERY_S:
                told = clock.now()
                self._log.info("computing", round=number, progress=share)

        return note

    # -- writes ----------------------------------------------------------------------------

    async def _retrying(self, effect: Effect, step: Callable[[], Awaitable[None]]) -> None:
        name, wait = st.effect_id(effect), _FIRST_WAIT_S
        while True:
            try:
                return await step()
            except (TransportError, ConflictError) as exc:
                self.note_retry(name, str(exc))
            await asyncio.sleep(_jittered(wait))
            wait = min(wait * 2, _LONGEST_WAIT_S)

    def note_retry(self, name: str, why: str) -> None:
        """Log and count that an effect will be tried again."""
        self._metrics.retries.labels(name.split("/")[1]).inc()
        self._log.warning("will try again", effect=name, why=why)

    async def _cast(self, effect: st.CastBallot) -> None:
        state = self._state(effect)
        if await self._may_vote(state):
            ballot = ballot_for(state.context, state.operator, effect.result)
            await self._outside.chain.cast_ballot(effect.round, ballot)
            self._log.info("ballot cast", round=effect.round)

    async def _abstain(self, effect: st.AbstainFromRound) -> None:
        state = self._state(effect)
        if await self._may_vote(state):
            await self._outside.chain.abstain(effect.round, effect.reason)
            self._log.warning(
                "abstained", round=effect.round, reason=effect.reason.label, why=state.detail
            )

    async def _may_vote(self, state: RoundState) -> bool:
        """Whether the chain still takes this worker's vote (its outcome may be unknown here)."""
        on_chain = await self._outside.chain.round(state.number)
        if on_chain is None or state.me is None or on_chain.phase != Phase.VOTING:
            return False
        return not on_chain.voted >> state.me.index & 1

    async def _reveal(self, effect: st.RevealResult) -> None:
        chain = self._outside.chain
        on_chain = await chain.round(effect.round)
        state = self._state(effect)
        known = any(candidate.result == effect.result for candidate in state.candidates)
        if on_chain is None or known or on_chain.phase.is_over or on_chain.phase == Phase.EXPIRED:
            return
        events = await chain.round_events(effect.round)
        ballots = [
            (member, event.ballot)
            for event in events
            if isinstance(event, BallotCast)
            and (member := state.electorate.by_operator(event.operator)) is not None
        ]
        await chain.reveal_root(effect.round, effect.result.root, effect.result.partitions, ballots)
        self._log.info("root revealed", round=effect.round, root=effect.result.root.hex())

    async def _close(self, effect: st.CloseFailedRound) -> None:
        on_chain = await self._outside.chain.round(effect.round)
        if on_chain is None or on_chain.phase.is_over:
            return
        if on_chain.phase != Phase.EXPIRED:
            raise ConflictError("the reveal window is still open on chain")
        await self._outside.chain.fail_round(effect.round)
        self._log.warning("round closed as failed", round=effect.round)

    # -- delivery --------------------------------------------------------------------------

    async def _publish(self, effect: st.PublishBundles) -> None:
        state = self._state(effect)
        computation = (await self._computation(state)).computation
        if computation.result.result != state.final:
            raise ConflictError("the inputs now give another result than before")
        await asyncio.to_thread(self._seal_bundles, state, computation)
        self._log.info(
            "bundles published", round=effect.round, partitions=len(computation.result.partitions)
        )

    def _seal_bundles(self, state: RoundState, computation: Computation) -> None:
        info = bundle.sealing_info(state.context)
        for index, partition in enumerate(computation.result.partitions):
            if partition.aggregator_id == UNASSIGNED:
                continue
            key = computation.aggregators[partition.aggregator_id].public_key
            try:
                plaintext = bundle.build(computation.result, index)
            except bundle.BundleError as exc:
                # Too large for one bundle: the others are delivered all the same.
                self._log.error("partition not delivered", round=state.number, why=str(exc))
                continue
            name = bundle.bundle_name(state.context, key)
            self._outside.shelf.put(state.number, name, self._outside.seal(key, plaintext, info))

    # -- helpers ---------------------------------------------------------------------------

    def _state(self, effect: Effect) -> RoundState:
        state = self._state_of(effect.round)
        if state is None:
            raise ConflictError(f"round {effect.round} is not known here")
        return state

    async def _is_latest_final(self, state: RoundState) -> bool:
        latest = await self._outside.chain.latest_final(
            state.opened.horizon_start, state.opened.interval_count
        )
        return latest == state.number


def _summary(timed: _Timed) -> Summary:
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


def _jittered(wait_s: float) -> float:
    return wait_s * random.uniform(0.5, 1.5)  # noqa: S311 - spreads retries, guards nothing
