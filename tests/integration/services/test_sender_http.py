"""The sender's gateway over real HTTP: documents accepted, served and rejected."""

import asyncio
import json
import sqlite3
import stat
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog
from multidict import CIMultiDict
from yarl import URL

from oepnode.adapters.http.publisher import HttpPublisher
from oepnode.config import SenderSettings
from oepnode.domain.rounds.onchain import Phase
from oepnode.errors import ConfigError, ConflictError, DocumentFault, TransportError
from oepnode.services.sender import app as sender
from tests.integration.services.conftest import LIMIT, TOKEN, Sample, reason_of, worker_client
from tests.support.fake_chain import FakeChain, FakeClock, InMemoryChain

BEARER = {"Authorization": f"Bearer {TOKEN}"}
REGISTRY = "0a" * 32


async def publish(http: aiohttp.ClientSession, url: str, data: bytes, registry: str = "") -> Any:
    """The message of a document, after its verdict."""
    query = f"?registry={registry}&wait=20" if registry else "?wait=20"
    async with http.post(f"{url}/v1/envelopes{query}", data=data, headers=BEARER) as response:
        assert response.status == 202, await response.text()
        message = await response.json()
    assert not message["busy"]
    return message


def files(settings: SenderSettings) -> list[str]:
    return sorted(path.name for path in (settings.data_dir / "documents").iterdir())


# --- documents -----------------------------------------------------------------------------------


async def test_a_document_is_stored_byte_for_byte(
    http: aiohttp.ClientSession, sender_url: str, sample: Sample, sender_settings: SenderSettings
) -> None:
    message = await publish(http, sender_url, sample.document)
    assert (message["code"], message["round"], message["opening"]) == ("accepted", None, None)
    assert message["messageId"] == f"sha256-{sample.digest.hex()[:32]}"
    assert (message["digest"], message["size"]) == (sample.digest.hex(), len(sample.document))
    assert message["facts"]["intervals"] == 6
    assert message["system"]["code"] == message["transaction"]["code"] == "accepted"
    assert files(sender_settings) == [sample.digest.hex()]
    path = sender_settings.data_dir / "documents" / sample.digest.hex()
    assert path.read_bytes() == sample.document
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_the_same_bytes_again_change_nothing(
    http: aiohttp.ClientSession, sender_url: str, sample: Sample, sender_settings: SenderSettings
) -> None:
    first = await publish(http, sender_url, sample.document)
    assert await publish(http, sender_url, sample.document) == first
    assert files(sender_settings) == [sample.digest.hex()]


async def test_the_client_reads_what_was_published(
    sender_url: str, sample: Sample, blockchain: InMemoryChain, clock: FakeClock
) -> None:
    worker = worker_client(sender_url, clock)
    publisher = HttpPublisher(sender_url, timeout_s=10)
    try:
        assert await worker.latest() is None
        path = sample.folder / sample.summary.envelope_file
        published = await publisher.publish(path, TOKEN, sample.snapshot_digest)
        assert published.round == 1
        latest = await worker.latest()
        assert latest is not None
        assert (latest.digest, latest.round) == (sample.digest, 1)
        assert latest.registry_digest == sample.snapshot_digest
        assert (latest.horizon_start, latest.interval_count, latest.size) == (
            sample.horizon_start,
            6,
            len(sample.document),
        )
        assert await worker.document(1, sample.digest) == sample.document
        with pytest.raises(TransportError):
            await worker.document(1, b"\x00" * 32)
        with pytest.raises(ConflictError, match="not the publisher's"):
            await publisher.publish(path, "a-token-of-somebody-else")
    finally:
        for client in (worker, publisher, worker, publisher):
            await client.close()
    assert blockchain.rounds[1].horizon_start == sample.horizon_start


