"""Which findings follow from another one, so that a reader sees the cause first.

A rule speaks of its own matter only, so one mistake may break several (`boffer_rules`). Where
mending one as a rule mends the other, the other is marked; it is still counted, and still rejects.
Only what is plain from the two codes and their places is here.
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
    """Codes that another one follows from, where both speak of one place."""

    codes: tuple[str, ...]
    place: re.Pattern[str]


_CAUSES: Final[Mapping[str, _Cause]] = {
    "boffer.transition": _Cause(("boffer.load_sign", "boffer.generation_sign"), _PERIOD),
    "boffer.horizon": _Cause(("trading_date.past", "period.duplicate"), _RECORD),
    "import_sign.mixed": _Cause(("limit.sign",), _VALUE),
}


def causes_first(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Findings with those that follow from others marked and put behind the rest."""
    places = {
        (finding.code, kind.place, _at(kind.place, finding.path))
        for kind in _CAUSES.values()
        for finding in findings
        if finding.code in kind.codes
    }
    marked = [replace(finding, caused_by=_cause_of(finding, places)) for finding in findings]
    return tuple(sorted(marked, key=lambda finding: bool(finding.caused_by)))


def _cause_of(finding: Finding, places: set[tuple[str, re.Pattern[str], str]]) -> str:
    kind = _CAUSES.get(finding.code)
    if kind is None:
        return ""
    here = _at(kind.place, finding.path)
    return next((code for code in kind.codes if (code, kind.place, here) in places), "")


def _at(place: re.Pattern[str], path: str) -> str:
    found = place.match(path)
    return path if found is None else found[1]
