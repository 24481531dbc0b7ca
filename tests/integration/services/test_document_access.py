"""Access to documents of the gateway over real HTTP."""

import secrets
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from typing import Any

import aiohttp
import pytest
import structlog
from eth_account import Account
from eth_account.signers.local import LocalAccount

from oepnode.adapters.crypto.request_signature import sign_request
from oepnode.adapters.http.server.serving import listening
from oepnode.config import HttpSettings, SenderSettings
from oepnode.domain.rounds.onchain import Member
from oepnode.domain.rounds.signed_requests import DocumentRequest, encode_authorization
from oepnode.errors import ConflictError, TransportError
from oepnode.services.sender import app as sender
from oepnode.services.sender.store import EnvelopeStore
from tests.integration.services.conftest import OPERATOR, TOKEN, WORKER, reason_of, worker_client
from tests.support.fake_chain import (
    CHAIN_ID,
    CONTRACT,
    REQUESTER,
    FakeChain,
    FakeClock,
    InMemoryChain,
)
from tests.support.stored_documents import put_document

STRANGER = Account.from_key(b"\x02" * 32)
MEGABYTES = 5
WINDOW_S = 120
DOCUMENT = secrets.token_bytes(MEGABYTES * 2**20 + 1)
DIGEST = sha256(DOCUMENT).digest()
OTHER = b"[]"
OTHER_DIGEST = sha256(OTHER).digest()

Sign = Callable[..., dict[str, str]]


def store_document(settings: SenderSettings, data: bytes) -> None:
    """Store bytes without the validation, which other tests cover."""
    put_document(settings.data_dir, data)


@pytest.fixture
async def stored(sender_settings: SenderSettings, blockchain: InMemoryChain) -> None:
    """Two documents; round 1 was opened with the first, round 2 with the second."""
    chain = FakeChain(blockchain, REQUESTER)
    for data in (DOCUMENT, OTHER):
        store_document(sender_settings, data)
        await chain.open_round(1_795_000_200, 6, sha256(data).digest(), b"\x0a" * 32)


@pytest.fixture
def url(sender_url: str, stored: None) -> str:
    return f"{sender_url}/v1/documents/{DIGEST.hex()}"


@pytest.fixture
async def open_url(
    sender_settings: SenderSettings, blockchain: InMemoryChain, clock: FakeClock, stored: None
) -> AsyncIterator[str]:
    """The same document at a gateway that serves anyone."""
    settings = sender_settings.model_copy(update={"document_access": "anyone"})
    app = sender.application(settings, FakeChain(blockchain, REQUESTER), clock)
    async with listening(app, HttpSettings()) as base:
        yield f"{base}/v1/documents/{DIGEST.hex()}"


@pytest.fixture
def sign(clock: FakeClock) -> Sign:
    """Makes the header of a new request; the named fields differ from a good one."""

    def header(
        account: LocalAccount = WORKER,
        chain_id: int = CHAIN_ID,
        contract: bytes = CONTRACT,
        **changes: Any,
    ) -> dict[str, str]:
        values: dict[str, Any] = {
            "round": 1,
            "digest": DIGEST,
            "signer": bytes.fromhex(account.address[2:]),
            "nonce": secrets.token_bytes(32),
            "issued_at": int(clock.now()),
        }
        request = DocumentRequest(**(values | changes))
        signature = sign_request(account, request, chain_id, contract)
        return {"Authorization": encode_authorization(request, signature)}

    return header


async def rejection(
    http: aiohttp.ClientSession, url: str, headers: dict[str, str]
) -> tuple[int, str]:
    """Status and code; not a byte of the document is in the answer."""
    async with http.get(url, headers=headers) as response:
        assert "ETag" not in response.headers
        challenged = response.headers.get("WWW-Authenticate")
        assert challenged == ("OEP1" if response.status == 401 else None)
        return response.status, await reason_of(response)


