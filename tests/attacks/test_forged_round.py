"""A node of the chain makes up a round.

Before: one forged ``RoundOpened`` with number 4·10⁹ was taken as the newest round, and every bundle
below it was deleted.

Now: a round that an event announces is believed if the contract itself has so many rounds and
gives it the same inputs (`oepnode.worker.worker.Worker._is_credible`); numbers that were announced
by no event are read before it. Otherwise it is ignored, and the log says so. Nothing is deleted for
an event (`oepnode.worker.pruning`).

Remains: a node that lies consistently, about events, counts and rounds, is for the agreement of
several nodes (``chain.agree``).
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from oepnode.domain.rounds.onchain import BallotCast, Event, Phase, RoundOpened
from oepnode.worker.worker import Worker
from tests.attacks.support.short_waits import shorten_waits
from tests.support.fake_chain import FakeChain
from tests.support.worker_stage import Stage, phase, running, until

HUGE = 4_000_000_000


@pytest.fixture
async def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    shorten_waits(monkeypatch)
    yield Stage(tmp_path)


def chain_of(worker: Worker) -> FakeChain:
    chain: FakeChain = worker._ports.chain  # type: ignore[assignment]
    return chain


def forge(worker: Worker, **changes: object) -> list[Event]:
    """Let the worker's node add a changed copy of the last ``RoundOpened`` to its next answer."""
    chain = chain_of(worker)
    forged: list[Event] = []
    real = chain.events

    async def events(first: int, last: int) -> list[Event]:
        answer = await real(first, last)
        opened = [event for event in chain.blockchain.log if isinstance(event, RoundOpened)]
        if opened and not forged:
            forged.append(replace(opened[-1], **changes))
            return [*answer, *forged]
        return answer

    chain.events = events  # type: ignore[method-assign, assignment]
    return forged


async def delivered(stage: Stage, *workers: Worker) -> None:
    await stage.open()
    await until(lambda: phase(stage) == Phase.FINAL)
    await until(lambda: len(stage.shelf.bundles) == 3)
    assert workers


async def test_a_huge_number_is_ignored_and_deletes_nothing(stage: Stage) -> None:
    workers = [stage.worker(index) for index in range(3)]
    async with running(*workers):
        await delivered(stage, *workers)
        forged = forge(workers[0], round=HUGE)
        stage.pass_time(1)
        await until(lambda: bool(forged))
        await stage.open()  # and the worker goes on with the rounds that there are
        await until(lambda: phase(stage, 2) == Phase.FINAL)
        await until(lambda: {number for number, _ in stage.shelf.bundles} == {1, 2})
    assert workers[0].state_of(HUGE) is None


async def test_other_inputs_for_a_known_round_are_ignored(stage: Stage) -> None:
    worker = stage.worker()
    async with running(worker):
        await stage.open()
        await until(lambda: bool(stage.votes(0)))
        forged = forge(worker, envelope_digest=b"\x66" * 32)
        stage.pass_time(1)
        await until(lambda: bool(forged))
        stage.pass_time(1)
        await until(lambda: worker.health.head is not None)
        state = worker.state_of(1)
    assert state is not None
    assert state.opened.envelope_digest != b"\x66" * 32
    assert state.result is not None


async def test_a_round_whose_event_was_withheld_is_read(stage: Stage) -> None:
    worker = stage.worker()
    chain = chain_of(worker)
    real = chain.events

    async def without_round_2(first: int, last: int) -> list[Event]:
        return [
            event
            for event in await real(first, last)
            if not (isinstance(event, RoundOpened) and event.round == 2)
        ]

    chain.events = without_round_2  # type: ignore[method-assign, assignment]
    async with running(worker):
        for _ in range(3):
            await stage.open()
        await until(lambda: len(stage.votes(0)) == 3)
    assert {vote.round for vote in stage.votes(0) if isinstance(vote, BallotCast)} == {1, 2, 3}


async def test_without_asking_the_contract_the_forged_round_is_believed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def believes(*_: object) -> bool:
        return True

    monkeypatch.setattr(Worker, "_is_credible", believes)
    workers = [stage.worker(index) for index in range(3)]
    async with running(*workers):
        await delivered(stage, *workers)
        forge(workers[0], round=HUGE)
        stage.pass_time(1)
        await until(lambda: workers[0].state_of(HUGE) is not None)
