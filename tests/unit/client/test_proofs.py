from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from oepnode.client import (
    RoundSelector,
    SiteReport,
    audit_round,
    check_site_proof,
    cut_site_proof,
    site_limits,
    to_json,
    verify_site_proof,
)
from oepnode.domain.nem.nmi import checksum
from oepnode.domain.rounds.site_proof import SiteProofError
from oepnode.errors import EvidenceError
from tests.support.round_world import COUNT, FLEX, FakeReader, changed

NMI = "6305000001"


def write_proof(
    folder: Path, selector: RoundSelector, nmi: str = NMI, *, disclose_key: bool = False
) -> Path:
    files = (folder / "A1.oepb", folder / "A1.json")
    proof = cut_site_proof(nmi, *files, selector, disclose_key=disclose_key)
    (folder / "proof.json").write_bytes(proof.data)
    return folder / "proof.json"


def test_a_proof_verifies_without_a_key(folder: Path, selector: RoundSelector) -> None:
    site = verify_site_proof(write_proof(folder, selector), selector)
    assert (site.nmi, site.is_nmi_proven) == (NMI, False)
    assert site_limits(site).height == COUNT
    check = check_site_proof(folder / "proof.json", selector)
    assert "pseudonyms" not in check.checks
    assert isinstance(check.report(), SiteReport)
    assert to_json(check.report())["nmi_proven"] is False


def test_a_disclosed_key_proves_the_nmi(folder: Path, selector: RoundSelector) -> None:
    file = write_proof(folder, selector, f"{FLEX}{checksum(FLEX)}", disclose_key=True)
    check = check_site_proof(file, selector)
    assert "pseudonyms" in check.checks
    assert check.verified.is_nmi_proven
    assert list(to_json(check.report())["levels"]) in (["NMI", "Flex"], ["Flex", "NMI"])
    assert site_limits(check.verified).height == 2 * COUNT


def test_a_tampered_proof_names_its_check(folder: Path, selector: RoundSelector) -> None:
    file = write_proof(folder, selector)
    value = json.loads(file.read_text())
    value["sites"][0]["index"] ^= 1
    file.write_text(json.dumps(value))
    check = check_site_proof(file, selector)
    assert check.failure is not None
    assert (check.site, check.failure.check) == (None, "site-inclusion")
    assert to_json(check.report())["failed"] == "site-inclusion"
    with pytest.raises(SiteProofError, match="check site-inclusion failed"):
        verify_site_proof(file, selector)


def test_a_proof_under_another_root(
    folder: Path, reader: FakeReader, selector: RoundSelector
) -> None:
    file = write_proof(folder, selector)
    audit = msgspec.to_builtins(audit_round(selector.chain, 3)) | {"root": "0x" + "01" * 32}
    (folder / "round.json").write_bytes(msgspec.json.encode(audit))
    with pytest.raises(SiteProofError, match="check inclusion failed"):
        verify_site_proof(file, RoundSelector(selector.chain, folder / "round.json"))
    reader.rounds[3] = changed(reader.rounds[3], root=b"\x01" * 32)
    with pytest.raises(EvidenceError, match="record, events and count of the chain differ"):
        verify_site_proof(file, selector)


def test_a_file_that_is_not_a_proof(folder: Path, selector: RoundSelector) -> None:
    with pytest.raises(SiteProofError, match=r"check format failed: .*A1\.oepb: not a site proof"):
        check_site_proof(folder / "A1.oepb", selector)
    (folder / "array.json").write_text("[]")
    with pytest.raises(SiteProofError, match=r"array\.json: not a site proof: a field is missing"):
        check_site_proof(folder / "array.json", selector)


def test_a_foreign_nmi_has_no_proof(folder: Path, selector: RoundSelector) -> None:
    with pytest.raises(EvidenceError, match="no site with this NMI"):
        write_proof(folder, selector, "6305000005")
