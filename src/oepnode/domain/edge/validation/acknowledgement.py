"""The two answers to a submission: system acknowledgement and transaction acknowledgement.

A system acknowledgement says whether the data has the form that its definition asks for (schema
validation), a transaction acknowledgement whether the business rules hold. Each finding has a code,
a path, the rule with the document's section, and a value. Both are made in one pass: parts of a
document that can be read are held to the business rules even where others cannot, and every finding
is counted under its code although only the first hundred of a code are kept.

Source: Part C §3.2 and §6.2 ("Submission Acknowledgement"), §4.2 and §5.2 for the datasets that
promise the system acknowledgement only.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import pairwise
from typing import Any, Final, Generic, Literal, TypeVar

from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.edge.validation.causes import causes_first
from oepnode.domain.edge.validation.finding import Finding
from oepnode.domain.nem.nem_time import DAYLIGHT_SAVING_WARNING, NO_OFFSET_WARNING
from oepnode.errors import DocumentFault, Fault

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


@dataclass(frozen=True)
class Acknowledgement:
    """One of the two answers.

    Attributes:
        kind: Which of them.
        message_id: Names the submission.
        accepted: Whether it passed; a submission whose form is rejected is not accepted either.
        findings: What speaks against it, in the order found, at most `MAX_PER_CODE` of each code;
            those that follow from others stand last.
        counts: How many findings there are of each code, kept or not.
        warnings: What is odd but allowed, kept as the findings are.
        warning_counts: How many warnings there are of each code.
    """

    kind: Literal["system", "transaction"]
    message_id: str
    accepted: bool
    findings: tuple[Finding, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[Finding, ...] = ()
    warning_counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Number of findings, kept or not."""
        return sum(self.counts.values())

    @property
    def code(self) -> str:
        """``accepted`` or ``rejected``."""
        return "accepted" if self.accepted else "rejected"

    @property
    def message(self) -> str:
        """The answer in a sentence."""
        if self.accepted:
            return "data received" if self.kind == "system" else "all rules hold"
        if not self.total:
            return "not processed: the system acknowledgement is a rejection"
        noun = "fault" if self.total == 1 else "faults"
        causes = {finding.code for finding in self.findings if not finding.caused_by}
        first = [code for code in self.counts if code in causes]
        rest = [f"{count} {code}" for code, count in self.counts.items() if code not in causes]
        following = f"; following from these: {', '.join(rest)}" if rest else ""
        return f"{self.total} {noun}: {', '.join(first)}{following}"

    def as_json(self) -> dict[str, Any]:
        """The acknowledgement as a JSON object."""
        return {
            "acknowledgement": self.kind,
            "messageId": self.message_id,
            "code": self.code,
            "message": self.message,
            "counts": dict(self.counts),
            "faults": [finding.as_json() for finding in self.findings],
            "warningCounts": dict(self.warning_counts),
            "warnings": [finding.as_json() for finding in self.warnings],
        }


@dataclass(frozen=True)
class ValidationResult(Generic[T]):
    """A submission with its two acknowledgements.

    Attributes:
        what: Name of the dataset for messages.
        value: What was read; None where the form is rejected. A value whose business rules do not
            hold is still here, so that it can be looked into.
        system: The answer to its form.
        transaction: The answer to its content.
    """

    what: str
    value: T | None
    system: Acknowledgement
    transaction: Acknowledgement

    @property
    def accepted(self) -> bool:
        """Whether both acknowledgements accept it."""
        return self.system.accepted and self.transaction.accepted

    def as_json(self) -> dict[str, Any]:
        """Both acknowledgements as a JSON object."""
        return {"system": self.system.as_json(), "transaction": self.transaction.as_json()}

    def raise_if_rejected(self) -> None:
        """Reject the submission unless both acknowledgements accept it.

        Raises:
            DocumentFault: With the findings of both.
        """
        if self.accepted:
            return
        found = (*self.system.findings, *self.transaction.findings)
        faults = [Fault(f.path, f.code, f"{f.text} ({f.rule})", f.value) for f in found]
        more = self.system.total + self.transaction.total - len(faults)
        raise DocumentFault(self.what, faults, more)


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
        self._system.put(Finding(rule, path, section, message, value, count))

    def business(
        self, code: str, path: str, rule: str, message: str, value: str = "", *, count: int = 1
    ) -> None:
        """Note a broken business rule; ``count`` counts equal findings of which this is one."""
        self._business.put(Finding(code, path, rule, message, value, count))

    def caution(
        self, code: str, path: str, rule: str, message: str, value: str = "", *, count: int = 1
    ) -> None:
        """Note content that is odd but allowed."""
        self._cautions.put(Finding(code, path, rule, message, value, count))

    def odd(self, code: str, path: str, message: str, value: str = "", *, count: int = 1) -> None:
        """Note a form that is odd but allowed."""
        section = self._section(self._oddities, code, path)
        self._oddities.put(Finding(code, path, section, message, value, count))

    def warn(self, path: str, message: str, *, count: int = 1) -> None:
        """Note a warning of one of the domain's readers; the same of neighbours is one line."""
        code = _WARNINGS.get(message, "document.odd")
        section = self._section(self._oddities, code, path)
        self._oddities.put_run(Finding(code, path, section, message, count=count))

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


def message_id_of(data: bytes) -> str:
    """A submission's message id where the receiver gives none: a digest of its bytes."""
    return f"sha256-{sha256(data).hexdigest()[:32]}"
