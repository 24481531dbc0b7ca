"""The published vectors of grant lists and signed documents."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from oepnode.adapters.crypto.document_key import verify_statement
from oepnode.adapters.crypto.grant_signature import recover_list_signer
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.grants import (
    GrantFault,
    check_list,
    decode_list,
    encode_list,
    list_digest,
)
from oepnode.domain.rounds.inputs.document_signatures import (
    SignatureFault,
    check_size,
    decode_statement,
    encode_statement,
    signed_bytes,
)
from oepnode.domain.rounds.onchain import LogLocation, RoundOpened

VECTORS = Path(__file__).resolve().parents[4] / "docs" / "spec" / "vectors"
GRANTS = json.loads((VECTORS / "grants.json").read_text("utf-8"))
SIGNATURES = json.loads((VECTORS / "signatures.json").read_text("utf-8"))
DOCUMENT = SIGNATURES["document"].encode()


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def read(value: dict[str, Any]) -> None:
    """Read a registry's list of round 3 as an auditor does."""
    accepted = GRANTS["accepted"][1]["list"]
    contract, digests = bytes.fromhex(accepted["contract"][2:]), ("envelope", "registry")
    opened = RoundOpened(
        LogLocation(1, bytes(32), bytes(32), 0),
        3, 1, bytes(20), 0, 6, *(bytes.fromhex(accepted[f"{d}Digest"]) for d in digests), 1, 0, 0,
    )  # fmt: skip
    grants, signature = decode_list(compact(value))
    signer = recover_list_signer(grants, signature)
    expected = bytes.fromhex(GRANTS["signer"][2:])
    check_list(grants, "registry", RoundContext(246, contract, 3), opened, signer, expected)


@pytest.mark.parametrize("case", GRANTS["accepted"])
def test_lists_are_accepted(case: dict[str, Any]) -> None:
    grants, signature = decode_list(compact(case["list"]))
    assert list_digest(grants).hex() == case["hash"]
    signer = recover_list_signer(grants, signature)
    assert signer is not None and "0x" + signer.hex() == GRANTS["signer"]
    assert json.loads(encode_list(grants, signature)) == case["list"]


@pytest.mark.parametrize("case", GRANTS["rejected"])
def test_lists_are_rejected_by_name(case: dict[str, Any]) -> None:
    with pytest.raises(GrantFault) as fault:
        read(case["list"])
    assert fault.value.code == case["code"]
    read(GRANTS["accepted"][1]["list"])


def verify(value: dict[str, Any], kind: Any = "envelope") -> None:
    signed = decode_statement(compact(value))
    key = bytes.fromhex(SIGNATURES["publicKey"])
    verify_statement(signed, kind, sha256(DOCUMENT).digest(), key)
    check_size(signed, len(DOCUMENT))


@pytest.mark.parametrize("case", SIGNATURES["accepted"])
def test_statements_are_accepted(case: dict[str, Any]) -> None:
    signed = decode_statement(compact(case["statement"]))
    assert signed_bytes(signed.statement).hex() == case["message"]
    verify(case["statement"], case["statement"]["kind"])
    assert json.loads(encode_statement(signed)) == case["statement"]


@pytest.mark.parametrize("case", SIGNATURES["rejected"])
def test_statements_are_rejected_by_name(case: dict[str, Any]) -> None:
    with pytest.raises(SignatureFault) as fault:
        verify(case["statement"])
    assert fault.value.code == case["code"]
