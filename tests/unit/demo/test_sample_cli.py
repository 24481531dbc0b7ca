"""``oepnode sample`` and ``oepnode registry publish`` as a user types them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from oepnode.cli.main import app


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    out = tmp_path / "sample"
    done = run("sample", "--out", str(out), "--nmis", "30", "--intervals", "6")
    assert done.exit_code == 0, done.output
    return out


def test_a_sample_is_described_as_json(tmp_path: Path) -> None:
    options = ["--nmis", "30", "--intervals", "6", "--format", "ndjson", "--date", "2026-01-31"]
    done = run("sample", "--out", str(tmp_path / "s"), *options, "--json")
    assert done.exit_code == 0
    printed = json.loads(done.stdout)
    assert printed == json.loads((tmp_path / "s" / "sample.json").read_text())
    assert (printed["nmis"], printed["intervals"], printed["aggregators"]) == (30, 6, 3)
    assert (printed["envelope_file"], printed["trading_date"]) == ("envelope.ndjson", "2026-01-31")


@pytest.mark.parametrize(
    "options", [["--nmis", "3"], ["--date", "31.1.2026"], ["--flex", "2"], ["--format", "xml"]]
)
def test_a_wrong_option_ends_with_2_and_writes_nothing(tmp_path: Path, options: list[str]) -> None:
    done = run("sample", "--out", str(tmp_path / "s"), *options)
    assert done.exit_code == 2
    assert options[0] in done.output
    assert not (tmp_path / "s").exists()


def test_a_second_sample_in_one_folder_ends_with_2(sample: Path) -> None:
    done = run("sample", "--out", str(sample))
    assert done.exit_code == 2
    assert "not empty" in done.output


def test_a_snapshot_is_published(sample: Path, tmp_path: Path) -> None:
    words = ["--salt-file", str(sample / "salt"), "--data-dir", str(tmp_path / "data")]
    done = run("registry", "publish", str(sample / "registry.json"), *words, "--json")
    assert done.exit_code == 0, done.output
    digest = json.loads(done.stdout)["digest"]
    assert digest == json.loads((sample / "sample.json").read_text())["registry_digest"]
    assert (tmp_path / "data" / "snapshots" / digest).read_bytes() == (
        sample / "registry.json"
    ).read_bytes()
    again = run("registry", "publish", str(sample / "registry.json"), *words)
    assert again.exit_code == 0
    assert digest in again.output


@pytest.mark.parametrize(
    ("salt", "code"), [("00" * 32, 1), ("xyz", 2), ("", 2)], ids=["another", "no hex", "empty"]
)
def test_a_wrong_salt_is_rejected_and_not_repeated(
    sample: Path, tmp_path: Path, salt: str, code: int
) -> None:
    file = tmp_path / "salt"
    file.write_text(salt)
    file.chmod(0o600)
    words = ["--salt-file", str(file), "--data-dir", str(tmp_path / "data")]
    done = run("registry", "publish", str(sample / "registry.json"), *words)
    assert done.exit_code == code
    assert not salt or salt not in done.output
    assert list(tmp_path.glob("data/snapshots/*")) == []


def test_a_faulty_snapshot_ends_with_1_and_its_faults(sample: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "registry.json"
    snapshot.write_bytes((sample / "registry.json").read_bytes().replace(b'"asOf"', b'"asof"'))
    words = ["--salt-file", str(sample / "salt"), "--data-dir", str(tmp_path / "data")]
    done = run("registry", "publish", str(snapshot), *words)
    assert done.exit_code == 1
    assert "$.asOf" in done.output
