"""A worker's client of a relay, with the network replaced."""

import asyncio
import json
from pathlib import Path

import pytest
from eth_account import Account

from oepnode.adapters.crypto.ballot_signature import recover_signer
from oepnode.adapters.http.client import HttpClient, RequestRejected, Response
from oepnode.adapters.http.relay import HttpRelay
from oepnode.adapters.storage.equivocation_guard import EquivocationGuard
from oepnode.domain.rounds.ballot import Vote
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.signed_ballots import decode_lines
from oepnode.errors import ConflictError, FatalError, TransportError

ACCOUNT = Account.from_key(b"\x07" * 32)
CONTEXT = RoundContext(246, b"\x0c" * 20, 7)
CUSTODY = b"\xcc" * 32
ONE, OTHER = Vote(b"\x11" * 32, CUSTODY), Vote(b"\x12" * 32, CUSTODY)


class FakeServer:
    """Responds as configured, and keeps the record as it was on disk at each request."""

    def __init__(self, folder: Path, answer: Response | None = None) -> None:
        self.record = folder / "signed"
        self.answer = answer
        self.lines: list[bytes] = []
        self.kept: list[bytes] = []

    async def exchange(self, *request: object) -> Response:
        method, url, body = request[:3]
        assert (method, url) == ("POST", "http://relay.test/v1/ballots")
        assert isinstance(body, bytes)
        self.lines.append(body)
        self.kept.append(self.record.read_bytes())
        if self.answer is None:
            await asyncio.Event().wait()
        assert self.answer is not None
        return self.answer

    def relay(self) -> HttpRelay:
        client = HttpClient("http://relay.test", 5, self.exchange, wait=lambda _: asyncio.sleep(0))
        return HttpRelay("http://relay.test", ACCOUNT, EquivocationGuard(self.record), client)


def rejected(status: int, code: str) -> Response:
    error = {"error": {"code": code, "message": "because"}}
    return Response(status, json.dumps(error).encode())


async def test_a_handed_in_ballot_is_signed_and_was_recorded_before(tmp_path: Path) -> None:
    server = FakeServer(tmp_path, Response(202, b"{}"))
    relay = server.relay()
    await relay.hand_in(CONTEXT, ONE)
    await relay.hand_in(CONTEXT, ONE)
    await relay.close()
    first, second = decode_lines(b"\n".join(server.lines))
    assert first == second
    assert (first.context, first.signed.vote) == (CONTEXT, ONE)
    assert recover_signer(CONTEXT, first.signed) == bytes.fromhex(ACCOUNT.address[2:])
    assert all(ONE.ballot.hex().encode() in kept for kept in server.kept)


async def test_a_second_ballot_of_a_round_is_never_signed(tmp_path: Path) -> None:
    server = FakeServer(tmp_path, Response(202, b"{}"))
    await server.relay().hand_in(CONTEXT, ONE)
    with pytest.raises(ConflictError, match="another vote was signed for round 7"):
        await server.relay().hand_in(CONTEXT, OTHER)
    assert len(server.lines) == 1


async def test_a_ballot_that_cannot_be_recorded_is_not_sent(tmp_path: Path) -> None:
    server = FakeServer(tmp_path, Response(202, b"{}"))
    server.record.mkdir()
    with pytest.raises(FatalError, match="nothing was signed"):
        await server.relay().hand_in(CONTEXT, ONE)
    assert server.lines == []


@pytest.mark.parametrize(
    ("status", "code"), [(403, "ballot.rejected"), (409, "ballot.second"), (404, "http.not_found")]
)
async def test_a_rejection_is_reported(tmp_path: Path, status: int, code: str) -> None:
    with pytest.raises(RequestRejected) as raised:
        await FakeServer(tmp_path, rejected(status, code)).relay().hand_in(CONTEXT, ONE)
    assert (raised.value.status, raised.value.code) == (status, code)


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, "round.unknown"), (409, "member.voted"), (503, "chain.unavailable"), (302, "")],
)
async def test_a_temporary_rejection_is_a_transport_error(
    tmp_path: Path, status: int, code: str
) -> None:
    with pytest.raises(TransportError):
        await FakeServer(tmp_path, rejected(status, code)).relay().hand_in(CONTEXT, ONE)


async def test_a_silent_relay_times_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oepnode.adapters.http.relay.HAND_IN_S", 0.01)
    with pytest.raises(TransportError, match="no response within"):
        await FakeServer(tmp_path).relay().hand_in(CONTEXT, ONE)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"chainId": 246, "contract": "0x" + "0c" * 20}, None),
        ({"chainId": 1, "contract": "0x" + "0c" * 20}, ConflictError),
        ({"chainId": 246, "contract": "0x" + "0d" * 20}, ConflictError),
        ({"status": "ok"}, TransportError),
    ],
)
async def test_the_relay_serves_the_workers_contract(
    tmp_path: Path, answer: dict[str, object], error: type[Exception] | None
) -> None:
    async def exchange(*_: object) -> Response:
        return Response(200, json.dumps(answer).encode())

    client = HttpClient("http://relay.test", 5, exchange)
    relay = HttpRelay("http://relay.test", ACCOUNT, EquivocationGuard(tmp_path / "signed"), client)
    if error is None:
        await relay.check(246, b"\x0c" * 20)
    else:
        with pytest.raises(error):
            await relay.check(246, b"\x0c" * 20)
    assert list(tmp_path.iterdir()) == []
