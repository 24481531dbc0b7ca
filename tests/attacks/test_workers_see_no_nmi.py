"""A worker's operator looks for NMIs in everything that the worker has and hears.

Who: the operator of an enrolled worker, or whoever gets at its machine: a core dump, swap, a
backup of its folders, its log, a recording of its connections.

Before: every worker had the document's and the snapshot's NMIs in memory while it computed.

Now: in blind mode the two documents hold tokens. The gateway blinds on ingest
(``oepnode.services.sender.ingest``), the registry serves a blinded snapshot, and the workers never
get the blinding key. This test runs real workers behind recording proxies, and searches their
memory while the round runs and after it, their folders, their logs, and every byte to and from
them, for the NMIs of the world: as in files, and with 16 or 32 bits a character.

What remains: tokens are stable within a series of snapshots, so a worker can follow a site and its
limits from round to round. An operator that colludes with a holder of the blinding key, or with an
aggregator, learns NMIs (``docs/design.md §4``). Numbers in other encodings are not searched for.

The second test shows that the search finds NMIs in the memory of a process, and the third, in a
campaign, runs the same search on a round that is not blind, where it finds all of them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from oepnode.demo import play
from oepnode.demo.devnet import free_port
from oepnode.demo.play import AggregatorReport, RoundReport
from oepnode.demo.stage import Plan, Stage
from tests.attacks.support.memory import nmis_in, nmis_in_memory
from tests.attacks.support.tap import Tap

WORKERS = 2
NMIS = 40
MEGABYTE = 1 << 20
LOOK_S = 2.0


@dataclass
class Search:
    """What was found, by place; and how much was searched."""

    nmis: set[str] = field(default_factory=set)
    in_memory: set[str] = field(default_factory=set)
    in_files: set[str] = field(default_factory=set)
    in_traffic: set[str] = field(default_factory=set)
    memory_bytes: int = 0
    traffic_bytes: int = 0
    file_count: int = 0
    looks: int = 0

    def look_at_memory(self, stage: Stage) -> None:
        for player in stage.players:
            found, size = nmis_in_memory(stage.children[player.name].pid)
            self.in_memory |= found & self.nmis
            self.memory_bytes += size
        self.looks += 1


def test_blind_workers_never_hold_an_nmi(tmp_path: Path) -> None:
    search, report, aggregators = play_and_search(tmp_path, blind=True)
    assert (search.in_memory, search.in_files, search.in_traffic) == (set(), set(), set())
    assert report.status == "finalised"
    assert len(report.matched) == WORKERS
    assert all(aggregator.verified for aggregator in aggregators)
    # 4 NMIs are nobody's; one changes aggregator, and both know it.
    assert sum(aggregator.resolved for aggregator in aggregators) == NMIS - 4 + 1
    assert_searched(search)


def test_the_search_finds_them_in_a_process() -> None:
    nmis = {f"630{block}{number:06}" for block in "56" for number in range(20)}
    holds = "a = input().encode(); b = a.decode().encode('utf-16'); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", holds], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdin is not None and holder.stdout is not None
        holder.stdin.write(" ".join(nmis).encode() + b"\n")
        holder.stdin.flush()
        holder.stdout.readline()
        found, size = nmis_in_memory(holder.pid)
        holder.kill()
    assert nmis <= found
    assert size > MEGABYTE


@pytest.mark.campaign
def test_without_blind_mode_the_search_finds_them(tmp_path: Path) -> None:
    search, report, aggregators = play_and_search(tmp_path, blind=False)
    assert report.status == "finalised"
    assert all(aggregator.verified for aggregator in aggregators)
    assert search.in_memory == search.nmis
    assert search.in_traffic == search.nmis
    assert search.in_files == set()  # a worker stores no NMI in either mode
    assert_searched(search)


def assert_searched(search: Search) -> None:
    assert len(search.nmis) == NMIS
    assert search.looks >= 3
    assert search.memory_bytes > search.looks * WORKERS * 20 * MEGABYTE
    assert search.traffic_bytes > WORKERS * MEGABYTE  # the document and more, for each worker
    assert search.file_count >= WORKERS * 4


def play_and_search(
    folder: Path, *, blind: bool
) -> tuple[Search, RoundReport, list[AggregatorReport]]:
    """Play one round, and search all that the workers have and hear."""
    plan = Plan(folder, WORKERS, nmis=NMIS, vote_window_s=120, reveal_window_s=60, blind=blind)
    search = Search()
    with ExitStack() as taps, Stage(plan) as stage:
        recorded = start(stage, taps)
        records = json.loads((stage.inputs / "envelope.json").read_bytes())
        search.nmis = {record["nmi"] for record in records}
        assert nmis_in(json.dumps(records).encode()) == search.nmis  # the search knows their form
        with looking_at_memory(search, stage):
            report = play.play_round(stage, stage.inputs / "envelope.json", lambda *_: None)
            aggregators = play.verify_as_aggregators(stage, [report])
        search.look_at_memory(stage)
        for child in [stage.children[player.name] for player in stage.players]:
            child.stop()
        for path in worker_files(stage):
            search.in_files |= nmis_in(path.read_bytes()) & search.nmis
            search.file_count += 1
        for tap in recorded:
            for stream in tap.recorded:
                search.in_traffic |= nmis_in(bytes(stream)) & search.nmis
                search.traffic_bytes += len(stream)
    return search, report, aggregators


def start(stage: Stage, taps: ExitStack) -> list[Tap]:
    """Start the world with a tap on everything that the workers talk to, and on the workers."""
    stage.start_chain()
    stage.deploy_contract()
    recorded = [taps.enter_context(Tap(stage.devnet.url))]
    stage.devnet.url = recorded[0].url
    stage.make_sample()
    if stage.plan.blind:
        stage.blind_snapshot()
    stage.start_services()
    sender, registry = stage.sender_url, stage.registry_url
    recorded += [taps.enter_context(Tap(url)) for url in (sender, registry)]
    stage.sender_url, stage.registry_url = recorded[1].url, recorded[2].url
    for index, player in enumerate(stage.players):
        behind = f"http://127.0.0.1:{free_port()}"
        known_port = int(player.url.rsplit(":", 1)[1])
        recorded.append(taps.enter_context(Tap(behind, known_port)))
        stage.players[index] = replace(player, url=behind)
    stage.start_workers()
    # Publishing and the aggregators' requests are not the workers' traffic.
    stage.sender_url, stage.registry_url = sender, registry
    return recorded


@contextmanager
def looking_at_memory(search: Search, stage: Stage) -> Iterator[None]:
    """Look at the workers' memory again and again, from another thread."""
    is_over = threading.Event()

    def look() -> None:
        while not is_over.wait(LOOK_S):
            search.look_at_memory(stage)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def worker_files(stage: Stage) -> list[Path]:
    """Databases, sealed bundles and inputs, settings and logs."""
    folders = [stage.worker_folder(player) for player in stage.players]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return files + [stage.log(player.name) for player in stage.players]
