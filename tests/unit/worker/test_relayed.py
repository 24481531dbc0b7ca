"""A worker that takes its steps by a relay, and directly where the relay fails.

Voting lasts 60 s, of which the last 45 are for casting directly.
"""

import asyncio
from hashlib import sha256
from pathlib import Path

import pytest
from eth_account import Account

from oepnode.adapters.http.client import HttpClient, Response
from oepnode.adapters.http.relay import HttpRelay
from oepnode.adapters.storage.equivocation_guard import EquivocationGuard
from oepnode.domain.rounds.ballot import Reason, Vote
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Abstained, BallotCast, Phase
from oepnode.domain.rounds.signed_ballots import Relayed, decode_lines, pack
from oepnode.errors import ConfigError, ConflictError, FatalError, TransportError
from tests.support.fake_chain import CHAIN_ID, CONTRACT, FakeChain
from tests.support.fake_services import FakeRelay
from tests.support.round_world import ENVELOPE
from tests.support.worker_stage import Stage, operator, phase, running, signer, until
from tests.unit.worker.test_hostile_peers import chain_of, reorganise

ACCOUNT = Account.from_key(b"\x07" * 32)
TO_DIRECT_S = 20
TO_ABSTAIN_S = 13
"""Of a window of 60: less, and there would be time to try again; more, and none for the relay."""


def relay_of(stage: Stage, index: int = 0) -> FakeRelay:
    return FakeRelay(FakeChain(stage.blockchain, signer(index)))


def casts(worker: object) -> int:
    """The number of ballots that the worker tried to cast directly."""
    return chain_of(worker).calls.count("cast_ballot")


# --- the relay works -----------------------------------------------------------------------------


async def test_ballots_and_the_reveal_go_through_the_relay(stage: Stage) -> None:
    relays = [relay_of(stage, index) for index in range(3)]
    workers = [stage.worker(index, relay=relays[index]) for index in range(3)]
    async with running(*workers):
        await stage.open()
        await until(lambda: phase(stage) == Phase.FINAL)
        await until(lambda: all(worker.newest(1)[0].is_over for worker in workers))
    assert stage.blockchain.rounds[1].matched == 0b111
    assert [casts(worker) for worker in workers] == [0, 0, 0]
    assert not any("reveal_root" in chain_of(worker).calls for worker in workers)
    assert {step for relay in relays for step in relay.steps} == {
        (RoundContext(CHAIN_ID, CONTRACT, 1), stage.result_of(ENVELOPE))
    }
    await until(lambda: [worker.runner.waiting for worker in workers] == [{}, {}, {}])
    for index, relay in enumerate(relays):
        (vote,) = stage.votes(index)
        assert isinstance(vote, BallotCast)
        assert set(relay.handed_in) == {
            (RoundContext(CHAIN_ID, CONTRACT, 1), Vote(vote.ballot, vote.custody))
        }


async def test_an_abstention_goes_through_the_relay(stage: Stage) -> None:
    stage.sender.swapped = b"something else"
    relay = relay_of(stage)
    worker = stage.worker(relay=relay)
    async with running(worker):
        await stage.open()
        await until(lambda: stage.sender.requests > 3)
        stage.pass_time(TO_ABSTAIN_S)  # a relay would still have the time
        await until(lambda: bool(stage.votes(0)))
        await until(lambda: worker.newest(1)[0].have_i_voted)
    assert isinstance(stage.votes(0)[0], Abstained)
    vote = Vote.abstaining(Reason.INPUT_MISMATCH)
    assert set(relay.handed_in) == {(RoundContext(CHAIN_ID, CONTRACT, 1), vote)}
    assert "abstain" not in chain_of(worker).calls


async def test_nothing_of_a_result_reaches_the_relay_while_the_vote_is_open(stage: Stage) -> None:
    relay = relay_of(stage)
    async with running(stage.worker(relay=relay)):
        await stage.open()
        await until(lambda: bool(stage.votes(0)))
        for _ in range(3):
            stage.pass_time(10)
            await asyncio.sleep(0.05)
        assert phase(stage) == Phase.VOTING
        assert relay.steps == []
        stage.pass_time(30)
        await until(lambda: bool(relay.steps))
    assert phase(stage) is not Phase.VOTING


