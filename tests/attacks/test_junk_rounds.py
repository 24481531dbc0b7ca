"""The holder of a requester's key opens junk rounds without end.

Before: bundles were kept for the newest 96 rounds by number, so 97 rounds opened in six seconds
deleted every bundle that aggregators still needed; and every worker fetched, computed and paid for
each of them.

Now: bundles go by age and by number of final rounds, and never while a coming interval has its
limits from them (`oepnode.worker.pruning`); opening a round deletes nothing. A worker computes a
bounded number of rounds an hour (`oepnode.worker.admission`), skips the others in silence, and
still computes the round that the sender itself names.

Remains: junk costs the chain's blocks, and a fee for each abstention within the bound, until the
requester's role is revoked or the guardian pauses the contract.
"""

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest

from oepnode.domain.rounds.onchain import Phase
from oepnode.ports import LatestEnvelope
from oepnode.worker import effects
from oepnode.worker.admission import Admission
from oepnode.worker.pruning import KeptRound
from oepnode.worker.worker import Worker
from tests.attacks.support.short_waits import shorten_waits
from tests.support.round_world import COUNT, START
from tests.support.worker_stage import REGISTRY_DIGEST, Stage, phase, running, until

JUNK = 97


@pytest.fixture
async def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    shorten_waits(monkeypatch)
    yield Stage(tmp_path)


async def delivered(stage: Stage, *workers: Worker) -> None:
    """Open round 1, and wait until each worker has done all that it has to do in it."""
    await stage.open()
    await until(lambda: phase(stage) == Phase.FINAL)

    def is_done(worker: Worker) -> bool:
        state = worker.state_of(1)
        return state is not None and state.final is not None and not worker._running

    await until(lambda: len(stage.shelf.bundles) == 3 and all(map(is_done, workers)))


async def deliver_and_attack(stage: Stage, *workers: Worker) -> int:
    """Deliver round 1, and open junk; returns the number of the last junk round."""
    await delivered(stage, *workers)
    for index in range(JUNK):
        await stage.open(sha256(b"junk %d" % index).digest())
    return JUNK + 1


async def test_junk_rounds_delete_no_bundle_and_delay_no_real_round(stage: Stage) -> None:
    workers = [stage.worker(index) for index in range(3)]
    async with running(*workers):
        junk = await deliver_and_attack(stage, *workers)
        other = sha256(stage.publish_another()).digest()
        number = await stage.open(other)
        stage.sender.newest = LatestEnvelope(other, REGISTRY_DIGEST, START, COUNT, 1, number)
        await until(lambda: phase(stage, number) == Phase.FINAL)
        await until(lambda: {n for n, _ in stage.shelf.bundles} == {1, number})
        states = [workers[0].state_of(n) for n in range(2, junk + 1)]
    skipped = [state for state in states if state is not None and state.is_skipped]
    assert len(skipped) >= JUNK - 12
    assert all("max_rounds_per_hour" in state.detail for state in skipped)
    assert all(state.requested in ((), (f"{state.number}/compute",)) for state in skipped)


async def test_old_bundles_stay_while_their_horizon_is_not_over(stage: Stage) -> None:
    """Junk that becomes final, and a month: round 1 still decides the intervals to come."""
    stage.clock.time = START - 40 * 86_400
    stage.blockchain.block_times.append(int(stage.clock.time))
    workers = [stage.worker(index) for index in range(3)]
    async with running(*workers):
        await delivered(stage, *workers)
        stage.shelf.published_at = {1: stage.clock.time}
        stage.clock.time += 30 * 86_400
        for worker in workers:
            worker.runner._keep_rounds = 0
            await worker.runner.prune()
        assert {n for n, _ in stage.shelf.bundles} == {1}
        stage.clock.time += 30 * 86_400
        await workers[0].runner.prune()
        assert stage.shelf.bundles == {}


async def test_without_the_bound_every_junk_round_is_fetched_for(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def admits_all(*_: object) -> bool:
        return True

    monkeypatch.setattr(Admission, "admits", admits_all)
    worker = stage.worker()
    async with running(worker):
        for index in range(JUNK):
            await stage.open(sha256(b"junk %d" % index).digest())
        await until(lambda: len(worker._running) == JUNK)
    assert stage.sender.requests >= JUNK


async def test_without_age_and_horizon_junk_deletes_the_bundles(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keeping the newest rounds by number alone, as before."""

    def by_number(rounds: list[KeptRound], *_: object) -> list[int]:
        newest = len(stage.blockchain.rounds)
        return [kept.number for kept in rounds if kept.number <= newest - 96]

    workers = [stage.worker(index) for index in range(3)]
    async with running(*workers):
        await deliver_and_attack(stage, *workers)
    assert len(stage.shelf.bundles) == 3
    monkeypatch.setattr(effects, "deletable", by_number)
    await workers[0].runner.prune()
    assert stage.shelf.bundles == {}
