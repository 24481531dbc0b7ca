"""The relay over real HTTP, with the chain in memory: ballots accepted, rejected, kept and cast."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from eth_account import Account

from oepnode.adapters.crypto.ballot_signature import recover_signer, sign_ballot
from oepnode.adapters.http.server.serving import listening
from oepnode.config import HttpSettings, RelaySettings
from oepnode.domain.rounds.ballot import Vote
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import BallotCast, Phase
from oepnode.domain.rounds.signed_ballots import (
    Relayed,
    SignedBallot,
    decode_lines,
    encode,
    equivocations_in,
)
from oepnode.services.relay import app as relay
from tests.integration.services.conftest import CHAIN, reason_of
from tests.support.fake_chain import CHAIN_ID, CONTRACT, FakeChain, FakeClock, InMemoryChain

WORKERS = [Account.from_key(bytes([seat + 1]) * 32) for seat in range(3)]
STRANGER = Account.from_key(b"\x09" * 32)
OPERATORS = [bytes([0xA0 + seat]) * 20 for seat in range(3)]
NEVER_S = 3600.0
GIVE_UP_S = 20.0


@pytest.fixture
def blockchain(clock: FakeClock) -> InMemoryChain:
    blockchain = InMemoryChain(clock)
    for worker, operator in zip(WORKERS, OPERATORS, strict=True):
        blockchain.add_member(operator, bytes.fromhex(worker.address[2:]))
    return blockchain


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oepnode.services.relay.ballot_pool.FIRST_WAIT_S", 0.01)
    monkeypatch.setattr("oepnode.services.relay.ballot_pool.LONGEST_WAIT_S", 0.05)


class World:
    """A relay that listens, with its chain, and a client."""

    def __init__(
        self, url: str, http: aiohttp.ClientSession, blockchain: InMemoryChain, folder: Path
    ) -> None:
        self.url = url
        self.http = http
        self.blockchain = blockchain
        self.folder = folder
        self.chain = FakeChain(blockchain)

    async def open(self) -> int:
        opened = await self.chain.open_round(1_795_000_200, 6, b"\x11" * 32, b"\x22" * 32)
        return opened.round

    async def hand_in(self, line: bytes | Relayed) -> str:
        """The state, or the code of a rejection."""
        body = encode(line) if isinstance(line, Relayed) else line
        async with self.http.post(f"{self.url}/v1/ballots", data=body) as response:
            if response.status != 202:
                return f"{response.status} {await reason_of(response)}"
            return str((await response.json())["state"])

    async def get(self, path: str) -> dict[str, Any]:
        async with self.http.get(self.url + path) as response:
            assert response.status == 200
            body: dict[str, Any] = await response.json()
            return body

    def cast(self, number: int = 1) -> list[bytes]:
        """The operators whose ballots are on chain, in order."""
        events = (e for e in self.blockchain.log if isinstance(e, BallotCast) and e.round == number)
        return [event.operator for event in events]

    def sent(self) -> int:
        """The number of batches that were tried."""
        return self.relay_chain.calls.count("cast_ballots")

    relay_chain: FakeChain


CUSTODY = b"\xcc" * 32


def signed(seat: int, number: int = 1, ballot: bytes = b"", **changes: Any) -> Relayed:
    """A worker's signed ballot; ``changes`` are of the context that it is signed for."""
    context = RoundContext(CHAIN_ID, CONTRACT, number)
    values: dict[str, Any] = {
        "chain_id": CHAIN_ID,
        "contract": CONTRACT,
        "number": number,
    } | changes
    context = RoundContext(**values)
    account = STRANGER if seat < 0 else WORKERS[seat]
    vote = Vote(ballot or bytes([seat + 1]) * 32, CUSTODY)
    return Relayed(context, sign_ballot(account, context, vote))


Start = Callable[[float], Awaitable[World]]


@pytest.fixture
async def start(
    blockchain: InMemoryChain, http: aiohttp.ClientSession, tmp_path: Path
) -> AsyncIterator[Start]:
    """Starts a relay with a time after which a batch is sent."""
    stack: list[Any] = []

    async def starting(batch_after_s: float) -> World:
        settings = RelaySettings(
            chain=CHAIN,
            data_dir=tmp_path / "relay",
            key_file=tmp_path / "key",
            batch_after_s=batch_after_s,
            look_interval_s=0.01,
        )
        chain = FakeChain(blockchain)
        running = listening(relay.application(settings, chain), HttpSettings())
        world = World(await running.__aenter__(), http, blockchain, tmp_path / "relay")
        stack.append(running)
        world.relay_chain = chain
        return world

    yield starting
    for running in stack:
        await running.__aexit__(None, None, None)


@pytest.fixture
async def world(start: Start) -> World:
    """A relay that waits for every member."""
    return await start(NEVER_S)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(GIVE_UP_S):
        while not condition():
            await asyncio.sleep(0.005)


# --- batches -------------------------------------------------------------------------------------


