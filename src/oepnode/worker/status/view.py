"""A worker's status for its operator: counts, hashes and times; no NMI, salt or key.

The shapes of ``/v1/status``, and the protocols through which the pages read them. What follows from
a round's result (root, counts, duration, warnings) is empty until the round is over.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from msgspec import Struct


class RoundLine(Struct, frozen=True):
    """A round as this worker knows it.

    Attributes:
        round: Number.
        phase: ``voting``, ``final``, ``failed`` or ``cancelled``.
        horizon: Start of the horizon in NEM time, and its length.
        mine: This worker's part: ``computing``, ``ballot cast``, ``abstained: …`` …
        root: Root that this worker computed, hex, or empty until the round is over.
        final_root: Final root, hex, or empty.
        votes: Ballots and abstentions on chain.
        members: Size of the electorate.
        sites: Site entries of all partitions; None until the round is over.
        partitions: Leaves of the round tree; None until the round is over.
        unassigned_nmis: NMIs without an aggregator in some interval; None until the round is over.
        seconds: Duration of the computation; None until the round is over.
        detail: Reason for abstaining or waiting; warnings about the inputs of a round that is over.
    """

    round: int
    phase: str
    horizon: str
    mine: str
    root: str
    final_root: str
    votes: int
    members: int
    sites: int | None
    partitions: int | None
    unassigned_nmis: int | None
    seconds: float | None
    detail: str


class WorkerStatus(Struct, frozen=True):
    """A worker at one moment.

    Attributes:
        version: Version of this program.
        operator: Address, hex.
        signer: Address, hex.
        chain_id: EIP-155 chain id.
        contract: Address, hex.
        head_block: Newest processed block, or None.
        head_time: Its time in NEM time, or empty.
        chain_error: Code of the last error in following the chain, or empty.
        sender_error: Code of the last error in polling the sender, or empty.
        rounds: Newest first.
    """

    version: str
    operator: str
    signer: str
    chain_id: int
    contract: str
    head_block: int | None
    head_time: str
    chain_error: str
    sender_error: str
    rounds: list[RoundLine]


class PublicView(Protocol):
    """A worker's health and bundles, for its public pages."""

    def is_healthy(self) -> bool:
        """Whether the worker follows its chain."""
        ...

    def bundle(self, round_number: int, name: str) -> Path | None:
        """The file of a sealed bundle of a final round, or None."""
        ...


class OperatorView(Protocol):
    """A worker's status, for its operator's pages."""

    def status(self) -> WorkerStatus:
        """The worker now."""
        ...
