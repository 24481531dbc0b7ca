"""What a worker's pages show of a round, and when."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from prometheus_client import generate_latest

from oepnode.domain.rounds.ballot import Reason
from oepnode.domain.rounds.onchain import Phase
from oepnode.errors import ConflictError
from oepnode.worker.state import Resynced, RoundState
from oepnode.worker.status.live_view import LiveView
from oepnode.worker.status.view import RoundLine, WorkerStatus
from oepnode.worker.transition import transition
from oepnode.worker.worker import Worker
from tests.support.worker_stage import Stage, phase, running, until


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def view_of(worker: Worker) -> LiveView:
    return LiveView(worker._settings, worker, "0x01", lambda *_: None)


def metrics_of(worker: Worker) -> str:
    return generate_latest(worker._metrics.registry).decode()


def line_of(worker: Worker) -> RoundLine:
    return view_of(worker).status().rounds[0]


def facts(line: RoundLine) -> tuple[object, ...]:
    return line.root, line.final_root, line.sites, line.partitions, line.unassigned_nmis


async def test_what_follows_from_a_result_waits_for_the_end_of_the_round(stage: Stage) -> None:
    worker, others = stage.worker(), [stage.worker(1), stage.worker(2)]
    async with running(worker):
        await stage.open()
        await until(lambda: any(state.have_i_voted for state in worker.newest(1)))
        line, metrics = line_of(worker), metrics_of(worker)
        assert worker.newest(1)[0].result is not None
        assert facts(line) == ("", "", None, None, None)
        assert (line.seconds, line.detail, line.mine) == (None, "", "ballot cast")
        assert "oepnode_compute_seconds_count 0.0" in metrics
        async with running(*others):
            await until(lambda: phase(stage) == Phase.FINAL)
            await until(lambda: worker.newest(1)[0].is_over)
    line, metrics = line_of(worker), metrics_of(worker)
    root = stage.blockchain.rounds[1].root.hex()
    assert facts(line) == (root, root, 11, 4, 1)
    assert line.mine == "matched"
    assert line.seconds is not None
    assert "oepnode_compute_seconds_count 1.0" in metrics


async def test_warnings_about_the_inputs_wait_too(stage: Stage) -> None:
    worker = stage.worker()
    async with running(worker):
        await stage.open()
        await until(lambda: any(state.summary for state in worker.newest(1)))
    state = worker.newest(1)[0]
    assert state.summary is not None
    warned = replace(state, summary=replace(state.summary, warnings=("odd",)))
    view = view_of(worker)
    assert view._line(warned).detail == ""
    assert view._line(replace(warned, phase=Phase.FAILED)).detail == "odd"


async def test_a_round_that_a_reorganisation_took_away_shows_no_result(stage: Stage) -> None:
    worker = stage.worker()
    async with running(worker):
        await stage.open()
        await until(lambda: any(state.result for state in worker.newest(1)))
    state, _ = transition(worker.newest(1)[0], Resynced(()), 0)
    line = view_of(worker)._line(state)
    assert (line.phase, line.root, line.partitions, line.sites) == ("cancelled", "", None, None)


def mine(worker: Worker, state: RoundState) -> str:
    return view_of(worker)._line(state).mine


async def test_each_part_that_a_worker_has_in_a_round_has_its_words(stage: Stage) -> None:
    worker = stage.worker()
    await stage.open()
    await worker.follow()
    state = worker.state_of(1)
    assert state is not None
    assert mine(worker, state) == "computing"
    assert mine(worker, replace(state, is_skipped=True)) == "skipped"
    assert mine(worker, replace(state, reason=Reason.INPUT_INVALID)) == "abstained: InputInvalid"
    assert mine(worker, replace(state, operator=b"\x99" * 20)) == "not a member"


def test_health_is_the_chains(stage: Stage) -> None:
    worker = stage.worker()
    assert not view_of(worker).is_healthy()


async def test_health_follows_the_chain_and_shows_no_words(stage: Stage) -> None:
    worker = stage.worker()
    assert view_of(worker).problem() == "the chain has not been read yet"
    await worker.follow()
    assert view_of(worker).is_healthy()
    assert view_of(worker).problem() == ""

    async def rejecting() -> None:
        raise ConflictError("https://key@node: no", code="node.no")

    worker.follow = rejecting  # type: ignore[method-assign]
    async with running(worker):
        await until(lambda: worker.health.chain_error != "")
    status: WorkerStatus = view_of(worker).status()
    assert not view_of(worker).is_healthy()
    assert status.chain_error == "rejected (node.no); the log has the details"
    assert view_of(worker).problem() == status.chain_error
