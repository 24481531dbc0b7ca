"""National metering identifiers (section 4)."""

from __future__ import annotations

import re


def checksum(nmi: str) -> int:
    """The checksum digit of ten characters."""
    total = 0
    for position, character in enumerate(reversed(nmi), start=1):
        value = ord(character)
        if position % 2 == 1:
            value *= 2
        total += sum(int(digit) for digit in str(value))
    return (10 - total % 10) % 10


def nmi_or_rule(text: str) -> tuple[str | None, str | None]:
    """(NMI, None), or (None, the rule that it breaks)."""
    if len(text) not in (10, 11):
        return None, "nmi.length"
    nmi, tail = text[:10], text[10:]
    if re.fullmatch(r"[0-9A-HJ-NP-Z]{10}", nmi) is None:
        return None, "nmi.character"
    if tail and tail != str(checksum(nmi)):
        return None, "nmi.checksum"
    return nmi, None
