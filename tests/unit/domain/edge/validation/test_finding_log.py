"""The log of findings: one order, one severity each, and exact numbers."""

from __future__ import annotations

import pytest

from oepnode.domain.edge.validation.finding_log import MAX_PER_CODE, FindingLog
from oepnode.errors import DocumentFault, Severity

SECTIONS = {"nmi": "Part C §6.3 field 1", "operatingEnvelopes.nmi": "Part C §6.3 field 5.1"}


def filled() -> FindingLog:
    finding_log = FindingLog("thing", "Part C §6", SECTIONS)
    finding_log.caution("odd.content", "$", "Part C §6.3", "odd")
    finding_log.odd("odd.form", "$.nmi", "odd")
    finding_log.business("a.rule", "$", "Part C §6.3", "broken", count=3)
    finding_log.add("$.records[0].nmi", "nmi.length", "ten characters")
    return finding_log


def test_errors_come_before_warnings_and_form_before_content() -> None:
    findings = filled().findings
    assert [finding.code for finding in findings] == [
        "nmi.length",
        "a.rule",
        "odd.form",
        "odd.content",
    ]
    errors = [finding.severity is Severity.ERROR for finding in findings]
    assert errors == [True, True, False, False]


def test_faults_that_are_not_kept_are_counted() -> None:
    finding_log = filled()
    assert (finding_log.count, finding_log.business_count, finding_log.more) == (1, 3, 2)
    for number in range(MAX_PER_CODE):
        finding_log.add(f"$[{number}]", "nmi.length", "ten characters")
    assert finding_log.count == MAX_PER_CODE + 1
    assert finding_log.more == 3
    with pytest.raises(DocumentFault, match="104 faults"):
        finding_log.raise_if_any()


def test_an_answer_keeps_its_counts_where_the_log_goes_on() -> None:
    finding_log = filled()
    answer = finding_log.received(None, "").transaction
    finding_log.business("a.rule", "$", "Part C §6.3", "broken")
    assert answer.counts == {"a.rule": 3}
    with pytest.raises(TypeError, match="does not support item assignment"):
        answer.counts["a.rule"] = 0  # type: ignore[index]


def test_a_finding_of_the_form_cites_the_innermost_field_of_its_path() -> None:
    finding_log = filled()
    assert finding_log.section_of("$.records[0].nmi") == SECTIONS["nmi"]
    inner = finding_log.section_of("$.records[0].operatingEnvelopes[2].nmi")
    assert inner == SECTIONS["operatingEnvelopes.nmi"]
    assert finding_log.section_of("$") == "Part C §6"
