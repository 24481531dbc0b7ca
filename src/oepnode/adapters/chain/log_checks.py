"""Checks a round's events against its state: an event alone proves nothing.

Leaves out the count of votes (``oepnode.domain.rounds.tally``).
"""

from __future__ import annotations

from collections.abc import Sequence

from oepnode.domain.rounds.onchain import (
    Abstained,
    BallotCast,
    Event,
    Phase,
    Round,
    RoundCancelled,
    RoundFailed,
    RoundFinalised,
    RoundOpened,
)
from oepnode.errors import TransportError


def check_events(number: int, events: Sequence[Event], state: Round | None) -> None:
    """Check the events of one round against its state at their last block or later.

    Args:
        number: The round.
        events: Events, of other rounds too; of this one not necessarily all.
        state: The round's state, None where the contract has no such round.

    Raises:
        TransportError: If the state contradicts an event; it names the event.
    """
    own = [event for event in events if event.round == number]
    if state is None:
        raise _contradiction(own[0], "the contract has no such round")
    voters: set[bytes] = set()
    for event in own:
        if isinstance(event, BallotCast | Abstained):
            voters.add(event.operator)
            if len(voters) > state.voted.bit_count():
                raise _contradiction(event, f"only {len(voters) - 1} members have voted")
        elif problem := _problem(event, state):
            raise _contradiction(event, problem)


def _problem(event: Event, state: Round) -> str:
    if isinstance(event, RoundOpened):
        return _problem_of_opening(event, state)
    if isinstance(event, RoundFinalised):
        result = (state.root, state.partitions, state.matched)
        if state.phase is not Phase.FINAL or result != (
            event.root,
            event.partitions,
            event.matched,
        ):
            return "the round is not final with this result"
    if isinstance(event, RoundFailed) and state.phase is not Phase.FAILED:
        return "the round has not failed"
    if isinstance(event, RoundCancelled) and state.phase is not Phase.CANCELLED:
        return "the round is not cancelled"
    return ""


def _problem_of_opening(event: RoundOpened, state: Round) -> str:
    stated = {
        "block": (event.location.block, state.opened_in_block),
        "epoch": (event.epoch, state.epoch),
        "horizon": (event.horizon_start, state.horizon_start),
        "intervals": (event.interval_count, state.interval_count),
        "rules version": (event.rules_version, state.rules_version),
        "vote deadline": (event.vote_deadline, state.vote_deadline),
        "reveal deadline": (event.reveal_deadline, state.reveal_deadline),
    }
    return "; ".join(
        f"{name} {in_event}, in the round's state {in_state}"
        for name, (in_event, in_state) in stated.items()
        if in_event != in_state
    )


def _contradiction(event: Event, problem: str) -> TransportError:
    return TransportError(
        f"the nodes contradict themselves: {type(event).__name__} of round {event.round} in block "
        f"{event.location.block}, but {problem}"
    )
