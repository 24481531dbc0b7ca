"""Signatures of requests: only the named account's is accepted, in one form."""

import pytest
from eth_keys.backends import get_backend
from eth_keys.backends.coincurve import CoinCurveECCBackend
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from oepnode.adapters.crypto.request_signature import sign_request, verify_request
from oepnode.domain.rounds.signed_requests import MemberRequest
from oepnode.errors import EvidenceError
from tests.support.fake_chain import CHAIN_ID, CONTRACT
from tests.support.signed_requests import ACCOUNT, DOCUMENT, REQUEST, SIGNATURE

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def signed(request_: MemberRequest) -> bytes:
    return sign_request(ACCOUNT, request_, CHAIN_ID, CONTRACT)


@pytest.mark.parametrize("request_", [REQUEST, DOCUMENT])
def test_the_signature_of_the_named_account_is_accepted(request_: MemberRequest) -> None:
    verify_request(request_, signed(request_), CHAIN_ID, CONTRACT)


@pytest.mark.parametrize(
    ("request_", "field", "value"),
    [
        (REQUEST, "what", "snapshot"),
        (REQUEST, "round", 4),
        (REQUEST, "snapshot_digest", b"\x81" + b"\x01" * 31),
        (REQUEST, "recipient", b"\x02" * 31 + b"\x03"),
        (REQUEST, "signer", b"\x02" * 20),
        (REQUEST, "nonce", b"\x00" * 32),
        (REQUEST, "issued_at", 1_795_000_001),
        (DOCUMENT, "round", 4),
        (DOCUMENT, "digest", b"\x81" + b"\x01" * 31),
        (DOCUMENT, "signer", b"\x02" * 20),
        (DOCUMENT, "nonce", b"\x00" * 32),
        (DOCUMENT, "issued_at", 1_795_000_001),
    ],
)
def test_every_field_is_signed(request_: MemberRequest, field: str, value: object) -> None:
    other = replace(request_, **{field: value})
    with pytest.raises(EvidenceError, match="not by the signer"):
        verify_request(other, signed(request_), CHAIN_ID, CONTRACT)


@pytest.mark.parametrize("request_", [REQUEST, DOCUMENT])
def test_chain_and_contract_are_signed(request_: MemberRequest) -> None:
    signature = signed(request_)
    for chain_id, contract in ((CHAIN_ID + 1, CONTRACT), (CHAIN_ID, b"\x11" * 20)):
        with pytest.raises(EvidenceError, match="not by the signer"):
            verify_request(request_, signature, chain_id, contract)


def test_the_second_form_of_a_signature_is_rejected() -> None:
    s = int.from_bytes(SIGNATURE[32:64])
    flipped = SIGNATURE[:32] + (ORDER - s).to_bytes(32) + bytes([55 - SIGNATURE[64]])
    with pytest.raises(EvidenceError, match="EIP-2"):
        verify_request(REQUEST, flipped, CHAIN_ID, CONTRACT)


@pytest.mark.parametrize("v", [0, 1, 26, 29, 255])
def test_another_v_is_rejected(v: int) -> None:
    with pytest.raises(EvidenceError, match="v 27 or 28"):
        verify_request(REQUEST, SIGNATURE[:64] + bytes([v]), CHAIN_ID, CONTRACT)


@pytest.mark.parametrize("size", [0, 64, 66])
def test_another_length_is_rejected(size: int) -> None:
    with pytest.raises(EvidenceError, match="65 bytes"):
        verify_request(REQUEST, (SIGNATURE * 2)[:size], CHAIN_ID, CONTRACT)


@given(st.binary(min_size=64, max_size=64), st.sampled_from([27, 28]))
def test_a_random_signature_is_rejected(rs: bytes, v: int) -> None:
    with pytest.raises(EvidenceError, match="invalid signature"):
        verify_request(REQUEST, rs + bytes([v]), CHAIN_ID, CONTRACT)


def test_native_code_verifies() -> None:
    """Without coincurve a signature takes 5 ms, and a few hundred a second stop a service."""
    assert isinstance(get_backend(), CoinCurveECCBackend), (
        "coincurve is missing; install the package's dependencies"
    )
