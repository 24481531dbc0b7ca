"""Signed statements about documents: one accepted form, and bound to the document."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from oepnode.domain.rounds.inputs.document_signatures import (
    MAX_SEQUENCE,
    SignatureFault,
    check_size,
    check_statement,
    decode_header,
    decode_statement,
    encode_header,
    encode_statement,
    signed_bytes,
)
from tests.support.signed_documents import PUBLIC, statement

DOCUMENT = b"a document"
SIGNED = statement(DOCUMENT, 258)
DIGEST = SIGNED.statement.digest
DATA = encode_statement(SIGNED)


def invalid(step: Callable[..., object], *arguments: object) -> str:
    with pytest.raises(SignatureFault) as fault:
        step(*arguments)
    assert fault.value.code == "signature.invalid"
    return str(fault.value)


def test_a_statement_reads_back_from_both_forms() -> None:
    assert decode_statement(DATA) == SIGNED
    assert decode_header(encode_header(SIGNED)) == SIGNED


def test_the_signed_bytes_are_those_of_the_specification() -> None:
    assert signed_bytes(SIGNED.statement) == (
        b"oep1 document\x01" + DIGEST + b"\0" * 7 + b"\x0a" + b"\0" * 6 + b"\x01\x02"
    )
    assert signed_bytes(statement(DOCUMENT, 258, "snapshot").statement)[13] == 2


@pytest.mark.parametrize("name", json.loads(DATA))
def test_every_field_is_needed(name: str) -> None:
    value = json.loads(DATA)
    del value[name]
    assert name in invalid(decode_statement, json.dumps(value).encode())


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "salt"},
        {"sha256": "00" * 31},
        {"sha256": "AA" * 32},
        {"size": 0},
        {"size": "10"},
        {"sequence": 0},
        {"sequence": MAX_SEQUENCE + 1},
        {"sequence": 1.0},
        {"publicKey": None},
        {"signature": "00" * 63},
        {"more": 1},
    ],
)
def test_a_malformed_field_is_rejected(changes: dict[str, Any]) -> None:
    invalid(decode_statement, json.dumps(json.loads(DATA) | changes).encode())


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b"[" * 5000])
def test_other_bytes_are_rejected(data: bytes) -> None:
    invalid(decode_statement, data)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "x",
        "a b",
        "=",
        base64.b64encode(DATA).decode() + "=",
        "A" * 1025,
        encode_header(SIGNED)[:-1] + "\n",
        "eyJ4Ijox",
    ],
)
def test_a_malformed_header_is_rejected(header: str) -> None:
    invalid(decode_header, header)


def test_a_statement_about_something_else_is_rejected() -> None:
    check_statement(SIGNED, "envelope", DIGEST, PUBLIC)
    check_size(SIGNED, len(DOCUMENT))
    assert "kind envelope" in invalid(check_statement, SIGNED, "snapshot", DIGEST, PUBLIC)
    assert "another document" in invalid(check_statement, SIGNED, "envelope", bytes(32), PUBLIC)
    assert "another key" in invalid(check_statement, SIGNED, "envelope", DIGEST, bytes(32))
    assert "11" in invalid(check_size, SIGNED, 11)
