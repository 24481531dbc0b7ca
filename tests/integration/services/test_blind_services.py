"""Blind mode over real HTTP: documents blinded on ingest, token lists served by the registry."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from oepnode.adapters.http.client import RequestRejected
from oepnode.adapters.http.publisher import HttpPublisher
from oepnode.adapters.http.server.serving import listening
from oepnode.adapters.http.token_lists import fetch_token_list
from oepnode.client.operation.blinding import BlindedSnapshot, blind_document, blind_snapshot
from oepnode.client.operation.snapshots import publish_snapshot
from oepnode.config import HttpSettings, RegistrySettings, SenderSettings
from oepnode.errors import ConfigError, DocumentFault
from oepnode.services.registry import app as registry
from oepnode.services.sender import app as sender
from tests.integration.services.conftest import TOKEN, Sample, worker_client
from tests.support.fake_chain import REQUESTER, FakeChain, FakeClock, InMemoryChain

BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def blinded(sample: Sample, tmp_path: Path) -> BlindedSnapshot:
    snapshot = sample.folder / "registry.json"
    return blind_snapshot(snapshot, tmp_path / "blinded", new_key=tmp_path / "blinding")


@pytest.fixture
def settings(sender_settings: SenderSettings, blinded: BlindedSnapshot) -> SenderSettings:
    return sender_settings.model_copy(update={"blinding_key_file": Path(blinded.key_file)})


@pytest.fixture
async def url(
    settings: SenderSettings, blockchain: InMemoryChain, clock: FakeClock
) -> AsyncIterator[str]:
    app = sender.application(settings, FakeChain(blockchain, REQUESTER), clock)
    async with listening(app, HttpSettings()) as address:
        yield address


@pytest.fixture
def tokenised(sample: Sample, blinded: BlindedSnapshot, tmp_path: Path) -> bytes:
    """The sample's document, blinded offline."""
    out = tmp_path / "offline.json"
    blind_document(sample.folder / sample.summary.envelope_file, blinded.key_file, out)
    return out.read_bytes()


def nmis_of(document: bytes) -> list[str]:
    return [record["nmi"] for record in json.loads(document)]


async def publish(
    http: aiohttp.ClientSession, url: str, data: bytes, query: str = ""
) -> tuple[int, dict[str, Any]]:
    url = f"{url}/v1/envelopes?wait=20{query}"
    async with http.post(url, data=data, headers=BEARER) as response:
        return response.status, await response.json()


async def test_a_document_is_blinded_before_it_is_stored(
    http: aiohttp.ClientSession,
    url: str,
    sample: Sample,
    settings: SenderSettings,
    tokenised: bytes,
    clock: FakeClock,
) -> None:
    status, body = await publish(http, url, sample.document, f"&registry={'0a' * 32}")
    assert (status, body["digest"]) == (202, sha256(tokenised).hexdigest())
    assert (body["size"], body["round"]) == (len(tokenised), 1)
    worker = worker_client(url, clock)
    assert await worker.document(1, sha256(tokenised).digest()) == tokenised
    await worker.close()
    stored = [path.read_bytes() for path in settings.data_dir.rglob("*") if path.is_file()]
    assert tokenised in stored
    assert not [n for n in nmis_of(sample.document) if any(n.encode() in d for d in stored)]


async def test_publishing_again_and_offline_give_the_same_document(
    http: aiohttp.ClientSession, url: str, sample: Sample, tokenised: bytes
) -> None:
    first = await publish(http, url, sample.document)
    assert first[1]["code"] == "accepted"
    assert await publish(http, url, sample.document) == first
    assert await publish(http, url, tokenised) == first


async def test_no_file_holds_a_document_while_it_arrives(
    http: aiohttp.ClientSession, url: str, sample: Sample, settings: SenderSettings
) -> None:
    """The temporary file is begun with the blinded bytes, not with the received ones."""
    seen: list[bytes] = []

    async def slowly() -> AsyncIterator[bytes]:
        for at in range(0, len(sample.document), 2000):
            yield sample.document[at : at + 2000]
            await asyncio.sleep(0.01)
            files = (path for path in settings.data_dir.rglob("*") if path.is_file())
            seen.extend(path.read_bytes() for path in files)

    url += "/v1/envelopes?wait=20"
    async with http.post(url, data=slowly(), headers=BEARER) as response:
        assert (response.status, (await response.json())["code"]) == (202, "accepted")
    assert seen
    assert not [n for n in nmis_of(sample.document) if any(n.encode() in d for d in seen)]


