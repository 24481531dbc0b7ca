"""Checks a round's events against its state: an event alone proves nothing.

Leaves out the comparison of a whole round (``oepnode.domain.rounds.history``).
"""

from __future__ import annotations

from collections.abc import Sequence

from oepnode.domain.rounds.history import event_problem
from oepnode.domain.rounds.onchain import Abstained, BallotCast, Event, Round
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
        elif problem := event_problem(event, state):
            raise _contradiction(event, problem)


def _contradiction(event: Event, problem: str) -> TransportError:
    return TransportError(
        f"the nodes contradict themselves: {type(event).__name__} of round {event.round} in block "
        f"{event.location.block}, but {problem}"
    )
