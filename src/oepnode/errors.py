"""The error families, told apart by what a caller can decide.

Every error that leaves a layer is one of these. Foreign exceptions are translated once, in the
adapter that met them. The command line maps each family to an exit code (design section 9) in one
place, ``oepnode.cli.common.exits``. No message here holds an NMI, a salt or a key.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class OepError(Exception):
    """Base of all errors of this package."""


class EvidenceError(OepError):
    """The data is wrong: what was shown does not prove or does not follow the rules."""


class TransportError(OepError):
    """The outside did not answer, or not as agreed. Trying later may help."""


class ConflictError(OepError):
    """Somebody moved first, or the other side rejected the step in its present state."""


class ConfigError(OepError):
    """Wrong usage or configuration. The message names the setting and the mend."""


class FatalError(OepError):
    """A fault of ours or of the machine. Stop; recovery sorts it out on the next start."""


class DigestMismatch(EvidenceError):  # noqa: N818 - the name is the reason code on chain
    """Bytes were served whose SHA-256 is not the digest that was asked for."""

    def __init__(self, what: str, expected: bytes, received: bytes) -> None:
        super().__init__(
            f"{what}: expected SHA-256 {expected.hex()}, received bytes with {received.hex()}"
        )
        self.what = what
        self.expected = expected
        self.received = received


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a document.

    Attributes:
        path: Place in the document, such as ``$.records[17].nmi``.
        rule: Short stable name of the rule that is broken, such as ``nmi.character``.
        message: What the rule wants, and its source.
        value: What was found, shortened; withheld where it could be an NMI.
    """

    path: str
    rule: str
    message: str
    value: str = ""

    def __str__(self) -> str:
        found = f" (found {self.value})" if self.value else ""
        return f"{self.path}: {self.rule}: {self.message}{found}"


class DocumentFault(EvidenceError):  # noqa: N818 - reads as what it is
    """A document was rejected whole.

    Attributes:
        what: Which document, such as ``envelope document``.
        faults: The first faults found, at most 100, in document order.
        more: How many further faults were counted.
    """

    def __init__(self, what: str, faults: Sequence[Fault], more: int = 0) -> None:
        total = len(faults) + more
        noun = "fault" if total == 1 else "faults"
        first = f"; first: {faults[0]}" if faults else ""
        super().__init__(f"{what} rejected: {total} {noun}{first}")
        self.what = what
        self.faults = tuple(faults)
        self.more = more


def location_of(exc: BaseException) -> str:
    """File and line in this package where an exception arose, such as ``worker/effects.py:154``.

    Leaves out the exception's message, which could quote data that a client sent.
    """
    package = Path(__file__).parent
    for frame in reversed(traceback.extract_tb(exc.__traceback__)):
        file = Path(frame.filename)
        if file.is_relative_to(package):
            return f"{file.relative_to(package).as_posix()}:{frame.lineno}"
    return "unknown"
