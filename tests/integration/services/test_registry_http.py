"""The NMI registry over real HTTP, called by the real client."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from typing import Any

import aiohttp
import pytest
import structlog
from eth_account import Account

from oepnode.adapters.crypto.request_signature import sign_request
from oepnode.adapters.http.registry import HttpRegistry
from oepnode.config import RegistrySettings
from oepnode.domain.rounds.onchain import Member
from oepnode.domain.rounds.signed_requests import RegistryRequest, encode_request
from oepnode.errors import ConflictError, TransportError
from oepnode.services.registry.store import RegistryStore
from tests.integration.services.conftest import OPERATOR, WORKER, Sample, reason_of, request_signer
from tests.support.fake_chain import CHAIN_ID, CONTRACT, FakeChain, FakeClock, InMemoryChain

STRANGER = Account.from_key(b"\x02" * 32)


Sign = Callable[..., bytes]


@pytest.fixture
async def registry(registry_url: str, clock: FakeClock) -> AsyncIterator[HttpRegistry]:
    """The client of the enrolled worker."""
    client = HttpRegistry(registry_url, request_signer(clock))
    yield client
    await client.close()


@pytest.fixture
async def round_number(blockchain: InMemoryChain, sample: Sample) -> int:
    opened = await FakeChain(blockchain).open_round(
        sample.horizon_start, 6, sample.digest, sample.snapshot_digest
    )
    return opened.round


@pytest.fixture
def sign(clock: FakeClock, sample: Sample, round_number: int) -> Sign:
    """A request of the enrolled worker, signed and encoded, with a fixed nonce by default."""

    def signed(**changes: Any) -> bytes:
        values: dict[str, Any] = {
            "what": "salt",
            "round": round_number,
            "snapshot_digest": sample.snapshot_digest,
            "recipient": b"\x09" * 32,
            "signer": bytes.fromhex(WORKER.address[2:]),
            "nonce": b"\x03" * 32,
            "issued_at": int(clock.now()),
        }
        request = RegistryRequest(**(values | changes))
        return encode_request(request, sign_request(WORKER, request, CHAIN_ID, CONTRACT))

    return signed


async def test_an_enrolled_worker_gets_snapshot_and_salt(
    registry: HttpRegistry, sample: Sample, round_number: int
) -> None:
    digest = await registry.latest_digest()
    assert digest == sample.snapshot_digest
    assert await registry.snapshot(round_number, digest) == sample.snapshot
    assert await registry.salt(round_number, digest) == sample.salt
    await registry.close()
    await registry.close()


async def test_responses_are_sealed_in_transit(
    http: aiohttp.ClientSession, registry_url: str, sample: Sample, sign: Sign
) -> None:
    nmi = json.loads(sample.snapshot)["assignments"][0]["nmi"].encode()
    for what, plain in (("snapshot", nmi), ("salt", sample.salt)):
        body = sign(what=what, nonce=sha256(plain).digest())
        async with http.post(f"{registry_url}/v1/requests", data=body) as response:
            assert response.status == 200
            assert response.headers["Cache-Control"] == "no-store"
            assert plain not in await response.read()


async def test_a_recorded_request_works_once_even_when_sent_at_once(
    http: aiohttp.ClientSession, registry_url: str, sign: Sign
) -> None:
    body = sign()

    async def post() -> tuple[int, str]:
        async with http.post(f"{registry_url}/v1/requests", data=body) as response:
            code = "" if response.status == 200 else await reason_of(response)
            return response.status, code

    answers = await asyncio.gather(*(post() for _ in range(6)))
    assert sorted(answers) == [(200, "")] + [(409, "nonce.used")] * 5


async def test_a_used_nonce_is_known_after_a_restart(
    registry_settings: RegistrySettings,
    http: aiohttp.ClientSession,
    registry_url: str,
    clock: FakeClock,
    round_number: int,
    sign: Sign,
) -> None:
    async with http.post(f"{registry_url}/v1/requests", data=sign()) as response:
        assert response.status == 200
    store = RegistryStore(registry_settings.data_dir)
    request = RegistryRequest("salt", round_number, b"", b"", b"", b"\x03" * 32, int(clock.now()))
    assert not store.access_log.note(request, Member(0, OPERATOR, b"\x00" * 20), clock.now(), 240)
    store.close()


async def test_a_stranger_and_a_removed_worker_get_nothing(
    registry: HttpRegistry,
    registry_url: str,
    clock: FakeClock,
    sample: Sample,
    round_number: int,
    blockchain: InMemoryChain,
) -> None:
    stranger = HttpRegistry(registry_url, request_signer(clock, STRANGER))
    with pytest.raises(ConflictError, match="not an enrolled worker"):
        await stranger.snapshot(round_number, sample.snapshot_digest)
    await stranger.close()
    blockchain.remove_member(OPERATOR)
    with pytest.raises(ConflictError, match="not an enrolled worker"):
        await registry.salt(round_number, sample.snapshot_digest)


async def test_without_a_chain_the_worker_is_asked_to_retry(
    registry: HttpRegistry, sample: Sample, round_number: int, blockchain: InMemoryChain
) -> None:
    blockchain.is_down = True
    with pytest.raises(TransportError, match="503"):
        await registry.salt(round_number, sample.snapshot_digest)
    blockchain.is_down = False
    assert await registry.salt(round_number, sample.snapshot_digest) == sample.salt


async def test_a_round_that_is_not_open_yet_may_be_retried(
    registry: HttpRegistry, sample: Sample
) -> None:
    with pytest.raises(TransportError, match="unknown to this service's node"):
        await registry.salt(1, sample.snapshot_digest)


async def test_a_larger_snapshot_than_the_client_wants_is_not_read(
    registry_url: str, clock: FakeClock, sample: Sample, round_number: int
) -> None:
    registry = HttpRegistry(registry_url, request_signer(clock, max_bytes=100))
    with pytest.raises(TransportError, match="larger"):
        await registry.snapshot(round_number, sample.snapshot_digest)
    await registry.close()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "request.malformed"),
        (b"\xff\xfe", 422, "request.malformed"),
        (b"[" * 1900, 422, "request.malformed"),
        (b'{"what": "salt"}', 422, "request.malformed"),
        (b" " * 5000, 413, "body.too_large"),
    ],
)
async def test_malformed_requests_are_rejected_with_a_reason(
    http: aiohttp.ClientSession, registry_url: str, body: bytes, status: int, code: str
) -> None:
    async with http.post(f"{registry_url}/v1/requests", data=body) as response:
        assert response.status == status
        assert await reason_of(response) == code
    async with http.get(f"{registry_url}/healthz") as response:
        health = await response.json()
    assert (health["status"], health["snapshots"]) == ("ok", 1)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/requests", 405),
        ("POST", "/v1/snapshots/latest", 405),
        ("GET", "/v1/snapshots/" + "0" * 64, 404),
        ("GET", "/salts/" + "0" * 64, 404),
        ("GET", "/v1/../salts", 404),
    ],
)
async def test_nothing_else_is_served(
    http: aiohttp.ClientSession, registry_url: str, method: str, path: str, status: int
) -> None:
    async with http.request(method, registry_url + path) as response:
        assert response.status == status
        assert await reason_of(response)


async def test_the_newest_snapshot_is_public_by_its_digest_only(
    http: aiohttp.ClientSession, registry_url: str, sample: Sample
) -> None:
    async with http.get(f"{registry_url}/v1/snapshots/latest") as response:
        body = await response.json()
    assert body == {"digest": sample.snapshot_digest.hex()}


async def test_a_snapshot_published_while_serving_is_the_newest(
    registry_settings: RegistrySettings,
    registry: HttpRegistry,
    clock: FakeClock,
    sample: Sample,
) -> None:
    value = json.loads(sample.snapshot) | {"asOf": "2026-11-21T00:00:00+10:00"}
    data = json.dumps(value).encode()
    store = RegistryStore(registry_settings.data_dir)
    store.publish(data, sample.salt, clock.now(), reuse_salt=True)
    store.close()
    assert await registry.latest_digest() == sha256(data).digest()


async def test_the_log_names_each_request_that_was_served_and_no_secret(
    registry: HttpRegistry, sample: Sample, round_number: int
) -> None:
    with structlog.testing.capture_logs() as logs:
        await registry.snapshot(round_number, sample.snapshot_digest)
        await registry.salt(round_number, sample.snapshot_digest)
    granted = [line for line in logs if line["event"] == "request_granted"]
    assert [(line["input"], line["operator"]) for line in granted] == [
        ("snapshot", OPERATOR.hex()),
        ("salt", OPERATOR.hex()),
    ]
    text = str(logs)
    assert sample.salt.hex() not in text
    nmis = {line["nmi"] for line in json.loads(sample.snapshot)["assignments"]}
    assert not any(nmi in text for nmi in nmis)
