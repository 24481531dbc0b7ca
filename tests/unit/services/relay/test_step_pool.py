"""Reveals and closings that a relay takes: when it accepts them, and until when it tries."""

from __future__ import annotations

import asyncio

import pytest

from oepnode.domain.rounds import relayed_steps
from oepnode.domain.rounds.ballot import Result, Vote, ballot_for
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Phase, Round
from oepnode.domain.rounds.relayed_steps import RelayedStep
from oepnode.errors import EvidenceError, TransportError
from oepnode.services.common.http import Rejection
from oepnode.services.common.turns import MOST_WAITING
from oepnode.services.relay.metrics import RelayMetrics
from oepnode.services.relay.step_pool import MAX_HELD, StepPool
from tests.support.fake_chain import CHAIN_ID, CONTRACT, FakeChain, FakeClock, InMemoryChain

SIGNERS = [bytes([0xB0 + seat]) * 20 for seat in range(3)]
RESULT, OTHER = Result(b"\x33" * 32, 4), Result(b"\x44" * 32, 4)
CONTEXT = RoundContext(CHAIN_ID, CONTRACT, 1)
REVEAL, CLOSING = RelayedStep(CONTEXT, RESULT), RelayedStep(CONTEXT, None)


@pytest.fixture
def blockchain(clock: FakeClock) -> InMemoryChain:
    blockchain = InMemoryChain(clock)
    for seat, signer in enumerate(SIGNERS):
        blockchain.add_member(bytes([0xA0 + seat]) * 20, signer)
    return blockchain


@pytest.fixture
def pool(chain: FakeChain, clock: FakeClock) -> StepPool:
    return StepPool(chain, RelayMetrics(), clock.now)


def phase_of(blockchain: InMemoryChain) -> Phase:
    """The phase of the one round."""
    return blockchain.rounds[1].phase


async def vote(blockchain: InMemoryChain, seat: int, result: Result) -> None:
    ballot = Vote(ballot_for(CONTEXT, seat, result), b"\xcc" * 32)
    await FakeChain(blockchain, SIGNERS[seat]).cast_ballot(1, ballot)


@pytest.fixture
async def opened(chain: FakeChain, blockchain: InMemoryChain) -> InMemoryChain:
    """Round 1, in which the first two members have voted for the result."""
    await chain.open_round(1_795_000_200, 6, b"\x11" * 32, b"\x22" * 32)
    for seat in range(2):
        await vote(blockchain, seat, RESULT)
    return blockchain


async def rejected(pool: StepPool, step: RelayedStep) -> str:
    before = pool.count
    with pytest.raises(Rejection) as rejection:
        await pool.accept(relayed_steps.encode(step))
    assert pool.count == before
    return rejection.value.code


async def test_nothing_is_held_before_the_vote_has_closed(
    pool: StepPool, opened: InMemoryChain
) -> None:
    assert await rejected(pool, REVEAL) == "round.other_phase"
    assert await rejected(pool, CLOSING) == "round.other_phase"
    await vote(opened, 2, OTHER)
    await pool.accept(relayed_steps.encode(REVEAL))
    assert pool.count == 1


async def test_a_result_is_revealed_once_and_released(
    pool: StepPool, chain: FakeChain, opened: InMemoryChain
) -> None:
    await vote(opened, 2, OTHER)
    for _ in range(3):
        await pool.accept(relayed_steps.encode(REVEAL))
    for _ in range(3):
        await pool.send_steps()
    assert opened.rounds[1].phase is Phase.FINAL
    assert opened.rounds[1].matched == 0b011
    assert chain.calls.count("reveal_root") == 1
    assert (pool.count, pool.trouble) == (0, "")
    assert await rejected(pool, REVEAL) == "round.other_phase"


async def test_a_result_is_revealed_with_the_ballots_of_the_newest_block(
    opened: InMemoryChain, clock: FakeClock
) -> None:
    """The contract takes all of them or none, however deep the relay's settings read."""
    pool = StepPool(FakeChain(opened, depth=12), RelayMetrics(), clock.now)
    await vote(opened, 2, OTHER)
    await pool.accept(relayed_steps.encode(REVEAL))
    await pool.send_steps()
    assert opened.rounds[1].phase is Phase.FINAL


async def test_a_candidate_is_revealed_beside_the_result(
    pool: StepPool, chain: FakeChain, opened: InMemoryChain
) -> None:
    await vote(opened, 2, OTHER)
    candidate = RelayedStep(CONTEXT, OTHER)
    await pool.accept(relayed_steps.encode(candidate))
    await pool.send_steps()
    assert opened.rounds[1].phase is Phase.REVEALING
    await pool.send_steps()
    assert pool.count == 0
    assert await rejected(pool, candidate) == "root.known"
    assert chain.calls.count("reveal_root") == 1


@pytest.mark.parametrize("result", [OTHER, Result(RESULT.root, 5), Result(bytes(32), 0)])
async def test_a_stranger_cannot_make_the_relay_pay(
    pool: StepPool, opened: InMemoryChain, clock: FakeClock, result: Result
) -> None:
    clock.time += 60
    assert await rejected(pool, RelayedStep(CONTEXT, result)) == "root.unmatched"
    assert opened.rounds[1].phase is Phase.REVEALING


async def test_a_round_that_ended_without_a_result_is_closed(
    pool: StepPool, chain: FakeChain, opened: InMemoryChain, clock: FakeClock
) -> None:
    clock.time += 119
    assert await rejected(pool, CLOSING) == "round.other_phase"
    clock.time += 1
    assert await rejected(pool, REVEAL) == "round.other_phase"
    for _ in range(2):
        await pool.accept(relayed_steps.encode(CLOSING))
        await pool.send_steps()
        if opened.rounds[1].phase is Phase.FAILED:
            break
    await pool.send_steps()
    assert opened.rounds[1].phase is Phase.FAILED
    assert pool.count == 0
    assert chain.calls.count("fail_round") == 1


