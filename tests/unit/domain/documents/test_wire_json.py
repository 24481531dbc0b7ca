"""Messages of a fixed shape: a key that occurs twice is rejected, at every depth."""

from __future__ import annotations

import pytest
from msgspec import DecodeError, Struct, ValidationError

from oepnode.domain.documents.wire_json import decode_message


class Inner(Struct, forbid_unknown_fields=True):
    number: int


class Outer(Struct, forbid_unknown_fields=True):
    inner: list[Inner]


def test_a_message() -> None:
    data = b'{"inner": [{"number": 1}, {"number": 2}]}'
    assert [each.number for each in decode_message(data, Outer).inner] == [1, 2]


@pytest.mark.parametrize(
    "data",
    [
        b'{"inner":[],"inner":[]}',
        b'{"inner":[{"number":1,"number":1}]}',
        b'{"inner":[{"number":1,"n\\u0075mber":2}]}',
        b'{"inner":[{"number":1.0}]}',
        b'{"inner":[],"more":0}',
    ],
)
def test_another_shape_or_a_key_twice(data: bytes) -> None:
    with pytest.raises(ValidationError):
        decode_message(data, Outer)


@pytest.mark.parametrize("data", [b"", b"{", b'{"inner":[]}x', b'\xef\xbb\xbf{"inner":[]}'])
def test_no_json(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_message(data, Outer)
