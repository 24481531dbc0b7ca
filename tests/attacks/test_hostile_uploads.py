"""Fifty uploads at once, ten of them hostile, from clients that (but one) have the token.

Before: four documents were received at once, and held in memory to be checked in the gateway's own
process; four slow clients kept every other publisher out, for half an hour where their document had
no length.

Now: a document is streamed to a file, and a client that does not keep up is rejected within
seconds (`oepnode.services.common.http`); all that arrives has a bound in bytes
(``uploads.max_waiting_bytes``), and is checked in child processes with limits
(`oepnode.adapters.computing.checker`). Each hostile upload is rejected by name, and the others are
served.

Remains: whoever has the token can use up the disk with good documents, which are never deleted.
"""

from __future__ import annotations

import asyncio
import gzip
import resource
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from oepnode.adapters.http.server.serving import listening
from oepnode.config import ChainSettings, HttpSettings, SenderSettings
from oepnode.config.checks import CheckSettings, UploadSettings
from oepnode.services.common import http as common
from oepnode.services.sender import app as sender
from tests.support.fake_chain import (
    CHAIN_ID,
    CONTRACT,
    REQUESTER,
    FakeChain,
    FakeClock,
    InMemoryChain,
)
from tests.support.sites import even

TOKEN = "a-token-of-the-publisher"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
LIMIT = 4 * 2**20
DOCUMENTS = [even(range(n, n + 20)) for n in range(20)]
GOOD = DOCUMENTS * 2
DEADLINE_S = 3.0


async def trickle() -> AsyncIterator[bytes]:
    """A byte a second."""
    while True:
        yield b" "
        await asyncio.sleep(1)


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b" " * 2**16
        await asyncio.sleep(0)


BOMB = gzip.compress(bytes(2**24))
HOSTILE: list[tuple[dict[str, str], Any, set[str]]] = [
    ({}, trickle(), {"408 body.timeout"}),
    ({"Content-Length": str(LIMIT)}, trickle(), {"408 body.timeout"}),
    ({}, endless(), {"413 body.too_large"}),
    ({"Content-Length": str(2**40)}, trickle(), {"413 body.too_large"}),
    ({}, b"[" * 2**20, {"json.nesting"}),
    ({}, b'[{"nmi":"' + b"9" * 2**21, {"json.syntax"}),
    ({}, BOMB, {"json.syntax"}),
    ({"Content-Encoding": "gzip"}, BOMB, {"415 body.encoding", "400 http.bad_request"}),
    ({"Authorization": "Bearer guessed"}, GOOD[0], {"401 token.wrong"}),
    ({}, GOOD[0][:-1000], {"json.syntax"}),
]


@pytest.fixture
def settings(tmp_path: Path) -> SenderSettings:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    return SenderSettings(
        chain=ChainSettings(
            rpc_urls=("http://127.0.0.1:1",), chain_id=CHAIN_ID, contract="0x" + CONTRACT.hex()
        ),
        data_dir=tmp_path / "sender",
        key_file=tmp_path / "key",
        token_file=token,
        max_document_bytes=LIMIT,
        document_access="anyone",
        uploads=UploadSettings(max_waiting_bytes=64 * 2**20),
        check=CheckSettings(memory_limit_mb=1024, at_once=2),
    )


async def upload(http: aiohttp.ClientSession, url: str, headers: dict[str, str], data: Any) -> str:
    """The verdict on a document, or the rejection of the request."""
    async with http.post(f"{url}/v1/envelopes", data=data, headers=BEARER | headers) as response:
        body = await response.json()
        if response.status != 202:
            return f"{response.status} {body['error']['code']}"
    while body["busy"]:
        path = f"{url}/v1/messages/{body['messageId']}?wait=60"
        async with http.get(path, headers=BEARER) as response:
            body = await response.json()
    if body["code"] == "accepted":
        return "accepted"
    (code,) = body["system"]["counts"]
    return str(code)


async def test_ten_hostile_uploads_among_fifty(
    settings: SenderSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(common, "READ_DEADLINE_S", DEADLINE_S)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    clock = FakeClock()
    app = sender.application(settings, FakeChain(InMemoryChain(clock), REQUESTER), clock)
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        listening(app, HttpSettings()) as url,
        aiohttp.ClientSession(connector=connector) as http,
        asyncio.TaskGroup() as group,
    ):
        good = [group.create_task(upload(http, url, {}, data)) for data in GOOD]
        bad = [group.create_task(upload(http, url, headers, data)) for headers, data, _ in HOSTILE]
        await asyncio.wait({*good, *bad})
        async with http.get(f"{url}/healthz") as response:
            assert await response.json() == {"status": "ok", "documents": len(DOCUMENTS)}
    assert [task.result() for task in good] == ["accepted"] * len(GOOD)
    for task, (_, _, codes) in zip(bad, HOSTILE, strict=True):
        assert task.result() in codes
    stored = {file.name for file in (settings.data_dir / "documents").iterdir()}
    assert stored == {sha256(data).hexdigest() for data in DOCUMENTS}
    for folder in ("waiting", "uploads"):
        assert list((settings.data_dir / folder).iterdir()) == []
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    assert grown_mb < 200


@pytest.mark.parametrize("is_paced", [True, False])
async def test_without_a_pace_slow_clients_keep_the_others_out(
    settings: SenderSettings, monkeypatch: pytest.MonkeyPatch, is_paced: bool
) -> None:
    monkeypatch.setattr(common, "READ_DEADLINE_S", 0.5 if is_paced else 1000)
    settings = settings.model_copy(update={"uploads": UploadSettings(at_once=2)})
    clock = FakeClock()
    app = sender.application(settings, FakeChain(InMemoryChain(clock), REQUESTER), clock)
    async with listening(app, HttpSettings()) as url, aiohttp.ClientSession() as http:
        slow = [asyncio.create_task(upload(http, url, {}, trickle())) for _ in range(2)]
        await asyncio.sleep(1.5)
        verdict = await upload(http, url, {}, GOOD[0])
        assert verdict == ("accepted" if is_paced else "503 service.busy")
        assert all(task.done() == is_paced for task in slow)
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)
