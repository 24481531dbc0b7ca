"""The client of the sender's gateway, with the network replaced."""

import json
from hashlib import sha256
from typing import Any

import pytest
from eth_account import Account

from oepnode.adapters.crypto.request_signature import verify_request
from oepnode.adapters.http.client import HttpClient, Response
from oepnode.adapters.http.sender import HttpSender
from oepnode.adapters.http.signed_client import RequestSigner
from oepnode.domain.rounds.signed_requests import DocumentRequest, decode_authorization
from oepnode.errors import ConflictError, DigestMismatch, TransportError
from oepnode.ports import LatestEnvelope
from tests.support.fake_chain import CHAIN_ID, CONTRACT, FakeClock

ACCOUNT = Account.from_key(b"\x01" * 32)
DOCUMENT = b"[]"
DIGEST = sha256(DOCUMENT).digest()
LATEST: dict[str, Any] = {
    "digest": DIGEST.hex(),
    "registryDigest": "0a" * 32,
    "horizonStart": 1_795_000_200,
    "intervalCount": 6,
    "size": 2,
    "round": 4,
}


def client(
    status: int, body: bytes | dict[str, Any], sent: list[Any] | None, first: list[int]
) -> HttpClient:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def exchange(*request: Any) -> Response:
        if sent is not None:
            sent.append(request)
        return Response(first.pop(0), b"") if first else Response(status, data)

    async def no_wait(_: float) -> None:
        pass

    return HttpClient("http://sender.test", 5, exchange, no_wait)


def sender(
    status: int,
    body: bytes | dict[str, Any],
    sent: list[Any] | None = None,
    first: list[int] | None = None,
) -> HttpSender:
    """Answers with the statuses of ``first``, and then with ``status``."""
    return HttpSender(
        "http://sender.test",
        RequestSigner(ACCOUNT, CHAIN_ID, CONTRACT, FakeClock(), max_bytes=100, timeout_s=5),
        client(status, body, sent, first or []),
    )


def request_of(request: Any) -> DocumentRequest:
    """The signed request that was sent, after a check of its signature."""
    signed = decode_authorization(request[3]["Authorization"])
    assert signed is not None
    assert signed[0].signer.hex() == ACCOUNT.address[2:].lower()
    verify_request(*signed, CHAIN_ID, CONTRACT)
    return signed[0]


def error(code: str, **more: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": "because", **more}}


async def test_the_latest_document_is_read() -> None:
    assert await sender(200, LATEST).latest() == LatestEnvelope(
        digest=DIGEST,
        registry_digest=b"\x0a" * 32,
        horizon_start=1_795_000_200,
        interval_count=6,
        size=2,
        round=4,
    )


async def test_a_document_without_a_round_is_read() -> None:
    latest = await sender(200, LATEST | {"registryDigest": None, "round": None}).latest()
    assert latest is not None
    assert (latest.registry_digest, latest.round) == (None, None)


async def test_no_document_yet_is_none() -> None:
    assert await sender(404, error("envelope.none")).latest() is None


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, error("http.not_found")),
        (403, b""),
        (200, b"{}"),
        (200, LATEST | {"digest": "0x"}),
        (200, LATEST | {"registryDigest": "00"}),
    ],
)
async def test_an_unexpected_response_is_a_transport_error(status: int, body: Any) -> None:
    with pytest.raises(TransportError):
        await sender(status, body).latest()


async def test_a_document_with_its_digest_is_returned() -> None:
    sent: list[Any] = []
    assert await sender(200, DOCUMENT, sent).document(7, DIGEST) == DOCUMENT
    assert sent[0][:2] == ("GET", f"http://sender.test/v1/documents/{DIGEST.hex()}")
    assert sent[0][4] == 100
    request = request_of(sent[0])
    assert (request.round, request.digest) == (7, DIGEST)
    assert request.issued_at == int(FakeClock().now())


async def test_a_second_attempt_has_its_own_nonce() -> None:
    sent: list[Any] = []
    assert await sender(200, DOCUMENT, sent, first=[503]).document(7, DIGEST) == DOCUMENT
    first, second = (request_of(request) for request in sent)
    assert first.nonce != second.nonce


async def test_other_bytes_are_a_mismatch() -> None:
    with pytest.raises(DigestMismatch) as mismatch:
        await sender(200, DOCUMENT + b" ").document(7, DIGEST)
    assert mismatch.value.expected == DIGEST


@pytest.mark.parametrize("code", ["document.unknown", "round.unknown"])
async def test_a_missing_input_may_arrive_later(code: str) -> None:
    with pytest.raises(TransportError, match="because"):
        await sender(404, error(code)).document(7, DIGEST)


@pytest.mark.parametrize("status", [401, 403, 409, 422])
async def test_a_rejection_of_this_worker_is_a_conflict(status: int) -> None:
    with pytest.raises(ConflictError, match="because"):
        await sender(status, error("worker.unknown")).document(7, DIGEST)
