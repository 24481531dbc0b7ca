"""JSON messages of a fixed shape, in which no key occurs twice.

A decoder that keeps the last of two equal keys and one that keeps the first read two messages.
Source: RFC 8259 section 4, RFC 7493 section 2.3.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

from msgspec import ValidationError
from msgspec import json as msgspec_json

T = TypeVar("T")


def decode_message(data: bytes, shape: type[T]) -> T:
    """Read a message.

    Args:
        data: Its JSON in UTF-8.
        shape: A msgspec structure.

    Raises:
        ValidationError: If it is not of that shape, or a key occurs twice.
        DecodeError: If it is not JSON; also `RecursionError` and `UnicodeDecodeError`.
    """
    message = msgspec_json.decode(data, type=shape)
    # It is JSON of that shape, and so not deep.
    json.loads(data.decode(), object_pairs_hook=_once)
    return message


def _once(pairs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValidationError("a key occurs twice in one object")
