"""The worker with a chain, a sender and a registry in memory, and a real SQLite store.

Crashes are a worker that is cancelled and another one that starts from the same database.
"""

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path

import pytest
from msgspec import structs

from oepnode.adapters.crypto import sealing
from oepnode.adapters.storage import input_archive
from oepnode.demo.byzantine import lie
from oepnode.domain.rounds import bundle, bundle_reading
from oepnode.domain.rounds.ballot import Reason
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import (
    Abstained,
    BallotCast,
    Head,
    Phase,
    RootRevealed,
    RoundFinalised,
)
from oepnode.errors import FatalError, TransportError
from oepnode.ports import LatestEnvelope
from oepnode.worker.state import CastBallot
from tests.support.fake_chain import CHAIN_ID, CONTRACT, FakeChain
from tests.support.round_world import COUNT, ENVELOPE, PRIVATE, PUBLIC, REGISTRY, SALT, START
from tests.support.worker_stage import (
    AUDITOR,
    DIGEST,
    REGISTRY_DIGEST,
    Stage,
    phase,
    running,
    until,
)

TO_ABSTAIN_S = 50
"""Of a window of 60: only the time to abstain is left."""

# --- the good case -------------------------------------------------------------------------------


async def test_three_workers_agree_deliver_and_archive(stage: Stage) -> None:
    workers = [stage.worker(index) for index in range(3)]
    async with running(*workers):
        await stage.open()
        await until(lambda: phase(stage) == Phase.FINAL)
        await until(lambda: len(stage.shelf.bundles) == 3)
        await until(lambda: 1 in stage.archive.inputs)
    state = stage.blockchain.rounds[1]
    assert state.matched == 0b111
    context = RoundContext(CHAIN_ID, CONTRACT, 1)
    for name, key in PRIVATE.items():
        sealed = stage.shelf.bundles[1, bundle.bundle_name(context, PUBLIC[name])]
        plain = sealing.open_whole(key, sealed, bundle.sealing_info(context))
        assert bundle_reading.verify(plain, name, context, state.root, state.partitions).nmis
    kept = input_archive.open_inputs(AUDITOR, stage.archive.inputs[1], context)
    assert (kept.envelope, kept.registry, kept.salt) == (ENVELOPE, REGISTRY, SALT)


async def test_a_liar_is_outvoted_and_its_bundles_are_not_served(tmp_path: Path) -> None:
    stage = Stage(tmp_path, members=4)
    workers = [stage.worker(index) for index in range(3)]
    liar = stage.worker(3, compute_result=lie)
    async with running(*workers, liar):
        await stage.open()
        await until(lambda: phase(stage) == Phase.FINAL)
        await until(lambda: bool(stage.shelf.bundles))
        await until(lambda: liar.newest(1)[0].is_over)
    assert stage.blockchain.rounds[1].matched == 0b0111
    newest = liar.newest(1)[0]
    assert newest.result != newest.final


async def test_a_worker_outside_the_electorate_only_watches(stage: Stage) -> None:
    async with running(stage.worker(9)):
        await stage.open()
        stage.pass_time(200)
        await asyncio.sleep(0.1)
    assert stage.votes(9) == []
    assert phase(stage) == Phase.EXPIRED


# --- bad inputs ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "detail"),
    [
        (b'[{"nmi": NaN}]', "field.missing"),
        (ENVELOPE + b"x", "json.trailing"),
        (b"\xff", "json.utf8"),
        (b"[" * 100_000, "json.nesting"),
    ],
)
async def test_a_faulty_document_is_an_abstention_and_the_next_round_goes_well(
    stage: Stage, document: bytes, detail: str
) -> None:
    digest = sha256(document).digest()
    stage.sender.documents[digest] = document
    workers = [stage.worker(index) for index in range(3)]
    async with running(*workers):
        await stage.open(digest)
        await until(lambda: all(stage.votes(index) for index in range(3)))
        await stage.open()
        await until(lambda: phase(stage, 2) == Phase.FINAL)
        await until(lambda: len(stage.shelf.bundles) == 3)
    first = stage.votes(0)[0]
    assert isinstance(first, Abstained)
    assert first.reason == Reason.INPUT_INVALID
    state = workers[0].state_of(1)
    assert state is not None
    assert detail in state.detail
    assert {number for number, _ in stage.shelf.bundles} == {2}


async def test_another_horizon_than_the_rounds_is_an_abstention(stage: Stage) -> None:
    async with running(stage.worker()):
        await stage.open(count=COUNT + 1)
        await until(lambda: bool(stage.votes(0)))
    (vote,) = stage.votes(0)
    assert isinstance(vote, Abstained)
    assert vote.reason == Reason.INPUT_INVALID


async def test_bytes_with_another_digest_are_an_abstention_when_time_is_short(stage: Stage) -> None:
    stage.sender.swapped = b"something else"
    async with running(stage.worker()):
        await stage.open()
        await until(lambda: stage.sender.requests > 3)
        assert stage.votes(0) == []
        stage.pass_time(TO_ABSTAIN_S)
        await until(lambda: bool(stage.votes(0)))
    (vote,) = stage.votes(0)
    assert isinstance(vote, Abstained)
    assert vote.reason == Reason.INPUT_MISMATCH