async def test_a_failed_round_is_closed_by_the_relay(stage: Stage) -> None:
    relay = relay_of(stage)
    worker = stage.worker(relay=relay)
    async with running(worker):
        await stage.open()
        await until(lambda: bool(stage.votes(0)))
        stage.pass_time(120)
        await until(lambda: phase(stage) == Phase.FAILED)
        await until(lambda: worker.newest(1)[0].is_over)
    assert (RoundContext(CHAIN_ID, CONTRACT, 1), None) in relay.steps
    assert "fail_round" not in chain_of(worker).calls


@pytest.mark.parametrize("fault", [ConflictError("rejected with 422"), None])
async def test_a_reveal_that_the_relay_does_not_take_is_direct(
    stage: Stage, fault: Exception | None
) -> None:
    """At once where the relay rejects it, and shortly before the deadline where it is silent."""
    relays = [relay_of(stage, index) for index in range(3)]
    for relay in relays:
        relay.step_fault, relay.ignores_steps = fault, True
    workers = [stage.worker(index, relay=relays[index]) for index in range(3)]
    await stage.open()
    async with running(*workers):
        await until(lambda: any(relay.steps for relay in relays))
        if fault is None:
            stage.pass_time(100)
        await until(lambda: phase(stage) == Phase.FINAL)
    assert any("reveal_root" in chain_of(worker).calls for worker in workers)


async def test_a_ballot_is_handed_in_until_the_chain_has_it(stage: Stage) -> None:
    relay = relay_of(stage)
    relay.is_silent = True
    worker = stage.worker(relay=relay)
    async with running(worker):
        await stage.open()
        await until(lambda: len(relay.handed_in) > 3)
        assert worker.runner.waiting[1] == "the ballot is with the relay, and not on chain yet"
        context, vote = relay.handed_in[0]
        assert set(relay.handed_in) == {(context, vote)}
        await FakeChain(stage.blockchain, signer(0)).cast_ballot(1, vote)
        await until(lambda: worker.newest(1)[0].have_i_voted)
        await until(lambda: worker.runner.waiting == {})
    assert casts(worker) == 0


# --- the relay fails -----------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [None, TransportError("nobody there")])
async def test_a_relay_that_casts_nothing_is_bypassed_before_the_deadline(
    stage: Stage, fault: Exception | None
) -> None:
    relay = relay_of(stage)
    relay.is_silent, relay.fault = True, fault
    worker = stage.worker(relay=relay)
    async with running(worker):
        await stage.open()
        await until(lambda: len(relay.handed_in) > 3)
        assert (casts(worker), stage.votes(0)) == (0, [])
        stage.pass_time(TO_DIRECT_S)
        await until(lambda: bool(stage.votes(0)))
    assert phase(stage) == Phase.VOTING
    (vote,) = stage.votes(0)
    assert isinstance(vote, BallotCast)
    assert Vote(vote.ballot, vote.custody) == relay.handed_in[0][1]


async def test_a_relay_that_recovers_in_time_saves_the_fee(stage: Stage) -> None:
    relay = relay_of(stage)
    relay.is_silent, relay.fault = True, TransportError("nobody there")
    worker = stage.worker(relay=relay)
    async with running(worker):
        await stage.open()
        await until(lambda: len(relay.handed_in) > 3)
        assert "no usable response" in worker.runner.waiting[1]
        relay.handed_in.clear()
        relay.is_silent, relay.fault = False, None
        await until(lambda: bool(stage.votes(0)))
    assert casts(worker) == 0


@pytest.mark.parametrize(
    "fault", [ConflictError("rejected with 403"), ConfigError("line 1 is not a signed vote")]
)
async def test_a_rejected_ballot_is_cast_directly_at_once(stage: Stage, fault: Exception) -> None:
    relay = relay_of(stage)
    relay.fault = fault
    worker = stage.worker(relay=relay)
    async with running(worker):
        await stage.open()
        await until(lambda: bool(stage.votes(0)))
    assert casts(worker) == 1
    assert isinstance(stage.votes(0)[0], BallotCast)


