"""A worker among nodes that lag, chains that reorganise, and senders and registries that lie.

Each test is a way in which a worker once lost a vote, voted for the wrong inputs or ended.
"""

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable
from hashlib import sha256

import pytest
from msgspec.structs import replace

from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.computation import Inputs, compute
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Abstained, BallotCast, Head, Phase, Round
from oepnode.errors import EvidenceError, FatalError, TransportError
from tests.support.fake_chain import CHAIN_ID, CONTRACT, POLICY, FakeChain, block_hash
from tests.support.fake_services import FakeRegistry, FakeShelf
from tests.support.round_world import COUNT, ENVELOPE, REGISTRY, SALT, START
from tests.support.worker_stage import Stage, phase, running, until


def chain_of(worker: object) -> FakeChain:
    chain: FakeChain = worker._ports.chain  # type: ignore[attr-defined]
    return chain


def reorganise(stage: Stage, worker: object) -> Callable[[], None]:
    """Remove every block; returns a function that ends the reorganisation for the worker."""
    blockchain, chain = stage.blockchain, chain_of(worker)
    blockchain.forget_rounds()

    async def another_hash(_: int) -> bytes:
        return b"x" * 32

    async def its_hash(number: int) -> bytes:
        return block_hash(number)

    chain.block_hash = another_hash  # type: ignore[method-assign, assignment]

    def over() -> None:
        chain.block_hash = its_hash  # type: ignore[method-assign]

    return over


# --- nodes that lag ------------------------------------------------------------------------------


async def test_a_round_that_the_node_does_not_know_yet_is_voted_in_later(stage: Stage) -> None:
    worker = stage.worker()
    chain = chain_of(worker)
    real: Callable[[int], Awaitable[Round | None]] = chain.round
    requested = 0

    async def knows_it_later(number: int) -> Round | None:
        nonlocal requested
        requested += 1
        return None if requested < 3 else await real(number)

    chain.round = knows_it_later  # type: ignore[method-assign]
    async with running(worker):
        await stage.open()
        await until(lambda: bool(stage.votes(0)))


async def test_a_ballot_whose_block_is_replaced_before_it_is_confirmed_is_cast_again(
    stage: Stage,
) -> None:
    worker = stage.worker()

    async def two_blocks_back() -> Head:
        number = max(0, len(stage.blockchain.block_times) - 3)
        return Head(number, block_hash(number), stage.blockchain.block_times[number])

    chain_of(worker).head = two_blocks_back  # type: ignore[method-assign]
    async with running(worker):
        await stage.open()
        stage.pass_time(1)
        stage.pass_time(1)
        await until(lambda: bool(stage.votes(0)))
        stage.blockchain.forget_ballots(1)
        await until(lambda: bool(stage.votes(0)))


# --- chains that reorganise ----------------------------------------------------------------------


async def test_a_round_that_is_mined_again_is_voted_in(stage: Stage) -> None:
    worker = stage.worker()
    async with running(worker):
        await stage.open()
        await until(lambda: bool(stage.votes(0)))
        over = reorganise(stage, worker)
        await until(lambda: worker.newest(1)[0].phase == Phase.CANCELLED)
        over()
        await stage.open()
        await until(lambda: bool(stage.votes(0)))
    assert worker.newest(1)[0].phase == Phase.VOTING


async def test_another_round_under_the_same_number_is_computed_from_its_own_inputs(
    stage: Stage,
) -> None:
    other = stage.publish_another()
    worker = stage.worker()
    async with running(worker):
        await stage.open()
        await until(lambda: bool(stage.votes(0)))
        over = reorganise(stage, worker)
        await stage.open(sha256(other).digest())
        await until(lambda: worker.newest(1)[0].opened.envelope_digest == sha256(other).digest())
        over()
        await until(lambda: bool(stage.votes(0)))
    (vote,) = stage.votes(0)
    assert isinstance(vote, BallotCast)
    assert vote.ballot == stage.vote_of(other).ballot


