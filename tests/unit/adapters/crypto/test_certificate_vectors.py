"""The published vectors of certificates."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from oepnode.adapters.crypto.ballot_signature import recover_account
from oepnode.domain.rounds.ballot import Vote
from oepnode.domain.rounds.ballot_transactions import read_transaction
from oepnode.domain.rounds.certificate import (
    CertificateFault,
    CertifiedElectorate,
    ExpectedRound,
    check,
)
from oepnode.domain.rounds.certificate_file import decode_certificate, encode_certificate
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Member
from oepnode.domain.rounds.signed_ballots import ballot_digest

SPEC = Path(__file__).resolve().parents[4] / "docs" / "spec"
VECTORS = json.loads((SPEC / "vectors" / "certificate.json").read_text("utf-8"))
KNOWN = VECTORS["electorate"]


def unhex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


EXPECTED = ExpectedRound(
    KNOWN["chainId"],
    unhex(KNOWN["contract"]),
    CertifiedElectorate(
        tuple(
            Member(member["index"], unhex(member["operator"]), unhex(member["signer"]))
            for member in KNOWN["members"]
        ),
        KNOWN["quorum"],
    ),
    KNOWN["round"],
)
CASES = [*VECTORS["rejected"], *VECTORS["rejectedTexts"]]


def verify(data: bytes) -> list[int]:
    return [m.index for m in check(decode_certificate(data), EXPECTED, recover_account)]


def data_of(case: dict[str, Any]) -> bytes:
    if "text" in case:
        return str(case["text"]).encode()
    value = VECTORS["changed"] | case.get("changes", {})
    value.pop(case.get("without"), None)
    return json.dumps(value).encode()


@pytest.mark.parametrize("value", VECTORS["accepted"])
def test_certificates_are_accepted(value: dict[str, Any]) -> None:
    data = json.dumps(value).encode()
    assert verify(data) == [ballot["index"] for ballot in value["ballots"]]
    assert json.loads(encode_certificate(decode_certificate(data))) == value


@pytest.mark.parametrize("text", VECTORS["acceptedTexts"])
def test_order_of_fields_and_white_space_are_free(text: str) -> None:
    assert encode_certificate(decode_certificate(text.encode())).decode() == VECTORS["canonical"]
    assert verify(text.encode()) == [0, 5]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.get("what", "text"))
def test_certificates_are_rejected_by_name(case: dict[str, Any]) -> None:
    with pytest.raises(CertificateFault) as fault:
        verify(data_of(case))
    assert fault.value.code == case["code"], fault.value


def test_every_code_of_the_page_has_a_vector() -> None:
    page = (SPEC / "certificate.md").read_text("utf-8")
    table = page[page.index("## 5. Checks") : page.index("## 6.")]
    named = set(re.findall(r"`((?:certificate|ballot)\.\w+)`", table))
    assert named == {case["code"] for case in CASES}


def test_signed_hashes() -> None:
    hashes = VECTORS["hashes"]
    for case in hashes["transactions"]:
        signed = read_transaction(unhex(case["transaction"])).signed
        assert signed.hash.hex() == case["hash"]
    data = unhex(hashes["signedBallot"])
    context = RoundContext(EXPECTED.chain_id, EXPECTED.contract, KNOWN["round"])
    digest = ballot_digest(context, Vote(data[:32], data[32:64]))
    assert digest.hex() == hashes["relayedHash"]
