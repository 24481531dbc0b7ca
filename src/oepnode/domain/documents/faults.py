"""Collecting the faults of a document, and showing values without showing an NMI.

Source: design section 3 ("a list of what is wrong and where"). The first 100 faults are kept in
document order, the others are counted.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from oepnode.errors import DocumentFault, Finding

MAX_FAULTS = 100
_MAX_SHOWN = 60
_RUN = re.compile(r"[0-9A-Za-z]{10,}")
_CAPITALS = re.compile(r"[A-Z]{10}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d(T|$)", re.ASCII)


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


class FaultLog:
    """Faults and warnings of one document, in the order in which they were met.

    Args:
        what: Name of the document for messages, such as ``envelope document``.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._faults: list[Finding] = []
        self._more = 0
        self._warnings: dict[str, tuple[str, int]] = {}

    def add(self, path: str, rule: str, message: str, value: str = "") -> None:
        """Note a fault. ``value`` is text already made safe, as by `show_value`."""
        if len(self._faults) < MAX_FAULTS:
            self._faults.append(Finding(path, rule, message, value))
        else:
            self._more += 1

    def warn(self, path: str, message: str) -> None:
        """Note a warning; equal warnings are counted under their first place."""
        place, count = self._warnings.get(message, (path, 0))
        self._warnings[message] = (place, count + 1)

    @property
    def count(self) -> int:
        """Number of faults so far, kept or only counted."""
        return len(self._faults) + self._more

    @property
    def warnings(self) -> tuple[str, ...]:
        """Each kind of warning once, with its first place and how often it occurred."""
        return tuple(
            f"{place}: {message}" + (f" (and {count - 1} more)" if count > 1 else "")
            for message, (place, count) in self._warnings.items()
        )

    def raise_if_any(self) -> None:
        """Reject the document if it has a fault.

        Raises:
            DocumentFault: With all kept faults.
        """
        if self._faults:
            raise DocumentFault(self._what, self._faults, self._more)