async def test_a_larger_document_than_the_client_wants_is_not_read(
    http: aiohttp.ClientSession, sender_url: str, sample: Sample, clock: FakeClock
) -> None:
    await publish(http, sender_url, sample.document, REGISTRY)
    client = worker_client(sender_url, clock, max_bytes=len(sample.document) - 1)
    with pytest.raises(TransportError, match="larger"):
        await client.document(1, sample.digest)
    await client.close()


async def test_a_document_with_faults_is_rejected_with_all_of_them(
    http: aiohttp.ClientSession, sender_url: str, sample: Sample, sender_settings: SenderSettings
) -> None:
    records = json.loads(sample.document)
    for record in records:
        for interval in record["operatingEnvelopes"][0]["intervals"]:
            interval["activePowerExportLimit"] = "much"
    data = json.dumps(records).encode()
    message = await publish(http, sender_url, data)
    assert message["code"] == message["system"]["code"] == "rejected"
    assert message["system"]["counts"] == {"field.type": 100, "document.further_faults": 20}
    first = message["system"]["faults"][0]
    assert first["path"].startswith("$.records[0].operatingEnvelopes[0].intervals[0].")
    assert (first["code"], first["rule"]) == ("field.type", "Part C §6.3 field 5.2.1")
    assert "much" in first["value"]
    assert message["transaction"]["code"] == "rejected"
    assert message["facts"] is None
    assert files(sender_settings) == []
    client = HttpPublisher(sender_url, timeout_s=10)
    path = sender_settings.token_file.with_name("bad.json")
    path.write_bytes(data)
    with pytest.raises(DocumentFault) as rejected:
        await client.publish(path, TOKEN)
    assert (len(rejected.value.faults), rejected.value.more) == (101, 0)
    await client.close()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"[" * 50_000,
        b'{"a":' * 20_000,
        b"[NaN]",
        b"null",
        b"\x00" * 1000,
    ],
    ids=["empty", "array", "object", "utf8", "arrays", "objects", "nan", "null", "zeros"],
)
async def test_a_body_without_a_document_is_rejected(
    http: aiohttp.ClientSession, sender_url: str, sender_settings: SenderSettings, data: bytes
) -> None:
    message = await publish(http, sender_url, data)
    assert message["code"] == "rejected"
    assert message["system"]["faults"]
    assert files(sender_settings) == []


@pytest.mark.parametrize("has_length", [True, False], ids=["with length", "in chunks"])
async def test_too_large_a_document_is_rejected(
    http: aiohttp.ClientSession, sender_url: str, sender_settings: SenderSettings, has_length: bool
) -> None:
    async def chunks() -> Any:
        for _ in range(LIMIT // 1000 + 1):
            yield b" " * 1000

    data = b" " * (LIMIT + 1) if has_length else chunks()
    async with http.post(f"{sender_url}/v1/envelopes", data=data, headers=BEARER) as response:
        assert response.status == 413
        assert await reason_of(response) == "body.too_large"
    assert files(sender_settings) == []


async def test_an_encoded_body_is_rejected(
    http: aiohttp.ClientSession, sender_url: str, sample: Sample
) -> None:
    headers = BEARER | {"Content-Encoding": "gzip"}
    async with http.post(
        f"{sender_url}/v1/envelopes", data=sample.document, headers=headers
    ) as response:
        assert response.status in {400, 415}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": TOKEN},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer \u00e9\u00e9"},
    ],
)
@pytest.mark.parametrize("path", ["/v1/envelopes", "/v1/rounds"])
async def test_nothing_is_accepted_without_the_token(
    http: aiohttp.ClientSession,
    sender_url: str,
    sample: Sample,
    sender_settings: SenderSettings,
    headers: dict[str, str],
    path: str,
) -> None:
    async with http.post(f"{sender_url}{path}", data=sample.document, headers=headers) as response:
        assert response.status == 401
        assert (await reason_of(response)).startswith("token.")
        assert response.headers["WWW-Authenticate"] == "Bearer"
    assert files(sender_settings) == []


