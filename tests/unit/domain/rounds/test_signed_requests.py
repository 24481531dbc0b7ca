"""The signed requests: their JSON, their header and their typed data."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.signed_requests import (
    DocumentRequest,
    MemberRequest,
    RegistryRequest,
    decode_authorization,
    decode_request,
    encode_authorization,
    encode_request,
    seal_info,
    typed_data,
)
from oepnode.errors import EvidenceError
from tests.support.fake_chain import CHAIN_ID, CONTRACT
from tests.support.signed_requests import DOCUMENT, REQUEST, SIGNATURE

HEADER = encode_authorization(DOCUMENT, SIGNATURE)

requests = st.builds(
    RegistryRequest,
    what=st.sampled_from(["snapshot", "salt"]),
    round=st.integers(1, 2**63 - 1),
    snapshot_digest=st.binary(min_size=32, max_size=32),
    recipient=st.binary(min_size=32, max_size=32),
    signer=st.binary(min_size=20, max_size=20),
    nonce=st.binary(min_size=32, max_size=32),
    issued_at=st.integers(1, 2**63 - 1),
)


def wire(**changes: Any) -> bytes:
    value = json.loads(encode_request(REQUEST, SIGNATURE)) | changes
    return json.dumps({name: part for name, part in value.items() if part is not ...}).encode()


@given(requests, st.binary(min_size=65, max_size=65))
def test_an_encoded_request_is_decoded(request_: RegistryRequest, signature: bytes) -> None:
    assert decode_request(encode_request(request_, signature)) == (request_, signature)


@pytest.mark.parametrize(
    ("changes", "index"),
    [
        ({"what": "keys"}, "$.what"),
        ({"what": ...}, "`what`"),
        ({"round": 0}, "$.round"),
        ({"round": "3"}, "$.round"),
        ({"round": 2**63}, "$.round"),
        ({"snapshotDigest": "01" * 31}, "$.snapshotDigest"),
        ({"snapshotDigest": "0x" + "01" * 31}, "$.snapshotDigest"),
        ({"snapshotDigest": "01" * 32 + "\n"}, "$.snapshotDigest"),
        ({"recipient": "zz" * 32}, "$.recipient"),
        ({"signer": "01" * 32}, "$.signer"),
        ({"signer": "0x" + "01" * 20}, "$.signer"),
        ({"signer": ...}, "`signer`"),
        ({"nonce": None}, "$.nonce"),
        ({"nonce": ...}, "`nonce`"),
        ({"issuedAt": 1.5}, "$.issuedAt"),
        ({"issuedAt": -1}, "$.issuedAt"),
        ({"signature": "00" * 64}, "$.signature"),
        ({"seat": 1}, "`seat`"),
    ],
)
def test_a_malformed_field_is_rejected_by_name(changes: dict[str, Any], index: str) -> None:
    with pytest.raises(EvidenceError) as rejected:
        decode_request(wire(**changes))
    assert index in str(rejected.value)


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"[" * 100_000, b"[]", b"null", b"{}", wire()[:-1], wire() + b"x"]
)
def test_bytes_without_a_request_are_rejected(body: bytes) -> None:
    with pytest.raises(EvidenceError):
        decode_request(body)


@given(st.binary(max_size=300))
def test_any_bytes_are_decoded_or_rejected(body: bytes) -> None:
    with pytest.raises(EvidenceError):
        decode_request(body)


# --- the header ----------------------------------------------------------------------------------


def header(value: Any, scheme: str = "OEP1") -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return f"{scheme} {base64.urlsafe_b64encode(data).rstrip(b'=').decode()}"


def parts(**changes: Any) -> dict[str, Any]:
    _, _, credentials = HEADER.partition(" ")
    value = json.loads(base64.urlsafe_b64decode(credentials + "=="))
    return {name: part for name, part in (value | changes).items() if part is not ...}


@given(
    st.builds(
        DocumentRequest,
        round=st.integers(1, 2**63 - 1),
        digest=st.binary(min_size=32, max_size=32),
        signer=st.binary(min_size=20, max_size=20),
        nonce=st.binary(min_size=32, max_size=32),
        issued_at=st.integers(1, 2**63 - 1),
    ),
    st.binary(min_size=65, max_size=65),
)
def test_a_header_that_is_encoded_is_decoded(request_: DocumentRequest, signature: bytes) -> None:
    encoded = encode_authorization(request_, signature)
    assert decode_authorization(encoded) == (request_, signature)
    assert encoded.isascii() and "=" not in encoded and len(encoded) < 1024


def test_the_header_is_the_documented_one() -> None:
    assert parts() == {
        "round": 3,
        "digest": "01" * 32,
        "signer": DOCUMENT.signer.hex(),
        "nonce": "03" * 32,
        "issuedAt": 1_795_000_000,
        "signature": SIGNATURE.hex(),
    }
    assert decode_authorization(header(parts(), "oep1")) == (DOCUMENT, SIGNATURE)


@pytest.mark.parametrize("text", ["", "Bearer abc", "OEP2 abc", "OEP1x", "Basic OEP1"])
def test_another_scheme_is_not_read(text: str) -> None:
    assert decode_authorization(text) is None


@pytest.mark.parametrize(
    ("changes", "index"),
    [
        ({"round": 0}, "$.round"),
        ({"round": "3"}, "$.round"),
        ({"digest": ...}, "`digest`"),
        ({"digest": "0x" + "01" * 31}, "$.digest"),
        ({"nonce": "03" * 31}, "$.nonce"),
        ({"issuedAt": 1.5}, "$.issuedAt"),
        ({"signature": "00" * 64}, "$.signature"),
        ({"what": "document"}, "`what`"),
    ],
)
def test_a_malformed_field_of_a_header_is_rejected_by_name(
    changes: dict[str, Any], index: str
) -> None:
    with pytest.raises(EvidenceError) as rejected:
        decode_authorization(header(parts(**changes)))
    assert index in str(rejected.value)


@pytest.mark.parametrize(
    "text",
    [
        "OEP1",
        "OEP1 ",
        "OEP1 a",
        "OEP1  " + HEADER[5:],
        HEADER + "==",
        HEADER + "\n",
        HEADER + "\u00e9",
        HEADER + "+/",
        "OEP1 " + "A" * 1028,
        header(b"\xff\xfe"),
        header(b"[" * 700),
        header(b"null"),
        header(b""),
    ],
)
def test_malformed_headers_are_rejected(text: str) -> None:
    with pytest.raises(EvidenceError):
        decode_authorization(text)


@given(st.binary(max_size=300))
def test_any_credentials_are_decoded_or_rejected(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        decode_authorization(header(data))


# --- the typed data ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "name", "primary", "fields"),
    [
        (
            REQUEST,
            "oepnode registry",
            "RegistryRequest",
            "string what,uint64 round,bytes32 snapshotDigest,bytes recipient,address signer,"
            "bytes32 nonce,uint64 issuedAt",
        ),
        (
            DOCUMENT,
            "oepnode sender",
            "DocumentRequest",
            "uint64 round,bytes32 digest,address signer,bytes32 nonce,uint64 issuedAt",
        ),
    ],
)
def test_the_typed_data_is_the_documented_one(
    request_: MemberRequest, name: str, primary: str, fields: str
) -> None:
    data = typed_data(request_, CHAIN_ID, CONTRACT)
    assert data["domain"] == {
        "name": name,
        "version": "1",
        "chainId": CHAIN_ID,
        "verifyingContract": "0x" + CONTRACT.hex(),
    }
    assert data["primaryType"] == primary
    types = data["types"][primary]
    assert ",".join(f"{field['type']} {field['name']}" for field in types) == fields
    assert set(data["message"]) == {field["name"] for field in types}


def test_the_answer_is_bound_to_purpose_round_and_snapshot() -> None:
    context = RoundContext(CHAIN_ID, CONTRACT, 3)
    info = seal_info("salt", context, b"\x01" * 32)
    assert info == b"oep1 registrysalt" + context.encode() + b"\x01" * 32
    others = {
        seal_info("snapshot", context, b"\x01" * 32),
        seal_info("salt", RoundContext(CHAIN_ID, CONTRACT, 4), b"\x01" * 32),
        seal_info("salt", context, b"\x02" * 32),
    }
    assert info not in others and len(others) == 3