async def test_when_all_are_there_they_are_cast_in_one_batch(world: World) -> None:
    await world.open()
    assert [await world.hand_in(signed(seat)) for seat in range(2)] == ["held", "held"]
    assert await world.get("/v1/rounds/1") == {
        "round": 1,
        "held": ["0x" + operator.hex() for operator in OPERATORS[:2]],
        "cast": [],
    }
    assert (world.cast(), world.sent()) == ([], 0)
    await world.hand_in(signed(2))
    await until(lambda: len(world.cast()) == 3)
    assert world.cast() == OPERATORS
    state = world.blockchain.rounds.get(1)
    assert state is not None
    assert state.phase is Phase.REVEALING
    assert world.sent() == 1


async def test_latecomers_are_cast_in_a_second_batch(start: Start) -> None:
    world = await start(0.0)
    await world.open()
    await world.hand_in(signed(0))
    await until(lambda: world.cast() == OPERATORS[:1])
    assert await world.hand_in(signed(1)) == "held"
    await until(lambda: world.cast() == OPERATORS[:2])
    async with asyncio.timeout(GIVE_UP_S):
        while len((await world.get("/v1/rounds/1"))["cast"]) < 2:
            await asyncio.sleep(0.005)
    assert await world.hand_in(signed(1)) == "cast"
    assert world.sent() == 2


async def test_a_direct_vote_a_moment_before_does_not_spoil_the_batch(world: World) -> None:
    await world.open()
    await world.hand_in(signed(0))
    await world.hand_in(signed(1))
    direct = FakeChain(world.blockchain, bytes.fromhex(WORKERS[0].address[2:]))
    await direct.cast_ballot(1, Vote(b"\x77" * 32, CUSTODY))
    await world.hand_in(signed(2))
    await until(lambda: len(world.cast()) == 3)
    assert world.cast() == OPERATORS
    assert world.sent() == 1
    assert world.blockchain.ballots[1][0][1] == b"\x77" * 32


async def test_each_round_is_cast_separately(world: World) -> None:
    await world.open()
    await world.open()
    for seat in range(3):
        await world.hand_in(signed(seat, 2))
    await world.hand_in(signed(0, 1))
    await until(lambda: len(world.cast(2)) == 3)
    assert world.cast(1) == []


async def test_a_ballot_whose_block_was_replaced_is_cast_again(start: Start) -> None:
    world = await start(0.0)
    await world.open()
    await world.hand_in(signed(0))
    await until(lambda: world.cast() == OPERATORS[:1])
    world.blockchain.forget_ballots(1)
    await until(lambda: world.cast() == OPERATORS[:1])


# --- a failing chain -----------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["rejection", "is_down", "loses_answers"])
async def test_ballots_that_could_not_be_sent_are_sent_later_and_once(
    world: World, fault: str
) -> None:
    await world.open()
    await world.hand_in(signed(0))
    await world.hand_in(signed(1))
    third = signed(2)
    if fault == "is_down":
        world.blockchain.is_down = True
        assert await world.hand_in(third) == "503 chain.unavailable"
        async with asyncio.timeout(GIVE_UP_S):
            while not (await world.get("/healthz"))["trouble"]:
                await asyncio.sleep(0.005)
        world.blockchain.is_down = False
        await world.hand_in(third)
    else:
        setattr(world.blockchain, fault, "PauseState" if fault == "rejection" else True)
        await world.hand_in(third)
        await until(lambda: world.sent() > 0)
        setattr(world.blockchain, fault, "" if fault == "rejection" else False)
    await until(lambda: len(world.cast()) == 3)
    assert world.cast() == OPERATORS


async def test_a_failing_round_delays_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = world.relay_chain.cast_ballots
    tried: list[int] = []

    async def failing(number: int, ballots: bytes) -> bytes:
        tried.append(number)
        if number == 1:
            raise ZeroDivisionError
        return await real(number, ballots)

    monkeypatch.setattr(world.relay_chain, "cast_ballots", failing)
    await world.open()
    await world.open()
    for seat in range(3):
        await world.hand_in(signed(seat, 1))
        await world.hand_in(signed(seat, 2))
    await until(lambda: len(world.cast(2)) == 3 and tried.count(1) > 1)
    assert world.cast(1) == []
    assert "internal error of this service" in (await world.get("/healthz"))["trouble"]


# --- rejected ------------------------------------------------------------------------------------


def broken(relayed: Relayed) -> bytes:
    return encode(relayed).replace(b'"signature"', b'"signatures"')


def with_r(relayed: Relayed, r: bytes) -> Relayed:
    return Relayed(
        relayed.context, SignedBallot(relayed.signed.vote, r, relayed.signed.parity_and_s)
    )


