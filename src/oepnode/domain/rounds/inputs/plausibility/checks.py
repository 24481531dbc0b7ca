"""All checks of a document's plausibility, as the sender's policy wants them.

Guarantees: a finding is a warning or an error as its setting says, and names a site only by the
path of its record. The time of the opening comes with the document; no clock is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from oepnode.domain.rounds.inputs.assigned_spans import Assigned
from oepnode.domain.rounds.inputs.comparison import Comparison
from oepnode.domain.rounds.inputs.document_summary import Summary
from oepnode.domain.rounds.inputs.plausibility.holes import find_holes
from oepnode.domain.rounds.inputs.plausibility.horizons import find_gap, find_shift
from oepnode.domain.rounds.inputs.plausibility.large_limits import find_large_limits
from oepnode.domain.rounds.inputs.plausibility.medians import find_changed_medians
from oepnode.domain.rounds.inputs.plausibility.policy import PathOf, Policy
from oepnode.domain.rounds.inputs.plausibility.site_sets import (
    find_changed_count,
    find_unassigned,
    find_vanished,
)
from oepnode.domain.rounds.inputs.site_figures import SiteFigures
from oepnode.errors import Finding, Severity


def record_path(record: int) -> str:
    """Path of a record in a JSON document."""
    return f"$.records[{record}]"


@dataclass(frozen=True, repr=False)
class Subject:
    """A document to check, with what it is compared with. Its repr shows no NMI.

    Attributes:
        figures: Of its sites.
        summary: Of the document, with the time of its round's opening.
        previous: The document before it, or None.
        comparison: With that document, or None where both do not name their sites in the same way.
        assigned: Sites that have an aggregator, or None where that is not known.
        path_of: Path of a record in the document.
    """

    figures: SiteFigures
    summary: Summary
    previous: Summary | None = None
    comparison: Comparison | None = None
    assigned: Assigned | None = None
    path_of: PathOf = record_path


def find_oddities(subject: Subject, policy: Policy) -> Iterator[Finding]:
    """Every oddity that the policy looks for; an error where the policy rejects it."""
    for setting, findings in _checks(subject, policy):
        action = getattr(policy, setting)
        severity = Severity.ERROR if action == "reject" else Severity.WARNING
        yield from (replace(finding, severity=severity) for finding in findings)


def _checks(subject: Subject, policy: Policy) -> Iterator[tuple[str, list[Finding]]]:
    figures, path_of = subject.figures, subject.path_of
    if policy.large_limit != "off":
        yield "large_limit", find_large_limits(figures, policy.max_kw, path_of)
    if policy.hole != "off":
        yield "hole", find_holes(figures, path_of)
    if policy.shift != "off":
        yield (
            "shift",
            find_shift(subject.summary, subject.previous, policy.lead_min, policy.shift_min),
        )
    if policy.unassigned != "off" and subject.assigned is not None:
        yield "unassigned", find_unassigned(figures, subject.assigned, path_of)
    if subject.previous is not None:
        yield from _against_previous(subject.summary, subject.previous, policy)
    if policy.vanished != "off" and subject.comparison is not None:
        yield "vanished", find_vanished(subject.comparison)


def _against_previous(
    summary: Summary, previous: Summary, policy: Policy
) -> Iterator[tuple[str, list[Finding]]]:
    if policy.gap != "off":
        yield "gap", find_gap(summary, previous)
    if policy.site_count != "off":
        yield "site_count", find_changed_count(summary, previous, policy.site_count_percent)
    if policy.median != "off":
        yield "median", find_changed_medians(summary, previous, policy.median_ratio)
