"""The log of one submission's findings, from which both acknowledgements are made.

Guarantees: every finding is counted under its code, and the first hundred of a code are kept;
parts of a document that can be read are checked against the business rules even where others
cannot.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType
from typing import Final, Literal, TypeVar

from oepnode.domain.documents.faults import FaultLog, warning_code
from oepnode.domain.edge.validation.acknowledgement import Acknowledgement, ValidationResult
from oepnode.domain.edge.validation.causes import causes_first
from oepnode.errors import Finding, Severity

MAX_PER_CODE: Final = 100
"""Findings of one code that are kept; the others are counted."""

_LAST_INDEX: Final = re.compile(r"\[\d+\](?!.*\[\d)")
_NAME: Final = re.compile(r"\.([A-Za-z]\w*)")
_JSON: Final = "RFC 8259"

T = TypeVar("T")


class _Findings:
    """Findings of one severity and acknowledgement, kept up to a number per code."""

    def __init__(self) -> None:
        self.kept: list[Finding] = []
        self.counts: Counter[str] = Counter()
        self._runs: dict[tuple[str, str, str], int] = {}
        self._lines: Counter[str] = Counter()

    def has_room(self, code: str) -> bool:
        return self._lines[code] < MAX_PER_CODE

    def put(self, finding: Finding) -> None:
        """Add a finding's count, and keep it where there is room."""
        if self.has_room(finding.code):
            self.kept.append(finding)
            self._lines[finding.code] += 1
        self.counts[finding.code] += finding.count

    def put_run(self, finding: Finding) -> None:
        """As `put`; findings of one field in the elements of one array share a line."""
        key = finding.code, finding.message, _LAST_INDEX.sub("[]", finding.path)
        index = self._runs.get(key)
        if index is None:
            if self.has_room(finding.code):
                self._runs[key] = len(self.kept)
            self.put(finding)
            return
        run = self.kept[index]
        count = run.count + finding.count
        last = f"{count} times, the last at {finding.path}"
        self.kept[index] = replace(run, count=count, value=last)
        self.counts[finding.code] += finding.count


class FindingLog(FaultLog):
    """Findings of one submission by acknowledgement; a `FaultLog` for readers of its form.

    Args:
        what: Name of the dataset, such as ``NMI Boffer``.
        section: The document's section that defines the dataset.
        sections: Field → section, for faults of the form; as ``shape.Shape.sections``.

    Attributes:
        count: Number of faults of the form so far.
    """

    def __init__(self, what: str, section: str, sections: Mapping[str, str] | None = None) -> None:
        super().__init__(what)
        self.section = section
        self._sections = dict(sections or {})
        self._system = _Findings()
        self._business = _Findings()
        self._oddities = _Findings()
        self._cautions = _Findings()

    def describe(self, what: str, section: str, sections: Mapping[str, str]) -> None:
        """Set the dataset that the document has turned out to be."""
        self.what, self.section, self._sections = what, section, dict(sections)

    def add(
        self,
        path: str,
        code: str,
        message: str,
        value: str = "",
        *,
        count: int = 1,
        section: str = "",
    ) -> None:
        """Record a fault of the form; its section is by default that of its field."""
        self.count += count
        if not section:
            is_json = code.startswith("json.")
            section = _JSON if is_json else self._section(self._system, code, path)
        self._system.put(Finding(path, code, message, value, section, count=count))

    def business(
        self, code: str, path: str, section: str, message: str, value: str = "", *, count: int = 1
    ) -> None:
        """Record a broken business rule; ``count`` is the number of equal findings."""
        self._business.put(Finding(path, code, message, value, section, count=count))

    def caution(
        self, code: str, path: str, section: str, message: str, value: str = "", *, count: int = 1
    ) -> None:
        """Record content that is odd but allowed."""
        finding = Finding(path, code, message, value, section, Severity.WARNING, count)
        self._cautions.put(finding)

    def odd(self, code: str, path: str, message: str, value: str = "", *, count: int = 1) -> None:
        """Record a form that is odd but allowed."""
        section = self._section(self._oddities, code, path)
        finding = Finding(path, code, message, value, section, Severity.WARNING, count)
        self._oddities.put(finding)

    def warn(self, path: str, message: str, *, count: int = 1) -> None:
        """Record a reader's warning; equal ones of neighbours share a line."""
        code = warning_code(message)
        section = self._section(self._oddities, code, path)
        finding = Finding(path, code, message, "", section, Severity.WARNING, count)
        self._oddities.put_run(finding)

    def _section(self, findings: _Findings, code: str, path: str) -> str:
        """The section of a path, looked up only for findings that will be kept."""
        return self.section_of(path) if findings.has_room(code) else ""

    def section_of(self, path: str) -> str:
        """Section of the innermost field of a path that has one."""
        names = _NAME.findall(path)
        for holder, name in reversed(list(pairwise(("", *names)))):
            section = self._sections.get(f"{holder}.{name}") or self._sections.get(name)
            if section:
                return section
        return self.section

    @property
    def business_count(self) -> int:
        """Number of broken business rules so far."""
        return self._business.counts.total()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The kept faults of form and content, then the kept warnings."""
        errors = (*self._system.kept, *self._business.kept)
        return (*errors, *self._oddities.kept, *self._cautions.kept)

    @property
    def more(self) -> int:
        """Number of faults of form and content that were counted but not kept."""
        kept = len(self._system.kept) + len(self._business.kept)
        return self.count + self.business_count - kept

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
        """Close the log: the value, where the form is accepted, with both acknowledgements."""
        is_formed = self.count == 0
        system = _answer("system", message_id, self._system, is_formed, self._oddities)
        passed = is_formed and self.business_count == 0
        transaction = _answer("transaction", message_id, self._business, passed, self._cautions)
        return ValidationResult(self.what, value if is_formed else None, system, transaction)


def _answer(
    kind: Literal["system", "transaction"],
    message_id: str,
    errors: _Findings,
    accepted: bool,
    warnings: _Findings,
) -> Acknowledgement:
    return Acknowledgement(
        kind,
        message_id,
        accepted,
        causes_first(errors.kept),
        MappingProxyType(dict(errors.counts)),
        tuple(warnings.kept),
        MappingProxyType(dict(warnings.counts)),
    )
