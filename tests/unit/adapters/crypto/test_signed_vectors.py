"""The published vectors of grant lists and signed documents."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from oepnode.adapters.crypto.document_key import verify_statement
from oepnode.adapters.crypto.grant_signature import recover_list_signer
from oepnode.adapters.storage.sequence_memory import SequenceMemory
from oepnode.adapters.storage.sqlite_index import Index
from oepnode.client.grants import GrantEvidence, GrantSources, read_lists
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
    SignedStatement,
    check_size,
    decode_header,
    decode_statement,
    encode_statement,
    signed_bytes,
)
from oepnode.domain.rounds.onchain import LogLocation, RoundOpened
from oepnode.services.common.document_signatures import SIGNATURES_SCHEMA, SignatureStore
from tests.support.signed_documents import OTHER, statement

VECTORS = Path(__file__).resolve().parents[4] / "docs" / "spec" / "vectors"
GRANTS = json.loads((VECTORS / "grants.json").read_text("utf-8"))
SIGNATURES = json.loads((VECTORS / "signatures.json").read_text("utf-8"))
DOCUMENT = SIGNATURES["document"].encode()


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


READ_AS = GRANTS["readAs"]
CONTEXT = RoundContext(READ_AS["chainId"], bytes.fromhex(READ_AS["contract"][2:]), READ_AS["round"])


def opening() -> RoundOpened:
    """The opening of the round whose lists are read."""
    return RoundOpened(
        location=LogLocation(1, bytes(32), bytes(32), 0),
        round=READ_AS["round"],
        epoch=1,
        requester=bytes(20),
        horizon_start=0,
        interval_count=6,
        envelope_digest=bytes.fromhex(READ_AS["envelopeDigest"]),
        registry_digest=bytes.fromhex(READ_AS["registryDigest"]),
        rules_version=1,
        vote_deadline=0,
        reveal_deadline=0,
    )


def read(data: bytes) -> None:
    """Read a list of the round as an auditor does."""
    grants, signature = decode_list(data)
    signer = recover_list_signer(grants, signature)
    expected = bytes.fromhex(GRANTS["signer"][2:])
    check_list(grants, READ_AS["service"], CONTEXT, opening(), signer, expected)


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
        read(compact(case["list"]))
    assert fault.value.code == case["code"]
    read(compact(GRANTS["accepted"][1]["list"]))


@pytest.mark.parametrize("case", GRANTS["acceptedTexts"])
def test_order_of_fields_and_white_space_are_free(case: dict[str, Any]) -> None:
    grants, _ = decode_list(case["text"].encode())
    assert list_digest(grants).hex() == case["hash"]
    read(case["text"].encode())


@pytest.mark.parametrize("case", GRANTS["rejectedTexts"])
def test_texts_are_rejected_by_name(case: dict[str, Any]) -> None:
    with pytest.raises(GrantFault) as fault:
        read(case["text"].encode())
    assert fault.value.code == case["code"]


@pytest.mark.parametrize("case", GRANTS["counted"])
def test_number_of_grants(case: dict[str, Any]) -> None:
    sender = GRANTS["accepted"][0]["list"]
    numbers = range(1, case["grants"] + 1)
    grants = [{"operator": f"0x{i:040x}", "input": "document", "grantedAt": i} for i in numbers]
    data = compact({**sender, "grants": grants, "signature": case["signature"]})
    if "code" in case:
        with pytest.raises(GrantFault) as fault:
            decode_list(data)
        assert fault.value.code == case["code"]
    else:
        assert list_digest(decode_list(data)[0]).hex() == case["hash"]


def audited(lists: list[dict[str, Any]], folder: Path) -> GrantEvidence:
    """The evidence of an audit with these lists."""
    files = [folder / f"{number}.json" for number in range(len(lists))]
    for file, value in zip(files, lists, strict=True):
        file.write_bytes(compact(value))
    sources = GrantSources(tuple(files), GRANTS["signer"], GRANTS["signer"])
    return read_lists(sources, CONTEXT, opening(), GRANTS["audits"]["lastVoteAt"])


@pytest.mark.parametrize("case", GRANTS["audits"]["members"])
def test_inputs_of_a_member(case: dict[str, Any], tmp_path: Path) -> None:
    evidence = audited(case["lists"], tmp_path)
    inputs = evidence.inputs_of(bytes.fromhex(case["operator"][2:]), case["votedAt"])
    assert (inputs.standing, list(inputs.missing)) == (case["standing"], case["missing"])


@pytest.mark.parametrize("case", GRANTS["audits"]["rejected"])
def test_audits_are_rejected_by_name(case: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(GrantFault) as fault:
        audited(case["lists"], tmp_path)
    assert fault.value.code == case["code"]


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


@pytest.mark.parametrize("case", SIGNATURES["rejectedTexts"])
def test_statements_that_are_malformed(case: dict[str, Any]) -> None:
    with pytest.raises(SignatureFault) as fault:
        decode_statement(case["text"].encode())
    assert fault.value.code == case["code"]


def test_headers() -> None:
    expected = SIGNATURES["accepted"][0]["statement"]
    for value in SIGNATURES["headers"]["accepted"]:
        assert json.loads(encode_statement(decode_header(value))) == expected
    for value in SIGNATURES["headers"]["rejected"]:
        with pytest.raises(SignatureFault, match=r"signature\.invalid"):
            decode_header(value)


def signed(step: dict[str, Any]) -> SignedStatement:
    """The statement of a step; the name of its document is the document."""
    key = {"first": None, "second": OTHER}[step["key"]]
    more = {} if key is None else {"key": key}
    kind = step.get("kind", "envelope")
    return statement(step["document"].encode(), step["sequence"], kind, **more)


def test_sequence_of_a_service(tmp_path: Path) -> None:
    index = Index(tmp_path / "index.sqlite", SIGNATURES_SCHEMA)
    store = SignatureStore(index)
    for step in SIGNATURES["service"]:
        assert is_accepted(partial(store.put, signed(step))) == step["isAccepted"], step
    index.close()


def test_sequence_of_a_worker(tmp_path: Path) -> None:
    memory = SequenceMemory(tmp_path / "sequences.sqlite")
    for step in SIGNATURES["worker"]:
        accept = partial(memory.accept, signed(step), step["round"])
        assert is_accepted(accept) == step["isAccepted"], step
    memory.close()


def is_accepted(step: Callable[[], None]) -> bool:
    try:
        step()
    except SignatureFault as fault:
        assert fault.code == "signature.replayed"
        return False
    return True
