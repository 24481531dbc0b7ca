from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from oepnode import wiring
from oepnode.adapters.http import bundles
from oepnode.cli.main import app
from tests.support.round_world import CONTRACT, FakeReader, Workers, write_folder

Run = Callable[..., Result]


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> FakeReader:
    fake = FakeReader()
    monkeypatch.setattr(wiring, "chain_reader", fake.connect)
    monkeypatch.setenv("OEPNODE_RPC", "https://node.test")
    monkeypatch.setenv("OEPNODE_CONTRACT", "0x" + CONTRACT.hex())
    return fake


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Workers:
    fake = Workers()
    monkeypatch.setattr(bundles, "fetch", fake.fetch)
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
    write_folder(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("edge") / "s"
    words = ["--nmis", "24", "--unassigned", "2", "--edge", "--breaches", "0.02", "--flex", "0.25"]
    done = CliRunner().invoke(app, ["sample", "--out", str(out), *words])
    assert done.exit_code == 0, done.output
    return out


@pytest.fixture
def small_sample(run: Run, tmp_path: Path) -> Path:
    """Sample data of 30 NMIs and six intervals."""
    out = tmp_path / "sample"
    done = run("sample", "--out", str(out), "--nmis", "30", "--intervals", "6")
    assert done.exit_code == 0, done.output
    return out