async def test_a_sender_without_a_document_reports_it(
    http: aiohttp.ClientSession, sender_url: str
) -> None:
    async with http.get(f"{sender_url}/v1/envelopes/latest") as response:
        assert response.status == 404
        assert await reason_of(response) == "envelope.none"
    async with http.get(f"{sender_url}/healthz") as response:
        assert await response.json() == {"status": "ok", "documents": 0}


# --- rounds --------------------------------------------------------------------------------------


async def open_round(http: aiohttp.ClientSession, url: str, order: Any) -> tuple[int, Any]:
    data = order if isinstance(order, bytes) else json.dumps(order).encode()
    async with http.post(f"{url}/v1/rounds", data=data, headers=BEARER) as response:
        return response.status, await response.json()


async def test_a_round_is_opened_once(
    http: aiohttp.ClientSession, sender_url: str, sample: Sample, blockchain: InMemoryChain
) -> None:
    await publish(http, sender_url, sample.document)
    order = {"envelopeDigest": sample.digest.hex(), "registryDigest": REGISTRY}
    status, body = await open_round(http, sender_url, order)
    assert (status, body) == (201, {"round": 1, "opened": True, "settled": True})
    status, body = await open_round(http, sender_url, order)
    assert (status, body) == (200, {"round": 1, "opened": False, "settled": True})
    blockchain.set_phase(1, Phase.FAILED)
    status, body = await open_round(http, sender_url, order)
    assert (status, body) == (201, {"round": 2, "opened": True, "settled": True})
    async with http.get(f"{sender_url}/v1/envelopes/latest") as response:
        body = await response.json()
    assert (body["round"], body["registryDigest"]) == (2, REGISTRY)


async def test_publishing_with_a_snapshot_opens_the_round(
    http: aiohttp.ClientSession, sender_url: str, sample: Sample, blockchain: InMemoryChain
) -> None:
    for _ in range(2):
        message = await publish(http, sender_url, sample.document, REGISTRY)
        assert (message["code"], message["round"]) == ("accepted", 1)
    assert len(blockchain.rounds) == 1


@pytest.mark.parametrize(
    "order",
    [
        b"",
        b"\xff",
        b"[" * 4000,
        [],
        {},
        {"envelopeDigest": REGISTRY},
        {"envelopeDigest": REGISTRY, "registryDigest": 5},
        {"envelopeDigest": REGISTRY, "registryDigest": "0x" + REGISTRY},
        {"envelopeDigest": REGISTRY, "registryDigest": REGISTRY, "more": 1},
    ],
)
async def test_a_malformed_order_is_rejected(
    http: aiohttp.ClientSession, sender_url: str, blockchain: InMemoryChain, order: Any
) -> None:
    status, body = await open_round(http, sender_url, order)
    assert (status, body["error"]["code"]) == (422, "request.malformed")
    assert blockchain.rounds == {}


async def test_a_large_order_is_rejected(http: aiohttp.ClientSession, sender_url: str) -> None:
    status, body = await open_round(http, sender_url, b" " * 10_000)
    assert (status, body["error"]["code"]) == (413, "body.too_large")


async def test_a_round_for_an_unknown_document_is_rejected(
    http: aiohttp.ClientSession, sender_url: str, blockchain: InMemoryChain
) -> None:
    order = {"envelopeDigest": "00" * 32, "registryDigest": REGISTRY}
    status, body = await open_round(http, sender_url, order)
    assert (status, body["error"]["code"]) == (404, "document.unknown")
    assert blockchain.rounds == {}


@pytest.mark.parametrize("query", ["?registry=", "?registry=0x00", "?registry=ZZ", "?other=1"])
async def test_a_malformed_query_is_rejected_before_anything_is_stored(
    http: aiohttp.ClientSession,
    sender_url: str,
    sample: Sample,
    sender_settings: SenderSettings,
    query: str,
) -> None:
    url = f"{sender_url}/v1/envelopes{query}"
    async with http.post(url, data=sample.document, headers=BEARER) as response:
        assert response.status == 400
        assert await reason_of(response) in {"digest.malformed", "query.unknown"}
    assert files(sender_settings) == []


