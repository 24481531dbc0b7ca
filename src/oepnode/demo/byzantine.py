"""A lying worker for the demo and for tests.

It computes the honest result, then omits one site of the largest partition. Otherwise it acts as
every worker does. All liars omit the same site, so they agree with each other.

    python -m oepnode.demo.byzantine --config worker.toml
"""

from __future__ import annotations

from dataclasses import replace

from oepnode.domain.documents.progress import Progress
from oepnode.domain.rounds import merkle
from oepnode.domain.rounds.computation import Computation, Inputs, compute
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.entries import PartitionEntry, decode_partition
from oepnode.domain.rounds.onchain import RoundOpened
from oepnode.domain.rounds.partition import Partition, RoundResult
from oepnode.domain.rounds.workshop import Workshop


def lie(
    inputs: Inputs,
    context: RoundContext,
    opened: RoundOpened,
    progress: Progress | None = None,
    *,
    workshop: Workshop | None = None,
    operator: bytes | None = None,
) -> Computation:
    """Compute a round's result, and omit a site; the custody root is then that of the rest."""
    honest = compute(inputs, context, opened, progress, workshop=workshop, operator=operator)
    return replace(honest, result=without_a_site(honest.result), custody=None)


def without_a_site(result: RoundResult) -> RoundResult:
    """The same result without the first site of the largest partition."""
    largest = max(result.partitions, key=lambda partition: partition.site_count)
    partitions = [_shorter(p) if p is largest else p for p in result.partitions]
    partitions.sort(key=lambda partition: partition.entry)
    root = merkle.root_hash([merkle.leaf_hash(p.entry) for p in partitions])
    return replace(result, partitions=tuple(partitions), root=root)


def _shorter(partition: Partition) -> Partition:
    entries = partition.entries[1:]
    root = merkle.root_hash([merkle.leaf_hash(entry) for entry in entries])
    pseudonym = decode_partition(partition.entry).pseudonym
    entry = PartitionEntry(pseudonym, root, len(entries)).encode()
    return replace(partition, nmis=partition.nmis[1:], entries=entries, root=root, entry=entry)


def main() -> None:
    """Run a lying worker with the settings of an honest one."""
    import asyncio
    import json
    import sys
    from pathlib import Path

    from oepnode.adapters import logs
    from oepnode.config import WorkerSettings, load
    from oepnode.wiring import run_worker

    logs.configure()
    settings = load(WorkerSettings, Path(sys.argv[sys.argv.index("--config") + 1]))

    def announce(public_url: str, operator_url: str) -> None:
        print(json.dumps({"listening": public_url, "status": operator_url}), flush=True)

    asyncio.run(run_worker(settings, announce, "oepnode.demo.byzantine:lie"))


if __name__ == "__main__":
    main()
