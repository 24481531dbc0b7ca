"""A worker that believes blocks at a depth: what it does at once, and what waits."""

import asyncio

import pytest
import structlog

from oepnode.domain.rounds.onchain import Phase
from oepnode.ports import LatestEnvelope
from oepnode.worker.worker import Worker
from tests.support.round_world import COUNT, START
from tests.support.worker_stage import (
    DIGEST,
    REGISTRY_DIGEST,
    Stage,
    phase,
    running,
    until,
)

DEPTH = 3


@pytest.fixture
def worker(stage: Stage) -> Worker:
    return stage.worker(depth=DEPTH)


def requests(stage: Stage) -> int:
    return stage.sender.requests


async def passes(worker: Worker) -> None:
    """Let the worker look at the chain several times."""
    for _ in range(3):
        await worker.follow()
        await asyncio.sleep(0.02)


async def test_nothing_is_requested_or_cast_for_an_opening_that_vanishes(
    stage: Stage, worker: Worker
) -> None:
    async with running(worker):
        await stage.open()
        stage.blockchain.mine(DEPTH - 1)
        await passes(worker)
        stage.blockchain.forget_rounds()
        stage.blockchain.mine(2 * DEPTH)
        await passes(worker)
    assert requests(stage) == 0
    assert worker.newest(1) == []


async def test_an_opening_that_is_deep_enough_is_voted_in(stage: Stage, worker: Worker) -> None:
    async with running(worker):
        await stage.open()
        stage.blockchain.mine(DEPTH)
        await until(lambda: bool(stage.votes(0)))
    assert requests(stage) > 0


async def test_bundles_are_published_when_the_end_of_the_round_is_deep_enough(
    stage: Stage,
) -> None:
    workers = [stage.worker(index, depth=DEPTH) for index in range(3)]
    async with running(*workers):
        await stage.open()
        stage.blockchain.mine(DEPTH)
        await until(lambda: all(stage.votes(index) for index in range(3)))
        stage.blockchain.mine(DEPTH)
        await until(lambda: phase(stage) is Phase.FINAL)
        for worker in workers:
            await passes(worker)
        assert stage.shelf.bundles == {}
        stage.blockchain.mine(DEPTH)
        await until(lambda: bool(stage.shelf.bundles))


async def test_a_root_is_revealed_with_the_ballots_of_the_newest_block(stage: Stage) -> None:
    """One member's ballot came last, and the contract takes all of them or none."""
    patient, hasty = stage.worker(0, depth=DEPTH), stage.worker(1)
    await stage.open()
    async with running(hasty):
        await until(lambda: bool(stage.votes(1)))
    async with running(patient):  # the only one that can reveal
        stage.blockchain.mine(DEPTH)
        await until(lambda: bool(stage.votes(0)))
        stage.pass_time(90)  # half of the reveal window is gone, and nothing is mined on top
        await until(lambda: phase(stage) is Phase.FINAL)


async def test_time_is_that_of_the_newest_block_from_the_beginning(
    stage: Stage, worker: Worker
) -> None:
    await stage.open()
    stage.blockchain.mine(DEPTH - 1)
    stage.pass_time(40)
    await worker.follow()
    state = worker.state_of(1)
    assert state is not None
    assert state.now == stage.blockchain.block_times[-1]


async def test_short_windows_are_reported_at_the_start_and_at_the_round(
    stage: Stage, worker: Worker
) -> None:
    await stage.open()
    stage.blockchain.mine(DEPTH - 1)
    stage.pass_time(40)
    with structlog.testing.capture_logs() as logs:
        await worker.follow()
        await worker.follow()
    warnings = [entry for entry in logs if entry["event"] == "windows_too_short"]
    assert [entry.get("round") for entry in warnings] == [1, None]
    assert all("believed 40 s after the newest" in entry["reason"] for entry in warnings)


async def test_a_requesting_worker_opens_no_second_round_before_the_first_is_settled(
    stage: Stage,
) -> None:
    stage.sender.newest = LatestEnvelope(DIGEST, REGISTRY_DIGEST, START, COUNT, 1, None)
    worker = stage.worker(is_requester=True, depth=DEPTH)
    for _ in range(DEPTH + 2):
        await worker.requester.poll()
        await worker.follow()
        stage.blockchain.mine(1)
    assert len(stage.blockchain.rounds) == 1
    stage.blockchain.forget_rounds()
    fresh = stage.worker(1, is_requester=True, depth=DEPTH)
    await fresh.requester.poll()
    assert len(stage.blockchain.rounds) == 1
