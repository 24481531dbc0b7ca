"""Counts a round as the contract does, from the facts on chain.

Guarantees: the same members match a result here as on chain, from nothing but the electorate and
the ballots; every member of the electorate gets exactly one standing. Leaves out reading the chain.
Source: rules-v1 section 11, ``contracts/src/OepConsensus.sol`` (header, ``revealRoot``).

The contract's model in the tests counts with this module, and is driven in lockstep with the
contract.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from oepnode.domain.rounds.ballot import Result, ballot_for
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import (
    Abstained,
    BallotCast,
    Electorate,
    Event,
    LogLocation,
    Member,
    RootRevealed,
    RoundFinalised,
)
from oepnode.errors import EvidenceError


@dataclass(frozen=True, slots=True)
class Ballot:
    """A ballot as the contract hashes it.

    Attributes:
        index: The member's bit.
        ballot: 32 bytes.
    """

    index: int
    ballot: bytes

    def pack(self) -> bytes:
        """Index u8 ‖ ballot, 33 bytes, as ``revealRoot`` takes it."""
        return self.index.to_bytes(1) + self.ballot


@dataclass(frozen=True, slots=True)
class Tally:
    """The members who voted for one result.

    Attributes:
        result: The result.
        matched: Members whose ballots are for it, in the order cast.
        bitmap: Bit ``index`` of each of them, as the contract keeps it.
        quorum: Matching ballots that make a result final.
    """

    result: Result
    matched: tuple[Member, ...]
    bitmap: int
    quorum: int

    @property
    def has_quorum(self) -> bool:
        """Whether these ballots make the result final."""
        return len(self.matched) >= self.quorum


class Standing(Enum):
    """A member's part in a round."""

    MATCHED = "matched"
    MISMATCHED = "mismatched"
    VOTED = "voted"
    ABSTAINED = "abstained"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Account:
    """One member's part in a round.

    Attributes:
        member: The member.
        standing: ``MATCHED`` and ``MISMATCHED`` compare with the final result; ``VOTED``
            while there is no final result.
        results: Revealed results that the member's ballot is for, one at most.
        reason: Number of the abstention's reason, or None.
        location: Location of the ballot or the abstention on chain, or None.
    """

    member: Member
    standing: Standing
    results: tuple[Result, ...]
    reason: int | None
    location: LogLocation | None


@dataclass(frozen=True, slots=True)
class RoundAccount:
    """A round counted again.

    Attributes:
        members: One account each, in order of index.
        tallies: One for each result revealed on chain, in the order revealed.
        revealed: The event of each of them.
        final: The final result, or None.
        differences: Differences of the chain's own count; empty on an honest chain.
    """

    members: tuple[Account, ...]
    tallies: tuple[Tally, ...]
    revealed: tuple[RootRevealed, ...]
    final: Result | None
    differences: tuple[str, ...]


def matching(context: RoundContext, ballots: Iterable[Ballot], result: Result) -> list[Ballot]:
    """The ballots that were cast for a result, in their order."""
    return [b for b in ballots if b.ballot == ballot_for(context, b.index, result)]


def bitmap(ballots: Iterable[Ballot]) -> int:
    """The bits of the ballots' members."""
    return sum(1 << index for index in {ballot.index for ballot in ballots})


def count(
    context: RoundContext, electorate: Electorate, ballots: Iterable[BallotCast], result: Result
) -> Tally:
    """Count the ballots for a result.

    Args:
        context: The round.
        electorate: The round's.
        ballots: All ballots of the round, in the order cast.
        result: The result to count.

    Raises:
        EvidenceError: If a ballot's operator is not in the electorate.
    """
    matched = matching(context, _ballots(electorate, ballots), result)
    by_index = {member.index: member for member in electorate.members}
    members = tuple(by_index[ballot.index] for ballot in matched)
    return Tally(result, members, bitmap(matched), electorate.quorum)


def account(context: RoundContext, electorate: Electorate, events: Sequence[Event]) -> RoundAccount:
    """Account for every member, and count every revealed result again.

    Args:
        context: The round.
        electorate: The round's.
        events: All events of the round, in chain order.

    Raises:
        EvidenceError: If an event's operator is not in the electorate.
    """
    ballots = [event for event in events if isinstance(event, BallotCast)]
    revealed = [event for event in events if isinstance(event, RootRevealed)]
    final = next(
        (Result(e.root, e.partitions) for e in events if isinstance(e, RoundFinalised)), None
    )
    tallies = tuple(
        count(context, electorate, ballots, Result(event.root, event.partitions))
        for event in revealed
    )
    cast = {event.operator: event for event in ballots}
    abstained = {event.operator: event for event in events if isinstance(event, Abstained)}
    for operator in abstained:
        _member(electorate, operator)
    return RoundAccount(
        tuple(
            _account(
                member, cast.get(member.operator), abstained.get(member.operator), tallies, final
            )
            for member in electorate.members
        ),
        tallies,
        tuple(revealed),
        final,
        tuple(_differences(revealed, tallies, final)),
    )


def _account(
    member: Member,
    cast: BallotCast | None,
    abstained: Abstained | None,
    tallies: Sequence[Tally],
    final: Result | None,
) -> Account:
    if cast is not None:
        results = tuple(tally.result for tally in tallies if member in tally.matched)
        return Account(member, _standing(results, final), results, None, cast.location)
    if abstained is not None:
        return Account(member, Standing.ABSTAINED, (), abstained.reason, abstained.location)
    return Account(member, Standing.SILENT, (), None, None)


def _standing(results: Sequence[Result], final: Result | None) -> Standing:
    if final is None:
        return Standing.VOTED
    return Standing.MATCHED if final in results else Standing.MISMATCHED


def _differences(
    revealed: Sequence[RootRevealed], tallies: Sequence[Tally], final: Result | None
) -> Iterable[str]:
    for event, tally in zip(revealed, tallies, strict=True):
        if event.matched != tally.bitmap:
            yield (
                f"root {event.root.hex()}: the chain counts members {event.matched:#x}, "
                f"the ballots give {tally.bitmap:#x}"
            )
    if final is not None and not any(t.has_quorum for t in tallies if t.result == final):
        yield f"root {final.root.hex()}: final on chain, but the ballots give no quorum"


def _ballots(electorate: Electorate, ballots: Iterable[BallotCast]) -> list[Ballot]:
    return [Ballot(_member(electorate, cast.operator).index, cast.ballot) for cast in ballots]


def _member(electorate: Electorate, operator: bytes) -> Member:
    member = electorate.by_operator(operator)
    if member is None:
        raise EvidenceError(
            f"0x{operator.hex()} is not in the electorate of epoch {electorate.epoch}"
        )
    return member
