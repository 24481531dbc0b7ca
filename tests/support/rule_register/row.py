"""The register of rules: its rows, and how they are checked.

A row names a rule by the section that a finding cites, and has a document that breaks this rule and
no other, and the corrected document. Nothing is mocked: each row runs the validation of a whole
document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from oepnode.domain.edge.validation.acknowledgement import ValidationResult
from oepnode.errors import DocumentFault, Finding
from tests.support import edge_documents

Answer = Literal["system", "transaction", "warning", "rejected"]
Check = Callable[[Any], Any]
"""Validates a document to a `ValidationResult`; raises where a command has no acknowledgements."""

SYSTEM: Answer = "system"
"""A fault of the form, which rejects the system acknowledgement."""
TRANSACTION: Answer = "transaction"
"""A broken business rule, which rejects the transaction acknowledgement."""
WARNING: Answer = "warning"
"""Odd but allowed: both acknowledgements accept."""
REJECTED: Answer = "rejected"
"""Rejected by a command that has no acknowledgements."""


@dataclass(frozen=True)
class Rule:
    """A rule with a document that breaks it, and the same document corrected.

    Attributes:
        section: Section that the finding cites, such as ``Part C §3.3 field 5.2``.
        code: The finding's code.
        path: The location of the first finding.
        check: Validates a document.
        bad: Breaks the rule.
        good: Keeps it, and gives no finding at all.
        answer: What the finding does to the submission.
        times: Number of findings of the code.
        also: Codes that necessarily come with it → how many.
        case: Distinguishes rows of one section and code.
    """

    section: str
    code: str
    path: str
    check: Check
    bad: Any
    good: Any
    answer: Answer = SYSTEM
    count: int = 1
    also: Mapping[str, int] = field(default_factory=dict)
    case: str = ""

    @property
    def name(self) -> str:
        """Section, code and case as the test's id: ``part_c_3_3_field_5_2-prices.count-19``."""
        return "-".join(part for part in (slug(self.section), self.code, slug(self.case)) if part)


@dataclass(frozen=True)
class Outcome:
    """Result of a validation: the count of each code, and the first finding of each."""

    counts: Mapping[str, int]
    first: Mapping[str, tuple[Answer, Finding]]
    is_accepted: bool
    has_value: bool = False


def slug(text: str) -> str:
    """A section as part of a test's name: ``HLD §4.6 (3)`` is ``hld_4_6_3``."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def outcome(check: Check, document: Any) -> Outcome:
    """Run a validation; a rejection without acknowledgements has its faults' messages for rules."""
    try:
        received: object = check(document)
    except DocumentFault as exc:
        faults = [Finding(f.path, f.code, f.message, f.value, f.message) for f in exc.faults]
        counts = {code: sum(f.code == code for f in faults) for code in {f.code for f in faults}}
        return Outcome(counts, {f.code: (REJECTED, f) for f in reversed(faults)}, is_accepted=False)
    if not isinstance(received, ValidationResult):
        return Outcome({}, {}, is_accepted=True)
    edge_documents.check_answer(received)
    system, transaction = received.system, received.transaction
    piles: list[tuple[Answer, tuple[Finding, ...], Mapping[str, int]]] = [
        (SYSTEM, system.findings, system.counts),
        (TRANSACTION, transaction.findings, transaction.counts),
        (WARNING, system.warnings, system.warning_counts),
        (WARNING, transaction.warnings, transaction.warning_counts),
    ]
    found_counts: dict[str, int] = {}
    first: dict[str, tuple[Answer, Finding]] = {}
    for answer, findings, result in piles:
        assert found_counts.keys().isdisjoint(result), "a code has one meaning in a submission"
        found_counts |= result
        first |= {f.code: (answer, f) for f in reversed(findings)}
    return Outcome(found_counts, first, received.accepted, received.value is not None)
