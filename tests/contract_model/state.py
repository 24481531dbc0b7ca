"""The contract's storage, as frozen values.

Amounts are the contract's own: horizons in units of 300 s, times in UTC seconds, addresses of 20
bytes, members as bits of a bitmap. Source: the storage of ``contracts/src/*.sol``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from oepnode.domain.rounds.ballot import Result
from oepnode.domain.rounds.onchain import Event, LogLocation, Policy, Role
from oepnode.domain.rounds.tally import Ballot
from oepnode.errors import ConflictError

NOBODY: Final = bytes(20)
NO_HASH: Final = bytes(32)
NO_LOCATION: Final = LogLocation(0, b"", b"", 0)
"""Place of the events in `State.log`, which are in no block yet."""
NOT_ENDED: Final = 2**32 - 1
MAX_MEMBERS: Final = 128
MAX_WINDOW_S: Final = 7 * 24 * 3600
MAX_TEXT: Final = 200


class Reverted(ConflictError):  # noqa: N818 - what the contract does
    """The contract reverts.

    Attributes:
        error: Name of the contract's error.
        arguments: Its arguments.
    """

    def __init__(self, error: str, *arguments: object) -> None:
        super().__init__(f"{error}({', '.join(map(str, arguments))})")
        self.error = error
        self.arguments = arguments

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Reverted):
            return NotImplemented
        return (self.error, self.arguments) == (other.error, other.arguments)

    def __hash__(self) -> int:
        return hash((self.error, self.arguments))


class RoundStatus(IntEnum):
    """Status of a round; the numbers are the contract's."""

    NONE = 0
    OPEN = 1
    FINAL = 2
    FAILED = 3
    CANCELLED = 4


@dataclass(frozen=True, slots=True)
class Call:
    """The caller, and the time and number of the block."""

    sender: bytes
    time: int
    block: int = 0


@dataclass(frozen=True, slots=True)
class NewWorker:
    """A worker to be added."""

    operator: bytes
    signer: bytes
    url: str


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms that an epoch fixes for its rounds; ``members`` is a bitmap."""

    members: int
    policy: Policy

    @property
    def member_count(self) -> int:
        """Number of members."""
        return self.members.bit_count()

    @property
    def quorum(self) -> int:
        """The policy's share of the members, rounded up, and a strict majority at least."""
        numerator, denominator = self.policy.quorum_numerator, self.policy.quorum_denominator
        share = -(-self.member_count * numerator // denominator)  # rounded up
        return max(share, self.member_count // 2 + 1)


@dataclass(frozen=True, slots=True)
class Seat:
    """Operator and signer of a member, from epoch ``since`` until before epoch ``until``."""

    operator: bytes
    signer: bytes
    since: int
    until: int
    index: int

    def votes_in(self, epoch: int) -> bool:
        """Whether the seat is in the electorate of an epoch."""
        return self.since <= epoch < self.until


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """A round as the contract stores it.

    Attributes:
        epoch: Its electorate and terms.
        requester: The account that opened it.
        horizon: Start in units of 300 s, and number of intervals.
        envelope_digest: 32 bytes.
        registry_digest: 32 bytes.
        opened_at: UTC seconds.
        opened_in_block: Number of the block.
        vote_deadline: First second without voting.
        reveal_deadline: First second without revealing.
        waiting: Bitmap of members that have neither cast a ballot nor abstained.
        status: Open, final, failed or cancelled.
        ballots: In the order cast.
        abstentions: Reason by index of the member.
        candidates: Results revealed without a quorum, in their order, with the bitmap of voters.
        result: The final one, or None.
        equivocators: Bitmap of members reported to have signed two votes.
    """

    epoch: int
    requester: bytes
    horizon: tuple[int, int]
    envelope_digest: bytes
    registry_digest: bytes
    opened_at: int
    opened_in_block: int
    vote_deadline: int
    reveal_deadline: int
    waiting: int
    status: RoundStatus = RoundStatus.OPEN
    ballots: tuple[Ballot, ...] = ()
    abstentions: Mapping[int, int] = field(default_factory=dict)
    candidates: Mapping[Result, int] = field(default_factory=dict)
    result: Result | None = None
    equivocators: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """The contract's storage and its log.

    Attributes:
        chain_id: EIP-155 chain id.
        contract: Address, 20 bytes.
        roles: Pairs of a role and an account that holds it.
        terms: Of epoch 1, 2, ….
        seats: In the order taken, ended ones included.
        endpoints: URL of each operator that ever gave one.
        is_paused: Whether opening and voting are stopped.
        rounds: Number 1, 2, ….
        log: Events of rounds in the order emitted, all at `NO_LOCATION`.
    """

    chain_id: int
    contract: bytes
    roles: frozenset[tuple[Role, bytes]]
    terms: tuple[Terms, ...]
    seats: tuple[Seat, ...] = ()
    endpoints: Mapping[bytes, str] = field(default_factory=dict)
    is_paused: bool = False
    rounds: tuple[RoundRecord, ...] = ()
    log: tuple[Event, ...] = ()

    @property
    def epoch(self) -> int:
        """The epoch of a round that would be opened now."""
        return len(self.terms)

    def seat_of(self, signer: bytes) -> Seat | None:
        """The seat of a signer, live or ended."""
        return next((seat for seat in self.seats if seat.signer == signer), None)

    def live_seat(self, operator: bytes) -> Seat | None:
        """The seat that an operator holds now."""
        return next(
            (s for s in self.seats if s.operator == operator and s.until == NOT_ENDED), None
        )

    def electorate(self, epoch: int) -> tuple[Seat, ...]:
        """The seats that vote in an epoch, by index."""
        members = (seat for seat in self.seats if seat.votes_in(epoch))
        return tuple(sorted(members, key=lambda seat: seat.index))