def access_log(settings: SenderSettings) -> list[tuple[Any, ...]]:
    store = EnvelopeStore(settings.data_dir)
    with store._index.transaction() as db:
        rows = db.execute("SELECT operator, signer, round, what, digest FROM access_log").fetchall()
    store.close()
    return rows


# --- served --------------------------------------------------------------------------------------


async def test_a_worker_gets_the_document_streamed(
    http: aiohttp.ClientSession, url: str, sign: Sign, sender_settings: SenderSettings
) -> None:
    async with http.get(url, headers=sign()) as response:
        assert response.status == 200
        assert response.content_length == len(DOCUMENT)
        chunks = [chunk async for chunk in response.content.iter_chunked(2**16)]
        assert len(chunks) > MEGABYTES
        assert b"".join(chunks) == DOCUMENT
        assert response.headers["Content-Type"] == "application/octet-stream"
        assert response.headers["ETag"] == f'"{DIGEST.hex()}"'
        assert response.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    signer = bytes.fromhex(WORKER.address[2:])
    assert access_log(sender_settings) == [(OPERATOR, signer, 1, "document", DIGEST)]


async def test_the_client_of_a_worker_gets_it(
    sender_url: str, stored: None, clock: FakeClock
) -> None:
    client = worker_client(sender_url, clock, max_bytes=len(DOCUMENT))
    assert await client.document(1, DIGEST) == DOCUMENT
    assert await client.document(1, DIGEST) == DOCUMENT
    await client.close()


async def test_head_ranges_and_etag_work_with_a_request_each(
    http: aiohttp.ClientSession, url: str, sign: Sign
) -> None:
    async with http.head(url, headers=sign()) as response:
        assert response.status == 200
        assert response.content_length == len(DOCUMENT)
        assert response.headers["ETag"] == f'"{DIGEST.hex()}"'
    async with http.get(url, headers=sign() | {"Range": "bytes=10-19"}) as response:
        assert (response.status, await response.read()) == (206, DOCUMENT[10:20])
        assert response.headers["ETag"] == f'"{DIGEST.hex()}"'
    tag = {"If-None-Match": f'"{DIGEST.hex()}"'}
    async with http.get(url, headers=sign() | tag) as response:
        assert (response.status, await response.read()) == (304, b"")
        assert response.headers["ETag"] == f'"{DIGEST.hex()}"'


@pytest.mark.parametrize("more", [{}, {"Range": "bytes=0-9"}, {"If-None-Match": "*"}])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_no_document_is_described_without_a_request(
    http: aiohttp.ClientSession, url: str, method: str, more: dict[str, str]
) -> None:
    async with http.request(method, url, headers=more) as response:
        assert response.status == 401
        assert "ETag" not in response.headers


async def test_a_worker_with_a_new_key_gets_it(
    http: aiohttp.ClientSession, url: str, sign: Sign, blockchain: InMemoryChain
) -> None:
    blockchain.rotate_signer(OPERATOR, bytes.fromhex(STRANGER.address[2:]))
    assert await rejection(http, url, sign()) == (403, "worker.unknown")
    async with http.get(url, headers=sign(STRANGER)) as response:
        assert response.status == 200


async def test_the_log_names_each_request_that_was_served(
    http: aiohttp.ClientSession, url: str, sign: Sign
) -> None:
    with structlog.testing.capture_logs() as logs:
        async with http.get(url, headers=sign()) as response:
            assert response.status == 200
        await rejection(http, url, sign(STRANGER))
    assert logs == [
        {
            "event": "request_granted",
            "log_level": "info",
            "input": "document",
            "round": 1,
            "operator": OPERATOR.hex(),
        },
        {
            "event": "request_rejected",
            "log_level": "info",
            "endpoint": "/v1/documents/{digest}",
            "status": 403,
            "code": "worker.unknown",
        },
    ]


