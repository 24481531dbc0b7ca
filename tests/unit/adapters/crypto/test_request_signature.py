"""Signatures of requests: the account that signed is recovered, any other form is rejected."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from oepnode.adapters.crypto.request_signature import recover_signer, sign_request
from oepnode.domain.rounds.signed_requests import (
    MemberRequest,
)
from oepnode.errors import EvidenceError
from tests.support.fake_chain import CHAIN_ID, CONTRACT
from tests.support.signed_requests import ACCOUNT, DOCUMENT, REQUEST, SIGNATURE

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
ADDRESS = bytes.fromhex(ACCOUNT.address[2:])


def signed(request_: MemberRequest) -> bytes:
    return sign_request(ACCOUNT, request_, CHAIN_ID, CONTRACT)


@pytest.mark.parametrize("request_", [REQUEST, DOCUMENT])
def test_the_signature_names_the_account(request_: MemberRequest) -> None:
    assert recover_signer(request_, signed(request_), CHAIN_ID, CONTRACT) == ADDRESS


@pytest.mark.parametrize(
    ("request_", "field", "value"),
    [
        (REQUEST, "what", "snapshot"),
        (REQUEST, "round", 4),
        (REQUEST, "snapshot_digest", b"\x81" + b"\x01" * 31),
        (REQUEST, "recipient", b"\x02" * 31 + b"\x03"),
        (REQUEST, "nonce", b"\x00" * 32),
        (REQUEST, "issued_at", 1_795_000_001),
        (DOCUMENT, "round", 4),
        (DOCUMENT, "digest", b"\x81" + b"\x01" * 31),
        (DOCUMENT, "nonce", b"\x00" * 32),
        (DOCUMENT, "issued_at", 1_795_000_001),
    ],
)
def test_every_field_is_signed(request_: MemberRequest, field: str, value: object) -> None:
    other = replace(request_, **{field: value})
    assert recover_signer(other, signed(request_), CHAIN_ID, CONTRACT) != ADDRESS


@pytest.mark.parametrize("request_", [REQUEST, DOCUMENT])
def test_chain_and_contract_are_signed(request_: MemberRequest) -> None:
    signature = signed(request_)
    assert recover_signer(request_, signature, CHAIN_ID + 1, CONTRACT) != ADDRESS
    assert recover_signer(request_, signature, CHAIN_ID, b"\x11" * 20) != ADDRESS


def test_the_second_form_of_a_signature_is_rejected() -> None:
    s = int.from_bytes(SIGNATURE[32:64])
    flipped = SIGNATURE[:32] + (ORDER - s).to_bytes(32) + bytes([55 - SIGNATURE[64]])
    with pytest.raises(EvidenceError, match="EIP-2"):
        recover_signer(REQUEST, flipped, CHAIN_ID, CONTRACT)


@pytest.mark.parametrize("v", [0, 1, 26, 29, 255])
def test_another_v_is_rejected(v: int) -> None:
    with pytest.raises(EvidenceError, match="v 27 or 28"):
        recover_signer(REQUEST, SIGNATURE[:64] + bytes([v]), CHAIN_ID, CONTRACT)


@pytest.mark.parametrize("size", [0, 64, 66])
def test_another_length_is_rejected(size: int) -> None:
    with pytest.raises(EvidenceError, match="65 bytes"):
        recover_signer(REQUEST, (SIGNATURE * 2)[:size], CHAIN_ID, CONTRACT)


@given(st.binary(min_size=64, max_size=64), st.sampled_from([27, 28]))
def test_a_random_signature_is_of_somebody_else_or_rejected(rs: bytes, v: int) -> None:
    try:
        signer = recover_signer(REQUEST, rs + bytes([v]), CHAIN_ID, CONTRACT)
    except EvidenceError:
        return
    assert signer != ADDRESS
