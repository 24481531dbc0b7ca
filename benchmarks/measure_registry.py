"""Speed of the registry's database; started by ``benchmarks/registry``.

Makes a snapshot and a table of changes first (not measured): every site gets an aggregator, and
later every one changes to another. Measured, each in a process of its own with its peak memory:
importing the snapshot into an empty database, importing the changes, publishing a snapshot, one
``assign``, and reading the first snapshot as a worker does. ``cpu`` is the processor time of
that process, ``server`` that of the PostgreSQL server's for it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from oepnode.client.operation.registry.changes import assign
from oepnode.client.operation.registry.database import DatabaseTarget, prepare_database
from oepnode.client.operation.registry.imports import import_assignments
from oepnode.client.operation.registry.snapshots import publish_from_database
from oepnode.demo.sample.plan import SamplePlan, aggregator_ids
from oepnode.demo.sample.registry import registry_chunks
from oepnode.demo.sample.sites import make_sites
from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
from tests.support.postgres import Postgres, find_programs

DATABASES: Final = ("sqlite", "postgresql")
STEPS: Final = ("import", "change", "publish", "assign", "read")
CHANGE_AT: Final = "2100-01-01T04:00:00+10:00"


def main() -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(prog="benchmarks/registry")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--nmis", type=int, default=1_000_000)
    parser.add_argument("--database", choices=DATABASES, action="append", help="default is both")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.step:
        print(json.dumps(measure(chosen.step, chosen.url, chosen.folder)))
        return
    figures: dict[str, Any] = {"machine": machine(), "nmis": chosen.nmis, "databases": {}}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        make(folder, chosen.nmis)
        for kind in chosen.database or DATABASES:
            with database(kind, folder) as (url, server):
                figures["databases"][kind] = run_steps(kind, url, folder, server)
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=2) + "\n")


def run_steps(kind: str, url: str, folder: Path, server: Postgres | None) -> dict[str, Any]:
    """Each step in a process of its own."""
    prepare_database(target(url, folder))
    (folder / "served").write_text(str(folder / f"data-{kind}"))
    figures: dict[str, Any] = {}
    for step in STEPS:
        words = ["--step", step, "--url", url, "--folder", str(folder)]
        before = 0.0 if server is None else server.cpu_seconds()
        done = subprocess.run(  # noqa: S603 - this program
            [sys.executable, "-m", "benchmarks.measure_registry", *words],
            check=True,
            stdout=subprocess.PIPE,
        )
        figures[step] = json.loads(done.stdout)
        row = figures[step]
        row["server_cpu_seconds"] = 0.0 if server is None else server_cpu(server) - before
        print(
            f"{kind:10}  {step:8}  {row['seconds']:7.2f} s  cpu {row['cpu_seconds']:7.2f} s  "
            f"server {row['server_cpu_seconds']:7.2f} s  "
            f"{row['peak_mib']:6.0f} MiB",
            flush=True,
        )
    return figures


def measure(step: str, url: str, folder: Path) -> dict[str, float]:
    """Run one step in this process."""
    chosen = target(url, folder)
    served = Path((folder / "served").read_text())
    nmi = (folder / "change.csv").read_text().splitlines()[1][:10] if step == "assign" else ""
    actions: dict[str, Callable[[], object]] = {
        "import": lambda: import_assignments(chosen, folder / "registry.json"),
        "change": lambda: import_assignments(chosen, folder / "change.csv"),
        "publish": lambda: publish_from_database(chosen, served),
        "assign": lambda: assign(chosen, nmi, "sample-01", "2100-01-05T04:00:00+10:00"),
        "read": lambda: parse_snapshot((folder / "registry.json").read_bytes()),
    }
    cpu, started = time.process_time(), time.perf_counter()
    actions[step]()
    return {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def make(folder: Path, nmis: int) -> None:
    """A snapshot, and a table that gives each of its sites another aggregator."""
    plan = SamplePlan(day=date(2026, 11, 20), nmis=nmis, aggregators=30, unassigned=0)
    sites = make_sites(plan)
    with (folder / "registry.json").open("wb") as file:
        file.writelines(registry_chunks(plan, sites, lambda *_: None))
    ids = aggregator_ids(plan)
    text = sites.nmi.tobytes().decode()
    names = [text[at : at + 10] for at in range(0, len(text), 10)]
    with (folder / "change.csv").open("w") as file:
        file.write("nmi,aggregator,from,to\n")
        for nmi, holder in zip(names, sites.holder.tolist(), strict=True):
            file.write(f"{nmi},{ids[(holder + 7) % len(ids)]},{CHANGE_AT},\n")
    digest = sha256((folder / "registry.json").read_bytes()).hexdigest()
    print(f"data: {nmis:,} sites, snapshot {digest[:12]}…", flush=True)


@contextmanager
def database(kind: str, folder: Path) -> Iterator[tuple[str, Postgres | None]]:
    """An empty database, and its server if it has one."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/registry.sqlite", None
        return
    programs = find_programs()
    if programs is None:
        raise SystemExit("PostgreSQL is not installed; on Debian: apt-get install postgresql")
    server = Postgres(programs, durable=True)
    try:
        password = folder / "password"
        password.touch(0o600)
        password.write_text(server.password)
        yield server.url(server.create()), server
    finally:
        server.stop()


def server_cpu(server: Postgres) -> float:
    """Processor time of a server, once the connections that are being closed are."""
    time.sleep(0.5)
    return server.cpu_seconds()


def target(url: str, folder: Path) -> DatabaseTarget:
    """The database of a URL."""
    return DatabaseTarget(url, folder / "password" if url.startswith("postgresql") else None)


def machine() -> str:
    """The processor, and how many cores this process may use."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((one.split(": ")[1] for one in lines if one.startswith("model name")), "unknown")
    cores = len(os.sched_getaffinity(0))
    return f"{name}, {cores} cores, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
