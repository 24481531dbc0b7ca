"""A document, by accident or design, needs more memory than the machine has.

Before: one stray date in a document of 4.3 MiB took 612 MiB, and one of 30 MiB would have ended
every worker at once, with its votes, reveals and bundles of other rounds: a worker computed in a
thread of its own process.

Now: `oepnode.adapters.computing.engine` computes in a child process with a limit on memory
(``compute.memory_limit_mb``) and time; the system ends it before any other process. The worker goes
on, tries once more, and abstains from that round alone when its time is short. (The rules reject a
sparse document as well.)

Remains: a round that no worker can compute fails; the document itself is held in the worker's
memory while it is fetched (``max_document_bytes``).
"""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from oepnode.adapters.computing.engine import EngineSettings, ProcessEngine
from oepnode.adapters.storage.bundle_shelf import FileShelf
from oepnode.domain.rounds.ballot import Reason
from oepnode.domain.rounds.onchain import Abstained, BallotCast, Phase
from oepnode.worker.worker import Worker
from tests.attacks.support.short_waits import shorten_waits
from tests.support.round_world import ENVELOPE
from tests.support.worker_stage import Stage, phase, running, until

LIMIT_MB = 256
TO_ABSTAIN_S = 50


@pytest.fixture
async def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    shorten_waits(monkeypatch)
    stage = Stage(tmp_path)
    yield stage


def publish_bomb(stage: Stage) -> bytes:
    """Publish a document that follows the rules, and is too large for the limit."""
    bomb = ENVELOPE[:-1] + b" " * (96 << 20) + b"]"
    digest = sha256(bomb).digest()
    stage.sender.documents[digest] = bomb
    return digest


def worker_of(stage: Stage, index: int, engine: ProcessEngine, shelf: FileShelf) -> Worker:
    """A worker of a stage that computes in processes."""
    worker = stage.worker(index)
    ports = replace(worker._ports, engine=engine, shelf=shelf)
    worker._ports = worker.runner._ports = worker.runner.computations._ports = ports
    return worker


async def test_a_bomb_costs_its_round_an_abstention_and_nothing_else(
    stage: Stage, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        workers, shelves = [], []
        for index in range(3):
            bundles = tmp_path / f"bundles-{index}"
            engine = ProcessEngine(
                EngineSettings(LIMIT_MB, 60, bundles, tmp_path / f"spill-{index}")
            )
            stack.push_async_callback(engine.close)
            shelves.append(FileShelf(bundles))
            workers.append(worker_of(stage, index, engine, shelves[-1]))
        async with running(*workers):
            await stage.open(publish_bomb(stage))
            await until(lambda: stage.sender.requests >= 3)
            await stage.open()
            await until(lambda: phase(stage, 2) == Phase.FINAL)  # voted and revealed meanwhile
            await until(lambda: all([line.number for line in s.rounds()] == [2] for s in shelves))
            assert stage.votes(0) == [v for v in stage.votes(0) if v.round == 2]
            assert all(worker.health.chain_error == "" for worker in workers)
            stage.pass_time(TO_ABSTAIN_S)
            await until(lambda: all(len(stage.votes(index)) == 2 for index in range(3)))
            details = [worker.state_of(1) for worker in workers]
    for index in range(3):
        ballot, abstention = stage.votes(index)
        assert isinstance(ballot, BallotCast) and isinstance(abstention, Abstained)
        assert abstention.reason == Reason.INTERNAL_FAULT
    for state in details:
        assert state is not None
        assert "compute.memory_limit_mb" in state.detail


@pytest.mark.usefixtures("tests_importable")
async def test_a_computation_that_is_killed_once_costs_no_vote(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OEPNODE_TEST_MARK", str(tmp_path / "killed"))
    bundles = tmp_path / "bundles"
    killed_once = "tests.support.odd_computations:killed_once"
    settings = EngineSettings(LIMIT_MB, 60, bundles, tmp_path / "spill", function=killed_once)
    engine = ProcessEngine(settings)
    try:
        async with running(worker_of(stage, 0, engine, FileShelf(bundles))):
            await stage.open()
            await until(lambda: bool(stage.votes(0)))
    finally:
        await engine.close()
    assert (tmp_path / "killed").exists()
    assert isinstance(stage.votes(0)[0], BallotCast)


IN_ITS_OWN_PROCESS = """
import asyncio, sys
from pathlib import Path
from tests.support import odd_computations
from tests.support.worker_stage import Stage, running, until

async def main():
    stage = Stage(Path(sys.argv[1]))
    async with running(stage.worker(compute_result=odd_computations.killed)):
        await stage.open()
        await asyncio.sleep(20)

asyncio.run(main())
"""


async def test_without_a_process_of_its_own_what_ends_a_computation_ends_the_worker(
    tmp_path: Path,
) -> None:
    """The same computation in a thread, as before."""
    words = [sys.executable, "-c", IN_ITS_OWN_PROCESS, str(tmp_path)]
    done = await asyncio.to_thread(subprocess.run, words, capture_output=True, timeout=60)
    assert done.returncode == -9
