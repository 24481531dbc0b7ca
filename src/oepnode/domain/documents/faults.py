"""Findings of one document, and values as text that cannot give an NMI away.

Guarantees: the first 100 faults are kept in document order and the others are counted; no value
that may be an NMI, a salt or a key is shown. Source: ``docs/design.md §3``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final

from oepnode.domain.nem.nem_time import DAYLIGHT_SAVING_WARNING, NO_OFFSET_WARNING
from oepnode.errors import DocumentFault, Finding, Severity

MAX_FAULTS: Final = 100
_MAX_SHOWN: Final = 60
_RUN: Final = re.compile(r"[0-9A-Za-z]{10,}")
_CAPITALS: Final = re.compile(r"[A-Z]{10}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d(T|$)", re.ASCII)
_WARNING_CODES: Final = {
    NO_OFFSET_WARNING: "time.no_offset",
    DAYLIGHT_SAVING_WARNING: "time.daylight_saving_offset",
}


def show_value(value: object) -> str:
    """Return a short, safe text for a value: no containers, and nothing that may be an NMI.

    Ten or more letters and digits in a row are withheld, which also covers keys and salts in hex.
    Words in mixed case, such as the names of fields, are shown.
    """
    if isinstance(value, Mapping):
        return f"an object of {len(value)} fields"
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return f"an array of {len(value)} elements"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if type(value) is str and _may_be_spelled_out(text):
        return "[withheld]"
    text = _RUN.sub(_unless_a_name, text)
    text = ascii(text) if type(value) is str else text
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}… ({len(text)} characters)"


def _may_be_spelled_out(text: str) -> bool:
    """Whether an NMI may hide behind separators or other forms of its digits."""
    bare = "".join(c for c in unicodedata.normalize("NFKC", text) if c.isalnum())
    digits = sum(c.isdigit() for c in bare)
    is_time = _TIME.match(text) is not None
    return not is_time and bare != text and len(bare) >= 10 and digits >= 4


def _unless_a_name(run: re.Match[str]) -> str:
    text = run[0]
    is_mixed = text.isalpha() and not text.isupper() and not text.islower()
    return text if is_mixed and not _CAPITALS.search(text) else "[withheld]"


def warning_code(message: str) -> str:
    """Code of a reader's warning."""
    return _WARNING_CODES.get(message, "document.odd")


class FaultLog:
    """Faults and warnings of one document, in document order.

    Args:
        what: Name of the document for messages, such as ``envelope document``.

    Attributes:
        count: Number of faults so far, kept or only counted.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self.count = 0
        self._faults: list[Finding] = []
        self._warnings: dict[str, tuple[str, int]] = {}

    def add(self, path: str, code: str, message: str, value: str = "") -> None:
        """Record a fault. ``value`` is text already made safe, as by `show_value`."""
        self.count += 1
        if len(self._faults) < MAX_FAULTS:
            self._faults.append(Finding(path, code, message, value))

    def skip(self, count: int) -> None:
        """Count faults without keeping them."""
        self.count += count

    def absorb(self, other: FaultLog) -> None:
        """Add the faults and warnings of a later part of the document."""
        self._faults += other._faults[: MAX_FAULTS - len(self._faults)]
        self.count += other.count
        for message, (path, count) in other._warnings.items():
            first, before = self._warnings.get(message, (path, 0))
            self._warnings[message] = (first, before + count)

    def warn(self, path: str, message: str, *, count: int = 1) -> None:
        """Record a warning; equal warnings are counted under the path of the first."""
        first, before = self._warnings.get(message, (path, 0))
        self._warnings[message] = (first, before + count)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The kept faults, then each kind of warning once."""
        warnings = (
            Finding(path, warning_code(text), text, severity=Severity.WARNING, count=count)
            for text, (path, count) in self._warnings.items()
        )
        return (*self._faults, *warnings)

    @property
    def more(self) -> int:
        """Number of faults that were counted but not kept."""
        return self.count - len(self._faults)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Each kind of warning once as text, with its first path and how often it occurred."""
        return tuple(
            f"{path}: {text}" + (f" (and {count - 1} more)" if count > 1 else "")
            for text, (path, count) in self._warnings.items()
        )

    def raise_if_any(self) -> None:
        """Reject the document if it has a fault.

        Raises:
            DocumentFault: With all kept faults.
        """
        if self.count:
            raise DocumentFault(self.what, self._faults, self.more)
