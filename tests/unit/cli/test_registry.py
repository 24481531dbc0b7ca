"""``oepnode registry publish`` as a user types it."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run


def test_a_snapshot_is_published(run: Run, small_sample: Path, tmp_path: Path) -> None:
    words = ["--salt-file", str(small_sample / "salt"), "--data-dir", str(tmp_path / "data")]
    done = run("registry", "publish", str(small_sample / "registry.json"), *words, "--json")
    assert done.exit_code == 0, done.output
    digest = json.loads(done.stdout)["digest"]
    assert digest == json.loads((small_sample / "sample.json").read_text())["registry_digest"]
    assert (tmp_path / "data" / "snapshots" / digest).read_bytes() == (
        small_sample / "registry.json"
    ).read_bytes()
    report = json.loads(done.stdout)
    assert datetime.fromisoformat(report["as_of"]).utcoffset() == timedelta(hours=10)
    assert report["size_bytes"] == (small_sample / "registry.json").stat().st_size
    again = run("registry", "publish", str(small_sample / "registry.json"), *words)
    assert again.exit_code == 0
    assert digest in again.output


@pytest.mark.parametrize(
    ("salt", "code"), [("00" * 32, 1), ("xyz", 2), ("", 2)], ids=["another", "no hex", "empty"]
)
def test_a_wrong_salt_is_rejected_and_not_repeated(
    run: Run, small_sample: Path, tmp_path: Path, salt: str, code: int
) -> None:
    file = tmp_path / "salt"
    file.write_text(salt)
    file.chmod(0o600)
    words = ["--salt-file", str(file), "--data-dir", str(tmp_path / "data")]
    done = run("registry", "publish", str(small_sample / "registry.json"), *words)
    assert done.exit_code == code
    assert not salt or salt not in done.output
    assert list(tmp_path.glob("data/snapshots/*")) == []


def test_a_faulty_snapshot_ends_with_1_and_its_faults(
    run: Run, small_sample: Path, tmp_path: Path
) -> None:
    snapshot = tmp_path / "registry.json"
    snapshot.write_bytes(
        (small_sample / "registry.json").read_bytes().replace(b'"asOf"', b'"asof"')
    )
    words = ["--salt-file", str(small_sample / "salt"), "--data-dir", str(tmp_path / "data")]
    done = run("registry", "publish", str(snapshot), *words)
    assert done.exit_code == 1
    assert "registry.json: registry snapshot rejected:" in done.output
    assert "$.asOf" in done.output
