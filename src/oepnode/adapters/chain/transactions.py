"""Signed transactions from a node, as the bytes that their senders handed in.

Guarantees: what is returned as a transaction has the hash that was asked for, so that one node's
word is enough. Where a node does not offer the raw bytes, they are put together from its fields
(types 0, 1 and 2). Of other types there is the calldata alone, which proves nothing by itself.
"""

from __future__ import annotations

from typing import Any, Final

import rlp
from eth_utils.crypto import keccak
from msgspec import Struct

from oepnode.adapters.chain.values import Account, Data, Quantity, Word, integer, raw
from oepnode.errors import TransportError

_LAST_REBUILT: Final = 2
"""Highest type of a transaction that is put together from its fields."""


class AccessJson(Struct, rename="camel"):
    """An entry of an access list."""

    address: Account
    storage_keys: list[Word]


class TransactionJson(Struct, rename="camel"):
    """A transaction's fields; others are ignored."""

    nonce: Quantity
    gas: Quantity
    value: Quantity
    input: Data
    r: Quantity
    s: Quantity
    v: Quantity | None = None
    y_parity: Quantity | None = None
    to: Account | None = None
    type: Quantity = "0x0"
    chain_id: Quantity | None = None
    gas_price: Quantity | None = None
    max_fee_per_gas: Quantity | None = None
    max_priority_fee_per_gas: Quantity | None = None
    access_list: list[AccessJson] | None = None


def require_hash(transaction: bytes, carried: bytes) -> bytes:
    """The transaction, if it has the hash that was asked for.

    Raises:
        TransportError: If it is another one.
    """
    if keccak(carried) != transaction:
        raise TransportError("another transaction than requested")
    return carried


def carried_by(transaction: bytes, found: TransactionJson) -> bytes:
    """The signed transaction put together from its fields.

    Raises:
        TransportError: If the fields do not give the hash that was asked for, or it is of another
            type than 0, 1 and 2.
    """
    kind = integer(found.type)
    if kind > _LAST_REBUILT:
        raise TransportError(f"no raw bytes of a transaction of type {kind}")
    to = b"" if found.to is None else raw(found.to)
    call: list[Any] = [_number(found.gas), to, _number(found.value), raw(found.input)]
    nonce, signature = _number(found.nonce), [_number(found.r), _number(found.s)]
    if kind == 0:
        fields = [nonce, _number(found.gas_price), *call, _number(found.v), *signature]
        return require_hash(transaction, rlp.encode(fields))
    fees = (
        [found.gas_price] if kind == 1 else [found.max_priority_fee_per_gas, found.max_fee_per_gas]
    )
    parity = found.v if found.y_parity is None else found.y_parity
    fields = [_number(found.chain_id), nonce, *map(_number, fees), *call, _access_list(found)]
    encoded = rlp.encode([*fields, _number(parity), *signature])
    return require_hash(transaction, bytes([kind]) + encoded)


def calldata_of(found: TransactionJson) -> bytes:
    """The calldata of a transaction of which there are no more bytes to be had.

    Raises:
        TransportError: If it is of a type that `carried_by` puts together.
    """
    if integer(found.type) <= _LAST_REBUILT:
        raise TransportError("another transaction than requested")
    return raw(found.input)


def _access_list(found: TransactionJson) -> list[Any]:
    entries = found.access_list or []
    return [[raw(one.address), [raw(key) for key in one.storage_keys]] for one in entries]


def _number(text: str | None) -> bytes:
    """A number as RLP has it: without leading zeros."""
    if text is None:
        raise TransportError("a transaction with a field missing")
    return integer(text).to_bytes(32).lstrip(b"\0")
