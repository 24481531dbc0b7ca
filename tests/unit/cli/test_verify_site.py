from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from oepnode.domain.rounds import site_proof
from oepnode.domain.rounds.onchain import Phase
from oepnode.domain.rounds.pseudonyms import site_key
from tests.support.round_world import COUNT, FLEX, RESULT, FakeReader, state, verified
from tests.unit.cli.conftest import Run

NMI = "6305000001"


@pytest.fixture
def proof(run: Run, reader: FakeReader, folder: Path) -> Path:
    words = ["--bundle", "A1.oepb", "--key", "A1.json", "--out", "proof.json"]
    result = run("aggregator", "site-proof", NMI, *words)
    assert result.exit_code == 0, result.output
    assert "without the site's key" in result.stdout
    return folder / "proof.json"


def test_a_proof_verifies_without_any_key(run: Run, proof: Path) -> None:
    result = run("aggregator", "verify-site", "proof.json")
    assert result.exit_code == 0, result.output
    assert f"a site that its aggregator says is NMI {NMI}" in result.stdout
    assert "pseudonyms" not in result.stdout
    value = json.loads(run("aggregator", "verify-site", "proof.json", "--json").stdout)
    assert (value["verified"], value["nmi_proven"], value["levels"]) == (True, False, ["NMI"])
    assert value["root"] == "0x" + RESULT.root.hex()


def test_a_disclosed_key_proves_the_nmi(run: Run, reader: FakeReader, folder: Path) -> None:
    words = ["--bundle", "A1.oepb", "--key", "A1.json", "--disclose-key"]
    result = run("aggregator", "site-proof", FLEX, *words)
    assert json.loads(result.stdout)["disclosure"] == {
        "siteKey": site_key(verified().key, FLEX).hex()
    }
    (folder / "proof.json").write_text(result.stdout)
    result = run("aggregator", "verify-site", "proof.json", "--format", "csv")
    assert f"verified: NMI {FLEX} is in round 3" in result.stderr
    assert "✓ pseudonyms" in result.stderr
    frame = pl.read_csv(result.stdout.encode())
    assert frame.height == 2 * COUNT
    assert set(frame["level"]) == {"NMI", "Flex"}


def test_a_checksum_is_accepted_and_a_foreign_nmi_is_not(
    run: Run, reader: FakeReader, folder: Path
) -> None:
    words = ["--bundle", "A1.oepb", "--key", "A1.json"]
    from oepnode.domain.nem.nmi import checksum

    assert run("aggregator", "site-proof", f"{NMI}{checksum(NMI)}", *words).exit_code == 0
    foreign = run("aggregator", "site-proof", "6305000005", *words)
    assert (foreign.exit_code, "no site with this NMI" in foreign.stderr) == (1, True)
    malformed = run("aggregator", "site-proof", "63050O0005", *words)
    assert (malformed.exit_code, malformed.stdout) == (2, "")
    assert "nmi: character 6 is 'O'" in malformed.stderr


def test_a_tampered_proof_names_the_check(run: Run, proof: Path) -> None:
    value = json.loads(proof.read_text())
    value["sites"][0]["index"] ^= 1
    proof.write_text(json.dumps(value))
    result = run("aggregator", "verify-site", "proof.json")
    assert result.exit_code == 1
    assert "✗ site-inclusion" in result.stdout
    assert "check site-inclusion failed" in result.stderr
    failed = json.loads(run("aggregator", "verify-site", "proof.json", "--json").stdout)
    assert (failed["verified"], failed["failed"]) == (False, "site-inclusion")


def test_a_proof_of_another_round_or_chain(run: Run, reader: FakeReader, proof: Path) -> None:
    value = json.loads(proof.read_text())
    for change in ({"round": 1}, {"round": 9}, {"chainId": "1"}):
        proof.write_text(json.dumps(value | change))
        result = run("aggregator", "verify-site", "proof.json")
        assert result.exit_code == (2 if change == {"round": 9} else 1)
    assert "check context failed" in result.stderr


def test_a_round_that_is_not_final(run: Run, reader: FakeReader, proof: Path) -> None:
    reader.rounds[3] = state(3, Phase.FAILED)
    assert run("aggregator", "verify-site", "proof.json").exit_code == 1


def test_a_file_without_a_proof_is_rejected(run: Run, reader: FakeReader, folder: Path) -> None:
    result = run("aggregator", "verify-site", "A1.oepb")
    assert (result.exit_code, "check format failed" in result.stderr) == (1, True)


def test_a_proof_against_a_round_state_file(run: Run, reader: FakeReader, proof: Path) -> None:
    (proof.parent / "round.json").write_text(run("audit", "round", "3", "--json").stdout)
    result = run("aggregator", "verify-site", "proof.json", "--round-state", "round.json")
    assert result.exit_code == 0
    assert "was not checked" in result.stderr


def test_a_second_opinion_that_differs(
    run: Run, proof: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from oepnode.adapters.crypto import pymerkle_check
    from oepnode.domain.rounds.merkle import InclusionError

    def reject(*args: object) -> None:
        raise InclusionError("pymerkle rejects the path")

    monkeypatch.setattr(pymerkle_check, "verify_inclusion", reject)
    result = run("aggregator", "verify-site", "proof.json")
    assert (result.exit_code, "check pymerkle failed" in result.stderr) == (1, True)
    result = run("aggregator", "verify", "A1.oepb", "--key", "A1.json")
    assert (result.exit_code, "✗ pymerkle" in result.stdout) == (1, True)


def test_proof_text_is_as_the_domain_writes_it(proof: Path) -> None:
    assert proof.read_bytes() == site_proof.write(site_proof.cut(verified(), NMI))
