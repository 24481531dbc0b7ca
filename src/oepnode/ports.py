"""Protocols of the chain, the services and the storage that the worker and services use.

Guarantees of every implementation: it raises `TransportError` if the other side does not respond or
its response is malformed, `ConflictError` if it rejects a step in its present state, and
`EvidenceError` if its data is wrong. Nothing else leaves an implementation, except cancellation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from oepnode.domain.rounds.ballot import Result, Vote
from oepnode.domain.rounds.computation import Inputs
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.history import RoundHistory
from oepnode.domain.rounds.onchain import Electorate, Event, Head, Member, Round, RoundOpened


class Clock(Protocol):
    """The time of day."""

    def now(self) -> float:
        """UTC seconds since the Unix epoch."""
        ...


class LatestEnvelope(Struct, frozen=True):
    """A sender's newest envelope document.

    Attributes:
        digest: SHA-256 of the document, 32 bytes.
        registry_digest: SHA-256 of the snapshot of its round, or None before the round is opened.
        horizon_start: UTC seconds.
        interval_count: Dispatch intervals of the horizon.
        size: Size of the document in bytes.
        round: The round opened with it, or None.
    """

    digest: bytes
    registry_digest: bytes | None
    horizon_start: int
    interval_count: int
    size: int
    round: int | None


class EnvelopeSource(Protocol):
    """The sender's gateway, for a worker."""

    async def latest(self) -> LatestEnvelope | None:
        """The newest document, or None before the first."""
        ...

    async def document(self, round_number: int, digest: bytes) -> bytes:
        """The document with that SHA-256, verified; the request is signed by the worker.

        Raises:
            DigestMismatch: If the served bytes have another digest.
            ConflictError: If the gateway rejects this worker.
            TransportError: If it could not be fetched.
        """
        ...


class Registry(Protocol):
    """The NMI registry, for a worker."""

    async def latest_digest(self) -> bytes | None:
        """SHA-256 of the newest snapshot, or None before the first."""
        ...

    async def snapshot(self, round_number: int, digest: bytes) -> bytes:
        """The snapshot with that SHA-256, verified; the request is signed by the worker.

        Raises:
            DigestMismatch: If the served bytes have another digest.
            ConflictError: If the registry rejects this worker.
            TransportError: If it could not be fetched.
        """
        ...

    async def salt(self, round_number: int, digest: bytes) -> bytes:
        """The salt of a snapshot, for a round that uses it; the request is signed by the worker.

        Raises:
            ConflictError: If the registry rejects this worker.
            TransportError: If it could not be fetched.
        """
        ...


class ChainReader(Protocol):
    """Read access to the consensus contract.

    State is that of the chain's newest block, unless the reader is one of `settled` or `newest`.
    """

    @property
    def chain_id(self) -> int:
        """EIP-155 chain id, as checked when the connection was made."""
        ...

    @property
    def contract(self) -> bytes:
        """Address of the contract, 20 bytes."""
        ...

    async def settled(self) -> ChainReader:
        """A reader whose every answer is of one block: the newest that is final enough."""
        ...

    async def newest(self) -> ChainReader:
        """A reader whose every answer is of one block: the newest."""
        ...

    async def head(self) -> Head:
        """The newest block that is final enough (setting ``finality``)."""
        ...

    async def head_age_s(self) -> float:
        """Age of the chain's newest block when it was read last, in seconds."""
        ...

    async def newest_time(self) -> int:
        """Time of the chain's newest block when it was read last, UTC seconds."""
        ...

    async def round_count(self) -> int:
        """Number of the newest round, 0 before the first."""
        ...

    async def round(self, number: int) -> Round | None:
        """A round's current state, or None."""
        ...

    async def electorate(self, epoch: int) -> Electorate:
        """The electorate of an epoch; it never changes."""
        ...

    async def current_electorate(self) -> Electorate:
        """The electorate of rounds opened now."""
        ...

    async def member_of_signer(self, signer: bytes) -> Member | None:
        """The current member with this signer, or None."""
        ...

    async def endpoint(self, operator: bytes) -> str:
        """The URL of an operator's worker for bundles, or an empty string."""
        ...

    async def events(self, first_block: int, last_block: int) -> list[Event]:
        """All events of rounds in a range of blocks, in chain order."""
        ...

    async def round_events(self, number: int) -> list[Event]:
        """All events of one round, in chain order; reads every block since its opening."""
        ...

    async def opening(self, number: int) -> RoundOpened | None:
        """The opening of a round, or None; reads one block, however old the round is."""
        ...

    async def block_hash(self, number: int) -> bytes:
        """Current hash of the block at a height, 32 bytes."""
        ...

    async def latest_final(self, horizon_start: int, interval_count: int) -> int:
        """The latest final round of a horizon (start in UTC seconds), or 0."""
        ...

    async def block_time(self, block: int) -> int:
        """Time of a block, UTC seconds."""
        ...


class RoundReader(ChainReader, Protocol):
    """Read access to whole rounds, for those who count them again."""

    async def history(self, number: int) -> RoundHistory | None:
        """A round's record and its events at one block, or None; not compared with each other."""
        ...


class BallotReader(RoundReader, Protocol):
    """Read access to whole rounds and to the transactions that carried their votes."""

    async def transaction(self, transaction: bytes) -> bytes:
        """The bytes of a signed transaction by its hash, or its calldata where they are not had."""
        ...


