"""Compares code on a chain with the committed artefact's.

Guarantees: every byte is compared except those that the constructor fills in (immutables).
"""

from __future__ import annotations

from typing import Any

from oepnode.errors import EvidenceError


def check_code(code: bytes, compiled: dict[str, Any]) -> None:
    """Check that code on a chain is an artefact's.

    Raises:
        EvidenceError: If it is not; the message names the first difference.
    """
    difference = code_difference(code, compiled)
    if difference:
        raise EvidenceError(difference)


def code_difference(code: bytes, compiled: dict[str, Any]) -> str:
    """The first difference of code on a chain from an artefact's, or an empty text."""
    name = compiled["contract"]
    if not code:
        return "there is no contract at this address; check the address and the node"
    expected = bytes.fromhex(compiled["deployedBytecode"][2:])
    if len(code) != len(expected):
        return f"other code than {name}: expected {len(expected)} bytes, received {len(code)}"
    filled_in = compiled["immutableReferences"]
    expected, received = _without(expected, filled_in), _without(code, filled_in)
    if received == expected:
        return ""
    index = next(i for i in range(len(expected)) if received[i] != expected[i])
    return (
        f"other code than {name}: byte {index} is {received[index]:#04x}, "
        f"expected {expected[index]:#04x}"
    )


def _without(code: bytes, immutables: dict[str, list[dict[str, int]]]) -> bytes:
    """Code with zeros where the constructor fills in values."""
    masked = bytearray(code)
    for references in immutables.values():
        for reference in references:
            start, length = reference["start"], reference["length"]
            masked[start : start + length] = bytes(length)
    return bytes(masked)
