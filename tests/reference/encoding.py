"""Bytes of site entries and partition entries (section 9)."""

from __future__ import annotations

from tests.reference.limits import Limits
from tests.reference.nem_time import STEP

NO_LIMIT = -(2**31)


def site_entry(
    pseudonym: bytes,
    *,
    level: int,
    timing: int,
    objective: str,
    start: int,
    count: int,
    limits: dict[int, Limits],
) -> bytes:
    """A site entry; ``limits`` by interval start, only the intervals of this partition."""
    text = objective.encode()
    kinds = 0
    columns = b""
    for bit in range(4):
        column = [limits[t][bit] if t in limits else None for t in _grid(start, count)]
        if any(value is not None for value in column):
            kinds |= 1 << bit
            for value in column:
                number = NO_LIMIT if value is None else value
                columns += number.to_bytes(4, "big", signed=True)
    return (
        b"OEP1\x01"
        + pseudonym
        + bytes([level, timing, len(text)])
        + text
        + start.to_bytes(8, "big")
        + STEP.to_bytes(2, "big")
        + count.to_bytes(2, "big")
        + bytes([kinds])
        + columns
    )


def _grid(start: int, count: int) -> range:
    return range(start, start + count * STEP, STEP)


def partition_entry(pseudonym: bytes, root: bytes, sites: int) -> bytes:
    return b"OEP1\x02" + pseudonym + root + sites.to_bytes(4, "big")