async def test_no_part_of_a_document_is_kept_that_is_not_blinded(
    http: aiohttp.ClientSession,
    url: str,
    sample: Sample,
    settings: SenderSettings,
    tokenised: bytes,
    tmp_path: Path,
) -> None:
    headers = BEARER | {"Tus-Resumable": "1.0.0", "Upload-Length": "1000"}
    async with http.post(f"{url}/v1/uploads", headers=headers) as response:
        assert response.status == 409
        assert (await response.json())["error"]["code"] == "upload.blind"
    client = HttpPublisher(url, timeout_s=20, whole_bytes=1000)  # sends it in one request
    published = await client.publish(sample.folder / sample.summary.envelope_file, TOKEN)
    assert published.digest == sha256(tokenised).hexdigest()
    mixed = tmp_path / "mixed.json"
    mixed.write_bytes(sample.document.replace(b'"PRE"', b'"NOW"'))
    with pytest.raises(DocumentFault, match=r"field\.value"):
        await client.publish(mixed, TOKEN)
    await client.close()


@pytest.mark.parametrize("damage", ["mixed", "checksum", "unknown field", "text", "UTF-16"])
async def test_a_document_that_cannot_be_blinded_leaves_nothing(
    http: aiohttp.ClientSession,
    url: str,
    sample: Sample,
    settings: SenderSettings,
    tokenised: bytes,
    damage: str,
) -> None:
    records = json.loads(sample.document)
    nmi = records[3]["nmi"]
    where, rule = "$.records[3].nmi", "nmi.mixed"
    if damage == "mixed":
        records[3]["nmi"] = json.loads(tokenised)[3]["nmi"]
    if damage == "checksum":
        records[3]["nmi"], rule = nmi + "X", "nmi.checksum"
    if damage == "unknown field":
        records[3]["site"], where, rule = nmi, "$.records[3]", "field.unknown"
    if damage == "text":
        records[3]["oeObjectiveFunction"], where, rule = f"for {nmi}", "$", "nmi.in_text"
    data = json.dumps(records).encode()
    if damage == "UTF-16":
        data, where, rule = data.decode().encode("utf-16"), "$", "json.utf8"
    status, body = await publish(http, url, data)
    assert status == 422
    first = body["error"]["faults"][0]
    assert (first["path"], first["rule"]) == (where, rule)
    assert nmi not in json.dumps(body)
    assert list((settings.data_dir / "documents").iterdir()) == []


async def test_a_gateway_without_a_key_takes_documents_of_one_kind(
    http: aiohttp.ClientSession, sender_url: str, sample: Sample, tokenised: bytes
) -> None:
    assert (await publish(http, sender_url, sample.document))[1]["code"] == "accepted"
    assert (await publish(http, sender_url, tokenised))[1]["code"] == "accepted"
    mixed = sample.document.rstrip()[:-1] + b"," + tokenised.lstrip()[1:]
    _, body = await publish(http, sender_url, mixed)
    assert (body["code"], set(body["system"]["counts"])) == ("rejected", {"nmi.mixed"})


def test_a_gateway_does_not_start_with_a_malformed_key(
    settings: SenderSettings, blockchain: InMemoryChain, clock: FakeClock
) -> None:
    assert settings.blinding_key_file is not None
    settings.blinding_key_file.write_text("0a0b")
    with pytest.raises(ConfigError, match="64 hex digits"):
        sender.application(settings, FakeChain(blockchain, REQUESTER), clock)


# --- token lists ---------------------------------------------------------------------------------


async def test_anyone_gets_a_sealed_token_list(
    sample: Sample,
    blinded: BlindedSnapshot,
    registry_settings: RegistrySettings,
    blockchain: InMemoryChain,
    clock: FakeClock,
    http: aiohttp.ClientSession,
) -> None:
    salt, folder = sample.folder / "salt", Path(blinded.file).parent / "tokens"
    publish_snapshot(blinded.file, salt, registry_settings.data_dir, token_lists=folder)
    app = registry.application(registry_settings, FakeChain(blockchain), clock)
    async with listening(app, HttpSettings()) as address:
        digest = bytes.fromhex(blinded.digest)
        for one in blinded.token_lists:
            path = Path(one.file)
            assert await fetch_token_list(address, digest, path.name) == path.read_bytes()
        with pytest.raises(RequestRejected, match="no token list"):
            await fetch_token_list(address, digest, "0" * 64)
        names = ("..%2f..", "%2e%2e%2fsalts", "x" * 64, path.name.upper(), path.name + "%0a")
        for name in names:
            target = f"{address}/v1/snapshots/{blinded.digest}/tokens/{name}"
            async with http.get(target) as response:
                assert response.status == 404
