"""Rounds as the tests of the worker need them: an electorate of five, and events about it."""

from oepnode.domain.rounds import onchain
from oepnode.domain.rounds.ballot import Reason, Result, ballot_for
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Electorate, LogLocation, Member
from oepnode.worker.state import Computed, RoundState, Summary, Ticked
from oepnode.worker.transition import begin

OPENED_AT = 1_795_000_000
VOTE_DEADLINE = OPENED_AT + 60
REVEAL_DEADLINE = VOTE_DEADLINE + 60
TURN_S = 4.0
MEMBERS = tuple(
    Member(index=i, operator=bytes([0xA0 + i]) * 20, signer=bytes([0xB0 + i]) * 20)
    for i in range(5)
)
ELECTORATE = Electorate(
    epoch=2, members=MEMBERS, quorum=4, vote_window_s=60, reveal_window_s=60, rules_version=1
)
RIGHT = Result(b"\x11" * 32, 4)
WRONG = Result(b"\x22" * 32, 4)
CUSTODY = b"\xcc" * 32
SUMMARY = Summary(sites=7, partitions=4, unassigned_nmis=1, seconds=0.5)


def location(block: int = 1, log_index: int = 0) -> LogLocation:
    return LogLocation(block, bytes([block]) * 32, bytes([block, log_index]) * 16, log_index)


def context(number: int = 1) -> RoundContext:
    return RoundContext(31337, b"\xc0" * 20, number)


def opened(number: int = 1, rules_version: int = 1) -> onchain.RoundOpened:
    return onchain.RoundOpened(
        location=location(),
        round=number,
        epoch=2,
        requester=b"\xee" * 20,
        horizon_start=OPENED_AT // 300 * 300,
        interval_count=6,
        envelope_digest=b"\x33" * 32,
        registry_digest=b"\x44" * 32,
        rules_version=rules_version,
        vote_deadline=VOTE_DEADLINE,
        reveal_deadline=REVEAL_DEADLINE,
    )


def fresh(me: int = 0, number: int = 1) -> RoundState:
    """The state of a member right after the round opened."""
    return begin(context(number), opened(number), ELECTORATE, MEMBERS[me].operator)[0]


def ticked(now: int, behind_s: int = 0) -> Ticked:
    """Time has passed, on a chain whose settled block is that far behind the newest."""
    return Ticked(now, now - behind_s)


def ballot(member: int, result: Result = RIGHT, number: int = 1) -> onchain.BallotCast:
    operator = MEMBERS[member].operator
    cast = ballot_for(context(number), MEMBERS[member].index, result)
    return onchain.BallotCast(location(2, member), number, operator, cast, CUSTODY)


def abstained(member: int, reason: Reason = Reason.INPUT_INVALID) -> onchain.Abstained:
    return onchain.Abstained(location(2, member), 1, MEMBERS[member].operator, int(reason))


def revealed(result: Result, matched: int) -> onchain.RootRevealed:
    return onchain.RootRevealed(location(3), 1, result.root, result.partitions, matched)


def finalised(result: Result = RIGHT, matched: int = 0b11111) -> onchain.RoundFinalised:
    return onchain.RoundFinalised(location(3, 1), 1, result.root, result.partitions, matched)


def computed(number: int = 1, result: Result = RIGHT) -> Computed:
    """The change that the worker has computed a result of the round's inputs."""
    return Computed(opened(number).inputs, result, CUSTODY, SUMMARY)


COMPUTED = computed()
