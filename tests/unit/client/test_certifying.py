"""A certificate is written only for a final round, and only if it will verify."""

from __future__ import annotations

from pathlib import Path

import pytest

from oepnode import wiring
from oepnode.client import (
    CertificateFault,
    ChainTarget,
    KnownElectorate,
    certify_round,
    verify_certificate,
)
from oepnode.domain.rounds.onchain import Phase
from oepnode.errors import ConfigError, ConflictError, EvidenceError, OepError
from tests.support.certificates import KNOWN, MEMBERS, OPERATORS, Reader
from tests.support.round_world import CONTEXT, CONTRACT, changed, state


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Reader:
    fake = Reader()
    monkeypatch.setattr(wiring, "chain_reader", fake.connect)
    return fake


@pytest.fixture
def chain() -> ChainTarget:
    return ChainTarget("https://node.test", "0x" + CONTRACT.hex())


def test_a_final_round_is_certified(reader: Reader, chain: ChainTarget, tmp_path: Path) -> None:
    written = certify_round(chain, 3, tmp_path / "c.json")
    assert written.operators == tuple(f"{i}:{pair}" for i, pair in enumerate(OPERATORS))
    assert written.report.matched == tuple(
        "0x" + member.operator.hex() for member in MEMBERS if member.index in (0, 2, 3)
    )
    report = verify_certificate(written.file, KNOWN, 3)
    assert report == written.report
    listed = KnownElectorate(CONTEXT.chain_id, KNOWN.contract, 3, written.operators)
    assert verify_certificate(written.file, listed, 3) == report
    assert (tmp_path / "c.json").stat().st_mode & 0o777 == 0o600


def test_a_ballot_that_no_file_can_hold_is_left_out(
    reader: Reader, chain: ChainTarget, tmp_path: Path
) -> None:
    """Its access list makes the transaction longer than any reader accepts."""
    key = "0x" + "00" * 32
    entry = {"address": "0x" + "22" * 20, "storageKeys": [key] * 70}
    reader.fields = {2: {"accessList": [entry]}}
    with pytest.raises(CertificateFault, match="2 members signed for the root"):
        certify_round(chain, 3, tmp_path / "c.json")
    reader.fields = {2: {"accessList": [entry | {"storageKeys": [key] * 40}]}}
    assert len(certify_round(chain, 3, tmp_path / "c.json").report.matched) == 3


def test_the_files_name_is_the_rounds(
    reader: Reader, chain: ChainTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert certify_round(chain, 3).file == "round-3.certificate.json"
    assert [path.name for path in tmp_path.iterdir()] == ["round-3.certificate.json"]


def test_without_a_quorum_of_evidence_nothing_is_written(
    reader: Reader, chain: ChainTarget, tmp_path: Path
) -> None:
    reader.without = frozenset({2})
    with pytest.raises(CertificateFault, match="2 members signed for the root, the quorum is 3"):
        certify_round(chain, 3, tmp_path / "c.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("phase", "error"),
    [
        (Phase.FAILED, EvidenceError),
        (Phase.CANCELLED, EvidenceError),
        (Phase.EXPIRED, ConflictError),
        (Phase.VOTING, ConflictError),
    ],
)
def test_a_round_without_a_root_has_no_certificate(
    reader: Reader, chain: ChainTarget, tmp_path: Path, phase: Phase, error: type[OepError]
) -> None:
    reader.rounds[4] = state(4, phase)
    with pytest.raises(error, match="round 4: "):
        certify_round(chain, 4, tmp_path / "c.json")
    with pytest.raises(ConfigError, match="there is no round 9"):
        certify_round(chain, 9, tmp_path / "c.json")
    assert list(tmp_path.iterdir()) == []


def test_a_chain_that_contradicts_itself_has_no_certificate(
    reader: Reader, chain: ChainTarget, tmp_path: Path
) -> None:
    reader.rounds[3] = changed(state(3, Phase.FINAL), root=b"\xbb" * 32)
    with pytest.raises(EvidenceError, match="record, events and count of the chain differ"):
        certify_round(chain, 3, tmp_path / "c.json")
    assert list(tmp_path.iterdir()) == []