async def test_no_ballot_for_old_inputs_is_cast_into_another_round(stage: Stage) -> None:
    """The chain has another round of that number, and the worker has not noticed yet."""
    worker = stage.worker()
    await stage.open()
    await worker.follow()
    state = worker.state_of(1)
    assert state is not None
    context = RoundContext(CHAIN_ID, CONTRACT, 1)
    old = compute(Inputs(ENVELOPE, REGISTRY, SALT, Feed()), context, state.opened).result.result
    reorganise(stage, worker)
    await stage.open(b"\x77" * 32)
    with pytest.raises(TransportError, match="has other inputs now"):
        await worker.runner._vote(replace(state, result=old))
    assert stage.votes(0) == []


async def test_a_result_reported_during_a_resync_is_kept(stage: Stage) -> None:
    worker = stage.worker()
    chain, may_fetch, may_read = chain_of(worker), asyncio.Event(), asyncio.Event()
    fetch, read = stage.sender.document, chain.round_events

    async def when_allowed(*words: object) -> bytes:
        await may_fetch.wait()
        return await fetch(*words)  # type: ignore[arg-type]

    async def slowly(number: int) -> object:
        await may_read.wait()
        return await read(number)

    stage.sender.document = when_allowed  # type: ignore[method-assign, assignment]
    async with running(worker):
        await stage.open()
        await until(lambda: worker.state_of(1) is not None)
        chain.round_events = slowly  # type: ignore[method-assign, assignment]
        first = True

        async def changed_once(number: int) -> bytes:
            nonlocal first
            was_first, first = first, False
            return b"x" * 32 if was_first else block_hash(number)

        chain.block_hash = changed_once  # type: ignore[method-assign]
        await until(lambda: not first)
        may_fetch.set()
        await until(lambda: worker.newest(1)[0].result is not None)
        may_read.set()
        await until(lambda: bool(stage.votes(0)))
    assert worker.newest(1)[0].result is not None


# --- senders and registries that lie -------------------------------------------------------------


async def test_a_sender_that_never_responds_leads_to_an_abstention_in_time(stage: Stage) -> None:
    stage.blockchain.set_policy(dataclasses.replace(POLICY, vote_window_s=1))

    async def never(*_: object) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    stage.sender.document = never  # type: ignore[method-assign, assignment]
    async with running(stage.worker()):
        await stage.open()
        await until(lambda: bool(stage.votes(0)))
    (vote,) = stage.votes(0)
    assert isinstance(vote, Abstained)


async def test_other_bytes_after_the_vote_do_not_end_the_worker(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oepnode.worker.worker._FAULT_WAIT_S", 0.01)
    async with running(*(stage.worker(index) for index in range(3))):
        stage.shelf.publish = _no_space  # type: ignore[method-assign, assignment]
        await stage.open()
        await until(lambda: phase(stage) == Phase.FINAL)
    stage.shelf = (
        FakeShelf()
    )  # a new one: a thread of the ended workers may still write to the first
    stage.sender.swapped = b"other bytes"
    worker = stage.worker()
    async with running(worker):
        await until(lambda: stage.sender.requests > 5)
        assert stage.shelf.bundles == {}
        stage.sender.swapped = b""
        await until(lambda: len(stage.shelf.bundles) == 3)


def _no_space(*_: object) -> None:
    raise TransportError("the shelf takes nothing now")


async def test_an_unusable_public_key_costs_only_its_owner_the_bundle(stage: Stage) -> None:
    snapshot = json.loads(REGISTRY)
    snapshot["aggregators"][0]["publicKey"] = "00" * 32
    data = json.dumps(snapshot).encode()
    stage.registry = FakeRegistry(data, SALT)
    async with running(*(stage.worker(index) for index in range(3))):
        digest = sha256(data).digest()
        await stage.requester.open_round(START, COUNT, sha256(ENVELOPE).digest(), digest)
        await until(lambda: phase(stage) == Phase.FINAL)
        await until(lambda: len(stage.shelf.bundles) == 2)


@pytest.mark.parametrize("error", [FatalError("disk full"), EvidenceError("unusable key")])
async def test_a_full_archive_does_not_cost_the_vote(stage: Stage, error: Exception) -> None:
    def reject(*_: object) -> None:
        raise error

    stage.archive.put = reject  # type: ignore[method-assign, assignment]
    async with running(stage.worker()):
        await stage.open()
        await until(lambda: bool(stage.votes(0)))
    assert isinstance(stage.votes(0)[0], BallotCast)
