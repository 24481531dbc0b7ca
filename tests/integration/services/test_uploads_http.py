"""Resumable uploads (tus 1.0.0) over real HTTP: parts, broken connections, restarts, rejections."""

from __future__ import annotations

import asyncio
import stat
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from oepnode.adapters.http.client import HttpClient, Response
from oepnode.adapters.http.publisher import HttpPublisher
from oepnode.adapters.http.server.serving import listening
from oepnode.config import HttpSettings, SenderSettings
from oepnode.config.checks import UploadSettings
from oepnode.errors import DocumentFault, TransportError
from oepnode.services.sender import app as sender
from oepnode.services.sender import intake
from tests.integration.services.conftest import LIMIT, TOKEN, reason_of
from tests.support.fake_chain import REQUESTER, FakeChain, FakeClock, InMemoryChain
from tests.support.sites import even

TUS = {"Tus-Resumable": "1.0.0"}
BEARER = {"Authorization": f"Bearer {TOKEN}", **TUS}
PART = {"Content-Type": "application/offset+octet-stream"}
REGISTRY = "0a" * 32
DOCUMENT = even(range(40))
Serve = Callable[..., Any]


@pytest.fixture
def serve(sender_settings: SenderSettings, blockchain: InMemoryChain, clock: FakeClock) -> Serve:
    @asynccontextmanager
    async def run(port: int = 0, **changes: Any) -> AsyncIterator[str]:
        settings = sender_settings.model_copy(update=changes)
        app = sender.application(settings, FakeChain(blockchain, REQUESTER), clock)
        async with listening(app, HttpSettings(port=port)) as url:
            yield url

    return run


def announced(data: bytes) -> dict[str, str]:
    digest = b64encode(sha256(data).hexdigest().encode()).decode()
    return {"Upload-Length": str(len(data)), "Upload-Metadata": f"name eA==, sha256 {digest}"}


async def begin(
    http: aiohttp.ClientSession, url: str, headers: dict[str, str], query: str = ""
) -> tuple[str, int]:
    """Where an upload goes, and how much of it is there."""
    path = f"{url}/v1/uploads{query}"
    async with http.post(path, headers=BEARER | headers) as response:
        assert response.status == 201, await response.text()
        assert response.headers["Tus-Resumable"] == "1.0.0"
        assert response.headers["Upload-Expires"].endswith("GMT")
        return response.headers["Location"], int(response.headers["Upload-Offset"])


async def send(
    http: aiohttp.ClientSession, place: str, offset: int, data: Any
) -> tuple[int, str, str]:
    """Status, offset, and message of a part; or status, code and nothing of a rejection."""
    headers = BEARER | PART | {"Upload-Offset": str(offset)}
    async with http.patch(place, data=data, headers=headers) as response:
        if response.status != 204:
            return response.status, await reason_of(response), ""
        told = response.headers
        return 204, told["Upload-Offset"], told.get("Message-Id", "")


async def offset_of(http: aiohttp.ClientSession, place: str) -> int:
    async with http.head(place, headers=BEARER) as response:
        assert response.status == 200
        assert response.headers["Cache-Control"] == "no-store"
        return int(response.headers["Upload-Offset"])


async def verdict(http: aiohttp.ClientSession, url: str, message_id: str) -> dict[str, Any]:
    path = f"{url}/v1/messages/{message_id}?wait=20"
    async with http.get(path, headers=BEARER) as response:
        message: dict[str, Any] = await response.json()
    return message


async def test_a_document_in_parts_becomes_a_message_and_opens_its_round(
    http: aiohttp.ClientSession,
    serve: Serve,
    sender_settings: SenderSettings,
    blockchain: InMemoryChain,
) -> None:
    async with serve() as url:
        location, offset = await begin(http, url, announced(DOCUMENT), f"?registry={REGISTRY}")
        place, message_id = url + location, ""
        (file,) = (sender_settings.data_dir / "uploads").iterdir()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        while offset < len(DOCUMENT):
            assert await offset_of(http, place) == offset
            part = DOCUMENT[offset : offset + 5000]
            status, told, message_id = await send(http, place, offset, part)
            offset += len(part)
            assert (status, told) == (204, str(offset))
            assert bool(message_id) == (offset == len(DOCUMENT))
        message = await verdict(http, url, message_id)
        assert (message["code"], message["round"]) == ("accepted", 1)
        assert message["digest"] == sha256(DOCUMENT).hexdigest()
        async with http.head(place, headers=BEARER) as response:
            assert response.headers["Message-Id"] == message_id
        assert await send(http, place, len(DOCUMENT), b"") == (204, str(offset), message_id)
    stored = sender_settings.data_dir / "documents" / sha256(DOCUMENT).hexdigest()
    assert stored.read_bytes() == DOCUMENT
    assert list((sender_settings.data_dir / "uploads").iterdir()) == []
    assert len(blockchain.rounds) == 1


