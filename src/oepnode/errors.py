"""The error families, separated by what a caller can decide.

Every error that leaves a layer is one of these. Foreign exceptions are translated once, in the
adapter that met them. The command line maps each family to an exit code (``docs/design.md §9``) in
one module, ``oepnode.cli.common.exits``. No message here holds an NMI, a salt or a key.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class OepError(Exception):
    """Base of all errors of this package.

    Attributes:
        code: Short stable name of the reason, such as ``worker.unknown``, or an empty text. It may
            be shown where the message, which can quote another party, may not.
    """

    code: str = ""

    def __init__(self, message: str = "", *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class EvidenceError(OepError):
    """The data is wrong: it does not prove what it should, or does not follow the rules."""


class UnverifiedCodeError(EvidenceError):
    """A contract was deployed, but its code is not this release's."""


class TransportError(OepError):
    """An external service did not respond, or not as agreed. Retrying later may help."""


class UnreadCodeError(TransportError):
    """A contract was deployed, but its code could not be read to verify it."""


class ConflictError(OepError):
    """Another party moved first, or the other side rejected the step in its present state."""


class ConfigError(OepError):
    """Wrong usage or configuration. The message names the setting and the fix."""


class FatalError(OepError):
    """An internal error, or a fault of the machine. Stop; the next start recovers."""


class ComputationFault(OepError):  # noqa: N818 - reads as what it is
    """A computing process ended without a result: out of memory, too slow, killed or broken.

    The message is this package's own and quotes no input. Trying again may help.
    """


class DigestMismatch(EvidenceError):  # noqa: N818 - the name is the reason code on chain
    """Bytes were served whose SHA-256 is not the requested digest."""

    def __init__(self, what: str, expected: bytes, received: bytes) -> None:
        super().__init__(
            f"{what}: expected SHA-256 {expected.hex()}, received bytes with {received.hex()}"
        )
        self.what = what
        self.expected = expected
        self.received = received


class Severity(StrEnum):
    """Effect of a finding: an error rejects the document, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or odd, in a document.

    Attributes:
        path: Location in the document, such as ``$.records[17].nmi`` or ``$.rows[17].minute``.
        code: Short stable name of the rule, such as ``nmi.character``.
        message: The rule, and how to satisfy it.
        value: The offending value, shortened; withheld where it could be an NMI.
        section: Document and section that the rule comes from; empty where the message has it.
        severity: Whether it rejects the document.
        count: Number of findings that this one represents; ``path`` is that of the first.
        caused_by: Code of the finding at the same location that this one follows from, or empty.
    """

    path: str
    code: str
    message: str
    value: str = ""
    section: str = ""
    severity: Severity = Severity.ERROR
    count: int = 1
    caused_by: str = ""

    @property
    def text(self) -> str:
        """The message, and the code of its cause."""
        return f"{self.message} [follows from {self.caused_by}]" if self.caused_by else self.message

    def __str__(self) -> str:
        section = f" ({self.section})" if self.section else ""
        value = f" (found {self.value})" if self.value else ""
        return f"{self.path}: {self.code}: {self.text}{section}{value}"


class DocumentFault(EvidenceError):  # noqa: N818 - reads as what it is
    """A document was rejected.

    Attributes:
        what: Name of the document, such as ``envelope document``, after that of its file.
        faults: The first faults, at most 100, in document order.
        more: Number of further faults.
    """

    def __init__(self, what: str, faults: Sequence[Finding], more: int = 0) -> None:
        total = len(faults) + more
        noun = "fault" if total == 1 else "faults"
        first = f"; first: {faults[0]}" if faults else ""
        super().__init__(f"{what} rejected: {total} {noun}{first}")
        self.what = what
        self.faults = tuple(faults)
        self.more = more

    def named(self, file: str | Path) -> DocumentFault:
        """The same rejection, with the name of the document's file."""
        return type(self)(f"{file}: {self.what}", self.faults, self.more)


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