# --- rejected ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        (None, 401, "request.missing"),
        ("", 401, "request.missing"),
        (f"Bearer {TOKEN}", 401, "request.missing"),
        ("OEP2 e30", 401, "request.missing"),
        ("OEP1", 422, "request.malformed"),
        ("OEP1 e30", 422, "request.malformed"),
        ("OEP1 {}", 422, "request.malformed"),
        ("OEP1 \u00e9\u00e9", 422, "request.malformed"),
        ("OEP1 " + "A" * 4000, 422, "request.malformed"),
    ],
)
async def test_without_a_readable_request_nothing_is_served(
    http: aiohttp.ClientSession,
    url: str,
    blockchain: InMemoryChain,
    header: str | None,
    status: int,
    code: str,
) -> None:
    blockchain.is_down = True  # and the chain is not read
    headers = {} if header is None else {"Authorization": header}
    assert await rejection(http, url, headers) == (status, code)


async def test_a_stranger_is_rejected_and_uses_up_nothing(
    http: aiohttp.ClientSession, url: str, sign: Sign, sender_settings: SenderSettings
) -> None:
    nonce = b"\x09" * 32
    assert await rejection(http, url, sign(STRANGER, nonce=nonce)) == (403, "worker.unknown")
    assert access_log(sender_settings) == []
    async with http.get(url, headers=sign(nonce=nonce)) as response:
        assert response.status == 200


async def test_a_stranger_does_not_learn_which_documents_are_here(
    http: aiohttp.ClientSession, sender_url: str, stored: None, sign: Sign
) -> None:
    url = f"{sender_url}/v1/documents/{'00' * 32}"
    headers = sign(STRANGER, digest=b"\x00" * 32)
    assert await rejection(http, url, headers) == (403, "worker.unknown")
    headers = sign(digest=b"\x00" * 32)
    assert await rejection(http, url, headers) == (404, "document.unknown")


async def test_a_removed_worker_is_rejected_even_for_a_round_it_was_in(
    http: aiohttp.ClientSession, url: str, sign: Sign, blockchain: InMemoryChain
) -> None:
    blockchain.remove_member(OPERATOR)
    assert await rejection(http, url, sign()) == (403, "worker.unknown")


async def test_a_worker_that_came_later_is_rejected(
    http: aiohttp.ClientSession, url: str, sign: Sign, blockchain: InMemoryChain
) -> None:
    blockchain.add_member(b"\x72" * 20, bytes.fromhex(STRANGER.address[2:]))
    assert await rejection(http, url, sign(STRANGER)) == (403, "worker.not_in_electorate")


async def test_a_replay_is_rejected(
    http: aiohttp.ClientSession, url: str, sign: Sign, sender_settings: SenderSettings
) -> None:
    headers = sign()
    async with http.head(url, headers=headers) as response:
        assert response.status == 200
    assert await rejection(http, url, headers) == (409, "nonce.used")
    assert await rejection(http, url, headers | {"Range": "bytes=0-9"}) == (409, "nonce.used")
    assert len(access_log(sender_settings)) == 1


async def test_a_used_nonce_is_known_after_a_restart(
    http: aiohttp.ClientSession,
    url: str,
    sign: Sign,
    sender_settings: SenderSettings,
    clock: FakeClock,
) -> None:
    nonce = b"\x09" * 32
    async with http.head(url, headers=sign(nonce=nonce)) as response:
        assert response.status == 200
    store = EnvelopeStore(sender_settings.data_dir)
    request = DocumentRequest(1, DIGEST, b"", nonce, int(clock.now()))
    assert not store.access_log.note(request, Member(0, OPERATOR, b"\x00" * 20), clock.now(), 240)
    store.close()


async def test_a_round_with_another_document_is_rejected(
    http: aiohttp.ClientSession, url: str, sign: Sign
) -> None:
    assert await rejection(http, url, sign(round=2)) == (409, "round.other_document")


async def test_the_snapshot_of_a_round_is_not_its_document(
    http: aiohttp.ClientSession, url: str, sign: Sign, blockchain: InMemoryChain
) -> None:
    await FakeChain(blockchain).open_round(1_795_000_200, 6, OTHER_DIGEST, DIGEST)
    assert await rejection(http, url, sign(round=3)) == (409, "round.other_document")