async def test_a_sender_that_stays_down_leads_to_an_abstention_before_the_deadline(
    stage: Stage,
) -> None:
    stage.sender.is_down = True
    async with running(stage.worker()):
        await stage.open()
        await until(lambda: stage.sender.requests > 3)
        assert stage.votes(0) == []
        stage.pass_time(TO_ABSTAIN_S)
        await until(lambda: bool(stage.votes(0)))
    (vote,) = stage.votes(0)
    assert isinstance(vote, Abstained)
    assert vote.reason == Reason.INPUTS_UNAVAILABLE


async def test_a_sender_that_recovers_in_time_leads_to_a_ballot(stage: Stage) -> None:
    stage.sender.is_down = True
    async with running(stage.worker()):
        await stage.open()
        await until(lambda: stage.sender.requests > 3)
        stage.sender.is_down = False
        await until(lambda: bool(stage.votes(0)))
    assert isinstance(stage.votes(0)[0], BallotCast)


async def test_deadlines_pass_at_the_newest_block_not_at_the_one_that_is_read(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = FakeChain.head

    async def confirmed(chain: FakeChain) -> Head:
        return structs.replace(head := await newest(chain), time=head.time - TO_ABSTAIN_S)

    monkeypatch.setattr(FakeChain, "head", confirmed)
    stage.sender.is_down = True
    async with running(stage.worker()):
        await stage.open()
        stage.pass_time(TO_ABSTAIN_S)
        await until(lambda: bool(stage.votes(0)))
    (vote,) = stage.votes(0)
    assert isinstance(vote, Abstained)
    assert vote.reason == Reason.INPUTS_UNAVAILABLE


async def test_an_internal_error_is_an_abstention_without_secrets(stage: Stage) -> None:
    attempts = 0

    def broken(*_: object) -> object:
        nonlocal attempts
        attempts += 1
        raise KeyError("6305000001")

    worker = stage.worker(compute_result=broken)  # type: ignore[arg-type]
    async with running(worker):
        await stage.open()
        await until(lambda: attempts == 2)
        await asyncio.sleep(0.1)
        assert stage.votes(0) == []
        stage.pass_time(TO_ABSTAIN_S)
        await until(lambda: bool(stage.votes(0)))
    assert attempts == 2
    (vote,) = stage.votes(0)
    assert isinstance(vote, Abstained)
    assert vote.reason == Reason.INTERNAL_FAULT
    state = worker.state_of(1)
    assert state is not None
    assert state.detail == "KeyError"


# --- failing peers -------------------------------------------------------------------------------


def _no_node(stage: Stage) -> None:
    stage.blockchain.is_down = True


def _lost_answers(stage: Stage) -> None:
    stage.blockchain.loses_answers = True


def _rejections(stage: Stage) -> None:
    stage.blockchain.rejection = "PauseState"


def _all_well(stage: Stage) -> None:
    stage.blockchain.is_down = stage.blockchain.loses_answers = False
    stage.blockchain.rejection = ""


@pytest.mark.parametrize("fault", [_no_node, _lost_answers, _rejections])
@pytest.mark.parametrize("when", ["before the vote", "before the reveal"])
async def test_a_step_whose_outcome_is_unknown_is_reconciled_with_the_chain(
    stage: Stage, fault: Callable[[Stage], None], when: str
) -> None:
    workers = [stage.worker(index) for index in range(3)]
    async with running(*workers):
        if when == "before the reveal":
            stage.blockchain.electorates[-1].members  # noqa: B018 - the electorate stays as it is
            await stage.open()
            await until(lambda: len(stage.blockchain.ballots.get(1, [])) == 3)
            fault(stage)
        else:
            await stage.open()
            fault(stage)
        await asyncio.sleep(0.15)
        _all_well(stage)
        await until(lambda: phase(stage) == Phase.FINAL)
        await until(lambda: len(stage.shelf.bundles) == 3)
    for index in range(3):
        assert len(stage.votes(index)) == 1
    finals = [e for e in stage.blockchain.log if isinstance(e, RoundFinalised)]
    assert len(finals) == 1


async def test_a_round_without_quorum_is_closed_as_failed_by_one_of_the_workers(
    stage: Stage,
) -> None:
    workers = [stage.worker(0)]
    async with running(*workers):
        await stage.open()
        await until(lambda: bool(stage.votes(0)))
        stage.pass_time(61)
        await until(lambda: any(isinstance(e, RootRevealed) for e in stage.blockchain.log))
        stage.pass_time(60)
        await until(lambda: phase(stage) == Phase.FAILED)
        await until(lambda: workers[0].newest(1)[0].is_over)
    assert stage.shelf.bundles == {}


# --- crashes -------------------------------------------------------------------------------------


async def _after(stage: Stage, reached: Callable[[], bool]) -> None:
    async with running(*(stage.worker(index) for index in range(3))):
        await stage.open()
        await until(reached)


CRASHES: dict[str, Callable[[Stage], Callable[[], bool]]] = {
    "at once": lambda _: lambda: True,
    "while computing": lambda stage: lambda: stage.sender.requests > 0,
    "with the first ballot": lambda stage: lambda: bool(stage.blockchain.ballots.get(1)),
    "with all ballots": lambda stage: lambda: len(stage.blockchain.ballots.get(1, [])) == 3,
    "final": lambda stage: lambda: phase(stage) == Phase.FINAL,
}


@pytest.mark.parametrize("crash", CRASHES.values(), ids=CRASHES)
async def test_a_crash_at_any_point_ends_in_one_vote_and_a_delivered_round(
    stage: Stage, crash: Callable[[Stage], Callable[[], bool]]
) -> None:
    await _after(stage, crash(stage))
    stage.shelf.bundles.clear()
    async with running(*(stage.worker(index) for index in range(3))):
        await until(lambda: phase(stage) == Phase.FINAL)
        if crash is not CRASHES["final"]:
            await until(lambda: len(stage.shelf.bundles) == 3)
    for index in range(3):
        assert len(stage.votes(index)) == 1


async def test_effects_are_committed_before_they_are_carried_out(stage: Stage) -> None:
    seen: list[list[str]] = []
    worker = stage.worker()
    carry_out: Callable[..., Awaitable[None]] = worker.runner.carry_out

    async def spying(effect: object) -> None:
        seen.append([stored.id for stored in worker._store.pending_effects()])
        await carry_out(effect)

    worker.runner.carry_out = spying  # type: ignore[method-assign]
    async with running(worker):
        await stage.open()
        await until(lambda: bool(stage.votes(0)))
    assert seen[0] == ["1/compute"]
    assert "1/cast" in seen[1]


# --- the sender's newest document ----------------------------------------------------------------


async def test_a_requesting_worker_opens_one_round_for_a_new_document(stage: Stage) -> None:
    stage.sender.newest = LatestEnvelope(DIGEST, REGISTRY_DIGEST, START, COUNT, 1, None)
    worker = stage.worker(is_requester=True)
    await worker.requester.poll()
    assert stage.blockchain.rounds[1].horizon_start == START
    async with running(worker):
        await until(lambda: bool(stage.votes(0)))
        await worker.requester.poll()
    assert len(stage.blockchain.rounds) == 1


async def test_a_worker_that_is_not_a_requester_opens_no_round(stage: Stage) -> None:
    stage.sender.newest = LatestEnvelope(DIGEST, REGISTRY_DIGEST, START, COUNT, 1, None)
    await stage.worker().requester.poll()
    assert stage.blockchain.rounds == {}


async def test_polls_fall_on_half_hours_of_nem_time(stage: Stage) -> None:
    worker = stage.worker()
    stage.clock.time = 1_795_000_000 // 1800 * 1800 + 60
    assert worker._until_next_poll() == 1740


# --- one round does not delay another ------------------------------------------------------------


async def test_a_round_without_its_inputs_delays_no_other(stage: Stage) -> None:
    workers = [stage.worker(index) for index in range(3)]
    async with running(*workers):
        await stage.open(b"\x99" * 32)
        await until(lambda: stage.sender.requests > 3)
        await stage.open()
        await until(lambda: phase(stage, 2) == Phase.FINAL)
    assert [type(vote) for vote in stage.votes(0)] == [BallotCast]


async def test_an_internal_error_in_one_effect_does_not_stop_the_worker(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oepnode.worker.worker._FAULT_WAIT_S", 0.002)
    worker = stage.worker()
    carry_out: Callable[..., Awaitable[None]] = worker.runner.carry_out
    failed = 0

    async def failing_twice(effect: object) -> None:
        nonlocal failed
        if isinstance(effect, CastBallot) and failed < 2:
            failed += 1
            raise ZeroDivisionError
        await carry_out(effect)

    worker.runner.carry_out = failing_twice  # type: ignore[method-assign]
    async with running(worker):
        await stage.open()
        await until(lambda: bool(stage.votes(0)))
    assert failed == 2


async def test_a_failing_database_stops_the_worker(stage: Stage) -> None:
    worker = stage.worker()
    worker._store.close()
    with pytest.raises(FatalError, match="closed"):
        await worker.run()


async def test_a_node_that_lags_is_not_a_reorganisation(stage: Stage) -> None:
    worker = stage.worker()
    await stage.open()
    await worker.follow()
    before = worker.newest(1)[0]
    kept = stage.blockchain.block_times.pop()
    with pytest.raises(TransportError, match="behind block"):
        await worker.follow()
    assert worker.newest(1)[0] == before
    stage.blockchain.block_times.append(kept)
    await worker.follow()
    assert worker.newest(1)[0] == before


async def test_passing_time_is_not_written_to_disk(stage: Stage) -> None:
    worker = stage.worker()
    await stage.open()
    await worker.follow()
    before = worker._store.round(1)
    stage.pass_time(5)
    await worker.follow()
    assert worker._store.round(1) == before
    state = worker.state_of(1)
    assert state is not None
    assert state.now == stage.clock.time
