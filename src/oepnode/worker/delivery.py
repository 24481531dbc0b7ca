"""Delivery: each aggregator's partition of a final round, sealed and put on the shelf."""

from __future__ import annotations

import structlog

from oepnode.domain.rounds import bundle
from oepnode.domain.rounds.computation import Computation
from oepnode.domain.rounds.pseudonyms import UNASSIGNED
from oepnode.errors import EvidenceError
from oepnode.worker.ports import WorkerPorts
from oepnode.worker.state import RoundState


def publish(outside: WorkerPorts, state: RoundState, computation: Computation) -> int:
    """Seal the bundles of a round and keep them; returns how many.

    A partition that cannot be sealed (its aggregator's key is unusable, or it is too large for one
    bundle) is logged and left out; the others are delivered all the same.
    """
    log = structlog.get_logger("oepnode.delivery")
    info = bundle.sealing_info(state.context)
    delivered = 0
    for index, partition in enumerate(computation.result.partitions):
        if partition.aggregator_id == UNASSIGNED:
            continue
        key = computation.aggregators[partition.aggregator_id].public_key
        try:
            sealed = outside.seal(key, bundle.build(computation.result, index), info)
        except EvidenceError as exc:
            log.warning("partition not delivered", round=state.number, why=str(exc))
            continue
        outside.shelf.put(state.number, bundle.bundle_name(state.context, key), sealed)
        delivered += 1
    return delivered