class Chain(ChainReader, Protocol):
    """Read and write access to the consensus contract with one signer.

    A write returns its transaction hash once it is mined and has succeeded. It raises
    `ConflictError` with the contract's error when rejected, and `TransportError` when its outcome
    is unknown; the caller then reads the chain before it decides anything.
    """

    @property
    def signer(self) -> bytes:
        """Address of the account that signs, 20 bytes."""
        ...

    async def open_round(
        self, horizon_start: int, interval_count: int, envelope: bytes, registry: bytes
    ) -> RoundOpened:
        """Open a round (``REQUESTER_ROLE``); returns the event of its opening."""
        ...

    async def cast_ballot(self, round_number: int, vote: Vote) -> bytes:
        """Cast the signer's blind ballot with its custody root."""
        ...

    async def cast_ballots(self, round_number: int, ballots: bytes) -> bytes:
        """Cast votes that others signed, packed by `signed_ballots.pack`."""
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
    """A service that takes this worker's steps on chain, and pays for them."""

    async def hand_in(self, context: RoundContext, vote: Vote) -> None:
        """Sign the worker's ballot or abstention and hand it in; repeating it is safe.

        Only the chain shows whether it is cast.

        Raises:
            ConflictError: If the relay rejects it, or another vote was signed for that round.
            ConfigError: If the record of signed votes cannot be read.
            TransportError: If the relay does not respond, or cannot accept it yet.
            FatalError: If the record cannot be written.
        """
        ...

    async def reveal(self, context: RoundContext, result: Result) -> None:
        """Hand in a result to reveal, after the vote has closed; repeating it is safe.

        Raises:
            ConflictError: If the relay rejects it.
            TransportError: If the relay does not respond, or cannot accept it yet.
        """
        ...

    async def close_failed(self, context: RoundContext) -> None:
        """Have a round closed as failed; repeating it is safe. Errors as in `reveal`."""
        ...


class Cursor(Struct, frozen=True):
    """The last processed block, and its hash (32 bytes)."""

    block: int
    hash: bytes


class StoredRound(Struct, frozen=True):
    """A round in the store; ``state`` is opaque to the store."""

    number: int
    is_live: bool
    state: bytes


class StoredEffect(Struct, frozen=True):
    """An effect in the store; ``id`` is deterministic, ``payload`` opaque."""

    id: str
    round: int
    payload: bytes


class Store(Protocol):
    """A worker's durable state. Every method is one transaction, durable when it returns."""

    def cursors(self) -> list[Cursor]:
        """The last processed block and some before it, newest first; empty on the first start."""
        ...

    def set_cursor(self, cursor: Cursor) -> None:
        """Store the last processed block, and forget cursors of this height or above."""
        ...

    def commit(self, stored: StoredRound, effects: Sequence[StoredEffect]) -> None:
        """Store a round's new state together with its new effects."""
        ...

    def effect_done(self, effect_id: str) -> None:
        """Mark an effect as carried out or pointless."""
        ...

    def pending_effects(self) -> list[StoredEffect]:
        """Effects that are not done, oldest round first."""
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


class RoundTask(Struct, frozen=True):
    """A round to compute.

    Attributes:
        context: Chain, contract and number.
        opened: The event that opened it.
        operator: The worker's operator, 20 bytes, whom the custody root is for.
    """

    context: RoundContext
    opened: RoundOpened
    operator: bytes

    @property
    def number(self) -> int:
        """The round's number."""
        return self.context.number


class Outcome(Struct, frozen=True):
    """The outcome of computing a round: what to vote for, and counts.

    Attributes:
        result: Root and partition count.
        custody: Custody root for the worker's operator, 32 bytes.
        sites: Site entries of all partitions.
        unassigned_nmis: NMIs without an aggregator in some interval.
        warnings: Oddities in the inputs that are allowed.
    """

    result: Result
    custody: bytes
    sites: int
    unassigned_nmis: int
    warnings: tuple[str, ...]


class RoundEngine(Protocol):
    """Computes rounds apart from the worker, one at a time, and seals their bundles.

    Sealed bundles are kept apart (`BundleShelf`) until the worker publishes them.
    """

    async def compute(
        self, task: RoundTask, inputs: Inputs, on_stage: Callable[[str], None]
    ) -> Outcome:
        """Compute a round; returns as soon as the outcome is known, and goes on sealing.

        Args:
            task: The round.
            inputs: Its inputs.
            on_stage: Called with the name of each stage.

        Raises:
            DigestMismatch: If an input is not the one that the round was opened with.
            EvidenceError: If the inputs violate the rules.
            ComputationFault: If the computation ended without a result.
        """
        ...

    async def sealed(self, round_number: int) -> None:
        """Wait until nothing of a round is being sealed any more."""
        ...


class ShelvedRound(Struct, frozen=True):
    """A round with bundles on the shelf, and the time of publication, UTC seconds."""

    number: int
    published_at: float


class BundleShelf(Protocol):
    """Storage of sealed bundles: apart until their round is final, then for aggregators to fetch.

    Sealed bundles belong to a round's number and its inputs (`RoundOpened.inputs`).
    """

    def publish(self, round_number: int, inputs: bytes) -> int | None:
        """Publish a round's sealed bundles; returns their number, or None if there are none."""
        ...

    def discard(self, round_number: int) -> None:
        """Delete sealed bundles of a round that are not published."""
        ...

    def rounds(self) -> list[ShelvedRound]:
        """The rounds with published bundles."""
        ...

    def delete(self, round_number: int) -> None:
        """Delete the published bundles of a round."""
        ...
