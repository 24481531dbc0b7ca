"""An outsider reads versions and smuggles headers; another account of the machine reads files.

Before: ``Server:`` named Python and aiohttp with their versions, for a look-up of known flaws. A
second ``Content-Encoding`` header passed, since only the first was looked at. Data folders were
0755, so that every account of the machine could list and, with one careless umask, read them.

Now: responses say ``Server: oepnode``; a header that must stand once and stands twice is rejected
(`oepnode.adapters.http.server.protocol`). Data folders and files are made for their owner only, and
those that are open to others are closed at start (`oepnode.adapters.storage.digest_files`).

What remains: root, and whoever has the service's own account, reads everything.

Checked by hand besides: with ``setdefault("Server", …)`` taken out, the first test fails.
"""

import asyncio
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from yarl import URL

from oepnode.adapters.clock import SystemClock
from oepnode.adapters.http.server import protocol
from oepnode.adapters.http.server.serving import listening
from oepnode.adapters.storage import digest_files, sqlite_index
from oepnode.adapters.storage.evidence import EvidenceFiles
from oepnode.config import HttpSettings
from oepnode.domain.rounds.ballot import Vote
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.signed_ballots import Relayed, SignedBallot
from oepnode.errors import ConfigError
from oepnode.services.registry import app as registry
from oepnode.services.registry.store import RegistryStore
from oepnode.services.sender.store import EnvelopeStore
from tests.attacks.support import target
from tests.attacks.support.under_attack import ASK, service
from tests.support.fake_chain import FakeChain
from tests.support.stored_documents import put_file

SERVICES = ["registry", "sender", "relay"]


async def raw(url: str, request: bytes) -> bytes:
    """Everything that comes back for these bytes."""
    parts = URL(url)
    reader, writer = await asyncio.open_connection(parts.host, parts.port)
    writer.write(request)
    try:
        async with asyncio.timeout(10):
            return await reader.read(10_000)
    finally:
        writer.close()


@pytest.fixture
def careless_umask() -> Iterator[None]:
    """The umask of a process that makes everything readable by all."""
    before = os.umask(0)
    yield
    os.umask(before)


def open_to_others(folder: Path) -> list[str]:
    """Files and folders that others than their owner may use."""
    return [
        f"{path.relative_to(folder.parent)} {stat.S_IMODE(path.stat().st_mode):04o}"
        for path in [folder, *folder.rglob("*")]
        if stat.S_IMODE(path.stat().st_mode) & 0o077
    ]


@pytest.mark.parametrize("name", SERVICES)
async def test_no_version_and_no_header_twice(name: str, tmp_path: Path) -> None:
    path = {"registry": "/v1/requests", "sender": "/v1/rounds", "relay": "/v1/ballots"}[name]
    twice = "Content-Encoding: identity\r\nContent-Encoding: gzip\r\n"
    with service(name, tmp_path) as url:
        requests = [
            "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n",
            "BREW /pot COFFEE\r\n\r\n",
            f"POST {path} HTTP/1.1\r\nHost: x\r\n{twice}Content-Length: 0\r\n\r\n",
        ]
        answers = [await raw(url, request.encode()) for request in requests]
    assert [answer.split()[1] for answer in answers] == [b"200", b"404", b"400", b"400"]
    for answer in answers:
        assert b"\r\nServer: oepnode\r\n" in answer
        assert b"aiohttp" not in answer and b"Python" not in answer
    assert b'"header.repeated"' in answers[-1]


async def test_without_the_check_the_second_header_is_not_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "_STAND_ONCE", ())
    settings = target.registry_settings(tmp_path, ("0x" + target.OPERATOR.hex(),))
    app = registry.application(settings, FakeChain(target.blockchain()), SystemClock())
    twice = "Host: x\r\nContent-Encoding: identity\r\nContent-Encoding: gzip\r\n"
    async with listening(app, HttpSettings()) as url:
        answer = await raw(
            url, f"GET /healthz HTTP/1.1\r\n{twice}Connection: close\r\n\r\n".encode()
        )
    assert answer.split()[1] == b"200"


@pytest.mark.usefixtures("careless_umask")
@pytest.mark.parametrize("name", SERVICES)
async def test_what_a_service_writes_is_its_owners_only(name: str, tmp_path: Path) -> None:
    with service(name, tmp_path) as url:
        await ASK[name](url)
        data = tmp_path / name
        assert any(path.is_file() for path in data.rglob("*")) or name == "relay"
        assert open_to_others(data) == []


@pytest.mark.usefixtures("careless_umask")
def test_evidence_is_its_owners_only(tmp_path: Path) -> None:
    context = RoundContext(1, b"\xc0" * 20, 1)
    votes = [Vote(bytes([n]) * 32, b"\x03" * 32) for n in (1, 2)]
    pair = [Relayed(context, SignedBallot.of(vote, 1, 1, 0)) for vote in votes]
    EvidenceFiles(tmp_path / "evidence").keep(*pair)
    assert list((tmp_path / "evidence").iterdir())
    assert open_to_others(tmp_path / "evidence") == []


@pytest.mark.parametrize("store", [RegistryStore, EnvelopeStore])
def test_what_was_open_to_others_is_closed_at_start(
    store: type[RegistryStore] | type[EnvelopeStore], tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    if store is RegistryStore:
        target.registry_settings(folder, ("0x" + "71" * 20,))
    else:
        folder.mkdir()
        put_file(EnvelopeStore(folder), folder, target.DOCUMENT)
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert len(open_to_others(folder)) > 3
    store(folder).close()
    assert open_to_others(folder) == []


def test_without_closing_at_start_it_stays_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (digest_files, sqlite_index):
        monkeypatch.setattr(module, "close_to_others", lambda *_: None)
    folder = tmp_path / "data"
    target.registry_settings(folder, ("0x" + "71" * 20,))
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    RegistryStore(folder).close()
    assert len(open_to_others(folder)) > 3


def test_a_folder_of_another_owner_is_an_error_that_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)

    def chmod(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", chmod)
    with pytest.raises(ConfigError, match=f"mode 0755.*its owner runs: chmod 700 {folder}"):
        RegistryStore(folder)
