"""Small JSON messages of a fixed shape, such as signed statements and requests.

Guarantees: a message has the fields of its shape, each once, and its numbers are integers. Of a
doubled key readers disagree which value counts, so that one signature could stand under two
messages. Leaves out the documents of a round, which have a reader with paths (``strict_json``).

Example:
    >>> class Point(Struct, forbid_unknown_fields=True):
    ...     x: int
    >>> read_struct(b'{"x": 1}', Point)
    Point(x=1)
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, ValidationError

Shape = TypeVar("Shape", bound=Struct)


def read_struct(data: bytes, shape: type[Shape]) -> Shape:
    """Decode a JSON object.

    Args:
        data: Bounded by the caller.
        shape: Its fields; unknown ones must be forbidden, which bounds the depth.

    Raises:
        ValidationError: If a field is missing, unknown, doubled or of the wrong shape.
        DecodeError: If it is not JSON.
    """
    value = msgspec.json.decode(data, type=shape)
    json.loads(data, object_pairs_hook=_require_single, parse_int=len, parse_float=_reject_fraction)
    return value


def _reject_fraction(text: str) -> None:
    raise ValidationError(f"Expected an integer, got {text[:20]}: no point and no exponent")


def _require_single(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise ValidationError(f"Object contains field `{name}` twice")
        seen.add(name)
