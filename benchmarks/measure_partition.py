"""Speed of partitioning, from bytes on disk to the root; started by ``benchmarks/partition``.

Makes a document and a registry snapshot from a seed first (not measured; kept in a folder for
temporary files): each site once, a limit of both active kinds in each interval. Measured, each in a
process of its own whose start and imports are not counted:

- *pipeline*: digests of both documents, snapshot, document in Parquet, all partition roots and the
  root, with entries kept so that bundles can be sealed and sites proven;
- *plain*: partition_plain.py on the first sites of the same document as JSON, as many as have
  600,000 intervals together (its time a site grows with the size, so that fewer sites are in its
  favour). It must find the root that the pipeline finds for these sites.

`ratio` is the plain time a site over the pipeline's. Times are the median of the runs. `peak` is
the sum of the memory of all processes, shared pages counted once (PSS, sampled); entries in files
are not in it. Stages are wall time; those of several processes are the longest of all.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import partition_data as data  # noqa: E402
from oepnode.adapters.computing.engine import ENVIRONMENT  # noqa: E402

PLAIN: Final = ROOT / "benchmarks" / "partition_plain.py"
ROWS: Final = "100000x288,100000x6,1000000x288"
STAGES: Final = "300,10000,100000,1000000"
SAMPLE_S: Final = 0.1
MUST: Final = {(100_000, 288): 80, (100_000, 6): 12}


def main() -> None:
    """Measure all rows, or one step in a process of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rows", default=ROWS)
    parser.add_argument("--stages", default=STAGES)
    parser.add_argument("--processes", type=int, default=0)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--plain-cells", type=int, default=600_000)
    parser.add_argument(
        "--data", type=Path, default=Path(tempfile.gettempdir(), "oepnode-partition")
    )
    parser.add_argument("--step", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.step:
        document, intervals = Path(chosen.step[0]), int(chosen.step[1])
        print(json.dumps(pipeline(document, intervals, chosen.processes)))
        return
    chosen.data.mkdir(parents=True, exist_ok=True)
    report = {"machine": machine(), "rows": rows(chosen), "stages": stages(chosen)}
    show(report)
    if chosen.json:
        chosen.json.write_text(json.dumps(report, indent=2) + "\n")


# --- rows ----------------------------------------------------------------------------------------


def rows(chosen: argparse.Namespace) -> list[dict[str, Any]]:
    """One row for each size."""
    found = []
    for text in filter(None, chosen.rows.split(",")):
        sites, intervals = (int(part) for part in text.split("x"))
        plain = measure_plain(chosen, min(sites, chosen.plain_cells // intervals), intervals)
        runs = [measure(chosen, sites, intervals) for _ in range(chosen.repeat)]
        seconds = statistics.median(run["seconds"] for run in runs)
        found.append(
            {
                "sites": sites,
                "intervals": intervals,
                "megabytes": round(runs[0]["bytes"] / 1e6, 1),
                "seconds": round(seconds, 3),
                "cpu_seconds": round(statistics.median(run["cpu_seconds"] for run in runs), 3),
                "sites_per_s": round(sites / seconds),
                "intervals_per_s": round(sites * intervals / seconds),
                "megabytes_per_s": round(runs[0]["bytes"] / 1e6 / seconds, 1),
                "peak_mib": max(run["peak_mib"] for run in runs),
                "spilled_mib": runs[0]["spilled_mib"],
                "plain_sites_per_s": round(1 / plain["site_s"]),
                "ratio": round(plain["site_s"] * sites / seconds, 1),
                "cpu_ratio": round(
                    plain["site_cpu_s"]
                    * sites
                    / statistics.median(run["cpu_seconds"] for run in runs),
                    1,
                ),
                "must": MUST.get((sites, intervals)),
                "root": runs[0]["root"],
            }
        )
    return found


def stages(chosen: argparse.Namespace) -> list[dict[str, Any]]:
    """Time of each stage at each size, over 288 intervals."""
    found = []
    for text in filter(None, chosen.stages.split(",")):
        run = measure(chosen, int(text), 288)
        line = {"sites": int(text), "seconds": run["seconds"], "peak_mib": run["peak_mib"]}
        found.append(line | run["stages"])
    return found


def measure(chosen: argparse.Namespace, sites: int, intervals: int) -> dict[str, Any]:
    """The pipeline on one document, in a process of its own."""
    document, _ = made(chosen.data, sites, intervals)
    words = [sys.executable, __file__, "--step", str(document), str(intervals)]
    words += ["--processes", str(chosen.processes)]
    environment = os.environ | ENVIRONMENT
    with subprocess.Popen(  # noqa: S603 - this file
        words, stdout=subprocess.PIPE, text=True, env=environment
    ) as child:
        memory = Memory(child.pid)
        out, _ = child.communicate()
        peak = memory.stop()
    if child.returncode:
        raise SystemExit(f"the pipeline failed on {document.name}")
    result: dict[str, Any] = json.loads(out)
    return result | {"peak_mib": round(peak / 2**20)}


def measure_plain(chosen: argparse.Namespace, sites: int, intervals: int) -> dict[str, Any]:
    """The plain script on the first sites of the same document as JSON."""
    parquet, registry = made(chosen.data, sites, intervals)
    document = parquet.with_suffix(".json")
    if not document.exists():
        data.write_json(document, sites, intervals)
    runs = []
    for _ in range(chosen.repeat):
        words = [sys.executable, str(PLAIN), str(document), str(registry)]
        done = subprocess.run(words, capture_output=True, text=True, check=True)  # noqa: S603
        runs.append(json.loads(done.stdout))
    expected = measure(chosen, sites, intervals)["root"]
    if any(run["root"] != expected for run in runs):
        raise SystemExit("the plain script and the pipeline find different roots")
    return {
        "site_s": statistics.median(run["seconds"] for run in runs) / sites,
        "site_cpu_s": statistics.median(run["cpu_seconds"] for run in runs) / sites,
    }


def made(folder: Path, sites: int, intervals: int) -> tuple[Path, Path]:
    """The document in Parquet and its registry, made where they are missing."""
    document = folder / f"{sites}x{intervals}.parquet"
    registry = folder / f"{sites}.registry"
    if not document.exists():
        data.write_parquet(document, sites, intervals)
    if not registry.exists():
        data.write_registry(registry, sites)
    return document, registry


# --- one run of the pipeline ---------------------------------------------------------------------


def pipeline(document: Path, intervals: int, processes: int) -> dict[str, Any]:
    """Compute the root of a document, as a computing process does."""
    from oepnode.adapters.computing.processes import ForkedProcesses, usable_cores
    from oepnode.adapters.computing.spill import Spill
    from oepnode.adapters.storage.document_file import FileSource
    from oepnode.domain.documents.sources import digest_of
    from oepnode.domain.nem.quantities import Feed
    from oepnode.domain.rounds.context import RoundContext
    from oepnode.domain.rounds.entries import Horizon
    from oepnode.domain.rounds.inputs import envelope_parquet  # noqa: F401 - not measured
    from oepnode.domain.rounds.inputs.document_readers import open_document
    from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
    from oepnode.domain.rounds.pipeline import Pipeline

    registry = document.parent / (document.name.split("x")[0] + ".registry")
    clock = Clock()
    with Spill(document.parent / f"spill-{os.getpid()}") as spill:
        workshop = ForkedProcesses(spill, processes or usable_cores())
        source = FileSource(document)
        digest = workshop.beside(lambda: digest_of(source))
        taken = registry.read_bytes()
        sha256(taken).digest()
        snapshot = parse_snapshot(taken)
        digest()
        clock.note("digests, snapshot")
        horizon = Horizon(data.START, intervals)
        rounds = Pipeline(snapshot, data.SALT, RoundContext(1, bytes(20), 1), horizon, workshop)
        result = rounds.partition(open_document(source, Feed()), clock.progress).result
        clock.note("trees")
        spilled = sum(path.stat().st_size for path in spill.folder.iterdir())
        return {
            "root": result.root.hex(),
            "partitions": result.partition_count,
            "bytes": source.size,
            "seconds": clock.total,
            "cpu_seconds": clock.cpu_total,
            "spilled_mib": round(spilled / 2**20),
            "stages": {name: round(value, 4) for name, value in clock.stages.items()},
        }


class Clock:
    """Notes how long stages take."""

    def __init__(self) -> None:
        self.stages: dict[str, float] = {}
        self._began = self._last = time.perf_counter()
        self._cpu = _cpu_seconds()
        self._read = False

    def note(self, stage: str) -> None:
        """The stage that ends now."""
        now = time.perf_counter()
        self.stages[stage] = self.stages.get(stage, 0.0) + now - self._last
        self._last = now

    def progress(self, stage: str, done: int, total: int) -> None:
        """Note a stage of the pipeline when it is complete."""
        if done == total:
            self.note(stage)

    @property
    def total(self) -> float:
        """Seconds until the last note."""
        return self._last - self._began

    @property
    def cpu_total(self) -> float:
        """Seconds of all processors."""
        return _cpu_seconds() - self._cpu


def _cpu_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


class Memory:
    """Samples the memory of a process and all its children; the peak counts."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()

    def stop(self) -> int:
        """The peak in bytes."""
        self._is_over.set()
        self._thread.join()
        return self._peak

    def _sample(self) -> None:
        while not self._is_over.wait(SAMPLE_S):
            self._peak = max(self._peak, sum(map(_pss, _family(self._pid))))


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(each for child in children for each in _family(int(child)))]


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))


# --- output --------------------------------------------------------------------------------------


def machine() -> dict[str, Any]:
    """The card of the machine."""
    import numpy as np
    import pyarrow as pa

    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if "model name" in line), "")
    memory = Path("/proc/meminfo").read_text().splitlines()[0].split()[1]
    block = bytes(1 << 28)
    began = time.perf_counter()
    sha256(block).digest()
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory) / 2**20, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pyarrow": pa.__version__,
        "sha256_gb_per_s": round(len(block) / 1e9 / (time.perf_counter() - began), 2),
    }


def show(report: dict[str, Any]) -> None:
    """Print the report."""
    print("machine:", ", ".join(f"{name} {value}" for name, value in report["machine"].items()))
    columns = ["sites", "intervals", "megabytes", "seconds", "cpu_seconds", "sites_per_s"]
    columns += ["megabytes_per_s", "peak_mib", "spilled_mib", "plain_sites_per_s", "ratio", "must"]
    table(columns, report["rows"])
    names = [name for row in report["stages"] for name in row]
    table(list(dict.fromkeys(names)), report["stages"])


def table(columns: list[str], lines: list[dict[str, Any]]) -> None:
    """Print columns, right-aligned."""
    cells = [columns] + [[_text(line.get(name)) for name in columns] for line in lines]
    widths = [max(len(row[index]) for row in cells) for index in range(len(columns))]
    for row in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))
    print()


def _text(value: Any) -> str:  # noqa: ANN401
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
