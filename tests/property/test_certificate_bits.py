"""Any one-bit change to a ballot of a certificate is rejected, and no bytes raise anything else."""

from __future__ import annotations

import pytest
import rlp
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from oepnode.domain.rounds.ballot_transactions import BallotFault, read_transaction
from oepnode.domain.rounds.certificate import CertificateFault, Evidence
from oepnode.domain.rounds.certificate_file import decode_certificate, encode_certificate
from tests.support.certificates import certificate, direct, relayed, verified

OTHERS = (direct(0), relayed(1))
LEGACY = direct(2, type=None, maxFeePerGas=None, maxPriorityFeePerGas=None, gasPrice=5)
ENTRY = {"address": "0x" + "22" * 20, "storageKeys": ["0x" + "33" * 32]}
LISTED = direct(2, accessList=[ENTRY])
BALLOTS = [LEGACY, LISTED, relayed(2)]
TREES = st.recursive(
    st.binary(max_size=40), lambda inner: st.lists(inner, max_size=12), max_leaves=20
)


@pytest.mark.parametrize("ballot", BALLOTS, ids=["legacy", "listed", "relayed"])
def test_every_bit_of_a_ballot(ballot: Evidence) -> None:
    assert verified(certificate(*OTHERS, ballot)) == [0, 1, 2]
    for bit in range(len(ballot.data) * 8):
        changed = bytearray(ballot.data)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CertificateFault):
            verified(certificate(*OTHERS, replace(ballot, data=bytes(changed))))


@given(st.integers(-1, 2), TREES, st.binary(max_size=200))
def test_any_other_transaction_is_rejected_by_name(kind: int, tree: object, tail: bytes) -> None:
    head = bytes([kind]) if kind > 0 else b""
    for data in (head + rlp.encode(tree) + tail, head + rlp.encode(tree), head + tail):
        with pytest.raises(BallotFault) as fault:
            read_transaction(data)
        assert fault.value.code in {"ballot.malformed", "ballot.other_kind"}


@given(st.binary(max_size=300))
def test_any_other_file_is_rejected_by_name(data: bytes) -> None:
    with pytest.raises(CertificateFault, match=r"certificate\.malformed"):
        decode_certificate(data)


def test_a_file_reads_back() -> None:
    made = certificate(LEGACY, relayed(3), direct(4))
    assert decode_certificate(encode_certificate(made)) == made
