from __future__ import annotations

from pathlib import Path

import pytest

from oepnode import wiring
from oepnode.adapters.http import bundles
from oepnode.client import ChainTarget, RoundSelector
from tests.support.round_world import CONTRACT, FakeReader, Workers, write_folder, write_inputs


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> FakeReader:
    fake = FakeReader()
    monkeypatch.setattr(wiring, "chain_reader", fake.connect)
    return fake


@pytest.fixture
def chain(reader: FakeReader) -> ChainTarget:
    return ChainTarget("https://node.test", "0x" + CONTRACT.hex())


@pytest.fixture
def selector(chain: ChainTarget) -> RoundSelector:
    return RoundSelector(chain)


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Workers:
    fake = Workers()
    monkeypatch.setattr(bundles, "fetch", fake.fetch)
    return fake


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Key files, bundles of all three aggregators, and the round's inputs."""
    write_folder(tmp_path)
    write_inputs(tmp_path)
    return tmp_path
