"""Marks findings that follow from others, so that a reader sees the cause first.

A rule covers its own matter only, so one mistake may break several (``boffers.rules``). Where
fixing one usually fixes the other, the other is marked; it is still counted, and still rejects.
Leaves out everything that is not evident from the two codes and their paths.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from oepnode.errors import Finding

_PERIOD: Final = re.compile(r"^(\$\.records\[\d+\]\.energyBids\[\d+\]\.\w+\[\d+\]|\$\.rows\[\d+\])")
_RECORD: Final = re.compile(r"^(\$\.records\[\d+\]|\$\.rows\[\d+\])")
_VALUE: Final = re.compile(r"^(.*)$", re.DOTALL)


@dataclass(frozen=True)
class _Cause:
    """Codes that another one follows from, where both are in one scope of the document."""

    codes: tuple[str, ...]
    scope: re.Pattern[str]


_CAUSES: Final[Mapping[str, _Cause]] = {
    "boffer.transition": _Cause(("boffer.load_sign", "boffer.generation_sign"), _PERIOD),
    "boffer.horizon": _Cause(("trading_date.past", "period.duplicate"), _RECORD),
    "import_sign.mixed": _Cause(("limit.sign",), _VALUE),
}


def causes_first(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Findings, with those that follow from others marked and moved to the end."""
    present = {
        (finding.code, cause.scope, _part(cause.scope, finding.path))
        for cause in _CAUSES.values()
        for finding in findings
        if finding.code in cause.codes
    }
    marked = [replace(finding, caused_by=_cause_of(finding, present)) for finding in findings]
    return tuple(sorted(marked, key=lambda finding: bool(finding.caused_by)))


def _cause_of(finding: Finding, present: set[tuple[str, re.Pattern[str], str]]) -> str:
    cause = _CAUSES.get(finding.code)
    if cause is None:
        return ""
    part = _part(cause.scope, finding.path)
    return next((code for code in cause.codes if (code, cause.scope, part) in present), "")


def _part(scope: re.Pattern[str], path: str) -> str:
    """The part of a path that names its scope."""
    match = scope.match(path)
    return path if match is None else match[1]
