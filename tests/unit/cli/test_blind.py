"""The commands of blind mode as a user types them."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import polars as pl
import pytest

from oepnode import wiring
from tests.support.blind_world import (
    DIGEST,
    KEY,
    LISTS,
    TOKENS,
    BlindReader,
    sealed_list,
    write_blind_folder,
)
from tests.support.round_world import CONTRACT, HELD, MOVING
from tests.unit.cli.conftest import Run

OWN = sorted([*HELD["A1"], MOVING])


@pytest.fixture
def blind_folder(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A blind round on chain; key files, bundles and token lists in the current folder."""
    monkeypatch.setattr(wiring, "chain_reader", BlindReader().connect)
    monkeypatch.setenv("OEPNODE_RPC", "https://node.test")
    monkeypatch.setenv("OEPNODE_CONTRACT", "0x" + CONTRACT.hex())
    write_blind_folder(tmp_path)
    (tmp_path / "nmis.txt").write_text("\n".join(OWN))
    return tmp_path


def test_blinding_and_publishing(run: Run, small_sample: Path, tmp_path: Path) -> None:
    words = ["--new-key", "blinding.key", "--out", "blinded"]
    done = run("registry", "blind", str(small_sample / "registry.json"), *words, "--json")
    assert done.exit_code == 0, done.output
    blinded = json.loads(done.stdout)
    secret = (tmp_path / "blinding.key").read_text().strip()
    assert len(secret) == 64
    assert secret not in done.output
    assert stat.S_IMODE((tmp_path / "blinding.key").stat().st_mode) == 0o600
    words = ["--salt-file", str(small_sample / "salt"), "--data-dir", "data"]
    done = run("registry", "publish", blinded["file"], *words, "--tokens", "blinded/tokens")
    assert done.exit_code == 0, done.output
    assert blinded["digest"] in done.output
    words = ["--key", "blinding.key", "--out", "blinded.json"]
    done = run("sender", "blind", str(small_sample / "envelope.json"), *words)
    assert done.exit_code == 0, done.output
    assert run("envelope", "validate", "blinded.json").exit_code == 0
    again = run("sender", "blind", "blinded.json", *words[:2], "--out", "twice.json")
    assert again.exit_code == 2
    assert "tokens already" in again.stderr
    words = ["--key", "blinding.key", "--out", "2"]
    done = run("registry", "blind", str(small_sample / "registry.json"), *words)
    assert done.exit_code == 0, done.output
    assert "readable by you only" in done.output


def test_a_blind_bundle_is_verified_and_written_with_nmis(run: Run, blind_folder: Path) -> None:
    words = ["A1.oepb", "--key", "A1.json", "--tokens", "A1.tokens", "--portfolio", "nmis.txt"]
    done = run("aggregator", "verify", *words, "--format", "parquet", "--out", "limits.parquet")
    assert done.exit_code == 0, done.output
    frame = pl.read_parquet(blind_folder / "limits.parquet")
    assert sorted(set(frame["nmi"])) == OWN
    done = run("aggregator", "verify", "A1.oepb", "--key", "A1.json", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["unknown_tokens"] == 5
    assert "the round is blind" in done.stderr


def test_what_is_missing_is_named(run: Run, blind_folder: Path) -> None:
    own = ["A1.oepb", "--key", "A1.json"]
    done = run("aggregator", "verify", *own, "--portfolio", "nmis.txt")
    assert done.exit_code == 2
    assert "--tokens" in done.stderr
    done = run("aggregator", "verify", *own, "--tokens", "A2.tokens")
    assert done.exit_code == 1
    assert "check aggregator failed: the list is another aggregator's" in done.stderr
    done = run("envelope", "show", *own)
    assert done.exit_code == 2
    assert "'aggregator tokens' gets the list" in done.stderr
    done = run("envelope", "show", *own, "--tokens", "A1.tokens", "--json")
    assert done.exit_code == 0, done.output
    assert sorted({site["nmi"] for site in json.loads(done.stdout)["sites"]}) == OWN


def test_a_token_list_is_opened(run: Run, blind_folder: Path) -> None:
    (blind_folder / "sealed").write_bytes(sealed_list(LISTS["A1"]))
    words = ["aggregator", "tokens", "sealed", "--key", "A1.json", "--out"]
    for number, named in enumerate((["--snapshot", DIGEST.hex()], ["--round", "3"])):
        done = run(*words, f"{number}.tokens", *named)
        assert done.exit_code == 0, done.output
        assert "5 NMIs with their tokens" in done.output
        opened = (blind_folder / f"{number}.tokens").read_bytes()
        assert opened == (blind_folder / "A1.tokens").read_bytes()
    assert run(*words, "x.tokens").exit_code == 2
    done = run(*words, "x.tokens", "--snapshot", "00" * 32, "--json")
    assert done.exit_code == 1
    assert "check opening failed" in json.loads(done.stdout)["error"]["message"]
    assert KEY.hex() not in done.output


def test_a_proof_of_a_site_of_a_blind_round(run: Run, blind_folder: Path) -> None:
    words = [OWN[0], "--bundle", "A1.oepb", "--key", "A1.json", "--tokens", "A1.tokens"]
    done = run("aggregator", "site-proof", *words, "--out", "proof.json")
    assert done.exit_code == 0, done.output
    done = run("aggregator", "verify-site", "proof.json", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["nmi"] == TOKENS[OWN[0]]
