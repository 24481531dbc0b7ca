"""Signed transactions that cast a ballot: what they say, and the hash that their sender signed.

Guarantees: a transaction is read if its bytes are the one encoding of a call of ``castBallot``
(type 0, 1 or 2), and rejected by name otherwise. Leaves out recovering the sender
(``adapters.crypto.ballot_signature``), and whether it was ever included.
Source: docs/spec/certificate.md section 3.
"""

from __future__ import annotations

from typing import Any, Final

import rlp
from eth_utils.crypto import keccak
from msgspec import Struct
from rlp.exceptions import RLPException

from oepnode.domain.rounds.ballot import Vote
from oepnode.errors import EvidenceError

MAX_TRANSACTION_BYTES: Final = 2048
"""Largest transaction that is read: a ballot's has some 220 bytes without an access list."""

CAST_BALLOT: Final = keccak(text="castBallot(uint32,bytes32,bytes32)")[:4]
_CALL_SIZE: Final = 4 + 3 * 32
_LIST: Final = 0xC0
_EIP_155: Final = 35
_ADDRESS: Final = 20
_WORD: Final = 32


class BallotFault(EvidenceError):  # noqa: N818 - reads as what it is
    """The evidence of a ballot was rejected.

    Attributes:
        code: Short stable name of the reason, such as ``ballot.other_round``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class SignedHash(Struct, frozen=True):
    """A hash with its signature: 32 bytes, r, s and the parity of y (0 or 1)."""

    hash: bytes
    r: int
    s: int
    y_parity: int


class BallotTransaction(Struct, frozen=True):
    """A transaction that casts a ballot.

    Attributes:
        chain_id: EIP-155 chain id, or None where it names no chain.
        contract: The contract that it calls, 20 bytes.
        round: The number in its call.
        vote: The vote in its call.
        signed: The hash that its sender signed.
    """

    chain_id: int | None
    contract: bytes
    round: int
    vote: Vote
    signed: SignedHash


class _Layout(Struct, frozen=True):
    """Number of fields of a kind of transaction, and the indices of those that are read."""

    count: int
    to: int
    access_list: int | None

    @property
    def integers(self) -> tuple[int, ...]:
        """Indices of the fields that are integers."""
        others = (self.to, self.to + 2, self.access_list)
        return tuple(index for index in range(self.count) if index not in others)


_LEGACY: Final = _Layout(9, 3, None)
_TYPED: Final = {1: _Layout(11, 4, 7), 2: _Layout(12, 5, 8)}


def read_transaction(raw: bytes) -> BallotTransaction:
    """Read a signed transaction as ``eth_sendRawTransaction`` takes it.

    Raises:
        BallotFault: If it is malformed, of another type, or is another call.
    """
    if len(raw) > MAX_TRANSACTION_BYTES:
        raise BallotFault("ballot.malformed", f"it has more than {MAX_TRANSACTION_BYTES} bytes")
    kind, body = (0, raw) if raw[:1] >= bytes([_LIST]) else (raw[0] if raw else -1, raw[1:])
    layout = _LEGACY if kind == 0 and body == raw else _TYPED.get(kind)
    if layout is None:
        raise BallotFault("ballot.other_kind", "it is not a transaction of type 0, 1 or 2")
    fields = _fields(body, layout)
    call = _read_call(fields, layout)
    chain_id, signed = _legacy(fields) if kind == 0 else _typed(kind, fields)
    number, ballot, custody = (call[at : at + _WORD] for at in range(0, 3 * _WORD, _WORD))
    return BallotTransaction(
        chain_id, fields[layout.to], int.from_bytes(number), Vote(ballot, custody), signed
    )


def _fields(body: bytes, layout: _Layout) -> list[Any]:
    try:
        fields = rlp.decode(body)
    except (RLPException, RecursionError) as exc:
        raise BallotFault("ballot.malformed", "it is not RLP") from exc
    if not isinstance(fields, list) or len(fields) != layout.count:
        raise BallotFault("ballot.malformed", f"it is not a list of {layout.count} fields")
    if not all(_is_integer(fields[index]) for index in layout.integers):
        raise BallotFault("ballot.malformed", "a number is longer than needed or than 32 bytes")
    if not all(isinstance(fields[index], bytes) for index in (layout.to, layout.to + 2)):
        raise BallotFault("ballot.malformed", "its recipient or its call is a list")
    if len(fields[layout.to]) not in (0, _ADDRESS):
        raise BallotFault("ballot.malformed", "its recipient is not an address")
    if layout.access_list is not None and not _is_access_list(fields[layout.access_list]):
        raise BallotFault("ballot.malformed", "its access list is malformed")
    if layout.access_list is not None and int.from_bytes(fields[-3]) > 1:
        raise BallotFault("ballot.malformed", "the parity of its signature is neither 0 nor 1")
    return fields


def _is_integer(value: Any) -> bool:  # noqa: ANN401 - a list or bytes of RLP
    return isinstance(value, bytes) and len(value) <= _WORD and not value.startswith(b"\0")


def _is_access_list(value: Any) -> bool:  # noqa: ANN401 - a list or bytes of RLP
    return isinstance(value, list) and all(
        isinstance(entry, list)
        and len(entry) == 2
        and _is_bytes(entry[0], _ADDRESS)
        and isinstance(entry[1], list)
        and all(_is_bytes(key, _WORD) for key in entry[1])
        for entry in value
    )


def _is_bytes(value: Any, size: int) -> bool:  # noqa: ANN401 - a list or bytes of RLP
    return isinstance(value, bytes) and len(value) == size


def _read_call(fields: list[Any], layout: _Layout) -> bytes:
    """The arguments of ``castBallot``, 96 bytes."""
    value, call = fields[layout.to + 1], fields[layout.to + 2]
    if len(fields[layout.to]) != _ADDRESS or value:
        raise BallotFault("ballot.other_kind", "it creates a contract or sends coin")
    if len(call) != _CALL_SIZE or not call.startswith(CAST_BALLOT):
        raise BallotFault("ballot.other_kind", "it is not a call of castBallot and nothing else")
    return bytes(call[len(CAST_BALLOT) :])


def _legacy(fields: list[Any]) -> tuple[int | None, SignedHash]:
    v, r, s = (int.from_bytes(field) for field in fields[6:])
    if v < _EIP_155:
        return None, SignedHash(keccak(rlp.encode(fields[:6])), r, s, 1 - v % 2)
    chain_id, y_parity = divmod(v - _EIP_155, 2)
    chain = chain_id.to_bytes(_WORD).lstrip(b"\0")
    hashed = keccak(rlp.encode([*fields[:6], chain, b"", b""]))
    return chain_id, SignedHash(hashed, r, s, y_parity)


def _typed(kind: int, fields: list[Any]) -> tuple[int, SignedHash]:
    y_parity, r, s = (int.from_bytes(field) for field in fields[-3:])
    hashed = keccak(bytes([kind]) + rlp.encode(fields[:-3]))
    return int.from_bytes(fields[0]), SignedHash(hashed, r, s, y_parity)
