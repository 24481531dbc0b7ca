"""Scalars of a JSON text with their places: where in the bytes each value stands.

For text that a strict reader has accepted, without a backslash: it is not checked again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

_TOKEN: Final = re.compile(rb'"[^"]*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_COMMA: Final = b","
_CLOSE: Final = (b"}", b"]")


class Scalar(NamedTuple):
    """A string, number or literal.

    Attributes:
        path: Keys and indices from the outermost value to this one.
        start: Position of its first byte; of a string, the first after the quotation mark.
        text: Its bytes; of a string, without quotation marks.
        is_string: Whether it is a string.
    """

    path: tuple[str | int, ...]
    start: int
    text: bytes
    is_string: bool


def scalars(text: bytes) -> Iterator[Scalar]:
    """Yield the scalars of one JSON value, in order.

    Args:
        text: The value's exact bytes, with white space around or not; no backslash.
    """
    path: list[str | int] = []
    is_key = False
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word == b"{":
            path.append("")
            is_key = True
        elif word == b"[":
            path.append(0)
            is_key = False
        elif word in _CLOSE:
            path.pop()
        elif word == _COMMA:
            last = path[-1]
            is_key = isinstance(last, str)
            path[-1] = last if isinstance(last, str) else last + 1
        elif word == b":":
            is_key = False
        elif is_key:
            path[-1] = word[1:-1].decode()
        else:
            is_string = word.startswith(b'"')
            start = token.start() + is_string
            yield Scalar(tuple(path), start, word[1:-1] if is_string else word, is_string)