REJECTED: dict[str, tuple[bytes | Relayed, str]] = {
    "empty": (b"", "422 request.malformed"),
    "no JSON": (b"{", "422 request.malformed"),
    "another form": (broken(signed(0)), "422 request.malformed"),
    "two": (encode(signed(0)) + b"\n" + encode(signed(1)), "422 request.malformed"),
    "too large": (encode(signed(0)) + b" " * 1024, "413 body.too_large"),
    "chain": (signed(0, chain_id=1), "422 ballot.other_chain"),
    "contract": (signed(0, contract=b"\x01" * 20), "422 ballot.other_contract"),
    "no signature": (with_r(signed(0), bytes(32)), "422 signature.invalid"),
    "another's": (with_r(signed(0), signed(1).signed.r), "403 ballot.rejected"),
    "stranger": (signed(-1, ballot=b"\x05" * 32), "403 ballot.rejected"),
    "zero": (signed(0, ballot=bytes(32)), "403 ballot.rejected"),
    "unknown round": (signed(0, number=7), "404 round.unknown"),
}


@pytest.mark.parametrize("case", REJECTED.values(), ids=REJECTED)
async def test_ballots_that_could_not_be_cast_are_rejected(
    world: World, case: tuple[bytes | Relayed, str]
) -> None:
    line, expected = case
    await world.open()
    answer = await world.hand_in(line)
    if expected == "403 ballot.rejected":
        assert answer in (expected, "422 signature.invalid")  # some r recover nobody
    else:
        assert answer == expected
    assert (await world.get("/healthz"))["ballots"] == 0


async def test_a_round_that_accepts_no_votes_is_rejected(world: World) -> None:
    await world.open()
    world.blockchain.clock.time += 61
    assert await world.hand_in(signed(0)) == "409 round.not_voting"


async def test_a_member_that_has_voted_is_rejected(world: World) -> None:
    await world.open()
    direct = FakeChain(world.blockchain, bytes.fromhex(WORKERS[0].address[2:]))
    await direct.abstain(1, 3)
    assert await world.hand_in(signed(0)) == "409 member.voted"


async def test_a_removed_member_votes_in_the_rounds_opened_before(world: World) -> None:
    await world.open()
    world.blockchain.remove_member(OPERATORS[2])
    await world.open()
    assert await world.hand_in(signed(2, 1)) == "held"
    assert await world.hand_in(signed(2, 2)) == "403 ballot.rejected"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/rounds/9", "404 round.not_held"),
        ("/v1/rounds/x", "400 round.malformed"),
        ("/v1/rounds/99999999999", "400 round.malformed"),
    ],
)
async def test_rounds_without_ballots(world: World, path: str, expected: str) -> None:
    async with world.http.get(world.url + path) as response:
        assert f"{response.status} {await reason_of(response)}" == expected


# --- duplicate ballots ---------------------------------------------------------------------------


async def test_the_same_ballot_again_is_accepted_at_once_and_without_a_chain(world: World) -> None:
    await world.open()
    answers = await asyncio.gather(*(world.hand_in(signed(0)) for _ in range(6)))
    assert answers == ["held"] * 6
    world.blockchain.is_down = True
    assert await world.hand_in(signed(0)) == "held"
    assert (await world.get("/healthz"))["ballots"] == 1


async def test_a_second_ballot_is_rejected_and_kept_with_the_first_as_evidence(
    world: World,
) -> None:
    await world.open()
    first, second, third = (signed(0, ballot=bytes([of]) * 32) for of in (1, 2, 3))
    assert await world.hand_in(first) == "held"
    for other in (second, second, third):
        assert await world.hand_in(other) == "409 ballot.second"
    await world.hand_in(signed(1))
    await world.hand_in(signed(2))
    await until(lambda: len(world.cast()) == 3)
    assert await world.hand_in(first) in ("held", "cast", "409 round.not_voting")
    assert world.blockchain.ballots[1][0][1] == first.signed.vote.ballot
    (file,) = (world.folder / "evidence").iterdir()
    kept = decode_lines(file.read_bytes())
    assert kept == [first, second]
    (equivocation,) = equivocations_in(
        first.context, world.blockchain.electorates[-1], kept, recover_signer
    )
    assert equivocation.member.operator == OPERATORS[0]


async def test_of_two_ballots_at_once_one_is_kept_and_one_rejected(world: World) -> None:
    await world.open()
    both = [signed(0, ballot=bytes([of]) * 32) for of in (1, 2)]
    answers = await asyncio.gather(*(world.hand_in(one) for one in both))
    assert sorted(answers) == ["409 ballot.second", "held"]
    (file,) = (world.folder / "evidence").iterdir()
    assert len(decode_lines(file.read_bytes())) == 2


# --- ballots in memory ---------------------------------------------------------------------------


async def test_rounds_that_are_over_are_forgotten(world: World) -> None:
    await world.open()
    await world.hand_in(signed(0))
    assert await world.get("/healthz") == {
        "status": "ok",
        "chainId": CHAIN_ID,
        "contract": "0x" + CONTRACT.hex(),
        "rounds": 1,
        "ballots": 1,
        "steps": 0,
        "trouble": "",
    }
    world.blockchain.clock.time += 61
    async with asyncio.timeout(GIVE_UP_S):
        while (await world.get("/healthz"))["rounds"]:
            await asyncio.sleep(0.005)
    assert world.sent() == 0
    assert list((world.folder / "evidence").iterdir()) == []
    async with world.http.get(f"{world.url}/v1/rounds/1") as response:
        assert json.loads(await response.read())["error"]["code"] == "round.not_held"
