"""Delivery: seals each aggregator's partition of a final round, and puts it on the shelf."""

from __future__ import annotations

import structlog

from oepnode.domain.rounds import bundle
from oepnode.domain.rounds.computation import Computation
from oepnode.domain.rounds.pseudonyms import UNASSIGNED
from oepnode.errors import EvidenceError
from oepnode.worker.ports import WorkerPorts
from oepnode.worker.state import RoundState


def publish(ports: WorkerPorts, state: RoundState, computation: Computation) -> int:
    """Seal the bundles of a round, put them on the shelf, and return their number.

    A partition that cannot be sealed (its aggregator's key is unusable, or it is too large for one
    bundle) is logged and skipped; the others are still delivered.
    """
    log = structlog.get_logger("oepnode.delivery")
    info = bundle.sealing_info(state.context)
    delivered = 0
    for index, partition in enumerate(computation.result.partitions):
        if partition.aggregator_id == UNASSIGNED:
            continue
        key = computation.aggregators[partition.aggregator_id].public_key
        try:
            sealed = ports.seal(key, bundle.build(computation.result, index), info)
        except EvidenceError as exc:
            log.warning("partition_skipped", round=state.number, reason=str(exc))
            continue
        # Sealed while it is written: a piece at a time, however large the partition is.
        ports.shelf.put(state.number, bundle.bundle_name(state.context, key), sealed)
        delivered += 1
    return delivered