async def test_what_could_not_be_sent_is_sent_later(
    pool: StepPool, opened: InMemoryChain, clock: FakeClock
) -> None:
    await vote(opened, 2, RESULT)
    await pool.accept(relayed_steps.encode(REVEAL))
    opened.rejection = "PauseState"
    await pool.send_steps()
    assert "PauseState" in pool.trouble
    opened.rejection = ""
    await pool.send_steps()
    assert phase_of(opened) is Phase.REVEALING  # not before its wait is over
    clock.time += 1
    await pool.send_steps()
    assert phase_of(opened) is Phase.FINAL


async def test_its_trouble_names_no_node(
    pool: StepPool, opened: InMemoryChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    await vote(opened, 2, RESULT)
    await pool.accept(relayed_steps.encode(REVEAL))

    async def failing(_: FakeChain, number: int) -> Round | None:
        raise TransportError(f"round {number}: customer-4711.rpc.test:443#1 status 502")

    monkeypatch.setattr(FakeChain, "round", failing)
    await pool.send_steps()
    assert pool.trouble
    assert "rpc.test" not in pool.trouble


async def test_without_a_chain_nothing_is_held(pool: StepPool, opened: InMemoryChain) -> None:
    await vote(opened, 2, RESULT)
    opened.is_down = True
    with pytest.raises(TransportError):
        await pool.accept(relayed_steps.encode(REVEAL))
    assert pool.count == 0


@pytest.mark.parametrize(
    "context",
    [RoundContext(1, CONTRACT, 1), RoundContext(CHAIN_ID, b"\x01" * 20, 1)],
)
async def test_steps_of_another_chain_or_contract_are_rejected(
    pool: StepPool, context: RoundContext
) -> None:
    assert await rejected(pool, RelayedStep(context, None)) == "step.elsewhere"


async def test_unknown_rounds_and_other_texts_are_rejected(pool: StepPool) -> None:
    assert await rejected(pool, REVEAL) == "round.unknown"
    with pytest.raises(EvidenceError):
        await pool.accept(b"{}")


async def test_the_number_of_steps_that_wait_for_a_check_is_bounded(
    pool: StepPool, opened: InMemoryChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_read = asyncio.Event()
    read = FakeChain.round

    async def slow(chain: FakeChain, number: int) -> Round | None:
        await may_read.wait()
        return await read(chain, number)

    monkeypatch.setattr(FakeChain, "round", slow)
    await vote(opened, 2, RESULT)
    steps = [RelayedStep(CONTEXT, Result(bytes([n]) * 32, 4)) for n in range(MOST_WAITING)]
    waiting = [asyncio.create_task(pool.accept(relayed_steps.encode(step))) for step in steps]
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        assert await rejected(pool, REVEAL) == "service.busy"
    may_read.set()
    await asyncio.gather(*waiting, return_exceptions=True)
    await pool.accept(relayed_steps.encode(REVEAL))
    assert pool.count == 1


async def test_a_client_that_has_gone_costs_no_read(
    pool: StepPool, chain: FakeChain, opened: InMemoryChain
) -> None:
    await vote(opened, 2, RESULT)
    chain.calls.clear()
    with pytest.raises(Rejection, match="closed"):
        await pool.accept(relayed_steps.encode(REVEAL), lambda: True)
    assert (pool.count, chain.calls) == (0, [])


async def test_the_number_of_steps_is_bounded(
    pool: StepPool, opened: InMemoryChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    await vote(opened, 2, RESULT)
    monkeypatch.setattr("oepnode.services.relay.step_pool.MAX_HELD", 0)
    assert MAX_HELD > 0
    assert await rejected(pool, REVEAL) == "relay.full"


async def test_those_that_wait_are_bounded_and_a_client_that_left_costs_nothing(
    pool: StepPool, chain: FakeChain, opened: InMemoryChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    await vote(opened, 2, RESULT)
    calls = len(chain.calls)
    with pytest.raises(Rejection) as rejection:
        await pool.accept(relayed_steps.encode(REVEAL), lambda: True)
    assert (rejection.value.code, len(chain.calls)) == ("client.gone", calls)

    goes_on, real = asyncio.Event(), chain.round

    async def slowly(number: int) -> Round | None:
        await goes_on.wait()
        return await real(number)

    monkeypatch.setattr(chain, "round", slowly)
    line = relayed_steps.encode(RelayedStep(CONTEXT, OTHER))
    waiting = [asyncio.create_task(pool.accept(line)) for _ in range(MOST_WAITING)]
    await asyncio.sleep(0)
    assert await rejected(pool, REVEAL) == "service.busy"
    goes_on.set()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert {getattr(answer, "code", None) for answer in answers} == {"root.unmatched"}
    await pool.accept(relayed_steps.encode(REVEAL))
    assert pool.count == 1


async def test_steps_are_counted_when_the_chain_has_them(
    chain: FakeChain, clock: FakeClock, opened: InMemoryChain
) -> None:
    metrics = RelayMetrics()
    pool = StepPool(chain, metrics, clock.now)
    counted = metrics.registry.get_sample_value
    await vote(opened, 2, OTHER)
    await pool.accept(relayed_steps.encode(REVEAL))
    assert counted("oepnode_steps_held") == 1
    opened.is_down = True
    await pool.send_steps()
    assert counted("oepnode_steps_relayed_total", {"step": "reveal"}) is None
    opened.is_down = False
    clock.time += 60
    for _ in range(3):
        await pool.send_steps()
    assert counted("oepnode_steps_relayed_total", {"step": "reveal"}) == 1
    assert counted("oepnode_steps_held") == 0
