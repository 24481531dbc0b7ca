"""The worker's decisions: ``transition(state, change) → (state, effects)``, pure and replayable.

Applying a change twice has the effect of applying it once. The desired effects follow from the
state alone (`_desired_effects`), so a restart or a reorganisation needs no decisions of its own.

Turns: every member may reveal and close, but one transaction is enough. Members take turns, and the
first one changes with the round's number; each waits for its turn after the vote, and members
whose result has a quorum go first. Source: ``docs/design.md`` §2, steps 4 to 6.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

from msgspec.structs import replace

from oepnode.domain.rounds import onchain
from oepnode.domain.rounds.ballot import Reason, Result, ballot_for
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Electorate, Event, Phase
from oepnode.domain.rounds.partition import RULES_VERSION
from oepnode.worker.state import (
    AbstainFromRound,
    Candidate,
    CastBallot,
    Change,
    CloseFailedRound,
    Computed,
    ComputeResult,
    Effect,
    NotComputed,
    PublishBundles,
    Resynced,
    RevealResult,
    RoundState,
    Skipped,
    Ticked,
    effect_id,
)

_T = TypeVar("_T")

Transition = tuple[RoundState, tuple[Effect, ...]]


def begin(
    context: RoundContext, opened: onchain.RoundOpened, electorate: Electorate, operator: bytes
) -> Transition:
    """The state of a newly opened round, and its first effects."""
    is_known = opened.rules_version == RULES_VERSION
    state = RoundState(
        context=context,
        opened=opened,
        electorate=electorate,
        operator=operator,
        reason=None if is_known else Reason.RULES_UNKNOWN,
        detail="" if is_known else f"this release implements rules version {RULES_VERSION}",
    )
    return _request_effects(state, turn_s=0)


def transition(state: RoundState, change: Change, turn_s: float) -> Transition:
    """Apply a change.

    Args:
        state: The round so far.
        change: An event, a tick or the outcome of a computation.
        turn_s: Seconds between members' turns to reveal or close.

    Returns:
        The new state, and the effects that were not requested before.
    """
    return _request_effects(_apply(state, change), turn_s)


# --- changes -------------------------------------------------------------------------------------


def _apply(state: RoundState, change: Change) -> RoundState:
    match change:
        case Ticked(now, settled):
            return _noting_close(replace(state, now=max(now, state.now)), settled)
        case Computed(inputs, result, custody, summary):
            if inputs != state.opened.inputs:
                return state
            return replace(state, result=result, custody=custody, summary=summary)
        case NotComputed(inputs, reason, detail):
            is_mine = inputs == state.opened.inputs and state.result is None
            return replace(state, reason=reason, detail=detail) if is_mine else state
        case Skipped(inputs, detail):
            is_mine = inputs == state.opened.inputs and state.result is None
            return replace(state, is_skipped=True, detail=detail) if is_mine else state
        case Resynced(events):
            return _resynced(state, events)
        case _:
            return _apply_event(state, change)


def _apply_event(state: RoundState, event: Event) -> RoundState:
    match event:
        case onchain.BallotCast(operator=operator, ballot=ballot):
            return replace(state, ballots=_with(state.ballots, (operator, ballot)))
        case onchain.Abstained(operator=operator, reason=reason):
            return replace(state, abstentions=_with(state.abstentions, (operator, reason)))
        case onchain.RootRevealed(root=root, partitions=partitions, matched=matched):
            candidate = Candidate(Result(root, partitions), matched)
            return replace(state, candidates=_with(state.candidates, candidate))
        case onchain.RoundFinalised(root=root, partitions=partitions):
            return replace(state, phase=Phase.FINAL, final=Result(root, partitions))
        case onchain.RoundFailed():
            return replace(state, phase=Phase.FAILED)
        case onchain.RoundCancelled():
            return replace(state, phase=Phase.CANCELLED)
        case _:
            return state


def _resynced(state: RoundState, events: tuple[Event, ...]) -> RoundState:
    """Keep the computed result, discard the chain's facts, and apply the events again."""
    opened = next((e for e in events if isinstance(e, onchain.RoundOpened)), None)
    if opened is None:
        return replace(state, phase=Phase.CANCELLED)  # no longer on the chain
    on_chain = ("cast", "abstain", "reveal", "close")
    state = replace(
        state,
        opened=opened,
        closed_at=None,
        ballots=(),
        abstentions=(),
        candidates=(),
        final=None,
        phase=Phase.VOTING,
        requested=tuple(name for name in state.requested if name.split("/")[1] not in on_chain),
    )
    for event in events:
        state = _apply_event(state, event)
    return _noting_close(state, settled=0)


