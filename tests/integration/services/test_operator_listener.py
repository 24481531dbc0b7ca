"""What the operator of a service sees: metrics and health, on a listener of its own."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from eth_account import Account

from oepnode import wiring
from oepnode.adapters.crypto.ballot_signature import sign_ballot
from oepnode.adapters.http.client import RequestRejected
from oepnode.adapters.http.registry import HttpRegistry
from oepnode.adapters.http.server.serving import listening
from oepnode.config import HttpSettings, RegistrySettings, RelaySettings, SenderSettings
from oepnode.domain.rounds.ballot import Vote
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.signed_ballots import Relayed, encode
from oepnode.domain.rounds.signed_requests import DocumentRequest, encode_authorization
from oepnode.errors import TransportError
from oepnode.services.registry.store import RegistryStore
from oepnode.wiring import ServiceParts
from tests.integration.services.conftest import (
    CHAIN,
    OPERATOR,
    TOKEN,
    WORKER,
    Sample,
    request_signer,
    worker_client,
)
from tests.support.fake_chain import (
    CHAIN_ID,
    CONTRACT,
    REQUESTER,
    FakeChain,
    FakeClock,
    InMemoryChain,
)

KEY = "11" * 32
STRANGER = Account.from_key(b"\x66" * 32)
GIVE_UP_S = 20.0


class ClosableChain(FakeChain):
    """The chain in memory, as a connection that ends with its service."""

    async def close(self) -> None:
        pass


@dataclass
class Service:
    """A running service.

    Attributes:
        url: URL of its public listener.
        status_url: URL of its operator's listener.
    """

    http: aiohttp.ClientSession
    url: str
    status_url: str

    async def get(self, url: str, **named: Any) -> tuple[int, str]:
        async with self.http.get(url, **named) as response:
            return response.status, await response.text()

    async def metrics(self) -> dict[str, float]:
        """The samples by name and labels."""
        status, text = await self.get(self.status_url + "/metrics")
        assert status == 200
        pairs = [line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#"]
        return {name: float(value) for name, value in pairs if "_created" not in name}

    async def until_health_is(self, status: int) -> str:
        """The text of the operator's health once it has a status."""
        async with asyncio.timeout(GIVE_UP_S):
            while (answer := await self.get(self.status_url + "/healthz"))[0] != status:
                await asyncio.sleep(0.01)
        return answer[1]


Start = Callable[..., Any]


@pytest.fixture
async def start(
    http: aiohttp.ClientSession,
    blockchain: InMemoryChain,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Start]:
    """Starts a service as its command does, with the chain in memory."""

    async def connect(*_: object, **__: object) -> ClosableChain:
        return ClosableChain(blockchain, REQUESTER)

    monkeypatch.setattr("oepnode.wiring.services.connect", connect)
    monkeypatch.setattr("oepnode.wiring.services.connect_reader", connect)
    monkeypatch.setattr("oepnode.wiring.services.SystemClock", lambda: clock)
    monkeypatch.setattr("oepnode.services.common.chain_health.LOOK_INTERVAL_S", 0.01)
    async with AsyncExitStack() as stack:

        async def starting(parts: ServiceParts, public: HttpSettings | None = None) -> Service:
            counts = parts.metrics.count_early_rejection
            url = await stack.enter_async_context(
                listening(parts.public_app, public or HttpSettings(), on_rejected=counts)
            )
            status = await stack.enter_async_context(
                listening(parts.operator_app, HttpSettings(), "status")
            )
            return Service(http, url, status)

        yield starting


@pytest.fixture
async def gateway(start: Start, sender_settings: SenderSettings) -> Service:
    write_key(sender_settings.key_file)
    service: Service = await start(await wiring.sender_parts(sender_settings))
    return service


@pytest.fixture
async def nmis(
    start: Start, registry_settings: RegistrySettings, sample: Sample, clock: FakeClock
) -> Service:
    store = RegistryStore(registry_settings.data_dir)
    store.publish(sample.snapshot, sample.salt, clock.now())
    store.close()
    service: Service = await start(await wiring.registry_parts(registry_settings))
    return service


@pytest.fixture
async def relay(start: Start, tmp_path: Path) -> Service:
    write_key(tmp_path / "key")
    settings = RelaySettings(
        chain=CHAIN,
        data_dir=tmp_path / "relay",
        key_file=tmp_path / "key",
        batch_after_s=0,
        look_interval_s=0.01,
    )
    service: Service = await start(await wiring.relay_parts(settings))
    return service


