"""All that a worker reaches beyond itself, as one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from oepnode.domain.documents.progress import Progress
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.computation import Computation, Inputs
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import RoundOpened
from oepnode.ports import BundleShelf, Chain, Clock, EnvelopeSource, InputArchive, Registry, Relay

Compute = Callable[[Inputs, RoundContext, RoundOpened, Progress | None], Computation]
Seal = Callable[[bytes, bytes, bytes], bytes]
SealInputs = Callable[[RoundContext, Inputs], bytes]


@dataclass(frozen=True)
class WorkerPorts:
    """The ports of a worker.

    Attributes:
        chain: The consensus contract.
        sender: The envelope source.
        registry: The NMI registry.
        shelf: Where sealed bundles lie.
        seal: (public key, plaintext, info) → sealed bundle.
        archive: Where inputs are kept, or None.
        seal_inputs: Seals a round's inputs for the archive, or None.
        clock: Time of day.
        compute: From inputs to result.
        feed: How documents are read.
        relay: Who brings this worker's ballots to the chain, or None.
    """

    chain: Chain
    sender: EnvelopeSource
    registry: Registry
    shelf: BundleShelf
    seal: Seal
    archive: InputArchive | None
    seal_inputs: SealInputs | None
    clock: Clock
    compute: Compute
    feed: Feed
    relay: Relay | None = None
