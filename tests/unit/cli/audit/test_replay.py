"""``oepnode audit replay``: a round computed again from its inputs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oepnode.adapters.crypto.hpke import PrivateKey
from oepnode.adapters.storage import input_archive
from oepnode.demo.byzantine import lie
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds import replay
from oepnode.domain.rounds.computation import Inputs
from oepnode.domain.rounds.recipient_keys import KeyKind
from tests.support.round_world import (
    ADDRESSES,
    CONTEXT,
    ENVELOPE,
    REGISTRY,
    SALT,
    FakeReader,
)
from tests.unit.cli.conftest import Run


@pytest.fixture
def inputs(run: Run, tmp_path: Path) -> Path:
    assert run("audit", "keygen", "--out", "auditor.json").exit_code == 0
    public = bytes.fromhex(json.loads((tmp_path / "auditor.json").read_text())["publicKey"])
    message = input_archive.seal_inputs(public, CONTEXT, Inputs(ENVELOPE, REGISTRY, SALT, Feed()))
    (tmp_path / "round-3.sealed").write_bytes(b"".join(message))
    (tmp_path / "envelope.json").write_bytes(ENVELOPE)
    (tmp_path / "registry.json").write_bytes(REGISTRY)
    (tmp_path / "salt").write_text(SALT.hex() + "\n")
    (tmp_path / "salt").chmod(0o600)
    return tmp_path


ARCHIVE = ["--archive", "round-3.sealed", "--key", "auditor.json"]
FILES = ["--envelope", "envelope.json", "--registry", "registry.json", "--salt", "salt"]


@pytest.mark.parametrize("source", [ARCHIVE, FILES])
def test_replay_gives_the_chains_root(
    run: Run, reader: FakeReader, inputs: Path, source: list[str]
) -> None:
    result = run("audit", "replay", "3", *source)
    assert result.exit_code == 0, result.output
    assert "equal to the chain's final root" in result.stdout
    assert "3 of 5 members voted for it" in result.stdout
    value = json.loads(run("audit", "replay", "3", *source, "--json").stdout)
    assert (value["equal"], value["final_root"]) == (True, value["computed_root"])
    assert value["matched"] == [ADDRESSES[0], ADDRESSES[2], ADDRESSES[3]]
    assert value["sites"]["unassigned_nmis"] == 1
    assert SALT.hex() not in result.output
    assert "63050" not in result.output


def test_replay_that_gives_another_root(
    run: Run, reader: FakeReader, inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "compute", lie)
    result = run("audit", "replay", "3", *ARCHIVE, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["equal"] is False
    assert "these inputs give" in result.stderr


def test_replay_of_a_round_without_a_root(run: Run, reader: FakeReader, inputs: Path) -> None:
    result = run("audit", "replay", "1", *FILES)
    assert result.exit_code == 1
    assert "no final root" in result.stderr
    assert "these inputs give 0x" in result.stdout


def test_replay_with_other_inputs(run: Run, reader: FakeReader, inputs: Path) -> None:
    (inputs / "envelope.json").write_bytes(ENVELOPE + b"\n")
    result = run("audit", "replay", "3", *FILES)
    assert (result.exit_code, "envelope document: expected SHA-256" in result.stderr) == (1, True)
    (inputs / "envelope.json").write_bytes(ENVELOPE)
    (inputs / "salt").write_text("00" * 32)
    result = run("audit", "replay", "3", *FILES)
    assert (result.exit_code, "snapshot salt" in result.stderr) == (1, True)
    assert run("audit", "replay", "3", *FILES, "--import-sign", "magnitude").exit_code == 1


def test_replay_checks_custody_roots_on_request(run: Run, reader: FakeReader, inputs: Path) -> None:
    result = run("audit", "replay", "3", *ARCHIVE, "--custody")
    assert result.exit_code == 1
    assert f"custody root of {ADDRESSES[0]}: matches" in result.stdout
    assert f"custody root of {ADDRESSES[1]}: differs" in result.stdout
    assert f"custody root of {ADDRESSES[4]}: none, it abstained" in result.stdout
    assert "differs from that of these inputs" in result.stderr
    value = json.loads(run("audit", "replay", "3", *ARCHIVE, "--custody", "--json").stdout)
    assert (value["equal"], value["custody"][1]["standing"]) == (True, "differs")
    without = run("audit", "replay", "3", *ARCHIVE, "--json")
    assert (without.exit_code, json.loads(without.stdout)["custody"]) == (0, None)


def test_replay_with_a_foreign_key(run: Run, reader: FakeReader, inputs: Path) -> None:
    assert run("audit", "keygen", "--out", "other.json", "--json").exit_code == 0
    result = run("audit", "replay", "3", *ARCHIVE[:3], "other.json")
    assert (result.exit_code, "does not open" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ARCHIVE[:2],
        ARCHIVE[2:],
        FILES[:4],
        [*ARCHIVE, *FILES],
        [*FILES, "--profile", "other"],
        [*FILES[:5], "envelope.json"],
        [*ARCHIVE[:1], "none", *ARCHIVE[2:]],
    ],
)
def test_replay_rejects_contradictory_options(
    run: Run, reader: FakeReader, inputs: Path, words: list[str]
) -> None:
    (inputs / "envelope.json").chmod(0o600)
    assert run("audit", "replay", "3", *words).exit_code == 2


def test_the_key_is_a_pair(run: Run, inputs: Path) -> None:
    value = json.loads((inputs / "auditor.json").read_text())
    assert list(value) == ["kind", "publicKey", "privateKey"]
    private = PrivateKey(KeyKind(value["kind"]), bytes.fromhex(value["privateKey"]))
    assert private.public_key.hex() == value["publicKey"]
