from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from oepnode import wiring
from oepnode.adapters.http import bundles as http_bundles
from oepnode.adapters.http.client import RequestRejected
from oepnode.cli.main import app
from oepnode.domain.rounds import bundle
from oepnode.errors import TransportError
from tests.support.round_world import CONTEXT, CONTRACT, IDS, PRIVATE, PUBLIC, FakeReader, sealed

Run = Callable[..., Result]


class Workers:
    """What each worker's URL serves; an exception is raised."""

    def __init__(self) -> None:
        self.served: dict[str, bytes | Exception] = {}
        self.asked: list[str] = []

    async def fetch(self, endpoint: str, number: int, name: str, timeout_s: float = 1) -> bytes:
        self.asked.append(endpoint)
        names = {bundle.bundle_name(CONTEXT, PUBLIC[who]): who for who in IDS}
        served = self.served.get(endpoint, TransportError(f"{endpoint}: no answer"))
        if isinstance(served, Exception):
            raise served
        if number != CONTEXT.number or name not in names:
            raise RequestRejected("sealed bundle", 404, "not_found", "no such bundle")
        return served


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> FakeReader:
    fake = FakeReader()
    monkeypatch.setattr(wiring, "chain_reader", fake.connect)
    monkeypatch.setenv("OEPNODE_RPC", "http://node.test")
    monkeypatch.setenv("OEPNODE_CONTRACT", "0x" + CONTRACT.hex())
    return fake


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Workers:
    fake = Workers()
    monkeypatch.setattr(http_bundles, "fetch", fake.fetch)
    return fake


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def invoke(*words: str) -> Result:
        result = CliRunner().invoke(app, list(words))
        assert "Traceback" not in result.output
        return result

    return invoke


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with key files and fetched bundles of all three aggregators."""
    for name in IDS:
        key = tmp_path / f"{name}.json"
        pair = {"publicKey": PUBLIC[name].hex(), "privateKey": PRIVATE[name].hex()}
        key.write_text(json.dumps({"aggregator": name} | pair))
        key.chmod(0o600)
        (tmp_path / f"{name}.oepb").write_bytes(bundle.pack_file(CONTEXT, sealed(name)))
    return tmp_path
