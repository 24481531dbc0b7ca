"""A document partitioned over its own horizon, as a round that was opened for it has it."""

from __future__ import annotations

from collections.abc import Callable

from oepnode.domain.documents.sources import BytesSource
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.entries import Horizon
from oepnode.domain.rounds.inputs.blocks import DocumentReader, UnprovenError
from oepnode.domain.rounds.inputs.document_readers import open_document
from oepnode.domain.rounds.inputs.registry_snapshot import Snapshot
from oepnode.domain.rounds.partition import RoundResult
from oepnode.domain.rounds.pipeline import PartitionedDocument, Pipeline
from oepnode.domain.rounds.workshop import Workshop


def horizon_of(reader: DocumentReader) -> Horizon:
    """The horizon of a document's runs; of one interval where it has none."""
    try:
        return _horizon_of(reader)
    except UnprovenError:
        return _horizon_of(reader.strict())


def _horizon_of(reader: DocumentReader) -> Horizon:
    spans = [
        (int(start), int(start + count * INTERVAL_S))
        for part in range(reader.part_count)
        for block in reader.read(part)
        for start, count in zip(
            block.runs.start, block.runs.bounds[1:] - block.runs.bounds[:-1], strict=True
        )
    ]
    start = min((first for first, _ in spans), default=0)
    end = max((last for _, last in spans), default=INTERVAL_S)
    return Horizon(start, (end - start) // INTERVAL_S)


def partition_document(
    data: bytes,
    snapshot: Snapshot,
    salt: bytes,
    context: RoundContext,
    feed: Feed | None = None,
    *,
    horizon: Horizon | None = None,
    workshop: Workshop | None = None,
    operator: bytes | None = None,
) -> PartitionedDocument:
    """A document of any form, partitioned; over its own horizon where none is given."""
    source, feed = BytesSource(data), feed or Feed()
    horizon = horizon or horizon_of(open_document(source, feed))
    pipeline = Pipeline(snapshot, salt, context, horizon, workshop, operator)
    return pipeline.partition(open_document(source, feed))


def partition_round(
    data: bytes,
    snapshot: Snapshot,
    salt: bytes,
    context: RoundContext,
    feed: Feed | None = None,
) -> RoundResult:
    """The result of a document over its own horizon."""
    return partition_document(data, snapshot, salt, context, feed).result


def partition_reader(
    opened: Callable[[], DocumentReader], snapshot: Snapshot, salt: bytes, context: RoundContext
) -> RoundResult:
    """The result of a document that is opened twice, over its own horizon."""
    horizon = horizon_of(opened())
    return Pipeline(snapshot, salt, context, horizon).partition(opened()).result
