"""A round on a Dask cluster of processes here, beside forked processes; ``benchmarks/cluster``.

The document is that of ``benchmarks/partition``. Both ways read the same file and must find the
same root; the cluster is given each part's bytes, and its entries are fetched at the end, as when
bundles are sealed. CPU time is that of all processes that compute, the one here included; those of
the cluster are started before. One machine does both sides' work here, so its seconds say nothing
about several machines: CPU time and bytes a site are what docs/scale.md calculates with.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from distributed import Client, LocalCluster

from benchmarks import partition_data as data
from benchmarks.measure_partition import machine, made
from oepnode.adapters.computing.dask_cluster import connected
from oepnode.adapters.computing.dask_workshop import DaskWorkshop
from oepnode.adapters.computing.messages import ClusterAddress
from oepnode.adapters.computing.processes import ForkedProcesses
from oepnode.adapters.computing.spill import Spill
from oepnode.adapters.storage.document_file import FileSource
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.entries import Horizon
from oepnode.domain.rounds.inputs.document_readers import open_document
from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
from oepnode.domain.rounds.partition import RoundResult
from oepnode.domain.rounds.pipeline import Pipeline
from oepnode.domain.rounds.workshop import Workshop


def main() -> None:
    """Measure both ways, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sites", type=int, default=100_000)
    parser.add_argument("--intervals", type=int, default=288)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--data", type=Path, default=Path(tempfile.gettempdir(), "oepnode-partition")
    )
    chosen = parser.parse_args()
    chosen.data.mkdir(parents=True, exist_ok=True)
    document, registry = made(chosen.data, chosen.sites, chosen.intervals)
    local = on_forked_processes(document, registry, chosen.intervals, chosen.workers)
    dask = on_cluster(document, registry, chosen.intervals, chosen.workers)
    if local["root"] != dask["root"]:
        raise SystemExit("the cluster and the forked processes find different roots")
    report = {
        "machine": machine(),
        "sites": chosen.sites,
        "intervals": chosen.intervals,
        "processes": chosen.workers,
        "local": local,
        "dask": dask,
        "head_bytes": round(dask["head_bytes"] / chosen.sites),
        "fetch_us": round(1e6 * dask["fetch_seconds"] / chosen.sites, 1),
        "spread_overhead": round(dask["cpu_seconds"] / local["cpu_seconds"], 2),
    }
    print(json.dumps(report, indent=2))
    if chosen.json:
        chosen.json.write_text(json.dumps(report, indent=2) + "\n")


def on_forked_processes(
    document: Path, registry: Path, intervals: int, processes: int
) -> dict[str, Any]:
    """To the root, in processes of this one."""
    from benchmarks.measure_partition import _cpu_seconds

    with Spill(document.parent / "spill-local") as spill:
        began, cpu = time.perf_counter(), _cpu_seconds()
        result = partitioned(document, registry, intervals, ForkedProcesses(spill, processes))
        return {
            "root": result.root.hex(),
            "seconds": round(time.perf_counter() - began, 3),
            "cpu_seconds": round(_cpu_seconds() - cpu, 3),
        }


def on_cluster(document: Path, registry: Path, intervals: int, workers: int) -> dict[str, Any]:
    """To the root on a cluster, and then all entries fetched."""
    with LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        memory_limit=None,
    ) as cluster:
        address = ClusterAddress(cluster.scheduler_address)
        with connected(address) as client, Spill(document.parent / "spill-dask") as spill:
            workshop = CountingWorkshop(client, address, ForkedProcesses(spill, 1))
            cpu = cpu_of(client)
            began = time.perf_counter()
            result = partitioned(document, registry, intervals, workshop)
            rooted = time.perf_counter()
            used = cpu_of(client) - cpu
            for partition in result.partitions:
                for _ in partition.entries:
                    pass
            return {
                "root": result.root.hex(),
                "seconds": round(rooted - began, 3),
                "cpu_seconds": round(used, 3),
                "fetch_seconds": round(time.perf_counter() - rooted, 3),
                "head_bytes": workshop.head_bytes,
            }


class CountingWorkshop(DaskWorkshop):
    """Counts the bytes of results without entries."""

    head_bytes = 0

    def _result(self, sent: Any) -> Any:  # noqa: ANN401 - as in the workshop
        self.head_bytes += len(sent.head.result().outcome._data)
        return super()._result(sent)


def cpu_of(client: Client) -> float:
    """CPU time of this process, which has the scheduler, and of all Dask workers."""
    there: dict[str, float] = client.run(time.process_time)
    return time.process_time() + sum(there.values())


def partitioned(document: Path, registry: Path, intervals: int, workshop: Workshop) -> RoundResult:
    """The result of the document, snapshot included."""
    snapshot = parse_snapshot(registry.read_bytes())
    horizon = Horizon(data.START, intervals)
    pipeline = Pipeline(snapshot, data.SALT, RoundContext(1, bytes(20), 1), horizon, workshop)
    return pipeline.partition(open_document(FileSource(document), Feed())).result


if __name__ == "__main__":
    main()
