"""One computation: the result first, then the sealed inputs and bundles.

Guarantees: the outcome is reported before anything is sealed, so that sealing delays no vote;
bundles and inputs are written sealed only; a partition that cannot be sealed (its aggregator's key
is unusable, or it is too large for one bundle) is skipped, and the others are sealed; a full
archive costs neither the vote nor the bundles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from oepnode.adapters.computing.messages import Done, Message, Sealed, Staged
from oepnode.adapters.crypto import sealing
from oepnode.domain.documents.progress import Progress
from oepnode.domain.rounds import bundle, bundle_writing
from oepnode.domain.rounds.computation import Computation, Inputs
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.custody import custody_root
from oepnode.domain.rounds.onchain import RoundOpened
from oepnode.domain.rounds.pseudonyms import UNASSIGNED
from oepnode.domain.rounds.workshop import Workshop
from oepnode.errors import EvidenceError, OepError
from oepnode.ports import Outcome, RoundTask


class Compute(Protocol):
    """Computes a round's result, as `oepnode.domain.rounds.computation.compute`."""

    def __call__(
        self,
        inputs: Inputs,
        context: RoundContext,
        opened: RoundOpened,
        progress: Progress | None = None,
        *,
        workshop: Workshop | None = None,
        operator: bytes | None = None,
    ) -> Computation:
        """The result, with the custody root for an operator."""
        ...


Send = Callable[[Message], None]
PutBundle = Callable[[str, Iterable[bytes]], None]
Archive = Callable[[RoundContext, Inputs], None]


def run_job(
    task: RoundTask,
    inputs: Inputs,
    compute: Compute,
    workshop: Workshop,
    send: Send,
    put_bundle: PutBundle,
    archive: Archive | None,
) -> Sealed:
    """Compute a round and seal its bundles; returns what was sealed, to be sent at the very end.

    Args:
        task: The round.
        inputs: Its inputs.
        compute: Computes the result.
        workshop: Does the work, sealing included, and keeps the entries until they are sealed.
        send: Called with `Staged` and `Done`, in this order.
        put_bundle: Stores a sealed bundle under its name; called in any process of the workshop.
        archive: Seals and stores the inputs, or None.

    Raises:
        OepError: As ``compute`` does.
    """
    computation = compute(
        inputs,
        task.context,
        task.opened,
        _stages(send),
        workshop=workshop,
        operator=task.operator,
    )
    send(Done(outcome_of(task, computation)))
    archive_error = ""
    if archive is not None:
        try:
            archive(task.context, inputs)
        except OepError as exc:
            archive_error = str(exc)
    count, skipped = seal_bundles(task.context, computation, workshop, put_bundle)
    return Sealed(count, skipped, archive_error)


def outcome_of(task: RoundTask, computation: Computation) -> Outcome:
    """The outcome of a computation, for the worker."""
    result = computation.result
    return Outcome(
        result=result.result,
        custody=computation.custody or custody_root(task.operator, result.partitions),
        sites=sum(partition.site_count for partition in result.partitions),
        unassigned_nmis=result.unassigned_nmis,
        warnings=computation.warnings,
    )


def _stages(send: Send) -> Progress:
    """A progress callback that reports each stage once, without counts, which say the size."""
    current = ""

    def report(stage: str, done: int, total: int) -> None:
        nonlocal current
        if stage != current:
            current = stage
            send(Staged(stage))

    return report


def seal_bundles(
    context: RoundContext, computation: Computation, workshop: Workshop, put_bundle: PutBundle
) -> tuple[int, list[str]]:
    """Seal each aggregator's partition; returns their number, and why others were skipped."""
    info = bundle.sealing_info(context)
    partitions = computation.result.partitions
    chosen = [n for n, part in enumerate(partitions) if part.aggregator_id != UNASSIGNED]
    chosen.sort(key=lambda number: -partitions[number].site_count)  # the longest work first

    def seal(task: int) -> str:
        number = chosen[task]
        key = computation.aggregators[partitions[number].aggregator_id].public_key
        try:
            sealed = sealing.seal(key, bundle_writing.build(computation.result, number), info)
            # Sealed while it is written: a piece at a time, however large the partition is.
            put_bundle(bundle.bundle_name(context, key), sealed)
        except EvidenceError as exc:
            return str(exc)
        return ""

    skipped = [reason for reason in workshop.run(seal, len(chosen)) if reason]
    return len(chosen) - len(skipped), skipped
