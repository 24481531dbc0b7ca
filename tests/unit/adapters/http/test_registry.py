"""The client of the NMI registry, with the network replaced."""

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from eth_account import Account

from oepnode.adapters.crypto import sealing
from oepnode.adapters.crypto.request_signature import verify_request
from oepnode.adapters.http.client import HttpClient, Response
from oepnode.adapters.http.registry import HttpRegistry
from oepnode.adapters.http.signed_client import RequestSigner
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.signed_requests import RegistryRequest, decode_request, seal_info
from oepnode.errors import ConflictError, DigestMismatch, TransportError
from tests.support.fake_chain import CHAIN_ID, CONTRACT, FakeClock

ACCOUNT = Account.from_key(b"\x01" * 32)
SNAPSHOT = b'{"a": "snapshot"}'
DIGEST = sha256(SNAPSHOT).digest()
SALT = bytes(range(32))

Respond = Callable[[RegistryRequest], Response]


class FakeServer:
    """Decodes requests, checks their signature, and responds as configured."""

    def __init__(self, *respond: Respond) -> None:
        self.respond = list(respond)
        self.requests: list[RegistryRequest] = []

    async def exchange(
        self, method: str, url: str, body: Any, headers: Any, limit: int
    ) -> Response:
        assert (method, url) == ("POST", "http://registry.test/v1/requests")
        request, signature = decode_request(body)
        assert request.signer.hex() == ACCOUNT.address[2:].lower()
        verify_request(request, signature, CHAIN_ID, CONTRACT)
        self.requests.append(request)
        answer = self.respond.pop(0) if len(self.respond) > 1 else self.respond[0]
        return answer(request)


def sealed(data: bytes, **changes: Any) -> Respond:
    def respond(request: RegistryRequest) -> Response:
        context = RoundContext(CHAIN_ID, CONTRACT, changes.get("round", request.round))
        info = seal_info(changes.get("what", request.what), context, request.snapshot_digest)
        return Response(200, sealing.seal_whole(request.recipient, data, info))

    return respond


def rejected(status: int, code: str) -> Respond:
    body = json.dumps({"error": {"code": code, "message": "because"}}).encode()
    return lambda _: Response(status, body)


def client(exchange: Any) -> HttpRegistry:
    async def no_wait(_: float) -> None:
        pass

    return HttpRegistry(
        "http://registry.test",
        RequestSigner(ACCOUNT, CHAIN_ID, CONTRACT, FakeClock(), max_bytes=1000, timeout_s=5),
        HttpClient("http://registry.test", 5, exchange, no_wait),
    )


async def test_snapshot_and_salt_are_requested_and_opened() -> None:
    server = FakeServer(sealed(SNAPSHOT), sealed(SALT))
    registry = client(server.exchange)
    assert await registry.snapshot(7, DIGEST) == SNAPSHOT
    assert await registry.salt(7, DIGEST) == SALT
    first, second = server.requests
    assert (first.what, second.what) == ("snapshot", "salt")
    assert {request.round for request in server.requests} == {7}
    assert {request.snapshot_digest for request in server.requests} == {DIGEST}
    assert first.nonce != second.nonce
    assert first.recipient != second.recipient


async def test_a_second_attempt_has_its_own_nonce() -> None:
    server = FakeServer(rejected(503, "chain.unavailable"), sealed(SALT))
    assert await client(server.exchange).salt(7, DIGEST) == SALT
    first, second = server.requests
    assert first.nonce != second.nonce


async def test_another_snapshot_is_a_mismatch() -> None:
    with pytest.raises(DigestMismatch):
        await client(FakeServer(sealed(SNAPSHOT + b" ")).exchange).snapshot(7, DIGEST)


@pytest.mark.parametrize("status", [401, 403, 409, 422])
async def test_a_rejection_of_this_worker_is_a_conflict(status: int) -> None:
    with pytest.raises(ConflictError, match="because"):
        await client(FakeServer(rejected(status, "worker.unknown")).exchange).salt(7, DIGEST)


async def test_a_missing_input_may_arrive_later() -> None:
    with pytest.raises(TransportError, match="because"):
        await client(FakeServer(rejected(404, "round.unknown")).exchange).salt(7, DIGEST)


@pytest.mark.parametrize(
    "respond",
    [
        sealed(SALT, what="snapshot"),
        sealed(SALT, round=8),
        lambda _: Response(200, SALT),
        lambda _: Response(200, b""),
    ],
    ids=["purpose", "round", "clear", "empty"],
)
async def test_a_response_for_another_request_is_a_transport_error(respond: Respond) -> None:
    with pytest.raises(TransportError, match="salt"):
        await client(FakeServer(respond).exchange).salt(7, DIGEST)


async def test_the_newest_digest_is_read() -> None:
    async def exchange(method: str, url: str, *_: Any) -> Response:
        assert (method, url) == ("GET", "http://registry.test/v1/snapshots/latest")
        return Response(200, json.dumps({"digest": DIGEST.hex(), "asOf": 1}).encode())

    assert await client(exchange).latest_digest() == DIGEST


async def test_no_snapshot_yet_is_none() -> None:
    async def exchange(*_: Any) -> Response:
        return rejected(404, "snapshot.none")(None)  # type: ignore[arg-type]

    assert await client(exchange).latest_digest() is None


async def test_another_rejection_is_a_transport_error() -> None:
    async def exchange(*_: Any) -> Response:
        return Response(404, b"")

    with pytest.raises(TransportError):
        await client(exchange).latest_digest()
