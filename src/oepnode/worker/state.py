"""A worker's view of one round, its changes and its effects.

Frozen values; bytes inside. Changes are received facts, named in the past tense; effects are
intents, named as orders. An effect's id is deterministic, so that requesting it twice has the
effect of requesting it once. Source: ``docs/design.md`` §2 and §8.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from msgspec import Struct

from oepnode.domain.rounds.ballot import Reason, Result, Vote, ballot_for
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Electorate, Event, Member, Phase, RoundOpened


class Summary(Struct, frozen=True):
    """Public counts of a result.

    Attributes:
        sites: Site entries of all partitions.
        partitions: Leaves of the round tree.
        unassigned_nmis: NMIs without an aggregator in some interval.
        seconds: Duration of the computation.
        warnings: Warnings about the inputs.
    """

    sites: int
    partitions: int
    unassigned_nmis: int
    seconds: float
    warnings: tuple[str, ...] = ()


class Candidate(Struct, frozen=True):
    """A revealed result with the bitmap of members whose ballots match it."""

    result: Result
    matched: int


class RoundState(Struct, frozen=True, kw_only=True):
    """A round as this worker knows it.

    Attributes:
        context: Chain, contract and number.
        opened: The event that opened it.
        electorate: Frozen for the round.
        operator: This worker's operator.
        now: Chain time of the last tick, UTC seconds.
        closed_at: Chain time of the first tick after the end of the vote was settled.
        result: Result that this worker computed.
        custody: Custody root that it computed with the result, 32 bytes.
        summary: Counts of the result.
        reason: Reason for this worker's abstention.
        is_skipped: Whether this worker takes no part in the round, to bound its work.
        detail: The reason in words, without secrets.
        ballots: (operator, ballot) in the order cast.
        abstentions: (operator, reason) in chain order.
        candidates: Revealed results.
        final: The final result.
        phase: How the round ended; `Phase.VOTING` until then.
        requested: Ids of the effects requested so far.
    """

    context: RoundContext
    opened: RoundOpened
    electorate: Electorate
    operator: bytes
    now: int = 0
    closed_at: int | None = None
    result: Result | None = None
    custody: bytes = b""
    summary: Summary | None = None
    reason: Reason | None = None
    is_skipped: bool = False
    detail: str = ""
    ballots: tuple[tuple[bytes, bytes], ...] = ()
    abstentions: tuple[tuple[bytes, int], ...] = ()
    candidates: tuple[Candidate, ...] = ()
    final: Result | None = None
    phase: Phase = Phase.VOTING
    requested: tuple[str, ...] = ()

    @property
    def number(self) -> int:
        """The round's number."""
        return self.context.number

    @property
    def me(self) -> Member | None:
        """This worker as a member of the electorate, or None."""
        return self.electorate.by_operator(self.operator)

    @property
    def is_over(self) -> bool:
        """Whether the round has ended on chain."""
        return self.phase.is_over

    @property
    def have_all_voted(self) -> bool:
        """Whether every member has cast a ballot or abstained."""
        return len(self.ballots) + len(self.abstentions) >= len(self.electorate.members)

    @property
    def have_i_voted(self) -> bool:
        """Whether the chain holds this worker's ballot or abstention."""
        return any(operator == self.operator for operator, _ in (*self.ballots, *self.abstentions))

    @property
    def is_ballot_foreign(self) -> bool:
        """Whether this worker's ballot on chain differs from the one that it computed."""
        if self.result is None or self.me is None:
            return False
        mine = ballot_for(self.context, self.me.index, self.result)
        return any(
            operator == self.operator and ballot != mine for operator, ballot in self.ballots
        )

    @property
    def vote(self) -> Vote | None:
        """This worker's vote, or None before it has a result or a reason to abstain."""
        if self.result is not None and self.me is not None:
            return Vote(ballot_for(self.context, self.me.index, self.result), self.custody)
        return None if self.reason is None else Vote.abstaining(self.reason)


class Computed(Struct, frozen=True, tag=True):
    """The worker has computed a result and its custody root from these inputs.

    ``inputs`` is `RoundOpened.inputs`.
    """

    inputs: bytes
    result: Result
    custody: bytes
    summary: Summary


class NotComputed(Struct, frozen=True, tag=True):
    """The worker could not compute a result from these inputs (`RoundOpened.inputs`)."""

    inputs: bytes
    reason: Reason
    detail: str


class Skipped(Struct, frozen=True, tag=True):
    """The worker does not compute these inputs (`RoundOpened.inputs`), to bound its work."""

    inputs: bytes
    detail: str


class Ticked(Struct, frozen=True, tag=True):
    """Chain time has reached ``now``, and ``settled`` at the newest settled block, UTC seconds."""

    now: int
    settled: int


class Resynced(Struct, frozen=True, tag=True):
    """The chain was reorganised; these are the round's current events, in chain order.

    They are of the same round (same inputs and epoch), or empty because the round is gone.
    """

    events: tuple[Event, ...]


Change: TypeAlias = Computed | NotComputed | Skipped | Ticked | Resynced | Event


class ComputeResult(Struct, frozen=True, tag=True):
    """Fetch and validate the inputs, and compute the result."""

    round: int


class CastBallot(Struct, frozen=True, tag=True):
    """Cast the blind ballot for the state's result."""

    round: int


class AbstainFromRound(Struct, frozen=True, tag=True):
    """Abstain with the state's reason."""

    round: int


class RevealResult(Struct, frozen=True, tag=True):
    """Reveal the state's result with all ballots of the round."""

    round: int


class CloseFailedRound(Struct, frozen=True, tag=True):
    """Close a round whose reveal window has passed without a final root."""

    round: int


class PublishBundles(Struct, frozen=True, tag=True):
    """Publish the sealed bundles of a final round."""

    round: int


Effect: TypeAlias = (
    ComputeResult | CastBallot | AbstainFromRound | RevealResult | CloseFailedRound | PublishBundles
)

_NAMES = {
    ComputeResult: "compute",
    CastBallot: "cast",
    AbstainFromRound: "abstain",
    RevealResult: "reveal",
    CloseFailedRound: "close",
    PublishBundles: "publish",
}


def effect_id(effect: Effect) -> str:
    """The deterministic id of an effect, such as ``12/cast``."""
    return f"{effect.round}/{_NAMES[type(effect)]}"


_state_decoder = msgspec.msgpack.Decoder(RoundState)
_effect_decoder: msgspec.msgpack.Decoder[Effect] = msgspec.msgpack.Decoder(Effect)


def encode_state(state: RoundState) -> bytes:
    """A round's state for the store."""
    return msgspec.msgpack.encode(state)


def decode_state(data: bytes) -> RoundState:
    """A round's state from the store."""
    return _state_decoder.decode(data)


def encode_effect(effect: Effect) -> bytes:
    """An effect for the store."""
    return msgspec.msgpack.encode(effect)


def decode_effect(data: bytes) -> Effect:
    """An effect from the store."""
    return _effect_decoder.decode(data)