async def test_an_unwritable_record_stops_the_worker(stage: Stage) -> None:
    relay = relay_of(stage)
    relay.fault = FatalError("the ballot cannot be recorded")
    worker = stage.worker(relay=relay)
    await stage.open()
    with pytest.raises(ExceptionGroup) as raised:
        await worker.run()
    assert raised.group_contains(FatalError, match="cannot be recorded")
    assert stage.votes(0) == []


async def test_a_vote_that_is_short_from_the_start_is_direct(stage: Stage) -> None:
    relay = relay_of(stage)
    worker = stage.worker(relay=relay)
    await stage.open()
    stage.pass_time(TO_DIRECT_S)
    await worker.follow()
    async with running(worker):
        await until(lambda: bool(stage.votes(0)))
    assert (relay.handed_in, casts(worker)) == ([], 1)


async def test_without_money_a_direct_ballot_is_tried_and_reported(stage: Stage) -> None:
    relay = relay_of(stage)
    relay.is_silent = True
    worker = stage.worker(relay=relay)

    async def no_money(*_: object) -> bytes:
        raise TransportError("castBallot: cannot pay the fee", code="fee.unpaid")

    cast, chain_of(worker).cast_ballot = chain_of(worker).cast_ballot, no_money  # type: ignore[method-assign, assignment]
    async with running(worker):
        await stage.open()
        await until(lambda: bool(relay.handed_in))
        stage.pass_time(TO_DIRECT_S)
        await until(lambda: "fee.unpaid" in worker.runner.waiting.get(1, ""))
        chain_of(worker).cast_ballot = cast  # type: ignore[method-assign]
        await until(lambda: bool(stage.votes(0)))


# --- one signature a round -----------------------------------------------------------------------


class Post:
    """A relay that accepts ballots and never casts them."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    async def exchange(self, *request: object) -> Response:
        body = request[2]
        assert isinstance(body, bytes)
        self.lines.append(body)
        return Response(202, b"{}")

    def relay(self, folder: Path) -> HttpRelay:
        """A worker after a start: only what is on disk remains."""
        client = HttpClient("http://relay.test", 5, self.exchange)
        return HttpRelay("http://relay.test", ACCOUNT, EquivocationGuard(folder / "signed"), client)

    @property
    def ballots(self) -> list[Relayed]:
        return decode_lines(b"\n".join(self.lines))


async def test_a_restart_between_signing_and_the_event_signs_the_same(stage: Stage) -> None:
    address = bytes.fromhex(ACCOUNT.address[2:])
    stage.blockchain.rotate_signer(operator(0), address)
    before, after = Post(), Post()
    async with running(stage.worker(relay=before.relay(stage.folder))):
        await stage.open()
        await until(lambda: bool(before.lines))
    worker = stage.worker(relay=after.relay(stage.folder))
    async with running(worker):
        await until(lambda: bool(after.lines))
        signed = after.ballots[0].signed
        await FakeChain(stage.blockchain).cast_ballots(1, pack([signed]))
        await until(lambda: worker.newest(1)[0].have_i_voted)
    assert {*before.lines, *after.lines} == {before.lines[0]}
    assert (len(stage.votes(0)), casts(worker)) == (1, 0)


async def test_no_second_ballot_is_signed_for_a_reopened_round(stage: Stage) -> None:
    """It is cast directly: a ballot without a signature is not evidence."""
    other = stage.publish_another()
    post = Post()
    worker = stage.worker(relay=post.relay(stage.folder))
    async with running(worker):
        await stage.open()
        await until(lambda: bool(post.lines))
        over = reorganise(stage, worker)
        await stage.open(sha256(other).digest())
        await until(lambda: worker.newest(1)[0].opened.envelope_digest == sha256(other).digest())
        over()
        await until(lambda: bool(stage.votes(0)))
    (vote,) = stage.votes(0)
    assert isinstance(vote, BallotCast)
    assert vote.ballot == stage.vote_of(other).ballot
    assert len({relayed.signed for relayed in post.ballots}) == 1
    assert post.ballots[0].signed.vote.ballot != vote.ballot
