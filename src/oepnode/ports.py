"""The protocols through which the inside asks things of the outside.

Every implementation translates foreign exceptions: `TransportError` when the other side does not
answer as agreed, `ConflictError` when it refuses a step in its present state, `EvidenceError` when
what it shows is wrong. Nothing else leaves an implementation, except cancellation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from oepnode.domain.facts import Electorate, Event, Head, Member, Round


class Clock(Protocol):
    """The time of day."""

    def now(self) -> float:
        """UTC seconds since the Unix epoch."""
        ...


class LatestEnvelope(Struct, frozen=True):
    """What a sender says of its newest envelope document.

    Attributes:
        digest: SHA-256 of the document, 32 bytes.
        registry_digest: SHA-256 of the snapshot it belongs with, or None where not yet known.
        horizon_start: UTC seconds.
        interval_count: Of the horizon.
        size: Bytes of the document.
        round: The round opened with it, or None.
    """

    digest: bytes
    registry_digest: bytes | None
    horizon_start: int
    interval_count: int
    size: int
    round: int | None


class EnvelopeSource(Protocol):
    """The sender's gateway, as a worker sees it."""

    async def latest(self) -> LatestEnvelope | None:
        """The newest document, or None where there is none yet."""
        ...

    async def document(self, digest: bytes) -> bytes:
        """The document with that SHA-256, checked.

        Raises:
            DigestMismatch: If other bytes were served.
            TransportError: If it could not be had.
        """
        ...


class Registry(Protocol):
    """The NMI registry, as a worker sees it."""

    async def latest_digest(self) -> bytes | None:
        """SHA-256 of the newest snapshot, or None where there is none yet."""
        ...

    async def snapshot(self, digest: bytes) -> bytes:
        """The snapshot with that SHA-256, checked.

        Raises:
            DigestMismatch: If other bytes were served.
            TransportError: If it could not be had.
        """
        ...

    async def salt(self, round_number: int, digest: bytes) -> bytes:
        """The salt of a snapshot, for a round that uses it; asked for with the worker's signature.

        Raises:
            ConflictError: If the registry refuses this worker.
            TransportError: If it could not be had.
        """
        ...


class ChainReader(Protocol):
    """The consensus contract, read."""

    @property
    def chain_id(self) -> int:
        """EIP-155 chain id, as checked when the connection was made."""
        ...

    @property
    def contract(self) -> bytes:
        """Address of the contract, 20 bytes."""
        ...

    async def head(self) -> Head:
        """The newest block that is deep enough to be believed (setting ``confirmations``)."""
        ...

    async def round_count(self) -> int:
        """Number of the newest round, 0 where there is none."""
        ...

    async def round(self, number: int) -> Round | None:
        """A round's state now, or None."""
        ...

    async def electorate(self, epoch: int) -> Electorate:
        """The electorate of an epoch; it never changes."""
        ...

    async def current_electorate(self) -> Electorate:
        """The electorate of a round that would be opened now."""
        ...

    async def member_of_signer(self, signer: bytes) -> Member | None:
        """The member whose signer this is now, or None."""
        ...

    async def endpoint(self, operator: bytes) -> str:
        """The URL under which an operator's worker serves bundles, or an empty string."""
        ...

    async def events(self, first_block: int, last_block: int) -> list[Event]:
        """All events of rounds in a range of blocks, in chain order."""
        ...

    async def round_events(self, number: int) -> list[Event]:
        """All events of one round, in chain order."""
        ...

    async def block_time(self, block: int) -> int:
        """Time of a block, UTC seconds."""
        ...


class Chain(ChainReader, Protocol):
    """The consensus contract, read and written with one signer.

    A write returns its transaction hash once it is mined and succeeded. It raises `ConflictError`
    with the contract's error when refused, and `TransportError` when its outcome is unknown; the
    caller then reads the chain before it decides anything.
    """

    @property
    def signer(self) -> bytes:
        """Address of the account that signs, 20 bytes."""
        ...

    async def open_round(
        self, horizon_start: int, interval_count: int, envelope: bytes, registry: bytes
    ) -> int:
        """Open a round (``REQUESTER_ROLE``) and return its number."""
        ...

    async def cast_ballot(self, round_number: int, seat: int, ballot: bytes) -> bytes:
        """Cast the blind ballot of a seat."""
        ...

    async def abstain(self, round_number: int, seat: int, reason: int) -> bytes:
        """Abstain with a reason."""
        ...

    async def reveal_root(
        self, round_number: int, root: bytes, partitions: int, ballots: Sequence[tuple[int, bytes]]
    ) -> bytes:
        """Reveal a result; ``ballots`` are all (seat, ballot) of the round in the order cast."""
        ...

    async def fail_round(self, round_number: int) -> bytes:
        """Close a round as failed after its reveal deadline."""
        ...
