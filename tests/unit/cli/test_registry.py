"""``oepnode registry`` as a user types it: prepare, sign, publish, status."""

import json
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from oepnode.domain.rounds.onchain import Member
from oepnode.domain.rounds.signed_requests import RegistryRequest
from oepnode.services.registry.store import RegistryStore
from tests.support.round_world import MEMBERS, FakeReader
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


def published(run: Run, *words: str) -> dict[str, Any]:
    done = run("registry", "publish", *words, "--json")
    assert done.exit_code == 0, done.output
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def bare(sample: Path, tmp_path: Path, **changes: Any) -> Path:
    """The sample's snapshot without its nonce."""
    value = json.loads((sample / "registry.json").read_bytes()) | changes
    del value["nonce"]
    path = tmp_path / "bare.json"
    path.write_text(json.dumps(value))
    return path


def test_a_snapshot_without_a_nonce_gets_one_once(
    run: Run, small_sample: Path, tmp_path: Path
) -> None:
    snapshot, data = bare(small_sample, tmp_path), tmp_path / "data"
    words = (str(snapshot), "--salt-file", str(small_sample / "salt"), "--data-dir", str(data))
    first = published(run, *words)
    stored = json.loads((data / "snapshots" / first["digest"]).read_bytes())
    nonce = stored.pop("nonce")
    assert len(nonce) == 64
    assert stored == json.loads(snapshot.read_bytes())
    assert published(run, *words) == first
    other = tmp_path / "data-2"
    again = published(run, *words[:-1], str(other))
    assert json.loads((other / "snapshots" / again["digest"]).read_bytes())["nonce"] != nonce


def test_a_new_salt_is_made_on_request(run: Run, small_sample: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    words = (str(small_sample / "registry.json"), "--data-dir", str(data), "--new-salt")
    first, second = published(run, *words), published(run, *words)
    assert first["salt_digest"] != second["salt_digest"]
    for report in (first, second):
        salt = (data / "salts" / report["salt_digest"]).read_bytes()
        assert sha256(salt).hexdigest() == report["salt_digest"]
        snapshot = json.loads((data / "snapshots" / report["digest"]).read_bytes())
        assert snapshot["saltDigest"] == report["salt_digest"]


@pytest.mark.parametrize("words", [(), ("--new-salt", "--salt-file", "salt")])
def test_the_salt_is_named_or_made(
    run: Run, small_sample: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    done = run(
        "registry",
        "publish",
        str(small_sample / "registry.json"),
        "--data-dir",
        str(tmp_path / "data"),
        *words,
    )
    assert done.exit_code == 2
    assert "--salt-file or --new-salt" in done.output


def test_a_signed_snapshot_is_prepared_signed_and_published_as_it_is(
    run: Run, small_sample: Path, tmp_path: Path
) -> None:
    key, ready, salt = tmp_path / "key", tmp_path / "ready.json", tmp_path / "salt"
    made = json.loads(run("registry", "keygen", "--out", str(key), "--json").stdout)
    prepare = ("registry", "prepare", str(small_sample / "registry.json"), "--out", str(ready))
    done = run(*prepare, "--salt-file", str(salt), "--new-salt", "--json")
    assert done.exit_code == 0, done.output
    assert salt.stat().st_mode & 0o777 == 0o600
    signed = run("registry", "sign", str(ready), "--key", str(key), "--sequence", "7", "--json")
    assert signed.exit_code == 0, signed.output
    report = json.loads(signed.stdout)
    assert (report["sequence"], report["public_key"]) == (7, made["public_key"])
    assert report["digest"] == json.loads(done.stdout)["digest"]
    words = (str(ready), "--salt-file", str(salt), "--data-dir", str(tmp_path / "data"))
    unsigned = run("registry", "publish", *words, "--snapshot-key", made["public_key"])
    assert (unsigned.exit_code, "signature.missing" in unsigned.output) == (1, True)
    other = run(
        "registry", "publish", *words, "--signature", report["file"], "--snapshot-key", "00" * 32
    )
    assert (other.exit_code, "signature.invalid" in other.output) == (1, True)
    assert not list(tmp_path.glob("data/snapshots/*"))
    signed_words = ("--signature", report["file"], "--snapshot-key", made["public_key"])
    assert published(run, *words, *signed_words)["digest"] == report["digest"]


def test_a_signed_snapshot_needs_a_nonce(run: Run, small_sample: Path, tmp_path: Path) -> None:
    key, snapshot = tmp_path / "key", bare(small_sample, tmp_path)
    run("registry", "keygen", "--out", str(key))
    file = json.loads(run("registry", "sign", str(snapshot), "--key", str(key), "--json").stdout)[
        "file"
    ]
    words = (str(snapshot), "--salt-file", str(small_sample / "salt"), "--signature", file)
    done = run("registry", "publish", *words, "--data-dir", str(tmp_path / "data"))
    assert (done.exit_code, "nonce" in done.output) == (2, True)


def test_the_status_needs_a_data_folder(run: Run, reader: FakeReader, tmp_path: Path) -> None:
    done = run("registry", "status", "--data-dir", str(tmp_path / "none"))
    assert (done.exit_code, "data folder" in done.output) == (2, True)


def test_the_status_names_former_workers_that_know_the_salt(
    run: Run, reader: FakeReader, small_sample: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    words = (str(small_sample / "registry.json"), "--salt-file", str(small_sample / "salt"))
    digest = published(run, *words, "--data-dir", str(data))["digest"]
    former = Member(9, b"\x99" * 20, b"\x98" * 20)
    store = RegistryStore(data)
    for index, member in enumerate((MEMBERS[0], former)):
        request = RegistryRequest(
            "salt", 3, bytes.fromhex(digest), bytes(32), bytes(20), bytes([index]) * 32, 1
        )
        assert store.access_log.note(request, member, 5.0, 240)
    store.close()
    done = run("registry", "status", "--data-dir", str(data), "--json")
    assert done.exit_code == 1
    report = json.loads(done.stdout)
    assert (report["snapshots"], report["digest"]) == (1, digest)
    assert report["readers"] == ["0x" + "99" * 20, "0x" + MEMBERS[0].operator.hex()]
    assert report["former_workers"] == ["0x" + "99" * 20]
    published(run, *words[:1], "--new-salt", "--data-dir", str(data))
    done = run("registry", "status", "--data-dir", str(data))
    assert done.exit_code == 0, done.output