@pytest.fixture(params=["gateway", "nmis", "relay"])
def service(request: pytest.FixtureRequest) -> Service:
    """Each of the services."""
    each: Service = request.getfixturevalue(request.param)
    return each


def write_key(path: Path) -> None:
    path.write_text(KEY)
    path.chmod(0o600)


async def work(gateway: Service, sample: Sample, clock: FakeClock) -> None:
    """Publishing with and without success, a document for a worker, and none for a stranger."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    url = f"{gateway.url}/v1/envelopes"
    for body, token, expected in (
        (sample.document, {}, 401),
        (sample.document.replace(b'"PRE"', b'"NOW"'), headers, 202),
        (sample.document, headers, 202),
    ):
        params = {"registry": sample.snapshot_digest.hex(), "wait": "20"}
        async with gateway.http.post(url, data=body, headers=token, params=params) as response:
            assert response.status == expected
    worker, stranger = (worker_client(gateway.url, clock, who) for who in (WORKER, STRANGER))
    assert await worker.document(1, sample.digest) == sample.document
    with pytest.raises(RequestRejected, match="not an enrolled worker's"):
        await stranger.document(1, sample.digest)
    await worker.close()
    await stranger.close()
    await gateway.get(f"{gateway.url}/v1/rounds/1/{sample.digest.hex()}")
    order = {"envelopeDigest": sample.digest.hex(), "registryDigest": "0e" * 32}
    for expected in (201, 200):  # another round, and the same one again
        async with gateway.http.post(
            f"{gateway.url}/v1/rounds", json=order, headers=headers
        ) as response:
            assert response.status == expected


async def test_a_gateways_work_is_counted(
    gateway: Service, sample: Sample, clock: FakeClock
) -> None:
    await work(gateway, sample, clock)
    metrics = await gateway.metrics()
    document = 'endpoint="/v1/documents/{digest}"'
    assert (
        metrics
        | {
            'oepnode_requests_total{endpoint="/v1/envelopes",status="202"}': 2,
            'oepnode_documents_checked_total{code="accepted"}': 1,
            'oepnode_documents_checked_total{code="rejected"}': 1,
            'oepnode_requests_total{endpoint="/v1/envelopes",status="401"}': 1,
            f'oepnode_requests_total{{{document},status="200"}}': 1,
            f'oepnode_requests_total{{{document},status="403"}}': 1,
            'oepnode_requests_total{endpoint="unknown",status="404"}': 1,
            'oepnode_requests_rejected_total{code="token.missing"}': 1,
            'oepnode_requests_rejected_total{code="worker.unknown"}': 1,
            'oepnode_requests_rejected_total{code="http.not_found"}': 1,
            'oepnode_grants_total{input="document"}': 1,
            'oepnode_inputs_served_total{input="document"}': 1,
            "oepnode_rounds_opened_total": 2,
            'oepnode_turns_in_use{queue="documents"}': 0,
            'oepnode_turns_in_use{queue="uploads"}': 0,
            'oepnode_turns_waiting{queue="grants"}': 0,
        }
        == metrics
    )


async def test_no_metric_has_what_a_client_sent_or_a_secret(
    gateway: Service, sample: Sample, clock: FakeClock
) -> None:
    await work(gateway, sample, clock)
    _, text = await gateway.get(gateway.status_url + "/metrics")
    nmis = set(re.findall(r'"nmi": ?"(\w+)"', sample.document.decode()))
    assert len(nmis) == 20
    secrets = {TOKEN, KEY, sample.salt.hex(), sample.digest.hex(), OPERATOR.hex()} | nmis
    secrets |= {account.address[2:] for account in (WORKER, STRANGER)}
    assert not [secret for secret in secrets if secret.lower() in text.lower()]


async def test_a_response_counts_as_served_if_it_has_bytes_of_the_document(
    gateway: Service, sample: Sample, clock: FakeClock
) -> None:
    await work(gateway, sample, clock)
    url = f"{gateway.url}/v1/documents/{sample.digest.hex()}"
    cases: tuple[tuple[str, dict[str, str], int], ...] = (
        ("GET", {"Range": "bytes=0-9"}, 206),
        ("HEAD", {}, 200),
        ("GET", {"If-None-Match": f'"{sample.digest.hex()}"'}, 304),
        ("GET", {"Authorization": "OEP1 e30"}, 422),
    )
    for method, more, expected in cases:
        headers = signed_header(sample.digest, clock) | more
        async with gateway.http.request(method, url, headers=headers) as response:
            assert response.status == expected
    metrics = await gateway.metrics()
    assert metrics['oepnode_inputs_served_total{input="document"}'] == 2
    assert metrics['oepnode_grants_total{input="document"}'] == 4


def signed_header(digest: bytes, clock: FakeClock) -> dict[str, str]:
    signer = request_signer(clock)
    request = DocumentRequest(1, digest, *signer.last_fields())
    return {"Authorization": encode_authorization(request, signer.sign(request))}


async def test_a_registrys_work_is_counted(
    nmis: Service, sample: Sample, clock: FakeClock, blockchain: InMemoryChain
) -> None:
    await FakeChain(blockchain, REQUESTER).open_round(
        1_795_000_200, 6, b"\x0e" * 32, sample.snapshot_digest
    )
    client = HttpRegistry(nmis.url, request_signer(clock))
    assert await client.snapshot(1, sample.snapshot_digest) == sample.snapshot
    assert await client.salt(1, sample.snapshot_digest) == sample.salt
    with pytest.raises(TransportError, match="the round is unknown"):
        await client.salt(2, sample.snapshot_digest)
    await client.close()
    metrics = await nmis.metrics()
    assert (
        metrics
        | {
            'oepnode_grants_total{input="snapshot"}': 1,
            'oepnode_grants_total{input="salt"}': 1,
            'oepnode_inputs_served_total{input="snapshot"}': 1,
            'oepnode_inputs_served_total{input="salt"}': 1,
            'oepnode_requests_total{endpoint="/v1/requests",status="200"}': 2,
            'oepnode_requests_rejected_total{code="round.unknown"}': 1,
            'oepnode_turns_in_use{queue="inputs"}': 0,
        }
        == metrics
    )


async def test_a_relays_work_is_counted(relay: Service, blockchain: InMemoryChain) -> None:
    await FakeChain(blockchain, REQUESTER).open_round(1_795_000_200, 6, b"\x0e" * 32, b"\x0f" * 32)
    context = RoundContext(CHAIN_ID, CONTRACT, 1)
    signed = sign_ballot(WORKER, context, Vote(b"\x33" * 32, b"\xcc" * 32))
    body = encode(Relayed(context, signed))
    async with relay.http.post(f"{relay.url}/v1/ballots", data=body) as response:
        assert response.status == 202
    async with asyncio.timeout(GIVE_UP_S):
        while not (await relay.metrics())["oepnode_votes_relayed_total"]:
            await asyncio.sleep(0.01)
    metrics = await relay.metrics()
    assert (
        metrics
        | {
            "oepnode_votes_relayed_total": 1,
            'oepnode_requests_total{endpoint="/v1/ballots",status="202"}': 1,
            'oepnode_turns_in_use{queue="votes"}': 0,
            'oepnode_turns_in_use{queue="steps"}': 0,
            "oepnode_steps_held": 0,
        }
        == metrics
    )


async def test_a_flood_of_one_address_is_counted(
    start: Start, registry_settings: RegistrySettings
) -> None:
    parts = await wiring.registry_parts(registry_settings)
    service = await start(parts, HttpSettings(requests_per_second=0.01, proxies=()))
    statuses = [(await service.get(service.url + "/healthz"))[0] for _ in range(4)]
    assert statuses[0] == 200
    rejected = statuses.count(429)
    assert rejected >= 2
    metrics = await service.metrics()
    assert metrics['oepnode_requests_rejected_total{code="address.too_fast"}'] == rejected
    assert metrics['oepnode_requests_total{endpoint="unknown",status="429"}'] == rejected


async def test_each_listener_has_its_own_pages(service: Service) -> None:
    assert (await service.get(service.url + "/metrics"))[0] == 404
    for path in ("/v1/envelopes/latest", "/v1/snapshots/latest", "/v1/rounds/1", "/"):
        assert (await service.get(service.status_url + path))[0] == 404


async def test_health_is_what_the_service_sees_of_its_chain(
    service: Service, blockchain: InMemoryChain
) -> None:
    assert await service.until_health_is(200) == "ok\n"
    blockchain.is_down = True
    assert "the chain cannot be read" in await service.until_health_is(503)
    blockchain.is_down = False
    assert await service.until_health_is(200) == "ok\n"
