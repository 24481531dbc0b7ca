"""Composition root: builds the worker and the services from their settings.

Guarantees: no other module chooses the adapter behind a port of `oepnode.ports`, and everything
built here is closed at the end. ``worker`` names no adapter at all; ``services`` name those of
storage and cryptography that they are built on; ``client``, ``cli`` and ``demo`` name adapters for
jobs without a port, such as key files, pictures and deployment. Layers: import-linter.
"""

from oepnode.wiring.chain import chain_reader, chain_writer
from oepnode.wiring.services import (
    ServiceParts,
    registry_parts,
    relay_parts,
    run_service,
    sender_parts,
)
from oepnode.wiring.worker import WorkerParts, cluster_of, run_worker, worker_parts

__all__ = [
    "ServiceParts",
    "WorkerParts",
    "chain_reader",
    "chain_writer",
    "cluster_of",
    "registry_parts",
    "relay_parts",
    "run_service",
    "run_worker",
    "sender_parts",
    "worker_parts",
]
