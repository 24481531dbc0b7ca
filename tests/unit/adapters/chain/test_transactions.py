"""Signed transactions put together from a node's fields: the very bytes, or an error."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from eth_account import Account
from eth_utils.crypto import keccak

from oepnode.adapters.chain.transactions import (
    TransactionJson,
    calldata_of,
    carried_by,
    require_hash,
)
from oepnode.errors import TransportError

KEY = Account.from_key(b"\x41" * 32)
CALL: dict[str, Any] = {
    "nonce": 0,
    "gas": 90_000,
    "to": KEY.address,
    "value": 5,
    "data": b"\x01\x02",
}
ACCESS = [{"address": KEY.address, "storageKeys": ["0x" + "22" * 32]}]
KINDS: dict[str, dict[str, Any]] = {
    "type 0": {"gasPrice": 7, "chainId": 246},
    "type 1": {"type": 1, "gasPrice": 7, "chainId": 246, "accessList": ACCESS},
    "type 2": {
        "type": 2,
        "maxFeePerGas": 300,
        "maxPriorityFeePerGas": 0,
        "chainId": 246,
        "accessList": ACCESS,
    },
    "a creation": {"gasPrice": 7, "chainId": 246, "to": ""},
}


def signed(changes: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """A signed transaction, and the fields with which a node answers for it."""
    whole = CALL | changes
    made = KEY.sign_transaction(whole)
    kind = whole.get("type", 0)
    fields: dict[str, Any] = {
        "hash": "0x" + bytes(made.hash).hex(),
        "from": KEY.address,
        "type": hex(kind),
        "input": "0x" + whole["data"].hex(),
        "to": whole["to"] or None,
        "v": hex(made.v),
        "r": hex(made.r),
        "s": hex(made.s),
        **{
            name: hex(value)
            for name, value in whole.items()
            if isinstance(value, int) and name != "type"
        },
    }
    if kind:
        fields |= {"yParity": hex(made.v), "accessList": whole["accessList"]}
    return bytes(made.raw_transaction), fields


def read(fields: dict[str, Any], raw: bytes) -> bytes:
    return carried_by(keccak(raw), msgspec.convert(fields, TransactionJson))


@pytest.mark.parametrize("changes", KINDS.values(), ids=KINDS)
def test_the_bytes_are_those_that_were_signed(changes: dict[str, Any]) -> None:
    raw, fields = signed(changes)
    assert read(fields, raw) == raw
    if "yParity" in fields:
        assert read({k: v for k, v in fields.items() if k != "yParity"}, raw) == raw


@pytest.mark.parametrize("changes", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("name", ["nonce", "gas", "value", "r", "s", "input"])
def test_a_changed_field_gives_another_transaction(changes: dict[str, Any], name: str) -> None:
    raw, fields = signed(changes)
    with pytest.raises(TransportError, match="another transaction than requested"):
        read(fields | {name: "0x1234"}, raw)


@pytest.mark.parametrize("name", ["gasPrice", "v", "chainId", "maxFeePerGas"])
def test_a_missing_field_is_an_error(name: str) -> None:
    raw, fields = signed(KINDS["type 2" if name in {"chainId", "maxFeePerGas"} else "type 0"])
    with pytest.raises(TransportError, match="a field missing"):
        read({k: v for k, v in fields.items() if k != name}, raw)


def test_of_another_type_there_is_the_calldata_alone() -> None:
    raw, fields = signed(KINDS["type 2"])
    other = fields | {"type": "0x4"}
    with pytest.raises(TransportError, match="no raw bytes of a transaction of type 4"):
        read(other, raw)
    assert calldata_of(msgspec.convert(other, TransactionJson)) == b"\x01\x02"


def test_where_the_bytes_can_be_had_calldata_is_no_answer() -> None:
    _, fields = signed(KINDS["type 2"])
    with pytest.raises(TransportError, match="another transaction than requested"):
        calldata_of(msgspec.convert(fields, TransactionJson))


def test_raw_bytes_need_the_hash_that_was_asked_for() -> None:
    raw, _ = signed(KINDS["type 0"])
    assert require_hash(keccak(raw), raw) == raw
    with pytest.raises(TransportError, match="another transaction than requested"):
        require_hash(keccak(raw), raw + b"\0")
