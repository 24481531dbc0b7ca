"""Small JSON messages: every field of the shape, each once."""

from __future__ import annotations

import json
from collections.abc import Callable

import msgspec
import pytest
from msgspec import Struct, ValidationError

from oepnode.domain.documents.json_struct import read_struct
from oepnode.domain.rounds import grants, relayed_steps, signed_ballots, signed_requests
from oepnode.domain.rounds.inputs import document_signatures
from oepnode.errors import EvidenceError


class Inner(Struct, forbid_unknown_fields=True):
    x: int


class Outer(Struct, forbid_unknown_fields=True):
    inner: list[Inner]
    y: int = 0


@pytest.mark.parametrize("number", ["1.0", "1e0", "1E2", "10e-1"])
def test_a_number_with_point_or_exponent_is_rejected(number: str) -> None:
    with pytest.raises(ValidationError, match="Expected"):
        read_struct(b'{"inner": [{"x": %s}]}' % number.encode(), Outer)


def test_a_message_of_the_shape_is_read() -> None:
    assert read_struct(b'{"inner": [{"x": 1}, {"x": 2}]}', Outer) == Outer([Inner(1), Inner(2)])


@pytest.mark.parametrize(
    "data",
    [
        b'{"inner": [], "y": 1, "y": 1}',
        b'{"inner": [], "y": 1, "\\u0079": 2}',
        b'{"inner": [{"x": 1, "x": 2}]}',
    ],
)
def test_a_doubled_field_is_rejected_wherever_it_is(data: bytes) -> None:
    with pytest.raises(ValidationError, match="field `[xy]` twice"):
        read_struct(data, Outer)


def test_a_number_of_many_digits_is_no_internal_error() -> None:
    with pytest.raises((ValidationError, msgspec.DecodeError)):
        read_struct(b'{"inner": [], "y": ' + b"9" * 10_000 + b"}", Outer)


STATEMENT = {
    "kind": "envelope",
    "sha256": "0" * 64,
    "size": 1,
    "sequence": 1,
    "publicKey": "0" * 64,
    "signature": "0" * 128,
}
STEP = {"chainId": 1, "contract": "0x" + "0" * 40, "round": 1, "root": "", "partitions": 0}
GRANTS = {
    "service": "sender",
    "chainId": 1,
    "contract": "0x" + "0" * 40,
    "round": 1,
    "envelopeDigest": "0" * 64,
    "registryDigest": "0" * 64,
    "issuedAt": 1,
    "final": True,
    "grants": [],
    "signature": "0" * 130,
}
BALLOT = {
    "chainId": 1,
    "contract": "0x" + "0" * 40,
    "round": 1,
    "ballot": "1" * 64,
    "custody": "2" * 64,
    "signature": "0" * 128,
}
REQUEST = {
    "what": "salt",
    "round": 1,
    "snapshotDigest": "0" * 64,
    "recipient": "0" * 64,
    "signer": "0" * 40,
    "nonce": "0" * 64,
    "issuedAt": 1,
    "signature": "0" * 130,
}


@pytest.mark.parametrize(
    ("decode", "message"),
    [
        (document_signatures.decode_statement, STATEMENT),
        (relayed_steps.decode, STEP),
        (grants.decode_list, GRANTS),
        (signed_ballots.decode_lines, BALLOT),
        (signed_requests.decode_request, REQUEST),
    ],
)
def test_every_message_of_a_stranger_is_read_so(
    decode: Callable[[bytes], object], message: dict[str, object]
) -> None:
    plain = json.dumps(message).encode()
    decode(plain)
    for name, value in message.items():
        doubled = plain[:-1] + f", {json.dumps(name)}: {json.dumps(value)}}}".encode()
        with pytest.raises(EvidenceError, match=f"`{name}` twice"):
            decode(doubled)
