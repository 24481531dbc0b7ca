"""A signature of a grant list recovers its signer, and one over any other list somebody else."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account
from msgspec.structs import replace

from oepnode.adapters.crypto.grant_signature import recover_list_signer, sign_list
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.signed_ballots import HALF_ORDER
from tests.support.grant_lists import grant_list

ACCOUNT = Account.from_key(b"\x31" * 32)
ADDRESS = bytes.fromhex(ACCOUNT.address[2:])
LIST = grant_list("registry")
SIGNATURE = sign_list(ACCOUNT, LIST)
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def test_the_signer_is_recovered() -> None:
    assert recover_list_signer(LIST, SIGNATURE) == ADDRESS


@pytest.mark.parametrize(
    "changes",
    [
        {"service": "sender"},
        {"context": RoundContext(1, LIST.context.contract, 3)},
        {"context": RoundContext(LIST.context.chain_id, b"\x12" * 20, 3)},
        {"context": RoundContext(LIST.context.chain_id, LIST.context.contract, 4)},
        {"envelope_digest": b"\x01" * 32},
        {"registry_digest": b"\x01" * 32},
        {"issued_at": LIST.issued_at + 1},
        {"is_final": False},
        {"grants": LIST.grants[1:]},
        {"grants": ()},
        {"grants": (replace(LIST.grants[0], granted_at=0), *LIST.grants[1:])},
        {"grants": (replace(LIST.grants[0], operator=b"\x99" * 20), *LIST.grants[1:])},
    ],
)
def test_any_other_list_recovers_another_account(changes: dict[str, Any]) -> None:
    assert recover_list_signer(replace(LIST, **changes), SIGNATURE) != ADDRESS


def test_a_second_form_of_a_signature_recovers_nobody() -> None:
    s = ORDER - int.from_bytes(SIGNATURE[32:64])
    assert s > HALF_ORDER
    twin = SIGNATURE[:32] + s.to_bytes(32) + bytes([55 - SIGNATURE[64]])
    assert recover_list_signer(LIST, twin) is None
    assert recover_list_signer(LIST, SIGNATURE[:64] + bytes([SIGNATURE[64] - 27])) is None
    assert recover_list_signer(LIST, SIGNATURE + b"\x00") is None
    assert recover_list_signer(LIST, bytes(64) + b"\x1b") is None
