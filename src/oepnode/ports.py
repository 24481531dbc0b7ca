"""The protocols through which the inside asks things of the outside.

Every implementation translates foreign exceptions: `TransportError` when the other side does not
answer as agreed, `ConflictError` when it rejects a step in its present state, `EvidenceError` when
what it shows is wrong. Nothing else leaves an implementation, except cancellation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Electorate, Event, Head, Member, Round


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

    async def document(self, round_number: int, digest: bytes) -> bytes:
        """The document with that SHA-256, checked; asked for with the worker's signature.

        Raises:
            DigestMismatch: If other bytes were served.
            ConflictError: If the gateway rejects this worker.
            TransportError: If it could not be had.
        """
        ...


class Registry(Protocol):
    """The NMI registry, as a worker sees it."""

    async def latest_digest(self) -> bytes | None:
        """SHA-256 of the newest snapshot, or None where there is none yet."""
        ...

    async def snapshot(self, round_number: int, digest: bytes) -> bytes:
        """The snapshot with that SHA-256, checked; asked for with the worker's signature.

        Raises:
            DigestMismatch: If other bytes were served.
            ConflictError: If the registry rejects this worker.
            TransportError: If it could not be had.
        """
        ...

    async def salt(self, round_number: int, digest: bytes) -> bytes:
        """The salt of a snapshot, for a round that uses it; asked for with the worker's signature.

        Raises:
            ConflictError: If the registry rejects this worker.
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

    async def block_hash(self, number: int) -> bytes:
        """Hash of the block at a height now, 32 bytes."""
        ...

    async def latest_final(self, horizon_start: int, interval_count: int) -> int:
        """The latest final round of a horizon (start in UTC seconds), or 0."""
        ...

    async def block_time(self, block: int) -> int:
        """Time of a block, UTC seconds."""
        ...


class Chain(ChainReader, Protocol):
    """The consensus contract, read and written with one signer.

    A write returns its transaction hash once it is mined and succeeded. It raises `ConflictError`
    with the contract's error when rejected, and `TransportError` when its outcome is unknown; the
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

    async def cast_ballot(self, round_number: int, ballot: bytes) -> bytes:
        """Cast the signer's blind ballot."""
        ...

    async def cast_ballots(self, round_number: int, ballots: bytes) -> bytes:
        """Cast ballots that others signed, packed as `domain.relay.pack` has them."""
        ...

    async def abstain(self, round_number: int, reason: int) -> bytes:
        """Abstain with a reason."""
        ...

    async def reveal_root(
        self,
        round_number: int,
        root: bytes,
        partitions: int,
        ballots: Sequence[tuple[Member, bytes]],
    ) -> bytes:
        """Reveal a result; ``ballots`` are all (member, ballot) of the round in the order cast."""
        ...

    async def fail_round(self, round_number: int) -> bytes:
        """Close a round as failed after its reveal deadline."""
        ...


class Relay(Protocol):
    """Somebody who brings this worker's ballot to the chain, and pays for it."""

    async def hand_in(self, context: RoundContext, ballot: bytes) -> None:
        """Sign the worker's ballot and hand it in; doing it again is fine.

        What comes of it only the chain tells.

        Raises:
            ConflictError: If the relay rejects it, or another ballot was signed for that round.
            ConfigError: If what was signed before cannot be read.
            TransportError: If the relay does not answer, or cannot take it yet.
            FatalError: If the disk does not keep what is signed.
        """
        ...


class Cursor(Struct, frozen=True):
    """How far the chain was followed: the last block taken in, and its hash (32 bytes)."""

    block: int
    hash: bytes


class StoredRound(Struct, frozen=True):
    """A round as the store keeps it; ``state`` is opaque to the store."""

    number: int
    is_live: bool
    state: bytes


class StoredEffect(Struct, frozen=True):
    """An effect as the store keeps it; ``id`` is deterministic, ``payload`` opaque."""

    id: str
    round: int
    payload: bytes


class Store(Protocol):
    """A worker's durable state. Every method is one transaction, durable when it returns."""

    def cursor(self) -> Cursor | None:
        """How far the chain was followed, or None on the first start."""
        ...

    def set_cursor(self, cursor: Cursor) -> None:
        """Note how far the chain was followed."""
        ...

    def commit(self, stored: StoredRound, effects: Sequence[StoredEffect]) -> None:
        """Keep a round's new state together with the effects that it asks for."""
        ...

    def effect_done(self, effect_id: str) -> None:
        """Note that an effect was carried out, or has become pointless."""
        ...

    def pending_effects(self) -> list[StoredEffect]:
        """Effects that were asked for and are not done, oldest first."""
        ...

    def round(self, number: int) -> StoredRound | None:
        """One round's state, or None."""
        ...

    def rounds(self, limit: int, *, live_only: bool = False) -> list[StoredRound]:
        """The newest rounds, newest first."""
        ...

    def close(self) -> None:
        """Close the store; may be called again."""
        ...


class BundleShelf(Protocol):
    """Where sealed bundles lie until aggregators fetch them."""

    def put(self, round_number: int, name: str, sealed: bytes) -> None:
        """Keep a sealed bundle under its name; whole or not at all."""
        ...

    def prune(self, keep_from: int) -> None:
        """Drop the bundles of rounds below ``keep_from``."""
        ...


class InputArchive(Protocol):
    """Where a round's inputs are kept, sealed to an auditor's key."""

    def put(self, round_number: int, sealed: bytes) -> None:
        """Keep a round's sealed inputs; whole or not at all."""
        ...