async def test_a_broken_part_is_kept_and_continued_after_a_restart(
    http: aiohttp.ClientSession, serve: Serve
) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield DOCUMENT[:9000]
        await asyncio.sleep(0.2)
        raise ConnectionResetError

    async with serve() as url:
        location, _ = await begin(http, url, announced(DOCUMENT))
        with pytest.raises(aiohttp.ClientError):
            await send(http, url + location, 0, breaking())
        for _ in range(100):
            if await offset_of(http, url + location):
                break
            await asyncio.sleep(0.02)
        assert await offset_of(http, url + location) == 9000
    async with serve() as url:
        again = await begin(http, url, announced(DOCUMENT))  # the same document, the same upload
        assert again == (location, 9000)
        _, _, message_id = await send(http, url + location, 9000, DOCUMENT[9000:])
        assert (await verdict(http, url, message_id))["code"] == "accepted"


async def test_a_wrong_offset_and_two_at_once_change_nothing(
    http: aiohttp.ClientSession, serve: Serve
) -> None:
    started = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield DOCUMENT[:100]
        started.set()
        await asyncio.sleep(0.5)
        yield DOCUMENT[100:200]

    async with serve() as url:
        location, _ = await begin(http, url, {"Upload-Length": str(len(DOCUMENT))})
        place = url + location
        assert (await send(http, place, 5, b"x"))[:2] == (409, "upload.offset")
        first = asyncio.create_task(send(http, place, 0, slowly()))
        await started.wait()
        await asyncio.sleep(0.1)
        assert (await send(http, place, 0, b"x"))[:2] == (423, "upload.busy")
        async with http.delete(place, headers=BEARER) as response:
            assert response.status == 423
        assert await first == (204, "200", "")
        assert (await send(http, place, 200, DOCUMENT))[:2] == (413, "body.too_large")
        assert await offset_of(http, place) == 200
        assert (await send(http, place, 200, DOCUMENT[200:]))[0] == 204


async def test_other_bytes_than_announced_are_deleted(
    http: aiohttp.ClientSession, serve: Serve, sender_settings: SenderSettings
) -> None:
    async with serve() as url:
        location, _ = await begin(http, url, announced(DOCUMENT))
        other = b" " * len(DOCUMENT)
        assert (await send(http, url + location, 0, other))[:2] == (422, "upload.other_digest")
        async with http.head(url + location, headers=BEARER) as response:
            assert response.status == 404
    for folder in ("uploads", "waiting", "documents"):
        assert list((sender_settings.data_dir / folder).iterdir()) == []


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Upload-Length": "x"}, 400, "upload.header"),
        ({"Upload-Length": "-1"}, 400, "upload.header"),
        ({}, 400, "upload.header"),
        ({"Upload-Length": "9" * 30}, 400, "upload.header"),
        ({"Upload-Length": str(LIMIT + 1)}, 413, "body.too_large"),
        ({"Upload-Length": "5", "Upload-Metadata": "sha256 !"}, 400, "digest.malformed"),
        ({"Upload-Length": "5", "Tus-Resumable": "0.2.2"}, 412, "upload.version"),
        ({"Upload-Length": "5", "Authorization": "Bearer x"}, 401, "token.wrong"),
    ],
)
async def test_a_wrong_beginning_is_rejected(
    http: aiohttp.ClientSession,
    serve: Serve,
    sender_settings: SenderSettings,
    headers: dict[str, str],
    status: int,
    code: str,
) -> None:
    async with serve() as url, http.post(f"{url}/v1/uploads", headers=BEARER | headers) as response:
        assert (response.status, await reason_of(response)) == (status, code)
    assert list((sender_settings.data_dir / "uploads").iterdir()) == []


async def test_an_upload_is_given_up_or_expires(
    http: aiohttp.ClientSession, serve: Serve, sender_settings: SenderSettings, clock: FakeClock
) -> None:
    folder = sender_settings.data_dir / "uploads"
    async with serve(uploads=UploadSettings(expiry_s=60)) as url:
        async with http.options(f"{url}/v1/uploads", headers=BEARER) as response:
            assert response.headers["Tus-Version"] == "1.0.0"
            assert response.headers["Tus-Max-Size"] == str(LIMIT)
        location, _ = await begin(http, url, {"Upload-Length": "500"})
        async with http.delete(url + location, headers=BEARER) as response:
            assert response.status == 204
        assert list(folder.iterdir()) == []
        location, _ = await begin(http, url, {"Upload-Length": "500"})
        clock.time += 59
        assert (await send(http, url + location, 0, b"x"))[0] == 204
        clock.time += 59
        assert await offset_of(http, url + location) == 1
        clock.time += 2
        async with http.head(url + location, headers=BEARER) as response:
            assert response.status == 404
        assert list(folder.iterdir()) == []


