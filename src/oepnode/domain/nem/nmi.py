"""National Metering Identifiers and their checksum.

An NMI is ten characters of ``0-9 A-Z`` without ``O`` and ``I``. On the wire it has no
checksum; an eleventh character is accepted only as the checksum, is checked, and is dropped.
Source: AEMO NMI Procedure, Part C §6.3 field 1, rules-v1 section 4.

No error message here repeats the NMI: it names the position and the character at fault.
"""

from __future__ import annotations

from typing import Final, NewType

from oepnode.errors import EvidenceError

Nmi = NewType("Nmi", str)

NMI_LENGTH: Final = 10
ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_ALLOWED: Final = frozenset(ALPHABET)


class NmiError(EvidenceError):
    """A text is not an NMI.

    Attributes:
        code: Stable name of the fault, such as ``nmi.checksum``.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def checksum(nmi: str) -> int:
    """Return the checksum digit, 0 to 9, of a ten-character NMI.

    From the right, the ASCII codes at the 1st, 3rd, 5th … position are doubled, and the decimal
    digits of all codes are added up; the checksum completes the sum to a multiple of ten.

    Raises:
        NmiError: If the text is not ten allowed characters.
    """
    _check_characters(nmi)
    return _checksum(nmi)


def parse(text: str) -> Nmi:
    """Return the NMI of a text of ten characters, or of eleven with a valid checksum.

    Raises:
        NmiError: For any other text; the message does not repeat it.
    """
    if not isinstance(text, str):
        raise NmiError("nmi.type", "an NMI must be a string")
    if len(text) == NMI_LENGTH + 1:
        _check_characters(text[:NMI_LENGTH])
        if text[-1] != str(_checksum(text[:NMI_LENGTH])):
            raise NmiError(
                "nmi.checksum", "the eleventh character must be the NMI's checksum, and is not"
            )
        return Nmi(text[:NMI_LENGTH])
    _check_characters(text)
    return Nmi(text)


def _check_characters(text: str) -> None:
    if not isinstance(text, str):
        raise NmiError("nmi.type", "an NMI must be a string")
    if len(text) != NMI_LENGTH:
        raise NmiError("nmi.length", f"an NMI must have 10 characters, received {len(text)}")
    if not _ALLOWED.issuperset(text):
        index = next(i for i, char in enumerate(text) if char not in _ALLOWED)
        raise NmiError(
            "nmi.character",
            f"character {index + 1} is {text[index]!a}; allowed are 0-9 and A-Z "
            "in upper case without O and I",
        )


def _checksum(nmi: str) -> int:
    total = 0
    for index, char in enumerate(reversed(nmi)):
        code = ord(char) * 2 if index % 2 == 0 else ord(char)
        total += sum(int(digit) for digit in str(code))
    return -total % 10
