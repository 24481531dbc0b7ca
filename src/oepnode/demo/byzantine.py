"""A worker that lies: for the demo and for tests, never part of a worker.

It computes honestly, then leaves one site of the largest partition out. Everything else it does as
every worker does. Liars leave out the same site, so they agree among themselves.

    python -m oepnode.demo.byzantine --config worker.toml
"""

from __future__ import annotations

from dataclasses import replace

from oepnode.domain.documents.progress import Progress
from oepnode.domain.rounds import entries as encoding
from oepnode.domain.rounds import merkle
from oepnode.domain.rounds.computation import Computation, Inputs, compute
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import RoundOpened
from oepnode.domain.rounds.partition import Partition, RoundResult


def lie(
    inputs: Inputs, context: RoundContext, opened: RoundOpened, progress: Progress | None = None
) -> Computation:
    """Compute a round's result, and leave a site out."""
    honest = compute(inputs, context, opened, progress)
    return replace(honest, result=without_a_site(honest.result))


def without_a_site(result: RoundResult) -> RoundResult:
    """The same result with the first site of the largest partition left out."""
    largest = max(result.partitions, key=lambda partition: partition.site_count)
    partitions = [_shorter(p) if p is largest else p for p in result.partitions]
    partitions.sort(key=lambda partition: partition.entry)
    root = merkle.root_hash([merkle.leaf_hash(p.entry) for p in partitions])
    return replace(result, partitions=tuple(partitions), root=root)


def _shorter(partition: Partition) -> Partition:
    entries = partition.entries[1:]
    root = merkle.root_hash([merkle.leaf_hash(entry) for entry in entries])
    known = encoding.decode_partition(partition.entry)
    entry = encoding.PartitionEntry(known.pseudonym, root, len(entries)).encode()
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

    def announce(url: str) -> None:
        print(json.dumps({"listening": url}), flush=True)

    asyncio.run(run_worker(settings, announce, lie))


if __name__ == "__main__":
    main()
