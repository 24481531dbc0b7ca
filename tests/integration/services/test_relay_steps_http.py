"""A round's last steps over real HTTP: a worker's client hands them to a relay, which pays."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from eth_account import Account

from oepnode.adapters.http.client import RequestRejected
from oepnode.adapters.http.relay import HttpRelay
from oepnode.adapters.http.server.serving import listening
from oepnode.adapters.storage.equivocation_guard import EquivocationGuard
from oepnode.config import HttpSettings, RelaySettings
from oepnode.domain.rounds import relayed_steps
from oepnode.domain.rounds.ballot import Reason, Result, Vote, ballot_for
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Abstained, Phase
from oepnode.domain.rounds.relayed_steps import RelayedStep
from oepnode.errors import TransportError
from oepnode.services.relay import app as relay
from tests.integration.services.conftest import CHAIN, reason_of
from tests.support.fake_chain import CHAIN_ID, CONTRACT, FakeChain, FakeClock, InMemoryChain

WORKERS = [Account.from_key(bytes([seat + 1]) * 32) for seat in range(3)]
SIGNERS = [bytes.fromhex(worker.address[2:]) for worker in WORKERS]
CONTEXT = RoundContext(CHAIN_ID, CONTRACT, 1)
RESULT, OTHER = Result(b"\x33" * 32, 4), Result(b"\x44" * 32, 4)
REVEAL = relayed_steps.encode(RelayedStep(CONTEXT, RESULT))
VOTE_S, ROUND_S = 60, 120
GIVE_UP_S = 20.0


@pytest.fixture
def blockchain(clock: FakeClock) -> InMemoryChain:
    blockchain = InMemoryChain(clock)
    for seat, signer in enumerate(SIGNERS):
        blockchain.add_member(bytes([0xA0 + seat]) * 20, signer)
    return blockchain


@dataclass
class World:
    """A relay that listens, its chain, and the client of the first worker."""

    url: str
    http: aiohttp.ClientSession
    blockchain: InMemoryChain
    chain: FakeChain
    worker: HttpRelay

    @property
    def phase(self) -> Phase:
        return self.blockchain.rounds[1].phase

    async def vote(self, seat: int, result: Result = RESULT) -> None:
        vote = Vote(ballot_for(CONTEXT, seat, result), b"\xcc" * 32)
        await FakeChain(self.blockchain, SIGNERS[seat]).cast_ballot(1, vote)

    async def post(self, body: bytes) -> str:
        """The state, or status and code of a rejection."""
        async with self.http.post(f"{self.url}/v1/steps", data=body) as response:
            if response.status != 202:
                return f"{response.status} {await reason_of(response)}"
            answer = await response.json()
            assert set(answer) == {"round", "state"}
            return f"{answer['round']} {answer['state']}"

    async def held(self) -> int:
        async with self.http.get(f"{self.url}/healthz") as response:
            return int((await response.json())["steps"])

    def paid(self) -> list[str]:
        """The transactions that the relay sent."""
        return [call for call in self.chain.calls if call in ("reveal_root", "fail_round")]


@pytest.fixture
async def world(
    blockchain: InMemoryChain, http: aiohttp.ClientSession, tmp_path: Path
) -> AsyncIterator[World]:
    """Round 1 is open, and the first two of three members have voted for one result."""
    settings = RelaySettings(
        chain=CHAIN,
        data_dir=tmp_path / "relay",
        key_file=tmp_path / "key",
        batch_after_s=0,
        look_interval_s=0.01,
    )
    chain = FakeChain(blockchain)
    await chain.open_round(1_795_000_200, 6, b"\x11" * 32, b"\x22" * 32)
    async with listening(relay.application(settings, chain), HttpSettings()) as url:
        worker = HttpRelay(url, WORKERS[2], EquivocationGuard(tmp_path / "signed"))
        world = World(url, http, blockchain, chain, worker)
        for seat in range(2):
            await world.vote(seat)
        yield world
        await worker.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(GIVE_UP_S):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_worker_without_a_coin_abstains_and_reveals(world: World) -> None:
    await world.worker.hand_in(CONTEXT, Vote.abstaining(Reason.INPUT_INVALID))
    await until(lambda: world.phase is Phase.REVEALING)
    (abstained,) = (e for e in world.blockchain.log if isinstance(e, Abstained))
    assert (abstained.operator, abstained.reason) == (b"\xa2" * 20, Reason.INPUT_INVALID)
    await world.worker.reveal(CONTEXT, RESULT)
    await until(lambda: world.phase is Phase.FINAL)
    assert world.blockchain.rounds[1].matched == 0b011
    assert world.paid() == ["reveal_root"]


async def test_a_worker_without_a_coin_closes_a_failed_round(
    world: World, clock: FakeClock
) -> None:
    clock.time += ROUND_S
    await world.worker.close_failed(CONTEXT)
    await until(lambda: world.phase is Phase.FAILED)
    assert world.paid() == ["fail_round"]


async def test_handing_in_again_is_harmless(world: World, clock: FakeClock) -> None:
    world.blockchain.rejection = "PauseState"  # it cannot be sent yet
    clock.time += VOTE_S
    for _ in range(3):
        assert await world.post(REVEAL) == "1 held"
    assert await world.held() == 1
    world.blockchain.rejection = ""
    clock.time += 1
    await until(lambda: world.phase is Phase.FINAL)
    async with asyncio.timeout(30):
        while await world.held():
            await asyncio.sleep(0.01)
    # Too late by a moment: the worker reads the chain, and finds it done.
    with pytest.raises(TransportError, match=r"round 1 is final"):
        await world.worker.reveal(CONTEXT, RESULT)
    assert world.paid().count("reveal_root") >= 1
    assert await world.held() == 0


async def test_no_root_is_accepted_while_others_may_vote(world: World) -> None:
    """The relay would know it, and could sell it to a member that has not computed it."""
    with pytest.raises(TransportError, match="it must be revealing"):
        await world.worker.reveal(CONTEXT, RESULT)
    with pytest.raises(TransportError, match="it must be expired"):
        await world.worker.close_failed(CONTEXT)
    assert await world.post(REVEAL) == "409 round.other_phase"
    assert (await world.held(), world.paid()) == (0, [])


async def test_a_stranger_cannot_make_the_relay_pay(world: World, clock: FakeClock) -> None:
    clock.time += VOTE_S
    with pytest.raises(RequestRejected) as rejection:
        await world.worker.reveal(CONTEXT, OTHER)
    assert (rejection.value.status, rejection.value.code) == (422, "root.unmatched")
    assert (await world.held(), world.paid()) == (0, [])
    assert world.phase is Phase.REVEALING


async def test_a_result_below_quorum_is_revealed_once(world: World) -> None:
    await world.vote(2, OTHER)
    await world.worker.reveal(CONTEXT, OTHER)
    await until(lambda: "reveal_root" in world.chain.calls)
    async with asyncio.timeout(GIVE_UP_S):
        while await world.held():
            await asyncio.sleep(0.005)
    with pytest.raises(TransportError, match="revealed already"):
        await world.worker.reveal(CONTEXT, OTHER)
    assert world.phase is Phase.REVEALING
    await world.worker.reveal(CONTEXT, RESULT)
    await until(lambda: world.phase is Phase.FINAL)
    assert world.paid() == ["reveal_root"] * 2


def changed(**changes: object) -> bytes:
    """The reveal with other fields; None leaves a field out."""
    step = json.loads(REVEAL) | changes
    return json.dumps({name: value for name, value in step.items() if value is not None}).encode()


MALFORMED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "422 request.malformed"),
    "no JSON": (b"{", "422 request.malformed"),
    "no UTF-8": (b'{"root": "\xff"}', "422 request.malformed"),
    "a list": (b"[" + REVEAL + b"]", "422 request.malformed"),
    "two": (REVEAL + b"\n" + REVEAL, "422 request.malformed"),
    "nested": (b"[" * 1000, "422 request.malformed"),
    "too large": (REVEAL + b" " * 1024, "413 body.too_large"),
    "without a root": (changed(root=None), "422 request.malformed"),
    "a short root": (changed(root="33"), "422 request.malformed"),
    "a root with a prefix": (changed(root="0x" + "33" * 32), "422 request.malformed"),
    "partitions of nothing": (changed(root=""), "422 request.malformed"),
    "partitions below zero": (changed(partitions=-1), "422 request.malformed"),
    "too many partitions": (changed(partitions=2**32), "422 request.malformed"),
    "a text as round": (changed(round="1"), "422 request.malformed"),
    "round zero": (changed(round=0), "422 request.malformed"),
    "a round that is no number of rounds": (changed(round=2**32), "422 request.malformed"),
    "an unknown field": (changed(fee=1), "422 request.malformed"),
    "another chain": (changed(chainId=CHAIN_ID + 1), "422 step.elsewhere"),
    "another contract": (changed(contract="0x" + "01" * 20), "422 step.elsewhere"),
    "an unknown round": (changed(round=7), "404 round.unknown"),
}


@pytest.mark.parametrize("case", MALFORMED.values(), ids=MALFORMED)
async def test_what_is_no_step_of_a_round_here_is_rejected_by_name(
    world: World, clock: FakeClock, case: tuple[bytes, str]
) -> None:
    body, expected = case
    clock.time += VOTE_S
    assert await world.post(body) == expected
    assert (await world.held(), world.paid()) == (0, [])


async def test_a_relay_without_a_node_says_so_and_holds_nothing(
    world: World, clock: FakeClock
) -> None:
    clock.time += VOTE_S
    world.blockchain.is_down = True
    assert await world.post(REVEAL) == "503 chain.unavailable"
    assert await world.held() == 0
    world.blockchain.is_down = False
    await world.worker.reveal(CONTEXT, RESULT)
    await until(lambda: world.phase is Phase.FINAL)


async def test_steps_are_posted_only(world: World) -> None:
    async with world.http.get(f"{world.url}/v1/steps") as response:
        assert response.status == 405
