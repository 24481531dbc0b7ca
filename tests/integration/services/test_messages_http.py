"""Documents that a gateway receives: acknowledged at once, checked after, and never twice."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from oepnode.adapters.computing import checker, engine
from oepnode.adapters.computing.checker import DocumentChecker
from oepnode.adapters.http.server.serving import listening
from oepnode.config import HttpSettings, SenderSettings
from oepnode.config.checks import CheckSettings, PlausibilitySettings, UploadSettings
from oepnode.services.sender import app as sender
from tests.integration.services.conftest import TOKEN, reason_of
from tests.support.envelope_documents import START_S, assignment, dump, snapshot
from tests.support.fake_chain import REQUESTER, FakeChain, FakeClock, InMemoryChain
from tests.support.sites import HOUR, even, nmi_of, span, written

BEARER = {"Authorization": f"Bearer {TOKEN}"}
REGISTRY = "0a" * 32
DOCUMENT = even(range(10))
FOLDERS = ("documents", "summaries", "uploads", "waiting")
Serve = Callable[..., Any]


@pytest.fixture
def serve(sender_settings: SenderSettings, blockchain: InMemoryChain, clock: FakeClock) -> Serve:
    """Run a gateway with changed settings on the same folder."""
    clock.time = float(START_S)

    @asynccontextmanager
    async def run(**changes: Any) -> AsyncIterator[str]:
        settings = sender_settings.model_copy(update=changes)
        app = sender.application(settings, FakeChain(blockchain, REQUESTER), clock)
        async with listening(app, HttpSettings()) as url:
            yield url

    return run


async def post(
    http: aiohttp.ClientSession, url: str, data: Any, query: str = "?wait=20"
) -> dict[str, Any]:
    async with http.post(f"{url}/v1/envelopes{query}", data=data, headers=BEARER) as response:
        assert response.status == 202, await response.text()
        message: dict[str, Any] = await response.json()
    return message


async def message_of(
    http: aiohttp.ClientSession, url: str, message_id: str, query: str = "?wait=20"
) -> dict[str, Any]:
    path = f"{url}/v1/messages/{message_id}{query}"
    async with http.get(path, headers=BEARER) as response:
        assert response.status == 200, await response.text()
        message: dict[str, Any] = await response.json()
    return message


def kept(settings: SenderSettings) -> dict[str, list[str]]:
    """Names of the files in each folder of a gateway."""
    return {
        folder.name: sorted(file.name for file in folder.iterdir())
        for folder in settings.data_dir.iterdir()
        if folder.is_dir()
    }


# --- acknowledgements -----------------------------------------------------------------------------


async def test_the_system_acknowledges_at_once_and_the_transaction_later(
    http: aiohttp.ClientSession, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = asyncio.Event()
    honest = DocumentChecker.check

    async def check(self: DocumentChecker, job: Any) -> Any:
        await held.wait()
        return await honest(self, job)

    monkeypatch.setattr(DocumentChecker, "check", check)
    async with serve() as url:
        first = await post(http, url, DOCUMENT, "")
        assert (first["code"], first["busy"], first["transaction"]) == ("received", True, None)
        assert first["system"]["code"] == "received"
        assert first["system"]["message_id"] == first["messageId"]
        again = await message_of(http, url, first["messageId"], "?wait=1")
        assert again == first
        held.set()
        done = await message_of(http, url, first["messageId"])
    assert (done["code"], done["busy"]) == ("accepted", False)
    assert done["system"]["code"] == done["transaction"]["code"] == "accepted"
    assert done["facts"]["sites"] == 10


async def test_a_message_is_for_the_publisher(http: aiohttp.ClientSession, serve: Serve) -> None:
    async with serve() as url:
        message = await post(http, url, DOCUMENT)
        path = f"{url}/v1/messages/{message['messageId']}"
        async with http.get(path) as response:
            assert (response.status, await reason_of(response)) == (401, "token.missing")
        async with http.get(f"{url}/v1/messages/none", headers=BEARER) as response:
            assert (response.status, await reason_of(response)) == (404, "message.unknown")
        for query in ("wait=-1", "wait=61", "wait=x", "more=1"):
            async with http.get(f"{path}?{query}", headers=BEARER) as response:
                assert response.status == 400


async def test_the_same_bytes_at_once_are_one_message_and_one_check(
    http: aiohttp.ClientSession,
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
    blockchain: InMemoryChain,
) -> None:
    checks = []
    honest = DocumentChecker.check

    async def check(self: DocumentChecker, job: Any) -> Any:
        checks.append(job.message_id)
        return await honest(self, job)

    monkeypatch.setattr(DocumentChecker, "check", check)
    async with serve() as url:
        query = f"?registry={REGISTRY}&wait=20"
        messages = await asyncio.gather(*(post(http, url, DOCUMENT, query) for _ in range(8)))
        assert len({str(message["messageId"]) for message in messages}) == 1
        assert {message["round"] for message in messages} == {1}
        await post(http, url, DOCUMENT, query)
    assert len(checks) == 1
    assert len(blockchain.rounds) == 1


async def test_a_rejected_document_is_deleted_and_can_be_sent_again(
    http: aiohttp.ClientSession, serve: Serve, sender_settings: SenderSettings
) -> None:
    strict = PlausibilitySettings(large_limit="reject")
    data = even([1], export_kw=5170)
    async with serve(plausibility=strict) as url:
        for _ in range(2):
            message = await post(http, url, data, f"?registry={REGISTRY}&wait=20")
            assert (message["code"], message["system"]["code"]) == ("rejected", "accepted")
            assert message["transaction"]["counts"] == {"limit.large": 1}
            assert message["round"] is None
        names: dict[str, list[str]] = {folder: [] for folder in FOLDERS}
        assert kept(sender_settings) == names
    async with serve() as url:  # the settings have changed, and so does the verdict
        assert (await post(http, url, data))["code"] == "accepted"


# --- oddities ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "shift_s", "code", "check"),
    [
        (even([1], export_kw=5170), 0, "limit.large", "large_limit"),
        (written({1: span([0, 2])}), 0, "site.hole", "hole"),
        (even([1]), HOUR, "horizon.shift", "shift"),
    ],
    ids=["watts written as kW", "a hole", "an hour off"],
)
async def test_oddities_warn_and_by_setting_reject(
    http: aiohttp.ClientSession,
    serve: Serve,
    clock: FakeClock,
    data: bytes,
    shift_s: int,
    code: str,
    check: str,
) -> None:
    clock.time = float(START_S + shift_s)
    strict = PlausibilitySettings(**{check: "reject"})  # type: ignore[arg-type]
    async with serve(plausibility=strict) as url:
        message = await post(http, url, data)
        assert message["code"] == "rejected"
        (fault,) = message["transaction"]["faults"]
        assert (fault["code"], fault["rule"]) == (code, f"setting plausibility.{check}")
        assert fault["path"].startswith("$")
    async with serve() as url:
        message = await post(http, url, data)
    assert (message["code"], message["transaction"]["warning_counts"]) == ("accepted", {code: 1})


async def test_a_document_is_compared_with_the_one_before_and_the_registry(
    http: aiohttp.ClientSession, serve: Serve, tmp_path: Path
) -> None:
    registry = tmp_path / "registry.json"
    registry.write_text(dump(snapshot(*(assignment(nmi=nmi_of(n)) for n in range(9)))))
    async with serve(registry_file=registry) as url:
        first = await post(http, url, DOCUMENT)
        assert first["facts"]["previous"] is None
        assert first["facts"]["unassigned_sites"] == 1
    async with serve(registry_file=registry) as url:  # what is known of it outlives the gateway
        message = await post(http, url, even(range(5), export_kw=60))
    assert message["transaction"]["warning_counts"] == {
        "site.count": 1,
        "limit.median": 1,
        "site.vanished": 5,
    }
    previous = message["facts"]["previous"]
    assert (previous["sites"], previous["vanished_sites"]) == (10, 5)
    assert (previous["superseded_limits"], previous["changed_limits"]) == (30, 30)


# --- misfortunes ---------------------------------------------------------------------------------


async def test_a_restart_takes_up_what_was_not_checked(
    http: aiohttp.ClientSession,
    serve: Serve,
    sender_settings: SenderSettings,
    monkeypatch: pytest.MonkeyPatch,
    blockchain: InMemoryChain,
) -> None:
    async def never(*_: Any) -> Any:
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(DocumentChecker, "check", never)
        async with serve() as url:
            message = await post(http, url, DOCUMENT, f"?registry={REGISTRY}")
    assert message["code"] == "received"
    waiting = sender_settings.data_dir / "waiting"
    (file,) = waiting.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (waiting / ("ab" * 32)).write_bytes(b"of no message")
    (waiting / "incoming-0").write_bytes(b"half")
    async with serve() as url:
        done = await message_of(http, url, message["messageId"])
        assert (done["code"], done["round"]) == ("accepted", 1)
    assert list(waiting.iterdir()) == []
    assert len(blockchain.rounds) == 1


async def test_a_message_whose_file_is_gone_is_forgotten(
    http: aiohttp.ClientSession,
    serve: Serve,
    sender_settings: SenderSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def never(*_: Any) -> Any:
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(DocumentChecker, "check", never)
        async with serve() as url:
            message = await post(http, url, DOCUMENT, "")
    (file,) = (sender_settings.data_dir / "waiting").iterdir()
    file.unlink()
    async with serve() as url:
        path = f"{url}/v1/messages/{message['messageId']}"
        async with http.get(path, headers=BEARER) as response:
            assert response.status == 404
        assert (await post(http, url, DOCUMENT))["code"] == "accepted"


@pytest.mark.parametrize("end", ["killed", "time"])
async def test_a_check_that_ends_early_rejects_and_names_the_reason(
    http: aiohttp.ClientSession, serve: Serve, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    limits = CheckSettings()
    if end == "time":
        limits = CheckSettings(timeout_s=0.01)
    if end == "killed":
        honest = engine.child_process

        @asynccontextmanager
        async def killed(*arguments: str) -> AsyncIterator[Any]:
            async with honest(*arguments) as child:
                os.kill(child.pid, signal.SIGKILL)
                yield child

        monkeypatch.setattr(checker, "child_process", killed)
    async with serve(check=limits) as url:
        message = await post(http, url, DOCUMENT)
        assert (message["code"], message["facts"]) == ("rejected", None)
        (fault,) = message["transaction"]["faults"]
        assert fault["code"] == "check.failed"
        named = {"killed": "SIGKILL", "time": "check.timeout_s"}
        assert named[end] in fault["message"]
        async with http.get(f"{url}/healthz") as response:
            assert response.status == 200


async def test_what_arrives_and_waits_is_bounded(
    http: aiohttp.ClientSession,
    serve: Serve,
    sender_settings: SenderSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def never(*_: Any) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(DocumentChecker, "check", never)
    limits = UploadSettings(max_waiting_bytes=2 * len(DOCUMENT) + 100)
    async with serve(uploads=limits, max_document_bytes=10 * len(DOCUMENT)) as url:
        path = f"{url}/v1/envelopes"
        for end in (b"", b" "):
            await post(http, url, DOCUMENT + end, "")
        async with http.post(path, data=DOCUMENT + b"  ", headers=BEARER) as response:
            assert (response.status, await reason_of(response)) == (503, "uploads.full")
            assert response.headers["Retry-After"]

        async def chunks() -> AsyncIterator[bytes]:
            for at in range(0, len(DOCUMENT), 1000):
                yield DOCUMENT[at : at + 1000]

        async with http.post(path, data=chunks(), headers=BEARER) as response:
            assert (response.status, await reason_of(response)) == (503, "uploads.full")
        async with http.post(path, data=chunks(), headers=BEARER) as response:
            assert response.status in {503, 507}
        async with http.post(path, data=DOCUMENT * 3, headers=BEARER) as response:
            assert (response.status, await reason_of(response)) == (507, "uploads.too_large")
    assert len(kept(sender_settings)["waiting"]) == 2
