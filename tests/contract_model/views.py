"""The contract's views of its state, under their names on chain in snake case."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from oepnode.domain.rounds import tally
from oepnode.domain.rounds.ballot import Result
from oepnode.domain.rounds.onchain import Phase
from tests.contract_model.packed_ballots import rolling_hash
from tests.contract_model.rounds import context_of, round_of
from tests.contract_model.state import (
    NO_HASH,
    NOBODY,
    Reverted,
    RoundRecord,
    RoundStatus,
    Seat,
    State,
    Terms,
)


@dataclass(frozen=True, slots=True)
class RoundView:
    """A round as others read it, field for field as on chain."""

    status: RoundStatus
    phase: Phase
    epoch: int
    horizon_start: int
    horizon_intervals: int
    rules_version: int
    opened_at: int
    opened_in_block: int
    vote_deadline: int
    reveal_deadline: int
    member_count: int
    quorum: int
    members: int
    voted: int
    ballots_hash: bytes
    root: bytes
    partitions: int
    matched: int


def round_view(state: State, number: int, time: int) -> RoundView:
    """The view of a round at a time."""
    round_ = round_of(state, number)
    terms = state.terms[round_.epoch - 1]
    result = round_.result
    hashed = rolling_hash(context_of(state, number), round_.ballots)
    return RoundView(
        status=round_.status,
        phase=phase(round_, time),
        epoch=round_.epoch,
        horizon_start=round_.horizon[0],
        horizon_intervals=round_.horizon[1],
        rules_version=terms.policy.rules_version,
        opened_at=round_.opened_at,
        opened_in_block=round_.opened_in_block,
        vote_deadline=round_.vote_deadline,
        reveal_deadline=round_.reveal_deadline,
        member_count=terms.member_count,
        quorum=terms.quorum,
        members=terms.members,
        voted=terms.members & ~round_.waiting,
        ballots_hash=NO_HASH if result else hashed,
        root=result.root if result else NO_HASH,
        partitions=result.partitions if result else 0,
        matched=candidates(state, number)[-1][1] if result else 0,
    )


def terms_view(terms: Terms) -> tuple[int, ...]:
    """The view of an epoch's terms, field for field as on chain."""
    return (terms.members, terms.member_count, terms.quorum, *astuple(terms.policy))


def record_view(state: State, number: int, time: int) -> tuple[object, ...]:
    """Everything about a round at a time, field for field as on chain."""
    return (
        astuple(round_view(state, number, time)),
        terms_view(state.terms[round_of(state, number).epoch - 1]),
        tuple((r.root, r.partitions, matched) for r, matched in candidates(state, number)),
        abstentions(state, number),
        equivocators(state, number),
    )


def final_result(state: State, number: int) -> tuple[bytes, int]:
    """Root and partitions of a final round.

    Raises:
        Reverted: For any other round.
    """
    is_known = 0 < number <= len(state.rounds)
    status = state.rounds[number - 1].status if is_known else RoundStatus.NONE
    result = state.rounds[number - 1].result if is_known else None
    if result is None:
        raise Reverted("WrongStatus", number, RoundStatus.FINAL, status)
    return result.root, result.partitions


def phase(round_: RoundRecord, time: int) -> Phase:
    """Phase of a round at a time."""
    closed = {
        RoundStatus.FINAL: Phase.FINAL,
        RoundStatus.FAILED: Phase.FAILED,
        RoundStatus.CANCELLED: Phase.CANCELLED,
    }
    if round_.status in closed:
        return closed[round_.status]
    if time >= round_.reveal_deadline:
        return Phase.EXPIRED
    if time >= round_.vote_deadline or not round_.waiting:
        return Phase.REVEALING
    return Phase.VOTING


def abstentions(state: State, number: int) -> tuple[tuple[int, int], ...]:
    """Index and reason of each member that abstained, by index."""
    return tuple(sorted(round_of(state, number).abstentions.items()))


def candidates(state: State, number: int) -> tuple[tuple[Result, int], ...]:
    """All revealed results in the order revealed, with the members who had voted for each."""
    round_ = round_of(state, number)
    revealed = tuple(round_.candidates.items())
    if round_.result is None:
        return revealed
    matched = tally.matching(context_of(state, number), round_.ballots, round_.result)
    return (*revealed, (round_.result, tally.bitmap(matched)))


def equivocators(state: State, number: int) -> int:
    """Bitmap of the members reported to have signed two votes."""
    return round_of(state, number).equivocators


def latest_final(state: State, horizon: tuple[int, int]) -> int:
    """The latest final round of a horizon, or 0."""
    return max(
        (
            number
            for number, round_ in enumerate(state.rounds, 1)
            if round_.status is RoundStatus.FINAL and round_.horizon == horizon
        ),
        default=0,
    )


def seat_of(state: State, signer: bytes) -> Seat:
    """The seat of a signer, all zero where the address never was one."""
    return state.seat_of(signer) or Seat(NOBODY, NOBODY, 0, 0, 0)


def signer_of(state: State, operator: bytes) -> bytes:
    """The signer of a member, or zero."""
    seat = state.live_seat(operator)
    return seat.signer if seat else NOBODY
