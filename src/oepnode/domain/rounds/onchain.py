"""The chain's facts about rounds and the electorate, as values.

These are facts received, named in the past tense. Bytes inside, hex at the edges. A member's
``index`` is its bit in the ``voted`` and ``matched`` bitmaps. Source: ``docs/design.md §7``,
``contracts/src/OepConsensus.sol``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from hashlib import sha256
from typing import Final, TypeAlias

from eth_utils.crypto import keccak
from msgspec import Struct

_HEX_DIGITS: Final = frozenset("0123456789abcdefABCDEF")


class Phase(IntEnum):
    """Phase of a round, which decides the next possible steps; the numbers are the contract's."""

    NONE = 0
    VOTING = 1
    REVEALING = 2
    EXPIRED = 3
    FINAL = 4
    FAILED = 5
    CANCELLED = 6

    @property
    def is_over(self) -> bool:
        """Whether nothing can change any more."""
        return self >= Phase.FINAL


class Head(Struct, frozen=True):
    """A block: number, hash (32 bytes) and time (UTC seconds)."""

    number: int
    hash: bytes
    time: int


class Member(Struct, frozen=True):
    """A worker in an electorate.

    Attributes:
        index: Bit in the round's bitmaps, 0 to 127.
        operator: Lasting address, 20 bytes.
        signer: Address that votes, 20 bytes.
    """

    index: int
    operator: bytes
    signer: bytes


class Electorate(Struct, frozen=True):
    """The members who vote in the rounds of an epoch, and the terms.

    Attributes:
        epoch: Number, from 1.
        members: In order of index.
        quorum: Matching ballots that make a root final.
        vote_window_s: Seconds from opening to the voting deadline.
        reveal_window_s: Seconds from the voting deadline to the reveal deadline.
        rules_version: Of `docs/spec`.
    """

    epoch: int
    members: tuple[Member, ...]
    quorum: int
    vote_window_s: int
    reveal_window_s: int
    rules_version: int

    def by_index(self, bitmap: int) -> tuple[Member, ...]:
        """The members whose bits are set in ``bitmap``."""
        return tuple(member for member in self.members if bitmap >> member.index & 1)

    def by_operator(self, operator: bytes) -> Member | None:
        """The member with that lasting address, or None."""
        return next((member for member in self.members if member.operator == operator), None)


class Round(Struct, frozen=True):
    """A round's state as the contract reports it at one block.

    Attributes:
        number: From 1.
        phase: Its phase at that block.
        epoch: The electorate frozen for it.
        rules_version: Frozen for it.
        quorum: Frozen for it.
        member_count: Size of the electorate.
        horizon_start: UTC seconds.
        interval_count: Of the horizon.
        opened_at: UTC seconds.
        opened_in_block: Block in which the round's events begin.
        vote_deadline: UTC seconds; ballots count strictly before it.
        reveal_deadline: UTC seconds; reveals count strictly before it.
        voted: Bitmap of members who voted or abstained.
        root: Final root, 32 bytes, or empty.
        partitions: Leaves of the round tree, 0 unless final.
        matched: Bitmap of members whose ballots matched the final root.
    """

    number: int
    phase: Phase
    epoch: int
    rules_version: int
    quorum: int
    member_count: int
    horizon_start: int
    interval_count: int
    opened_at: int
    opened_in_block: int
    vote_deadline: int
    reveal_deadline: int
    voted: int
    root: bytes
    partitions: int
    matched: int


class LogLocation(Struct, frozen=True):
    """Location of an event on chain: block number and hash, transaction, log index."""

    block: int
    block_hash: bytes
    transaction: bytes
    log_index: int


class RoundOpened(Struct, frozen=True, tag=True):
    """A requester opened a round with the digests of its inputs."""

    location: LogLocation
    round: int
    epoch: int
    requester: bytes
    horizon_start: int
    interval_count: int
    envelope_digest: bytes
    registry_digest: bytes
    rules_version: int
    vote_deadline: int
    reveal_deadline: int

    @property
    def inputs(self) -> bytes:
        """Digest of the inputs that the round's result follows from, 32 bytes.

        After a reorganisation another round may have the same number.
        """
        numbers = (self.round, self.horizon_start, self.interval_count, self.rules_version)
        words = b"".join(number.to_bytes(8) for number in numbers)
        return sha256(words + self.envelope_digest + self.registry_digest).digest()


class BallotCast(Struct, frozen=True, tag=True):
    """A member cast its blind ballot, with its custody root (32 bytes each)."""

    location: LogLocation
    round: int
    operator: bytes
    ballot: bytes
    custody: bytes


class Abstained(Struct, frozen=True, tag=True):
    """A member abstained, with the number of its reason."""

    location: LogLocation
    round: int
    operator: bytes
    reason: int


class RootRevealed(Struct, frozen=True, tag=True):
    """A result was revealed, and this bitmap of members had voted for it."""

    location: LogLocation
    round: int
    root: bytes
    partitions: int
    matched: int


class RoundFinalised(Struct, frozen=True, tag=True):
    """A result reached the quorum."""

    location: LogLocation
    round: int
    root: bytes
    partitions: int
    matched: int


class RoundFailed(Struct, frozen=True, tag=True):
    """The reveal window closed without a final root."""

    location: LogLocation
    round: int


class RoundCancelled(Struct, frozen=True, tag=True):
    """A requester cancelled the round before it was final."""

    location: LogLocation
    round: int
    reason: str


class Equivocated(Struct, frozen=True, tag=True):
    """A member was proven to have signed two votes for one round.

    A ballot (32 bytes) that is the number of a reason is an abstention.
    """

    location: LogLocation
    round: int
    operator: bytes
    ballot: bytes
    other_ballot: bytes


Event: TypeAlias = (
    RoundOpened
    | BallotCast
    | Abstained
    | RootRevealed
    | RoundFinalised
    | RoundFailed
    | RoundCancelled
    | Equivocated
)


class Role(Enum):
    """A role; the value is its code on chain."""

    ADMIN = bytes(32)
    REQUESTER = keccak(text="REQUESTER_ROLE")
    GUARDIAN = keccak(text="GUARDIAN_ROLE")


@dataclass(frozen=True, slots=True)
class Policy:
    """Terms on which future rounds are decided.

    Attributes:
        quorum_numerator: Share of the members that a quorum needs, rounded up …
        quorum_denominator: … and never less than a strict majority.
        vote_window_s: Seconds from opening to the voting deadline.
        reveal_window_s: Seconds from there to the reveal deadline.
        rules_version: Version of the rules, as in ``docs/spec``.
    """

    quorum_numerator: int = 2
    quorum_denominator: int = 3
    vote_window_s: int = 600
    reveal_window_s: int = 600
    rules_version: int = 1


def parse_address(text: str) -> bytes:
    """The 20 bytes of an address written as 40 hex digits, with ``0x`` or without.

    Raises:
        ValueError: For any other text.
    """
    return _parse_hex(text, 20, "an address must be 0x and 40 hex digits, or the digits alone")


def parse_bytes32(text: str, what: str) -> bytes:
    """The 32 bytes of a root, digest, salt or key written as 64 hex digits, with ``0x`` or without.

    Args:
        text: As written.
        what: Kind of value, for the message, which does not repeat the text.

    Raises:
        ValueError: For any other text.
    """
    return _parse_hex(text, 32, f"{what} must be 64 hex digits")


def _parse_hex(text: str, size: int, rule: str) -> bytes:
    digits = text.removeprefix("0x")
    if len(digits) != 2 * size or not _HEX_DIGITS.issuperset(digits):
        raise ValueError(rule)
    return bytes.fromhex(digits)
