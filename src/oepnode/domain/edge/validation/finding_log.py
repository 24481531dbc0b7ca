"""The log of one submission's findings, which ends in two acknowledgements."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Final, Literal, TypeVar

from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.edge.validation.acknowledgement import Acknowledgement, ValidationResult
from oepnode.domain.edge.validation.causes import causes_first
from oepnode.domain.nem.nem_time import DAYLIGHT_SAVING_WARNING, NO_OFFSET_WARNING
from oepnode.errors import Finding, Severity

MAX_PER_CODE: Final = 100
"""Findings of one code that are kept; the others are counted."""

_LAST_INDEX: Final = re.compile(r"\[\d+\](?!.*\[\d)")
_NAME: Final = re.compile(r"\.([A-Za-z]\w*)")
_WARNINGS: Final = {
    NO_OFFSET_WARNING: "time.no_offset",
    DAYLIGHT_SAVING_WARNING: "time.daylight_saving_offset",
}
_JSON: Final = "RFC 8259"

T = TypeVar("T")


class _Findings:
    """Findings of one kind, kept up to a number per code and counted beyond."""

    def __init__(self) -> None:
        self.kept: list[Finding] = []
        self.counts: Counter[str] = Counter()
        self._runs: dict[tuple[str, str, str], int] = {}
        self._lines: Counter[str] = Counter()

    def has_room(self, code: str) -> bool:
        return self._lines[code] < MAX_PER_CODE

    def put(self, finding: Finding) -> None:
        """Count a finding for as many as it stands for, and keep it where there is room."""
        if self.has_room(finding.code):
            self.kept.append(finding)
            self._lines[finding.code] += 1
        self.counts[finding.code] += finding.count

    def put_run(self, finding: Finding) -> None:
        """As `put`; those of one field in the elements of one array are one line with its end."""
        key = finding.code, finding.message, _LAST_INDEX.sub("[]", finding.path)
        place = self._runs.get(key)
        if place is None:
            if self.has_room(finding.code):
                self._runs[key] = len(self.kept)
            self.put(finding)
            return
        run = self.kept[place]
        count = run.count + finding.count
        last = f"{count} times, the last at {finding.path}"
        self.kept[place] = replace(run, count=count, value=last)
        self.counts[finding.code] += finding.count


class FindingLog(FaultLog):
    """Gathers the findings of one submission; readers of the domain take it for their fault log.

    Args:
        what: Name of the dataset, such as ``NMI Boffer``.
        section: The document's section that defines the dataset.
        sections: Field → section, for the faults of the form; as ``spelling.Shape.sections``.
    """

    def __init__(self, what: str, section: str, sections: Mapping[str, str] | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.section = section
        self._sections = dict(sections or {})
        self._system = _Findings()
        self._business = _Findings()
        self._oddities = _Findings()
        self._cautions = _Findings()

    def describe(self, what: str, section: str, sections: Mapping[str, str]) -> None:
        """Say what the document has turned out to be."""
        self.what, self.section, self._sections = what, section, dict(sections)

    def add(
        self,
        path: str,
        rule: str,
        message: str,
        value: str = "",
        *,
        count: int = 1,
        section: str = "",
    ) -> None:
        """Note a fault of the form; ``rule`` is its code, its section by default its field's."""
        if not section:
            is_json = rule.startswith("json.")
            section = _JSON if is_json else self._section(self._system, rule, path)
        self._system.put(Finding(path, rule, message, value, section, count=count))

    def business(
        self, code: str, path: str, rule: str, message: str, value: str = "", *, count: int = 1
    ) -> None:
        """Note a broken business rule; ``count`` counts equal findings of which this is one."""
        self._business.put(Finding(path, code, message, value, rule, count=count))

    def caution(
        self, code: str, path: str, rule: str, message: str, value: str = "", *, count: int = 1
    ) -> None:
        """Note content that is odd but allowed."""
        self._cautions.put(Finding(path, code, message, value, rule, Severity.WARNING, count))

    def odd(self, code: str, path: str, message: str, value: str = "", *, count: int = 1) -> None:
        """Note a form that is odd but allowed."""
        section = self._section(self._oddities, code, path)
        self._oddities.put(Finding(path, code, message, value, section, Severity.WARNING, count))

    def warn(self, path: str, message: str, *, count: int = 1) -> None:
        """Note a warning of one of the domain's readers; the same of neighbours is one line."""
        code = _WARNINGS.get(message, "document.odd")
        section = self._section(self._oddities, code, path)
        self._oddities.put_run(Finding(path, code, message, "", section, Severity.WARNING, count))

    def _section(self, pile: _Findings, code: str, path: str) -> str:
        """The section of a path, looked up only for findings that will be kept."""
        return self.section_of(path) if pile.has_room(code) else ""

    def section_of(self, path: str) -> str:
        """Section of the innermost field of a path that has one."""
        names = _NAME.findall(path)
        for holder, name in reversed(list(pairwise(("", *names)))):
            found = self._sections.get(f"{holder}.{name}") or self._sections.get(name)
            if found:
                return found
        return self.section

    @property
    def count(self) -> int:
        """Number of faults of the form so far."""
        return self._system.counts.total()

    @property
    def business_count(self) -> int:
        """Number of broken business rules so far."""
        return self._business.counts.total()

    @property
    def warnings(self) -> tuple[str, ...]:
        """The kept warnings as texts."""
        kept = (*self._oddities.kept, *self._cautions.kept)
        return tuple(f"{finding.path}: {finding.message}" for finding in kept)

    def raise_if_any(self) -> None:
        """Reject the document if its form has a fault.

        Raises:
            DocumentFault: With all kept faults.
        """
        self.received(None, "").raise_if_rejected()

    def received(self, value: T | None, message_id: str) -> ValidationResult[T]:
        """Close the ledger: the value, where the form allows one, with both acknowledgements."""
        is_formed = self.count == 0
        system = _answer("system", message_id, self._system, is_formed, self._oddities)
        passed = is_formed and self.business_count == 0
        transaction = _answer("transaction", message_id, self._business, passed, self._cautions)
        return ValidationResult(self.what, value if is_formed else None, system, transaction)


def _answer(
    kind: Literal["system", "transaction"],
    message_id: str,
    found: _Findings,
    accepted: bool,
    warned: _Findings,
) -> Acknowledgement:
    return Acknowledgement(
        kind,
        message_id,
        accepted,
        causes_first(found.kept),
        dict(found.counts),
        tuple(warned.kept),
        dict(warned.counts),
    )
