"""The ports of a worker as one value: chain, services, storage, clock and computation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from oepnode.domain.documents.progress import Progress
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.computation import Computation, Inputs
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import RoundOpened
from oepnode.ports import BundleShelf, Chain, Clock, EnvelopeSource, InputArchive, Registry, Relay

Compute = Callable[[Inputs, RoundContext, RoundOpened, Progress | None], Computation]
Seal = Callable[[bytes, Iterable[bytes], bytes], Iterable[bytes]]
SealInputs = Callable[[RoundContext, Inputs], Iterable[bytes]]


@dataclass(frozen=True)
class WorkerPorts:
    """The ports of a worker.

    Attributes:
        chain: The consensus contract.
        sender: The sender's gateway.
        registry: The NMI registry.
        shelf: Storage of sealed bundles.
        seal: (public key, pieces of the plaintext, info) → pieces of the sealed bundle.
        archive: Storage of sealed inputs, or None.
        seal_inputs: Seals a round's inputs for the archive, in pieces, or None.
        clock: Time of day.
        compute: Computes a result from inputs.
        feed: Form of the sender's documents.
        relay: Casts this worker's ballots, or None.
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
