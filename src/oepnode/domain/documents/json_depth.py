"""Bounds the nesting of JSON text before it is parsed.

The standard library's scanner recurses once per level, and a process whose recursion limit was
raised (a library for the chain does so on import) crashes on a nesting bomb instead of raising an
error. So the depth is checked before anything is scanned. Source: rules-v1 section 2.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from oepnode.domain.documents.arrays import Bools, Bytes

MAX_DEPTH: Final = 64
"""Far above the six levels of any document here, far below what a stack holds."""

_CHUNK: Final = 1 << 20
_ESCAPE: Final = re.compile(rb"\\.", re.DOTALL)
_STEP: Final = np.zeros(256, dtype=np.int8)
_STEP[[ord("["), ord("{")]] = 1
_STEP[[ord("]"), ord("}")]] = -1


def is_too_deep(text: str) -> bool:
    """Whether some value in the text is nested more than `MAX_DEPTH` levels deep.

    Exact for text that is JSON up to its first syntax error, which is where a scanner stops.
    """
    data = text.encode("utf-8", "surrogatepass")
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return False
    if b"\\" in data:
        data = _ESCAPE.sub(b"__", data)
    codes = np.frombuffer(data, dtype=np.uint8)
    depth, is_inside = 0, False
    for start in range(0, len(codes), _CHUNK):
        chunk = codes[start : start + _CHUNK]
        inside = _inside_strings(chunk, is_inside)
        levels = depth + np.cumsum(np.where(inside, 0, _STEP[chunk]), dtype=np.int32)
        if levels.max() > MAX_DEPTH:
            return True
        depth, is_inside = int(levels[-1]), bool(inside[-1])
    return False


def _inside_strings(chunk: Bytes, is_inside: bool) -> Bools:
    """A mask of the bytes inside strings, opening quotes included and closing ones not."""
    quotes = np.logical_xor.accumulate(chunk == ord('"'))
    return quotes ^ is_inside