async def test_without_a_chain_the_document_is_kept_and_the_round_can_be_had_later(
    http: aiohttp.ClientSession, sender_url: str, sample: Sample, blockchain: InMemoryChain
) -> None:
    blockchain.is_down = True
    message = await publish(http, sender_url, sample.document, REGISTRY)
    assert (message["code"], message["round"]) == ("accepted", None)
    assert message["opening"]["code"] == "chain.unavailable"
    client = HttpPublisher(sender_url, timeout_s=10)
    path = sample.folder / sample.summary.envelope_file
    with pytest.raises(TransportError, match="its round was not opened"):
        await client.publish(path, TOKEN, bytes.fromhex(REGISTRY))
    await client.close()
    blockchain.is_down = False
    message = await publish(http, sender_url, sample.document, REGISTRY)
    assert (message["round"], message["opening"]) == (1, None)


async def test_a_rejection_of_the_contract_is_reported(
    http: aiohttp.ClientSession, sender_url: str, sample: Sample, blockchain: InMemoryChain
) -> None:
    await publish(http, sender_url, sample.document)
    blockchain.rejection = "EnforcedPause()"
    order = {"envelopeDigest": sample.digest.hex(), "registryDigest": REGISTRY}
    status, body = await open_round(http, sender_url, order)
    assert (status, body["error"]["code"]) == (409, "chain.rejected")
    assert "EnforcedPause" in body["error"]["message"]
    message = await publish(http, sender_url, sample.document, REGISTRY)
    assert (message["code"], message["opening"]["code"]) == ("accepted", "chain.rejected")
    assert "EnforcedPause" in message["opening"]["message"]


# --- garbage -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1", 404),
        ("GET", "/v1/documents/", 404),
        ("GET", "/v1/documents/..", 400),
        ("GET", "/v1/documents/../index.sqlite", 404),
        ("GET", "/v1/documents/..%2findex.sqlite", 400),
        ("GET", "/v1/documents/%2e%2e%2f%2e%2e%2fetc%2fpasswd", 400),
        ("GET", "/v1/documents/" + "A" * 64, 400),
        ("GET", "/v1/documents/" + "0" * 63, 400),
        ("GET", "/v1/documents/" + "0" * 64, 401),
        ("GET", "/v1/documents/" + "0" * 64 + "%00", 400),
        ("GET", "/v1/documents/incoming-" + "0" * 16, 400),
        ("POST", "/v1/documents/" + "0" * 64, 405),
        ("PUT", "/v1/envelopes", 405),
        ("GET", "/v1/envelopes", 405),
        ("DELETE", "/v1/envelopes/latest", 405),
        ("GET", "/v1/rounds", 405),
        ("TRACE", "/healthz", 405),
    ],
)
async def test_unknown_resources_are_rejected_with_a_reason(
    http: aiohttp.ClientSession, sender_url: str, method: str, path: str, status: int
) -> None:
    url = URL(sender_url + path, encoded=True)
    async with http.request(method, url, headers=BEARER) as response:
        assert response.status == status
        assert await reason_of(response)


RAW = {
    "nonsense": b"\x00\x01\x02\x03\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "no method": b"BREW /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    "no version": b"GET /healthz\r\n\r\n",
    "long line": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "long header": b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    "bad length": b"POST /v1/envelopes HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n",
    "negative length": b"POST /v1/envelopes HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "two lengths": b"POST /v1/envelopes HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
    b"Content-Length: 2\r\n\r\nab",
    "bad chunk": b"POST /v1/envelopes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
    + TOKEN.encode()
    + b"\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "bad header": b"GET /healthz HTTP/1.1\r\nHost: x\r\n6305000001 no colon\r\n\r\n",
}


