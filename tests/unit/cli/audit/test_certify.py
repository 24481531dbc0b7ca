"""``oepnode audit certify`` and ``verify-certificate``, and options of other commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oepnode import wiring
from oepnode.domain.rounds.ballot import Result
from tests.support.certificates import (
    KNOWN,
    OPERATORS,
    QUORUM,
    Reader,
    certificate,
    direct,
    operators_file,
    write_certificate,
)
from tests.support.round_world import ADDRESSES, CHAIN_ID, RESULT
from tests.unit.cli.conftest import Run

FILE = "round-3.certificate.json"
OF_ROUND = ["--contract", KNOWN.contract, "--chain-id", str(CHAIN_ID)]
WORDS = ["--operators", "operators.txt", "--quorum", str(QUORUM), *OF_ROUND]
REPEATED = [word for pair in OPERATORS for word in ("--operator", pair)]
FORGED = Result(b"\xbb" * 32, RESULT.partition_count)


@pytest.fixture
def chain(monkeypatch: pytest.MonkeyPatch) -> Reader:
    fake = Reader()
    monkeypatch.setattr(wiring, "chain_reader", fake.connect)
    monkeypatch.setenv("OEPNODE_RPC", "https://node.test")
    monkeypatch.setenv("OEPNODE_CONTRACT", KNOWN.contract)
    return fake


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A certificate and a list of operators; whoever reads a chain fails."""
    monkeypatch.setattr(wiring, "chain_reader", None)
    operators_file(tmp_path)
    return write_certificate(tmp_path)


def test_certify_writes_what_verifies(run: Run, chain: Reader, tmp_path: Path) -> None:
    result = run("audit", "certify", "3")
    assert result.exit_code == 0, result.output
    assert f"3 of 5 members signed for 0x{RESULT.root.hex()}" in " ".join(result.stdout.split())
    assert [line for line in result.stdout.splitlines() if "=" in line] == [
        f"{index}:{pair}" for index, pair in enumerate(OPERATORS)
    ]
    operators_file(tmp_path)
    assert run("audit", "verify-certificate", FILE, *WORDS).exit_code == 0
    value = json.loads(run("audit", "certify", "3", "--out", "c.json", "--json").stdout)
    assert (value["file"], value["report"]["direct"]) == ("c.json", 3)
    assert (tmp_path / "c.json").read_bytes() == (tmp_path / FILE).read_bytes()


def test_certify_without_enough_evidence_writes_nothing(
    run: Run, chain: Reader, tmp_path: Path
) -> None:
    chain.without = frozenset({0})
    result = run("audit", "certify", "3")
    assert (result.exit_code, "certificate.quorum" in result.stderr) == (1, True)
    assert list(tmp_path.iterdir()) == []
    missing = run("audit", "certify", "9")
    assert (missing.exit_code, "there is no round 9" in missing.stderr) == (2, True)


def test_verify_certificate_needs_no_chain(run: Run, offline: Path) -> None:
    result = run("audit", "verify-certificate", FILE, *WORDS)
    assert result.exit_code == 0, result.output
    assert "verified: round 3: 3 of 5 members signed for" in result.stdout
    assert all(address in result.stdout for address in ADDRESSES[:3])
    assert "whether their votes were included" in " ".join(result.stderr.split())
    words = [*REPEATED, "--quorum", "3", "--round", "3", *OF_ROUND]
    value = json.loads(run("audit", "verify-certificate", FILE, *words, "--json").stdout)
    assert value["root"] == "0x" + RESULT.root.hex()
    assert value["matched"] == ADDRESSES[:3]


def test_a_certificate_that_fails_exits_with_1(run: Run, offline: Path) -> None:
    result = run("audit", "verify-certificate", FILE, *WORDS, "--round", "4")
    assert (result.exit_code, "certificate.other_round" in result.stderr) == (1, True)
    result = run("audit", "verify-certificate", FILE, *WORDS, "--quorum", "4", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["kind"] == "evidence"
    assert "certificate.other_quorum" in json.loads(result.stdout)["error"]["message"]


@pytest.mark.parametrize(
    "words",
    [
        [*OF_ROUND],
        ["--quorum", "3", *OF_ROUND],
        ["--operators", "operators.txt", *OF_ROUND],
        ["--operators", "operators.txt", "--quorum", "3", *OF_ROUND[:2]],
        ["--operators", "operators.txt", "--quorum", "3", *OF_ROUND[2:]],
    ],
)
def test_what_the_verifier_must_know_is_asked_for(
    run: Run, offline: Path, words: list[str]
) -> None:
    result = run("audit", "verify-certificate", FILE, *words)
    assert result.exit_code == 2
    assert "--operator or --operators, --quorum, --contract and --chain-id" in result.stderr


# --- aggregators ---------------------------------------------------------------------------------


def test_an_aggregator_verifies_offline(run: Run, offline: Path, folder: Path) -> None:
    words = ["A1.oepb", "--key", "A1.json", "--certificate", FILE, *WORDS]
    result = run("aggregator", "verify", *words)
    assert result.exit_code == 0, result.output
    assert "verified: round 3, aggregator A1" in result.stdout
    assert f"from certificate {FILE}, signed by 3 of 5 members" in " ".join(result.stdout.split())


def test_a_bundle_of_another_root_is_rejected(run: Run, offline: Path, folder: Path) -> None:
    made = certificate(*(direct(i, result=FORGED) for i in range(3)), result=FORGED)
    write_certificate(folder, made)
    words = ["A1.oepb", "--key", "A1.json", "--certificate", FILE, *WORDS]
    result = run("aggregator", "verify", *words)
    assert (result.exit_code, "failed" in result.stderr) == (1, True)


def test_a_third_party_verifies_a_site_offline(
    run: Run, chain: Reader, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nmi = ["6305000001", "--bundle", "A1.oepb", "--key", "A1.json", "--out", "proof.json"]
    assert run("aggregator", "site-proof", *nmi).exit_code == 0
    monkeypatch.setattr(wiring, "chain_reader", None)
    operators_file(folder)
    write_certificate(folder)
    words = ["proof.json", "--certificate", FILE, *WORDS]
    result = run("aggregator", "verify-site", *words)
    assert result.exit_code == 0, result.output
    assert "is in round 3 with these limits" in result.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--certificate", FILE, "--round-state", "r.json", *WORDS], "either --certificate or"),
        (["--operator", OPERATORS[0]], "are for --certificate"),
        (["--quorum", "3"], "are for --certificate"),
        (["--certificate", FILE, *OF_ROUND], "operators, signers and a quorum that you know"),
    ],
)
@pytest.mark.parametrize("command", ["verify", "verify-site"])
def test_options_that_contradict_each_other(
    run: Run, offline: Path, folder: Path, command: str, words: list[str], message: str
) -> None:
    own = ["A1.oepb", "--key", "A1.json"] if command == "verify" else ["proof.json"]
    result = run("aggregator", command, *own, *words)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
