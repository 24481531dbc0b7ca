"""A round's record on chain beside its events: two accounts of one round, held against each other.

Guarantees: `differences` is empty for every round of an honest chain at one block, and names what
differs if a single vote, result, abstention or end in either account is changed, added or left
out. Leaves out reading both (``oepnode.adapters.chain``). Source: ``contracts/src``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from eth_utils.crypto import keccak
from msgspec import Struct

from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import (
    Abstained,
    BallotCast,
    Electorate,
    Equivocated,
    Event,
    Phase,
    RootRevealed,
    Round,
    RoundCancelled,
    RoundFailed,
    RoundFinalised,
    RoundOpened,
)
from oepnode.domain.rounds.tally import Ballot, RoundAccount


class ContractRecord(Struct, frozen=True):
    """Everything that the contract stores about a round.

    Attributes:
        state: The round's state.
        members: Bitmap of the electorate.
        ballots_hash: Rolling hash of the ballots in the order cast, 32 bytes; zero once final.
        candidates: Root, partitions and matched bitmap of each revealed result, in that order.
        abstentions: Index and reason of each abstention, by index.
        equivocators: Bitmap of members that were shown to have signed two votes.
    """

    state: Round
    members: int
    ballots_hash: bytes
    candidates: tuple[tuple[bytes, int, int], ...]
    abstentions: tuple[tuple[int, int], ...]
    equivocators: int


class RoundHistory(Struct, frozen=True):
    """A round's record and all its events at one block of the chain."""

    record: ContractRecord
    events: tuple[Event, ...]


def ballots_hash(context: RoundContext, ballots: Iterable[Ballot]) -> bytes:
    """The rolling hash that the contract keeps: H(n) = keccak256(H(n−1) ‖ index ‖ ballot)."""
    words = (context.chain_id, int.from_bytes(context.contract), context.number)
    rolling = keccak(b"".join(word.to_bytes(32) for word in words))
    for ballot in ballots:
        rolling = keccak(rolling + ballot.pack())
    return rolling


def differences(
    context: RoundContext, history: RoundHistory, electorate: Electorate, counted: RoundAccount
) -> tuple[str, ...]:
    """What differs between record, events, electorate and the ballots counted again.

    Args:
        context: The round.
        history: Record and events, at one block.
        electorate: The round's.
        counted: The count of these events (`tally.account`).
    """
    record, events = history.record, history.events
    return (
        *_of_electorate(record, electorate),
        *_of_state(record.state, events),
        *_of_votes(context, record, events, electorate),
        *_of_results(record, events),
        *counted.differences,
        *_of_end(record.state, counted),
    )


def event_problem(event: Event, state: Round) -> str:
    """How a round's state contradicts one event of an opening or an end, or an empty text."""
    if isinstance(event, RoundOpened):
        return _problem_of_opening(event, state)
    if isinstance(event, RoundFinalised):
        result = (state.phase, state.root, state.partitions, state.matched)
        if result != (Phase.FINAL, event.root, event.partitions, event.matched):
            return "the round's state has no such final result"
    if isinstance(event, RoundFailed) and state.phase is not Phase.FAILED:
        return "the round has not failed by its state"
    if isinstance(event, RoundCancelled) and state.phase is not Phase.CANCELLED:
        return "the round is not cancelled by its state"
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


def _of_electorate(record: ContractRecord, electorate: Electorate) -> Iterator[str]:
    state = record.state
    bits = sum(1 << member.index for member in electorate.members)
    if bits != record.members or len(electorate.members) != state.member_count:
        yield (
            f"members {record.members:#x} ({state.member_count}) in the round's state, "
            f"{bits:#x} ({len(electorate.members)}) in the electorate of epoch {state.epoch}"
        )
    for name, in_state, in_terms in (
        ("quorum", state.quorum, electorate.quorum),
        ("rules version", state.rules_version, electorate.rules_version),
        ("voting window", state.vote_deadline - state.opened_at, electorate.vote_window_s),
        (
            "reveal window",
            state.reveal_deadline - state.vote_deadline,
            electorate.reveal_window_s,
        ),
    ):
        if in_state != in_terms:
            yield f"{name} {in_state} in the round's state, {in_terms} in its epoch's terms"


def _of_state(state: Round, events: Sequence[Event]) -> Iterator[str]:
    for event in events:
        if problem := event_problem(event, state):
            yield f"{type(event).__name__} in block {event.location.block}: {problem}"
    endings = {
        Phase.FINAL: RoundFinalised,
        Phase.FAILED: RoundFailed,
        Phase.CANCELLED: RoundCancelled,
    }
    ending = endings.get(state.phase)
    if ending is not None and not any(isinstance(event, ending) for event in events):
        yield f"the round is {state.phase.name.lower()} by its state, but no event shows it"


def _of_votes(
    context: RoundContext, record: ContractRecord, events: Sequence[Event], electorate: Electorate
) -> Iterator[str]:
    index_of = {member.operator: member.index for member in electorate.members}
    cast = [
        Ballot(index_of[event.operator], event.ballot)
        for event in events
        if isinstance(event, BallotCast)
    ]
    abstentions = sorted(
        (index_of[event.operator], event.reason) for event in events if isinstance(event, Abstained)
    )
    votes = [ballot.index for ballot in cast] + [index for index, _ in abstentions]
    shown = sum(1 << index for index in set(votes))
    if shown != record.state.voted:
        yield f"votes of members {record.state.voted:#x} by the record, {shown:#x} by the events"
    if len(set(votes)) != len(votes):
        yield "an event shows a second vote of a member"
    if tuple(abstentions) != record.abstentions:
        yield f"abstentions {record.abstentions} by the record, {tuple(abstentions)} by the events"
    if record.state.phase is not Phase.FINAL:
        recounted = ballots_hash(context, cast)
        if recounted != record.ballots_hash:
            yield (
                f"ballots hash {record.ballots_hash.hex()} by the record, {recounted.hex()} by "
                "the events"
            )
    shown = sum({1 << index_of[e.operator] for e in events if isinstance(e, Equivocated)})
    if shown != record.equivocators:
        yield f"equivocators {record.equivocators:#x} by the record, {shown:#x} by the events"


def _of_results(record: ContractRecord, events: Sequence[Event]) -> Iterator[str]:
    revealed = tuple(
        (event.root, event.partitions, event.matched)
        for event in events
        if isinstance(event, RootRevealed)
    )
    if revealed != record.candidates:
        yield f"results {_shown(record.candidates)} by the record, {_shown(revealed)} by the events"


def _of_end(state: Round, counted: RoundAccount) -> Iterator[str]:
    if state.phase is not Phase.FINAL:
        return
    final = counted.final
    if final is None or (final.root, final.partitions) != (state.root, state.partitions):
        yield f"final root {state.root.hex()} by the round's state, not by the events"


def _shown(results: Iterable[tuple[bytes, int, int]]) -> str:
    return ", ".join(f"{root.hex()[:16]}… {matched:#x}" for root, _, matched in results) or "none"
