"""The operators that a service admits, by its own settings."""

import pytest

from oepnode.domain.rounds.onchain import Member
from oepnode.services.common.allow_list import AllowList
from oepnode.services.common.http import Rejection

OPERATOR, OTHER = b"\x71" * 20, b"\x72" * 20
SIGNER, NEW_SIGNER = b"\x81" * 20, b"\x82" * 20


def rejection(allowed: AllowList, operator: bytes, signer: bytes) -> str:
    with pytest.raises(Rejection) as rejected:
        allowed.check(Member(0, operator, signer))
    assert rejected.value.status == 403
    return rejected.value.code


def test_a_listed_operator_is_admitted_with_any_signer() -> None:
    allowed = AllowList(["0x" + OPERATOR.hex()])
    allowed.check(Member(0, OPERATOR, SIGNER))
    allowed.check(Member(0, OPERATOR, NEW_SIGNER))
    assert rejection(allowed, OTHER, SIGNER) == "operator.not_listed"


def test_a_listed_signer_is_the_only_one() -> None:
    allowed = AllowList([f"0x{OPERATOR.hex()}=0x{SIGNER.hex()}", "0x" + OTHER.hex()])
    allowed.check(Member(0, OPERATOR, SIGNER))
    allowed.check(Member(0, OTHER, NEW_SIGNER))
    assert rejection(allowed, OPERATOR, NEW_SIGNER) == "operator.other_signer"


def test_without_a_list_the_chain_alone_decides() -> None:
    AllowList().check(Member(0, OTHER, SIGNER))