def _noting_close(state: RoundState, settled: int) -> RoundState:
    """Note when the vote is over for good: a root that is out in an open vote can be copied.

    With half of the reveal window gone the newest block's time is enough, so that slow blocks do
    not cost the round.
    """
    opened = state.opened
    late = opened.vote_deadline + (opened.reveal_deadline - opened.vote_deadline) // 2
    is_late = state.now >= late
    is_closed = state.have_all_voted or settled >= opened.vote_deadline or is_late
    if is_closed and state.closed_at is None and state.now:
        return replace(state, closed_at=state.now)
    return state


# --- intents -------------------------------------------------------------------------------------


def _request_effects(state: RoundState, turn_s: float) -> Transition:
    new = [e for e in _desired_effects(state, turn_s) if effect_id(e) not in state.requested]
    requested = (*state.requested, *(effect_id(effect) for effect in new))
    return replace(state, requested=requested), tuple(new)


def _desired_effects(state: RoundState, turn_s: float) -> Iterator[Effect]:
    if state.me is None or state.is_skipped:
        return
    if state.result is None and state.reason is None:
        if not state.is_over or state.final is not None:
            yield ComputeResult(state.number)
    elif _can_vote(state):
        is_ballot = state.result is not None
        yield CastBallot(state.number) if is_ballot else AbstainFromRound(state.number)
    if not state.is_over:
        yield from _closing(state, turn_s)
    if state.final is not None and state.final == state.result:
        yield PublishBundles(state.number)


def _can_vote(state: RoundState) -> bool:
    return not state.is_over and not state.have_i_voted and state.now < state.opened.vote_deadline


def _closing(state: RoundState, turn_s: float) -> Iterator[Effect]:
    if state.closed_at is None:
        return
    # All turns, those of results without a quorum too, fit into what is left to reveal.
    is_failed = state.now >= state.opened.reveal_deadline
    begins = max(state.opened.vote_deadline, 0 if is_failed else state.closed_at)
    window = state.opened.reveal_deadline - begins
    turn_s = min(turn_s, window / (2 * len(state.electorate.members) + 1))
    if is_failed:
        if state.now >= state.opened.reveal_deadline + _turn(state) * turn_s:
            yield CloseFailedRound(state.number)
        return
    if state.result is None or any(c.result == state.result for c in state.candidates):
        return
    turn = _turn(state) + (0 if _has_quorum(state) else len(state.electorate.members))
    if state.now >= state.closed_at + turn * turn_s and _matching(state):
        yield RevealResult(state.number)


def _turn(state: RoundState) -> int:
    """Number of members whose turn comes before this worker's in this round."""
    members = state.electorate.members
    index = next(i for i, member in enumerate(members) if member.operator == state.operator)
    return (index - state.number) % len(members)


def _has_quorum(state: RoundState) -> bool:
    return _matching(state) >= state.electorate.quorum


def _matching(state: RoundState) -> int:
    """Number of ballots that were cast for this worker's result."""
    if state.result is None:
        return 0
    index_of = {member.operator: member.index for member in state.electorate.members}
    return sum(
        operator in index_of
        and ballot == ballot_for(state.context, index_of[operator], state.result)
        for operator, ballot in state.ballots
    )


def _with(known: tuple[_T, ...], item: _T) -> tuple[_T, ...]:
    return known if item in known else (*known, item)
