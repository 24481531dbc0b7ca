"""Public status of a worker: counts, hashes and times; no NMI, salt or key.

The shapes of ``/v1/status``, and the protocol through which the pages read them.
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
        mine: This worker's part: ``computing 40 %``, ``ballot cast``, ``abstained: …`` …
        root: Root that this worker computed, hex, or empty.
        final_root: Final root, hex, or empty.
        votes: Ballots and abstentions on chain.
        members: Size of the electorate.
        sites: Site entries of all partitions.
        partitions: Leaves of the round tree.
        unassigned_nmis: NMIs without an aggregator in some interval.
        seconds: Duration of the computation.
        detail: Reason for abstaining or waiting, or warnings about the inputs.
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
        chain_error: Last error in following the chain, or empty.
        sender_error: Last error in polling the sender, or empty.
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

    @property
    def is_healthy(self) -> bool:
        """Whether the worker follows its chain."""
        return self.head_block is not None and not self.chain_error


class WorkerView(Protocol):
    """A worker's status, bundles and metrics, for its pages."""

    def status(self) -> WorkerStatus:
        """The worker now."""
        ...

    def bundle(self, round_number: int, name: str) -> Path | None:
        """The file of a sealed bundle, or None."""
        ...

    def metrics(self) -> bytes:
        """The metrics in Prometheus' text format."""
        ...
