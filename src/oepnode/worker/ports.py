"""The ports of a worker as one value: chain, services, storage, clock and computing."""

from __future__ import annotations

from dataclasses import dataclass

from oepnode.domain.nem.quantities import Feed
from oepnode.ports import (
    BundleShelf,
    Chain,
    Clock,
    EnvelopeSource,
    Registry,
    Relay,
    RoundEngine,
)


@dataclass(frozen=True)
class WorkerPorts:
    """The ports of a worker.

    Attributes:
        chain: The consensus contract.
        sender: The sender's gateway.
        registry: The NMI registry.
        engine: Computes rounds and seals their bundles.
        shelf: Storage of sealed bundles.
        clock: Time of day.
        feed: Form of the sender's documents.
        relay: Casts this worker's ballots, or None.
    """

    chain: Chain
    sender: EnvelopeSource
    registry: Registry
    engine: RoundEngine
    shelf: BundleShelf
    clock: Clock
    feed: Feed
    relay: Relay | None = None
