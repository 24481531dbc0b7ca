"""Oddities of documents that follow all rules: warned of, rejected or ignored by setting."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from oepnode.domain.rounds.inputs.assigned_spans import Assigned, AssignedBySnapshot, AssignedList
from oepnode.domain.rounds.inputs.comparison import compare
from oepnode.domain.rounds.inputs.plausibility.checks import Subject, find_oddities
from oepnode.domain.rounds.inputs.plausibility.policy import MAX_PLACES, Policy
from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
from oepnode.errors import Finding, Severity
from tests.support.envelope_documents import START_S, dump, snapshot
from tests.support.sites import HOUR, even, figures_of, nmi_of, span, summary, written

NOBODY: Assigned = AssignedBySnapshot(parse_snapshot(dump(snapshot()).encode()))
ACTIONS = {field.name for field in fields(Policy) if field.default == "warn"}


def subject(
    data: bytes,
    before: bytes | None = None,
    *,
    opened_at: int | None = START_S,
    before_opened_at: int | None = START_S - 1800,
    assigned: Assigned | None = None,
) -> Subject:
    now = summary(data, opened_at)
    previous = None if before is None else summary(before, before_opened_at)
    comparison = None if previous is None else compare(now, previous)
    return Subject(figures_of(data), now, previous, comparison, assigned)


def acting(setting: str, action: str) -> Policy:
    changes: dict[str, Any] = {setting: action}
    return replace(Policy(), **changes)


def found(one: Subject, policy: Policy | None = None) -> list[Finding]:
    findings = list(find_oddities(one, policy or Policy()))
    for finding in findings:
        assert "63058" not in str(finding)
    return findings


def only(one: Subject, policy: Policy | None = None) -> Finding:
    (finding,) = found(one, policy)
    return finding


EARLIER = written({site: span(range(-6, 0)) for site in range(10)})
"""The document of the round before, up to `START_S`."""

ODD: dict[str, tuple[str, Subject]] = {
    "watts written as kW": (
        "large_limit",
        subject(written({1: span(range(6)), 2: span(range(6), 5170)})),
    ),
    "watts written as kW, imports": ("large_limit", subject(even([1], import_kw=-5170))),
    "a hole in a site's horizon": ("hole", subject(written({1: span([0, 1, 3, 4])}))),
    "an hour late": ("shift", subject(even([1]), opened_at=START_S - HOUR)),
    "an hour early": ("shift", subject(even([1]), opened_at=START_S + HOUR)),
    "a fifth of the sites more": ("site_count", subject(even(range(12)), EARLIER)),
    "ten times the usual limit": ("median", subject(even(range(10), export_kw=50), EARLIER)),
    "a tenth of the usual limit": ("median", subject(even(range(10), import_kw=-0.25), EARLIER)),
    "a gap to the horizon before": (
        "gap",
        subject(
            even(range(10)),
            written({site: span(range(-9, -1)) for site in range(10)}),
            before_opened_at=START_S - 2700,
        ),
    ),
    "a site that vanished": ("vanished", subject(even(range(9)), EARLIER)),
    "a site without aggregator": ("unassigned", subject(even([1]), assigned=NOBODY)),
}
ODDITIES = pytest.mark.parametrize(("setting", "odd"), ODD.values(), ids=ODD.keys())


@ODDITIES
def test_it_is_warned_of(setting: str, odd: Subject) -> None:
    finding = only(odd)
    assert finding.severity is Severity.WARNING
    assert finding.section == f"setting plausibility.{setting}"


@ODDITIES
def test_it_is_rejected_by_setting(setting: str, odd: Subject) -> None:
    assert only(odd, acting(setting, "reject")).severity is Severity.ERROR


@ODDITIES
def test_it_is_ignored_by_setting(setting: str, odd: Subject) -> None:
    assert found(odd, acting(setting, "off")) == []


def test_every_setting_has_a_case() -> None:
    assert {setting for setting, _ in ODD.values()} == ACTIONS


def test_a_usual_document_after_a_usual_one_is_not_odd() -> None:
    assigned = AssignedList(figures_of(EARLIER).nmi)
    assert found(subject(even(range(10)), EARLIER, assigned=assigned)) == []


# --- values and places ----------------------------------------------------------------------------


def test_a_large_limit_is_named_by_its_record() -> None:
    finding = only(ODD["watts written as kW"][1])
    assert (finding.path, finding.code, finding.value) == ("$.records[1]", "limit.large", "5170 kW")


@pytest.mark.parametrize(("kw", "is_odd"), [(1000, False), (1000.001, True)])
def test_the_largest_limit_that_is_not_odd(kw: float, is_odd: bool) -> None:
    assert bool(found(subject(even([1], export_kw=kw)))) == is_odd
    assert not found(subject(even([1], export_kw=kw)), Policy(max_kw=1001))


def test_a_hole_is_named_with_the_site_s_span() -> None:
    finding = only(ODD["a hole in a site's horizon"][1])
    assert finding.path == "$.records[0]"
    assert finding.value == (
        "1 interval absent between 2026-11-20T10:00:00+10:00 and 2026-11-20T10:25:00+10:00"
    )


def test_a_site_that_starts_later_or_ends_earlier_has_no_hole() -> None:
    assert found(subject(written({1: span(range(6)), 2: span(range(2, 5))}))) == []


def test_many_places_are_counted() -> None:
    findings = found(subject(even(range(MAX_PLACES + 30), export_kw=2000)))
    assert [finding.path for finding in findings] == [
        f"$.records[{number}]" for number in range(MAX_PLACES + 1)
    ]
    assert [finding.count for finding in findings] == [1] * MAX_PLACES + [30]
    assert findings[-1].value == "30 records from here on"


def test_counts_are_compared_at_the_threshold() -> None:
    def at(count: int, percent: int = 20) -> list[str]:
        policy = Policy(site_count_percent=percent, vanished="off")
        return [one.value for one in found(subject(even(range(count)), EARLIER), policy)]

    assert (at(9), at(11), at(12, 21)) == ([], [], [])
    assert (at(8), at(12)) == (["8 sites, before 10"], ["12 sites, before 10"])


def test_medians_are_compared_at_the_threshold() -> None:
    def at(kw: float, ratio: int = 10) -> list[str]:
        policy = Policy(median_ratio=ratio)
        return [one.value for one in found(subject(even(range(10), export_kw=kw), EARLIER), policy)]

    assert (at(49.999), at(50, 11), at(0.501)) == ([], [], [])
    assert at(50) == ["export 50 kW, before 5 kW"]
    assert at(0) == ["export 0 kW, before 5 kW"]


def test_a_kind_that_one_document_lacks_is_not_compared() -> None:
    assert found(subject(even(range(10), export_kw=None), EARLIER)) == []


def test_how_many_vanished() -> None:
    finding = only(ODD["a site that vanished"][1])
    assert (finding.path, finding.value, finding.count) == ("$", "1 of 10 sites", 1)


# --- the opening ----------------------------------------------------------------------------------


def shift(opened_at: int | None, before: tuple[int, int] | None = None, **policy: Any) -> list[str]:
    """Values of a document from `START_S`, after one that started and was opened at given times."""
    previous = None
    if before is not None:
        start, before_opened_at = before
        places = range((start - START_S) // 300, (start - START_S) // 300 + 288)
        previous = written({1: span(places)})
    one = subject(
        even([1]),
        previous,
        opened_at=opened_at,
        before_opened_at=None if before is None else before_opened_at,
    )
    return [finding.value for finding in found(one, Policy(gap="off", **policy))]


def test_an_hour_against_the_opening() -> None:
    assert shift(START_S - HOUR) == [
        "starts 60 min after the opening, expected 0 min after it; "
        "first interval 2026-11-20T10:00:00+10:00"
    ]
    assert shift(START_S + HOUR)[0].startswith("starts 60 min before the opening")


@pytest.mark.parametrize("minutes", [-44, -10, 0, 5, 44])
def test_some_minutes_are_no_shift(minutes: int) -> None:
    assert shift(START_S - minutes * 60) == []
    assert bool(shift(START_S - minutes * 60, shift_min=5)) == (abs(minutes) >= 5)


def test_the_opening_may_be_unknown() -> None:
    assert shift(None) == []


def test_a_lead_is_expected_by_setting() -> None:
    assert shift(START_S - HOUR, lead_min=60) == []
    assert shift(START_S, lead_min=60)[0].startswith(
        "starts 0 min after the opening, expected 60 min after it"
    )


def test_the_lead_of_the_previous_document_is_expected() -> None:
    before = START_S - 1800
    assert shift(START_S - HOUR, (before, before - HOUR)) == []
    assert len(shift(START_S, (before, before - HOUR))) == 1


def test_a_document_of_a_whole_day_may_come_at_any_hour() -> None:
    day_before = START_S - 24 * HOUR
    assert shift(START_S - 15 * HOUR, (day_before, day_before - 12 * HOUR)) == []
    assert len(shift(START_S - 15 * HOUR, (day_before + HOUR, day_before - 12 * HOUR))) == 1


def test_by_setting_the_time_of_day_does_not_count() -> None:
    day_before = START_S - 24 * HOUR
    assert len(shift(START_S - HOUR, (day_before, day_before), lead_min=0)) == 1


# --- the registry ---------------------------------------------------------------------------------


def test_a_site_that_is_assigned_in_part_is_named() -> None:
    data = even([1, 2])
    listed = AssignedList(figures_of(data).nmi[:1])
    finding = only(subject(data, assigned=listed))
    assert (finding.path, finding.value) == ("$.records[1]", "assigned in 0 of 6 intervals")
    assert nmi_of(2) not in str(finding)
