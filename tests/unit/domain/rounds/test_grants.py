"""Signed grant lists: one accepted form, bound to service, chain, contract, round and inputs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from eth_account.messages import _hash_eip191_message, encode_typed_data
from msgspec.structs import replace

from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.grants import (
    Grant,
    GrantFault,
    check_list,
    decode_list,
    encode_list,
    list_digest,
    typed_data,
)
from tests.support.grant_lists import ROUND, edited, grant_list, signed
from tests.support.round_world import CONTEXT, MEMBERS

SIGNER = b"\x51" * 20
LIST = grant_list("registry")
DATA = signed(LIST)


def rejected(data: bytes) -> str:
    with pytest.raises(GrantFault) as fault:
        decode_list(data)
    return fault.value.code


def test_a_list_reads_back() -> None:
    grants, signature = decode_list(DATA)
    assert grants == LIST
    assert encode_list(grants, signature) == DATA


@pytest.mark.parametrize("grants", [LIST, grant_list("sender", grants=(), is_final=False)])
def test_the_signed_hash_is_that_of_eip_712(grants: Any) -> None:
    message = encode_typed_data(full_message=typed_data(grants))
    assert list_digest(grants) == _hash_eip191_message(message)


@pytest.mark.parametrize("name", json.loads(DATA))
def test_every_field_is_needed(name: str) -> None:
    value = json.loads(DATA)
    del value[name]
    assert rejected(json.dumps(value).encode()) == "grants.malformed"


@pytest.mark.parametrize(
    "changes",
    [
        {"service": "relay"},
        {"chainId": "31337"},
        {"chainId": 2**53},
        {"contract": "11" * 20},
        {"contract": "0x" + "AA" * 20},
        {"round": 0},
        {"issuedAt": 1.5},
        {"issuedAt": -1},
        {"final": 1},
        {"grants": None},
        {"grants": [{"operator": "0x" + "a0" * 20, "input": "document"}]},
        {"signature": "00" * 64},
        {"extra": 1},
    ],
)
def test_a_malformed_field_is_rejected(changes: dict[str, Any]) -> None:
    assert rejected(edited(DATA, **changes)) == "grants.malformed"


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"[" * 5000, DATA[:-1]])
def test_other_bytes_are_rejected(data: bytes) -> None:
    assert rejected(data) == "grants.malformed"


def test_a_doubled_operator_is_rejected_by_name() -> None:
    items = json.loads(DATA)["grants"]
    later = items[0] | {"grantedAt": items[0]["grantedAt"] + 1}
    assert rejected(edited(DATA, grants=[items[0], later, *items[1:]])) == "grants.duplicate"
    assert rejected(edited(DATA, grants=items[::-1])) == "grants.order"


def test_an_input_of_the_other_service_is_rejected() -> None:
    document = Grant(MEMBERS[0].operator, "document", 1)
    assert rejected(signed(replace(LIST, grants=(document,)))) == "grants.other_input"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"service": "sender"}, "grants.other_service"),
        ({"context": RoundContext(1, CONTEXT.contract, 3)}, "grants.other_chain"),
        ({"context": RoundContext(CONTEXT.chain_id, b"\x12" * 20, 3)}, "grants.other_contract"),
        ({"context": RoundContext(CONTEXT.chain_id, CONTEXT.contract, 4)}, "grants.other_round"),
        ({"envelope_digest": b"\x01" * 32}, "grants.other_inputs"),
        ({"registry_digest": b"\x01" * 32}, "grants.other_inputs"),
    ],
)
def test_a_list_of_something_else_is_rejected_by_name(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(GrantFault) as fault:
        check_list(replace(LIST, **changes), "registry", CONTEXT, ROUND, SIGNER, SIGNER)
    assert fault.value.code == code


def test_a_signature_of_another_account_is_rejected_by_name() -> None:
    check_list(LIST, "registry", CONTEXT, ROUND, SIGNER, SIGNER)
    with pytest.raises(GrantFault) as fault:
        check_list(LIST, "registry", CONTEXT, ROUND, b"\x52" * 20, SIGNER)
    assert fault.value.code == "grants.signer"
    with pytest.raises(GrantFault) as fault:
        check_list(LIST, "registry", CONTEXT, ROUND, None, SIGNER)
    assert fault.value.code == "grants.signature"