async def exchange_raw(url: str, data: bytes) -> bytes:
    parts = URL(url)
    assert parts.host and parts.port
    reader, writer = await asyncio.open_connection(parts.host, parts.port)
    try:
        writer.write(data)
        writer.write_eof()
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


@pytest.mark.parametrize("name", RAW)
async def test_broken_http_is_rejected_and_the_service_stays_up(
    http: aiohttp.ClientSession, sender_url: str, name: str
) -> None:
    with structlog.testing.capture_logs() as logs:
        answer = await exchange_raw(sender_url, RAW[name])
    assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))
    assert "6305000001" not in str(logs)
    async with http.get(f"{sender_url}/healthz") as response:
        assert response.status == 200


async def test_a_client_that_breaks_off_leaves_nothing(
    http: aiohttp.ClientSession, sender_url: str, sender_settings: SenderSettings
) -> None:
    head = (
        f"POST /v1/envelopes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        "Content-Length: 1000\r\n\r\n[half"
    )
    await exchange_raw(sender_url, head.encode())
    async with http.get(f"{sender_url}/healthz") as response:
        assert await response.json() == {"status": "ok", "documents": 0}
    for _ in range(100):
        if not files(sender_settings):
            break
        await asyncio.sleep(0.05)
    assert files(sender_settings) == []


async def test_many_and_long_headers_are_rejected(
    http: aiohttp.ClientSession, sender_url: str
) -> None:
    headers = CIMultiDict((f"X-{n}", "a" * 7000) for n in range(50))
    async with http.get(f"{sender_url}/healthz", headers=headers) as response:
        assert response.status in {200, 400}
    async with http.get(f"{sender_url}/healthz") as response:
        assert response.status == 200


# --- storage and logs ----------------------------------------------------------------------------


async def test_the_index_and_the_log_hold_no_nmi(
    http: aiohttp.ClientSession, sender_url: str, sample: Sample, sender_settings: SenderSettings
) -> None:
    with structlog.testing.capture_logs() as logs:
        await publish(http, sender_url, sample.document, REGISTRY)
        bad = sample.document.replace(b'"PRE"', b'"NOW"')
        text = str(await publish(http, sender_url, bad))
    nmis = {record["nmi"] for record in json.loads(sample.document)}
    kept = b"".join(path.read_bytes() for path in sender_settings.data_dir.glob("index.sqlite*"))
    assert logs
    for nmi in nmis:
        assert nmi not in str(logs) and nmi not in text
        assert nmi.encode() not in kept
    with sqlite3.connect(sender_settings.data_dir / "index.sqlite") as db:
        assert db.execute("SELECT digest FROM documents").fetchall() == [
            (sha256(sample.document).digest(),)
        ]


async def test_an_internal_error_is_reported_without_details(
    http: aiohttp.ClientSession, sender_url: str, sample: Sample, sender_settings: SenderSettings
) -> None:
    await publish(http, sender_url, sample.document)
    for path in sender_settings.data_dir.glob("index.sqlite*"):
        path.write_bytes(b"\x00" * path.stat().st_size)
    with structlog.testing.capture_logs() as logs:
        async with http.post(
            f"{sender_url}/v1/envelopes", data=sample.document + b" ", headers=BEARER
        ) as response:
            assert response.status == 500
            assert await reason_of(response) == "internal"
    assert [line["event"] for line in logs] == ["request_failed"]
    assert set(logs[0]) == {"event", "log_level", "error", "location"}


@pytest.mark.parametrize("token", [b"", b"short", b"x" * 100_000])
def test_an_invalid_token_is_rejected_at_the_start(
    sender_settings: SenderSettings, blockchain: InMemoryChain, clock: FakeClock, token: bytes
) -> None:
    sender_settings.token_file.write_bytes(token)
    with pytest.raises(ConfigError, match="token"):
        sender.application(sender_settings, FakeChain(blockchain), clock)
    assert not Path(sender_settings.data_dir).exists()
