"""Signed documents over real HTTP: gateway and registry accept, store and serve statements."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import aiohttp
import pytest

from oepnode.adapters.http.client import RequestRejected
from oepnode.adapters.http.publisher import HttpPublisher
from oepnode.adapters.http.registry import HttpRegistry
from oepnode.adapters.http.sender import HttpSender
from oepnode.adapters.http.signed_documents import SignedRegistry, SignedSender
from oepnode.adapters.storage.sequence_memory import SequenceMemory
from oepnode.domain.rounds.inputs.document_signatures import (
    HEADER,
    SignatureFault,
    SignedStatement,
    decode_statement,
    encode_header,
)
from oepnode.errors import ConflictError, TransportError
from tests.attacks.support.round_services import TOKEN, RoundServices, round_services
from tests.integration.services.conftest import reason_of
from tests.support.round_world import ENVELOPE, REGISTRY
from tests.support.signed_documents import OTHER, PUBLIC, statement

SNAPSHOT_DIGEST = sha256(REGISTRY).digest()


def other_document(limit: float) -> bytes:
    records = json.loads(ENVELOPE)
    records[0]["operatingEnvelopes"][0]["intervals"][0]["activePowerExportLimit"] = limit
    return json.dumps(records).encode()


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[RoundServices]:
    """A gateway and a registry that demand signatures."""
    async with round_services(
        tmp_path,
        document_key=PUBLIC.hex(),
        snapshot_key=PUBLIC.hex(),
        signed_snapshot=statement(REGISTRY, 3, "snapshot"),
    ) as world:
        yield world


async def refused(
    services: RoundServices, document: bytes, signed: SignedStatement | None
) -> tuple[int, str]:
    """Status and code with which the gateway rejects a document."""
    with pytest.raises(RequestRejected) as rejected:
        await services.publish(document, signed)
    return rejected.value.status, rejected.value.code


async def stored(services: RoundServices) -> int:
    async with aiohttp.ClientSession() as http, http.get(services.sender_url + "/healthz") as r:
        return int((await r.json())["documents"])


async def test_a_signed_document_is_served_with_its_statement(services: RoundServices) -> None:
    signed = statement(ENVELOPE, 7)
    assert await services.publish(ENVELOPE, signed) == 1
    assert await services.publish(ENVELOPE, signed) == 1  # again is safe
    digest = sha256(ENVELOPE).hexdigest()
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{services.sender_url}/v1/documents/{digest}/signature") as response:
            assert response.status == 200
            assert "ETag" not in response.headers
            assert decode_statement(await response.read()) == signed
        async with http.get(f"{services.sender_url}/v1/envelopes/latest") as response:
            latest = await response.json()
    assert decode_statement(json.dumps(latest["signature"]).encode()) == signed


async def test_a_document_that_is_not_stored_is_not_called_unsigned(tmp_path: Path) -> None:
    """A worker abstains because it has no document, and not because of a wrong one."""
    async with round_services(tmp_path) as services, aiohttp.ClientSession() as http:
        url = f"{services.sender_url}/v1/documents/{'ab' * 32}/signature"
        async with http.get(url) as response:
            assert response.status == 404
            assert (await response.json())["error"]["code"] == "document.unknown"


@pytest.mark.parametrize(
    ("signed", "expected"),
    [
        (None, (403, "signature.missing")),
        (statement(ENVELOPE, 1, key=OTHER), (403, "signature.invalid")),
        (statement(ENVELOPE, 1, "snapshot"), (403, "signature.invalid")),
        (statement(ENVELOPE + b" ", 1), (403, "signature.invalid")),
        (statement(ENVELOPE, 1, size=5), (403, "signature.invalid")),
    ],
)
async def test_a_document_that_is_not_signed_as_it_must_be_is_not_stored(
    services: RoundServices, signed: SignedStatement | None, expected: tuple[int, str]
) -> None:
    assert await refused(services, ENVELOPE, signed) == expected
    assert await stored(services) == 0
    assert services.blockchain.rounds == {}


async def test_an_upload_in_parts_is_signed_too(services: RoundServices, tmp_path: Path) -> None:
    file = tmp_path / "e.json"
    file.write_bytes(ENVELOPE)
    client = HttpPublisher(services.sender_url, timeout_s=20, whole_bytes=100)
    with pytest.raises(RequestRejected, match="signed") as rejected:
        await client.publish(file, TOKEN)
    assert rejected.value.code == "signature.missing"
    with pytest.raises(RequestRejected) as rejected:
        await client.publish(file, TOKEN, None, statement(ENVELOPE + b" ", 1))
    assert rejected.value.code == "signature.invalid"
    assert await stored(services) == 0
    signed = statement(ENVELOPE, 7)
    assert (await client.publish(file, TOKEN, None, signed)).code == "accepted"
    await client.close()
    digest = sha256(ENVELOPE).hexdigest()
    url = f"{services.sender_url}/v1/documents/{digest}/signature"
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        assert decode_statement(await response.read()) == signed


async def test_numbers_must_rise(services: RoundServices) -> None:
    await services.publish(ENVELOPE, statement(ENVELOPE, 7))
    later = other_document(1.23)
    for sequence in (6, 7):
        expected = (409, "signature.replayed")
        assert await refused(services, later, statement(later, sequence)) == expected
    assert await stored(services) == 1
    assert await services.publish(later, statement(later, 8)) == 2


async def test_a_faulty_document_uses_up_no_number(services: RoundServices) -> None:
    faulty = b"[]"
    with pytest.raises(Exception, match="rejected"):
        await services.publish(faulty, statement(faulty, 9))
    assert await services.publish(ENVELOPE, statement(ENVELOPE, 7)) == 1


async def test_no_round_is_opened_with_an_older_document_than_before(
    services: RoundServices,
) -> None:
    later = other_document(1.23)
    await services.publish(ENVELOPE, statement(ENVELOPE, 7))
    await services.publish(later, statement(later, 8))
    services.blockchain.set_phase(1, services.blockchain.rounds[1].phase.CANCELLED)
    order = {
        "envelopeDigest": sha256(ENVELOPE).hexdigest(),
        "registryDigest": SNAPSHOT_DIGEST.hex(),
    }
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.post(f"{services.sender_url}/v1/rounds", json=order) as response,
    ):
        assert (response.status, await reason_of(response)) == (409, "signature.replayed")
    with pytest.raises(ConflictError, match="its round was not opened") as rejected:
        await services.publish(ENVELOPE, statement(ENVELOPE, 7))
    assert rejected.value.code == "signature.replayed"
    assert len(services.blockchain.rounds) == 2
    assert await services.publish(ENVELOPE, statement(ENVELOPE, 9)) == 3  # signed again


async def test_malformed_headers_are_rejected(services: RoundServices) -> None:
    good = encode_header(statement(ENVELOPE, 1))
    async with aiohttp.ClientSession() as http:
        for values in (["!"], [good, good]):
            headers = [("Authorization", f"Bearer {TOKEN}"), *((HEADER, v) for v in values)]
            async with http.post(
                f"{services.sender_url}/v1/envelopes", data=ENVELOPE, headers=headers
            ) as response:
                assert (response.status, await reason_of(response)) == (403, "signature.invalid")
    assert await stored(services) == 0


async def test_without_a_key_a_signature_is_not_silently_dropped(tmp_path: Path) -> None:
    async with round_services(tmp_path) as services:
        expected = (422, "signature.unexpected")
        assert await refused(services, ENVELOPE, statement(ENVELOPE, 1)) == expected
        await services.publish(ENVELOPE)


async def test_a_worker_gets_signed_inputs(services: RoundServices, tmp_path: Path) -> None:
    number = await services.publish(ENVELOPE, statement(ENVELOPE, 7))
    memory = SequenceMemory(tmp_path / "memory.sqlite")
    sender = HttpSender(services.sender_url, services.request_signer(0))
    registry = HttpRegistry(services.registry_url, services.request_signer(0))
    documents = SignedSender(sender, PUBLIC, memory)
    snapshots = SignedRegistry(registry, PUBLIC, memory)
    try:
        latest = await documents.latest()
        assert latest is not None
        assert await documents.document(number, latest.digest) == ENVELOPE
        assert await snapshots.snapshot(number, SNAPSHOT_DIGEST) == REGISTRY
        assert await snapshots.latest_digest() == SNAPSHOT_DIGEST
        others = bytes(32)
        with pytest.raises(SignatureFault, match=r"signature\.invalid"):
            await SignedSender(sender, others, memory).document(number, latest.digest)
        with pytest.raises(SignatureFault, match=r"signature\.invalid"):
            await SignedRegistry(registry, others, memory).snapshot(number, SNAPSHOT_DIGEST)
        assert await SignedSender(sender, others, memory).latest() is None
    finally:
        await sender.close()
        await registry.close()
        memory.close()


async def test_a_registry_with_a_key_serves_no_unsigned_snapshot(tmp_path: Path) -> None:
    async with round_services(tmp_path, snapshot_key=PUBLIC.hex()) as services:
        number = await services.publish()
        registry = HttpRegistry(services.registry_url, services.request_signer(0))
        for fetch in (registry.snapshot, registry.salt):
            with pytest.raises(RequestRejected) as rejected:
                await fetch(number, SNAPSHOT_DIGEST)
            assert (rejected.value.status, rejected.value.code) == (403, "signature.missing")
        with pytest.raises(TransportError):
            await registry.latest_digest()
        await registry.close()


async def test_a_worker_with_a_key_rejects_an_unsigned_snapshot(tmp_path: Path) -> None:
    async with round_services(tmp_path) as services:
        number = await services.publish()
        memory = SequenceMemory(tmp_path / "memory.sqlite")
        registry = HttpRegistry(services.registry_url, services.request_signer(0))
        sender = HttpSender(services.sender_url, services.request_signer(0))
        with pytest.raises(SignatureFault, match=r"signature\.missing"):
            await SignedRegistry(registry, PUBLIC, memory).snapshot(number, SNAPSHOT_DIGEST)
        with pytest.raises(SignatureFault, match=r"signature\.missing"):
            await SignedSender(sender, PUBLIC, memory).document(number, sha256(ENVELOPE).digest())
        await registry.close()
        await sender.close()
        memory.close()
