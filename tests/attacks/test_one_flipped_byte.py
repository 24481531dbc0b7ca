"""Somebody on the path flips one byte, or a service's node is one block behind: a vote is lost.

Before: the first answer with another digest, and the first 403 of a service whose node did not know
the round or the member yet, made an abstention within a second. An abstention cannot be taken back,
so one flipped byte for a third of the workers was enough to fail a round.

Now: `oepnode.worker.computations` asks again, with growing random waits, until only the time to
abstain is left, and abstains with the last reason. What the right bytes say is final at once:
they would say the same again, and waiting would only delay the round.

Remains: who controls a worker's path for the whole vote keeps it from its inputs.
"""

import json
from collections.abc import AsyncIterator, Mapping
from hashlib import sha256
from pathlib import Path

import pytest
from eth_account import Account

from oepnode.adapters.http.client import Body, HttpClient, Response
from oepnode.adapters.http.sender import HttpSender
from oepnode.adapters.http.signed_client import RequestSigner
from oepnode.domain.rounds.ballot import Reason
from oepnode.domain.rounds.onchain import Abstained, BallotCast
from oepnode.worker.computations import Computations
from tests.attacks.support.short_waits import shorten_waits
from tests.support.fake_chain import CHAIN_ID, CONTRACT
from tests.support.round_world import ENVELOPE
from tests.support.worker_stage import Stage, running, until

TO_ABSTAIN_S = 50
"""Of a window of 60: only the time to abstain is left."""


def rejection(status: int, code: str) -> Response:
    body = {"error": {"code": code, "message": "not now"}}
    return Response(status, json.dumps(body).encode())


def flipped(data: bytes) -> Response:
    return Response(200, data[:100] + bytes([data[100] ^ 1]) + data[101:])


GOOD = Response(200, ENVELOPE)
BAD = {
    "a flipped byte": flipped(ENVELOPE),
    "401": rejection(401, "request.time"),
    "403": rejection(403, "worker.unknown"),
    "409": rejection(409, "round.other_document"),
}


class Route:
    """The path to the sender's gateway: what comes back, in order; the last one again and again."""

    def __init__(self, *answers: Response) -> None:
        self._answers = list(answers)
        self.requests = 0

    async def exchange(
        self, method: str, url: str, body: Body, headers: Mapping[str, str], limit: int
    ) -> Response:
        if url.endswith("/latest"):
            return rejection(404, "document.none")
        self.requests += 1
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


@pytest.fixture
async def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    shorten_waits(monkeypatch)
    yield Stage(tmp_path)


def sender_behind(stage: Stage, path: Route) -> None:
    """Put the real client of the gateway, with this path, into the stage."""
    account = Account.from_key(b"\x07" * 32)
    signer = RequestSigner(account, CHAIN_ID, CONTRACT, stage.clock, 10_000_000, 5)
    client = HttpClient("http://sender", 5, path.exchange)
    stage.sender = HttpSender("http://sender", signer, client)  # type: ignore[assignment]


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
async def test_a_fault_that_passes_costs_no_vote(stage: Stage, bad: Response) -> None:
    path = Route(bad, bad, GOOD)
    sender_behind(stage, path)
    async with running(stage.worker()):
        await stage.open()
        await until(lambda: bool(stage.votes(0)))
    assert path.requests == 3
    (vote,) = stage.votes(0)
    assert isinstance(vote, BallotCast)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [("a flipped byte", Reason.INPUT_MISMATCH), ("403", Reason.INPUTS_UNAVAILABLE)],
)
async def test_a_fault_that_stays_is_an_abstention_when_time_is_short(
    stage: Stage, bad: str, reason: Reason
) -> None:
    path = Route(BAD["401"], BAD[bad])
    sender_behind(stage, path)
    async with running(stage.worker()):
        await stage.open()
        await until(lambda: path.requests > 20)
        assert stage.votes(0) == []
        stage.pass_time(TO_ABSTAIN_S)
        await until(lambda: bool(stage.votes(0)))
    (vote,) = stage.votes(0)
    assert isinstance(vote, Abstained)
    assert vote.reason == reason  # the last one


async def test_a_flipped_byte_of_the_salt_costs_no_vote(stage: Stage) -> None:
    """The salt has no digest on chain; the snapshot has its digest, so computing finds it."""
    salt, asked = stage.registry.salt, 0

    async def flipped_once(round_number: int, digest: bytes) -> bytes:
        nonlocal asked
        asked += 1
        data = await salt(round_number, digest)
        return bytes([data[0] ^ 1]) + data[1:] if asked == 1 else data

    stage.registry.salt = flipped_once  # type: ignore[method-assign]
    async with running(stage.worker()):
        await stage.open()
        await until(lambda: bool(stage.votes(0)))
    assert asked == 2
    assert isinstance(stage.votes(0)[0], BallotCast)


async def test_what_the_right_bytes_say_is_final_at_once(stage: Stage) -> None:
    wrong = b'[{"nmi": 1}]'
    path = Route(Response(200, wrong))
    sender_behind(stage, path)
    async with running(stage.worker()):
        await stage.open(sha256(wrong).digest())
        await until(lambda: bool(stage.votes(0)))
    assert path.requests == 1
    (vote,) = stage.votes(0)
    assert isinstance(vote, Abstained)
    assert vote.reason == Reason.INPUT_INVALID


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
async def test_without_trying_again_one_fault_is_an_abstention(
    stage: Stage, bad: Response, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Computations, "_may_help", lambda *_: False)
    path = Route(bad, GOOD)
    sender_behind(stage, path)
    async with running(stage.worker()):
        await stage.open()
        await until(lambda: bool(stage.votes(0)))
    assert path.requests == 1
    assert isinstance(stage.votes(0)[0], Abstained)