async def test_a_request_for_another_document_is_rejected(
    http: aiohttp.ClientSession, url: str, sign: Sign
) -> None:
    headers = sign(round=2, digest=OTHER_DIGEST)
    assert await rejection(http, url, headers) == (401, "request.other_document")


async def test_a_round_that_is_not_open_yet_may_be_retried(
    http: aiohttp.ClientSession, url: str, sign: Sign, sender_url: str, clock: FakeClock
) -> None:
    assert await rejection(http, url, sign(round=3)) == (404, "round.unknown")
    client = worker_client(sender_url, clock)
    with pytest.raises(TransportError, match="unknown to this service's node"):
        await client.document(3, DIGEST)
    await client.close()


@pytest.mark.parametrize(
    "domain", [{"chain_id": CHAIN_ID + 1}, {"contract": b"\x11" * 20}], ids=["chain", "contract"]
)
async def test_another_chain_or_contract_is_rejected(
    http: aiohttp.ClientSession, url: str, sign: Sign, domain: dict[str, Any]
) -> None:
    assert await rejection(http, url, sign(**domain)) == (401, "signature.invalid")


@pytest.mark.parametrize("off_s", [-WINDOW_S - 1, WINDOW_S + 1, -(10**9)])
async def test_a_wrong_time_is_rejected(
    http: aiohttp.ClientSession, url: str, sign: Sign, clock: FakeClock, off_s: int
) -> None:
    headers = sign(issued_at=int(clock.now()) + off_s)
    assert await rejection(http, url, headers) == (401, "request.time")


async def test_a_malformed_signature_is_rejected(
    http: aiohttp.ClientSession, url: str, clock: FakeClock
) -> None:
    request = DocumentRequest(
        1, DIGEST, bytes.fromhex(WORKER.address[2:]), b"\x09" * 32, int(clock.now())
    )
    headers = {"Authorization": encode_authorization(request, b"\xff" * 65)}
    assert await rejection(http, url, headers) == (401, "signature.invalid")


async def test_a_rejected_worker_gets_the_reason_from_its_client(
    sender_url: str, stored: None, clock: FakeClock
) -> None:
    client = worker_client(sender_url, clock, STRANGER)
    with pytest.raises(ConflictError, match="not an enrolled worker"):
        await client.document(1, DIGEST)
    await client.close()


async def test_without_a_chain_the_worker_is_asked_to_retry(
    http: aiohttp.ClientSession, url: str, sign: Sign, blockchain: InMemoryChain
) -> None:
    blockchain.is_down = True
    headers = sign()
    assert await rejection(http, url, headers) == (503, "chain.unavailable")
    blockchain.is_down = False
    async with http.get(url, headers=headers) as response:
        assert response.status == 200


# --- public access -------------------------------------------------------------------------------


async def test_where_anyone_may_read_no_request_is_needed(
    http: aiohttp.ClientSession,
    open_url: str,
    sender_settings: SenderSettings,
    blockchain: InMemoryChain,
) -> None:
    blockchain.is_down = True  # and the chain is not read
    async with http.get(open_url) as response:
        assert (response.status, await response.read()) == (200, DOCUMENT)
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    async with http.get(open_url, headers={"Range": "bytes=0-9"}) as response:
        assert (response.status, await response.read()) == (206, DOCUMENT[:10])
    async with http.get(open_url, headers={"If-None-Match": f'"{DIGEST.hex()}"'}) as response:
        assert response.status == 304
    async with http.head(open_url) as response:
        assert response.content_length == len(DOCUMENT)
    unknown = open_url.replace(DIGEST.hex(), "00" * 32)
    assert await rejection(http, unknown, {}) == (404, "document.unknown")
    assert access_log(sender_settings) == []


async def test_where_anyone_may_read_a_workers_request_does_no_harm(
    http: aiohttp.ClientSession, open_url: str, sign: Sign
) -> None:
    headers = sign(STRANGER)
    for _ in range(2):
        async with http.get(open_url, headers=headers) as response:
            assert (response.status, await response.read()) == (200, DOCUMENT)
