"""From a round's inputs to its result: pure, and heavy, so the worker runs it in a thread.

Digests were checked when fetching; here the document and the snapshot are read, and the horizon is
compared with the round's (rules-v1 section 5).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from oepnode.domain import envelope, registry
from oepnode.domain.facts import RoundOpened
from oepnode.domain.faults import FaultLog
from oepnode.domain.json_text import Progress
from oepnode.domain.keys import RoundContext
from oepnode.domain.nem_time import format_nem
from oepnode.domain.partition import RoundResult, partition_round
from oepnode.domain.registry import Aggregator
from oepnode.domain.replay import Inputs


@dataclass
class Computation:
    """What computing gave.

    Attributes:
        round: Partitions, entries and root.
        aggregators: By id, for sealing.
        warnings: What was odd but allowed in the inputs.
        seconds: Time that computing took.
    """

    round: RoundResult
    aggregators: dict[str, Aggregator]
    warnings: tuple[str, ...]
    seconds: float = 0.0


Compute = Callable[[Inputs, RoundContext, RoundOpened, Progress], Computation]


def compute(
    inputs: Inputs, context: RoundContext, opened: RoundOpened, progress: Progress
) -> Computation:
    """Compute a round's result.

    Raises:
        DocumentFault: If the document or the snapshot has a fault, or the horizons differ.
        DigestMismatch: If the salt is not the snapshot's.
    """
    snapshot = registry.parse_snapshot(inputs.registry)
    document = envelope.parse_document(inputs.envelope, inputs.feed, progress)
    _check_horizon(document, opened)
    result = partition_round(document, snapshot, inputs.salt, context, progress)
    return Computation(
        result,
        {aggregator.id: aggregator for aggregator in snapshot.aggregators},
        (*document.warnings, *snapshot.warnings),
    )


def _check_horizon(document: envelope.Document, opened: RoundOpened) -> None:
    log = FaultLog("envelope document")
    received = (document.horizon_start, document.interval_count)
    if received != (opened.horizon_start, opened.interval_count):
        log.add(
            "$",
            "horizon.mismatch",
            f"the round on chain is for {opened.interval_count} intervals from "
            f"{format_nem(opened.horizon_start)}",
            f"{received[1]} intervals from {format_nem(received[0])}",
        )
    log.raise_if_any()
