"""A round's record against its events: every change of one of them is a difference."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from oepnode.domain.rounds import history, tally
from oepnode.domain.rounds.history import ContractRecord, RoundHistory
from oepnode.domain.rounds.onchain import (
    Abstained,
    BallotCast,
    Equivocated,
    Event,
    Phase,
    RootRevealed,
    RoundCancelled,
    RoundFailed,
    RoundFinalised,
    RoundOpened,
)
from oepnode.domain.rounds.tally import Ballot
from tests.contract_model.packed_ballots import rolling_hash
from tests.support.round_world import (
    CONTEXT,
    ELECTORATE,
    MEMBERS,
    RESULT,
    WRONG,
    events,
    location,
    opened,
    state,
)

EVENTS = tuple(events())
RECORD = ContractRecord(
    state=state(3, Phase.FINAL),
    members=0b11111,
    ballots_hash=bytes(32),
    candidates=(
        (WRONG.root, WRONG.partitions, 0b00010),
        (RESULT.root, RESULT.partition_count, 0b01101),
    ),
    abstentions=((4, 2),),
    equivocators=0,
)
BALLOTS = [
    Ballot(index, event.ballot)
    for index, event in enumerate(e for e in EVENTS if isinstance(e, BallotCast))
]
REVEALING = replace(
    RECORD,
    state=replace(
        RECORD.state, phase=Phase.REVEALING, root=b"", partitions=0, matched=0, voted=0b11111
    ),
    ballots_hash=history.ballots_hash(CONTEXT, BALLOTS),
    candidates=RECORD.candidates[:1],
)


def differences(record: ContractRecord, log: tuple[Event, ...]) -> tuple[str, ...]:
    counted = tally.account(CONTEXT, ELECTORATE, log)
    return history.differences(CONTEXT, RoundHistory(record, log), ELECTORATE, counted)


def without(kind: type[Event], number: int = 0) -> Callable[[tuple[Event, ...]], tuple[Event, ...]]:
    def change(log: tuple[Event, ...]) -> tuple[Event, ...]:
        removed = [event for event in log if isinstance(event, kind)][number]
        return tuple(event for event in log if event is not removed)

    return change


def test_an_honest_round_has_none() -> None:
    assert differences(RECORD, EVENTS) == ()
    assert differences(REVEALING, EVENTS[:-2]) == ()


def test_the_ballots_hash_is_the_contracts() -> None:
    assert history.ballots_hash(CONTEXT, BALLOTS) == rolling_hash(CONTEXT, BALLOTS)


@pytest.mark.parametrize(
    "change",
    [
        *(without(BallotCast, number) for number in range(4)),
        without(Abstained),
        without(RootRevealed, 0),
        without(RootRevealed, 1),
        without(RoundFinalised),
        lambda log: (
            *log,
            BallotCast(location(9), 3, MEMBERS[4].operator, b"\x05" * 32, b"c" * 32),
        ),
        lambda log: (*log, Equivocated(location(9), 3, MEMBERS[1].operator, b"a" * 32, b"b" * 32)),
        lambda log: (*log, RoundFailed(location(9), 3)),
        lambda log: (*log, RoundCancelled(location(9), 3, "late")),
        lambda log: (replace(opened(), vote_deadline=1), *log[1:]),
        lambda log: (replace(opened(), location=location(2)), *log[1:]),
        lambda log: (*log[:-1], replace(log[-1], root=b"\xbb" * 32)),
    ],
)
def test_every_change_of_the_events_shows(
    change: Callable[[tuple[Event, ...]], tuple[Event, ...]],
) -> None:
    assert differences(RECORD, change(EVENTS))


def test_a_ballot_that_was_replaced_shows_in_the_ballots_hash() -> None:
    log = EVENTS[:-2]
    forged = tuple(
        replace(event, ballot=b"\x09" * 32)
        if isinstance(event, BallotCast) and event.operator == MEMBERS[0].operator
        else event
        for event in log
    )
    assert any("ballots hash" in text for text in differences(REVEALING, forged))


@pytest.mark.parametrize(
    "change",
    [
        {"members": 0b1111},
        {"candidates": RECORD.candidates[1:]},
        {"candidates": ((WRONG.root, WRONG.partitions, 0), RECORD.candidates[1])},
        {"abstentions": ()},
        {"abstentions": ((4, 3),)},
        {"equivocators": 1},
        *(
            {"state": replace(RECORD.state, **{name: value})}
            for name, value in {
                "phase": Phase.FAILED,
                "epoch": 2,
                "quorum": 2,
                "member_count": 4,
                "rules_version": 2,
                "horizon_start": 300,
                "opened_at": 7,
                "opened_in_block": 2,
                "vote_deadline": 9,
                "reveal_deadline": 9,
                "voted": 0b1111,
                "root": b"\xbb" * 32,
                "partitions": 9,
                "matched": 0b11111,
            }.items()
        ),
    ],
)
def test_every_change_of_the_record_shows(change: dict[str, object]) -> None:
    assert differences(replace(RECORD, **change), EVENTS)


def test_an_opening_is_no_difference_of_itself() -> None:
    (event,) = (e for e in EVENTS if isinstance(e, RoundOpened))
    assert history.event_problem(event, RECORD.state) == ""