async def test_announced_bytes_are_bounded_over_restarts(
    http: aiohttp.ClientSession, serve: Serve
) -> None:
    limits = UploadSettings(max_waiting_bytes=1000)
    for _ in range(2):
        async with serve(uploads=limits) as url:
            await begin(http, url, {"Upload-Length": "450"})
    async with serve(uploads=limits) as url:
        headers = BEARER | {"Upload-Length": "450"}
        async with http.post(f"{url}/v1/uploads", headers=headers) as response:
            assert (response.status, await reason_of(response)) == (503, "uploads.full")
    small = UploadSettings(max_waiting_bytes=100)
    async with serve(uploads=small) as url, http.get(f"{url}/healthz") as response:
        assert response.status == 200  # it starts all the same


async def test_an_expired_upload_makes_room_without_being_named(
    http: aiohttp.ClientSession,
    serve: Serve,
    clock: FakeClock,
    sender_settings: SenderSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake, "_SWEEP_EVERY_S", 0.05)
    limits = UploadSettings(max_waiting_bytes=len(DOCUMENT) + 10, expiry_s=60)
    async with serve(uploads=limits) as url:
        await begin(http, url, {"Upload-Length": "450"})
        clock.time += 61
        folder = sender_settings.data_dir / "uploads"
        async with asyncio.timeout(10):
            while list(folder.iterdir()):
                await asyncio.sleep(0.02)
        async with http.post(f"{url}/v1/envelopes", data=DOCUMENT, headers=BEARER) as response:
            assert response.status == 202


# --- the publisher's client -----------------------------------------------------------------------


def publisher(url: str, **more: Any) -> HttpPublisher:
    return HttpPublisher(url, timeout_s=20, whole_bytes=1000, **more)


async def test_the_client_uploads_and_waits(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "e.json"
    file.write_bytes(DOCUMENT)
    sent: list[tuple[int, int]] = []
    async with serve() as url:
        client = publisher(url)
        registry = bytes.fromhex(REGISTRY)
        published = await client.publish(file, TOKEN, registry, on_sent=lambda *at: sent.append(at))
        assert (published.code, published.round) == ("accepted", 1)
        assert sent == [(0, len(DOCUMENT)), (len(DOCUMENT), len(DOCUMENT))]
        again = await client.publish(file, TOKEN, registry)
        assert (again.message_id, again.round) == (published.message_id, 1)
        file.write_bytes(DOCUMENT.replace(b'"PRE"', b'"NOW"'))
        with pytest.raises(DocumentFault) as rejected:
            await client.publish(file, TOKEN)
        assert {fault.code for fault in rejected.value.faults} == {"field.value"}
        await client.close()


async def test_the_client_goes_on_where_it_broke_off(serve: Serve, tmp_path: Path) -> None:
    """The first part breaks off; nobody answers for a while; the rest is sent once."""
    file = tmp_path / "e.json"
    file.write_bytes(DOCUMENT)
    parts: list[int] = []
    async with serve() as url:
        real = HttpClient(url, 20)

        async def exchange(
            method: str, target: str, body: Any, headers: Any, limit: int
        ) -> Response:
            if method != "PATCH":
                return await real._exchange(method, target, body, headers, limit)
            parts.append(body.offset)
            if len(parts) == 1:
                await real._exchange(method, target, DOCUMENT[:7000], headers, limit)
                raise TransportError("broken")
            if len(parts) == 2:
                raise TransportError("nobody")
            return await real._exchange(method, target, body, headers, limit)

        async def no_wait(_: float) -> None:
            pass

        client = publisher(url, client=HttpClient(url, 20, exchange, no_wait))
        assert (await client.publish(file, TOKEN)).code == "accepted"
        assert parts == [0, 7000, 7000]
        await real.close()


async def test_the_client_gives_up_and_a_later_run_goes_on(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "e.json"
    file.write_bytes(DOCUMENT)
    async with serve() as url:
        real = HttpClient(url, 20)
        offsets: list[int] = []

        async def exchange(
            method: str, target: str, body: Any, headers: Any, limit: int
        ) -> Response:
            if method == "PATCH":
                offsets.append(body.offset)
                if len(offsets) == 1:
                    await real._exchange(method, target, DOCUMENT[:7000], headers, limit)
                if len(offsets) <= 4:
                    raise TransportError("broken")
            return await real._exchange(method, target, body, headers, limit)

        async def no_wait(_: float) -> None:
            pass

        client = publisher(url, client=HttpClient(url, 20, exchange, no_wait))
        with pytest.raises(TransportError, match="broken"):
            await client.publish(file, TOKEN)
        assert (await client.publish(file, TOKEN)).code == "accepted"
        assert offsets == [0, 7000, 7000, 7000, 7000]
        await real.close()
