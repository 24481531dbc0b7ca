"""Envelope documents: findings that are reported in one pass; every rule is in the register."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from oepnode.domain.edge.envelopes.validate import validate
from oepnode.domain.edge.validation.acknowledgement import ValidationResult
from oepnode.domain.nem.quantities import KINDS, Feed
from tests.support.edge_documents import (
    OTHER_NMI,
    cautions,
    check_answer,
    finding,
    system,
    transaction,
)
from tests.support.envelope_documents import array, interval, record, without
from tests.support.rule_register.envelopes import APRIL, EARLY, LATE, OCTOBER, hours


def with_interval(**changes: Any) -> bytes:
    return array(record(interval(**changes)))


@pytest.mark.parametrize("timing", ["PRE", "POST"])
def test_part_c_6_3_good_envelopes_are_accepted(timing: str) -> None:
    received = validate(array(record(oeTiming=timing)), timing=timing)  # type: ignore[arg-type]
    assert cautions(received) == {}
    assert received.value is not None
    assert received.value.site_count == 1


@pytest.mark.parametrize("wrong", ["5", -1], ids=["form", "rule"])
def test_part_c_6_2_a_document_that_either_acknowledgement_rejects_is_not_read(wrong: Any) -> None:
    received = validate(array(record(interval(activePowerExportLimit=wrong))))
    assert received.system.accepted == (wrong == -1)
    assert not received.transaction.accepted
    assert received.value is None


def test_faults_beyond_those_that_are_kept_are_counted() -> None:
    bad = [interval(activePowerExportLimit="x") for _ in range(150)]
    received = validate(array(record(*bad)))
    assert system(received) == {"field.type": 100, "document.further_faults": 50}
    wrong = [interval(activePowerExportLimit=-1) for _ in range(150)]
    received = validate(array(record(*wrong)))
    assert transaction(received) == {"limit.sign": 100, "document.further_faults": 50}


def test_warnings_keep_their_number() -> None:
    bare = interval(diStartTime="2026-11-20T10:00:00", diEndTime="2026-11-20T10:05:00")
    assert cautions(validate(array(record(bare)))) == {"time.no_offset": 2}
    shifted = interval(diStartTime="2026-11-20T11:00:00+11:00")
    assert cautions(validate(array(record(shifted)))) == {"time.daylight_saving_offset": 1}


# --- all in one pass -----------------------------------------------------------------------------

BROKEN = record(interval(activePowerExportLimit="x"), nmi=OTHER_NMI)
AT_FIVE_PAST = {"diStartTime": "2026-11-20T10:05:00+10:00", "diEndTime": None}


def rules(received: ValidationResult[Any]) -> dict[str, int]:
    """Codes of all broken rules, whether or not the form holds."""
    check_answer(received)
    return dict(received.transaction.counts)


def warned(received: ValidationResult[Any]) -> dict[str, int]:
    """Codes of all warnings, whether or not the document is accepted."""
    check_answer(received)
    return dict(received.system.warning_counts) | dict(received.transaction.warning_counts)


def test_part_c_6_3_conflicts_are_reported_with_faults_of_the_form() -> None:
    one = record(interval(), interval(**AT_FIVE_PAST), submissionTimestamp=EARLY)
    other = record(interval(activePowerExportLimit=1), submissionTimestamp=EARLY)
    received = validate(array(one, other, BROKEN))
    assert dict(received.system.counts) == {"field.type": 1}
    assert rules(received) == {"submission.conflict": 1}
    conflict = finding(received, "submission.conflict")
    assert conflict.path.startswith("$.records[1]")
    assert conflict.section == "Part C §6.3 field 6", "as where it is the only fault"
    without_time = validate(array(record(), record(interval(activePowerExportLimit=1)), BROKEN))
    assert rules(without_time) == {"submission.missing": 1}


@pytest.mark.parametrize("kind", KINDS[:2])
@pytest.mark.parametrize("profile", ["wide", "edge"])
def test_part_c_6_3_both_active_limits_are_mandatory(
    kind: str, profile: Literal["wide", "edge"]
) -> None:
    for bad, code in [
        (interval(**{kind: None}), "field.type"),
        (without(interval(), kind), "field.missing"),
    ]:
        received = validate(array(record(bad)), Feed(profile))
        assert dict(received.system.counts) == {code: 1}
        assert finding(received, code).path.endswith(f".intervals[0].{kind}")
        assert received.value is None


def test_part_c_6_3_a_stray_date_is_reported() -> None:
    far = interval(diStartTime="2026-11-21T10:00:00+10:00", diEndTime=None)
    received = validate(array(record(interval(), far)))
    assert rules(received) == {"horizon.sparse": 1}
    assert finding(received, "horizon.sparse").section == "Part C §6.3 field 5.2"
    assert received.value is None


def test_part_c_6_3_horizon_timing_and_warnings_are_reported_with_faults_of_the_form() -> None:
    far = {"diStartTime": "2026-11-28T10:00:00", "diEndTime": None}
    received = validate(array(record(interval(), interval(**far)), BROKEN), timing="POST")
    assert dict(received.system.counts) == {"field.type": 1}
    assert rules(received) == {"horizon.length": 1, "envelope.timing": 2}
    assert finding(received, "envelope.timing").value == "2 of 2 sites"
    assert warned(received) == {"time.no_offset": 1}


def test_part_c_6_3_conflicts_with_broken_rules_are_reported_once() -> None:
    clash = record(), record(interval(activePowerExportLimit=1))
    wrong = record(interval(activePowerExportLimit=-1), nmi=OTHER_NMI)
    assert rules(validate(array(*clash))) == {"submission.missing": 1}
    codes = rules(validate(array(*clash, wrong)))
    assert codes == {"limit.sign": 1, "submission.missing": 1}


def test_part_c_6_3_rows_with_a_wrong_sign_are_compared_all_the_same() -> None:
    one = record(interval(activePowerExportLimit=-1))
    other = record(interval(activePowerExportLimit=-2))
    assert rules(validate(array(one, other))) == {"limit.sign": 2, "submission.missing": 1}
    assert warned(validate(array(one, one))) == {"submission.duplicate": 1}


def test_part_c_6_3_all_conflicts_of_a_rejected_document_are_counted() -> None:
    times = [{"diStartTime": None, "diEndTime": None} for _ in range(288)]
    day = {"tradingDate": "2026-11-20"}
    one = record(*(interval(**t) for t in times), **day)
    other = record(*(interval(**t, activePowerExportLimit=1) for t in times), **day)
    assert rules(validate(array(one, other, BROKEN))) == {"submission.missing": 288}


@pytest.mark.parametrize(
    "broken",
    [
        record(interval(activePowerExportLimit=1), submissionTimestamp="x"),
        record(interval(activePowerExportLimit=1), nmi="x"),
        record(interval(activePowerExportLimit=1, diEndTime="2026-11-20T10:10:00+10:00")),
        record(interval(activePowerExportLimit=1, diStartTime="x")),
        record(interval(activePowerExportLimit=1, activePowerImportLimit=None)),
        record(interval(activePowerExportLimit=1), tradingDate="x"),
        record(operatingEnvelopes=[{"nmi": OTHER_NMI, "intervals": [interval()]}]),
        record(operatingEnvelopes=[{"intervals": 5}]),
        record(operatingEnvelopes=[5]),
        5,
    ],
)
def test_part_c_6_3_unreadable_rows_are_in_no_conflict(broken: Any) -> None:
    received = validate(array(record(submissionTimestamp=EARLY), broken))
    assert not received.accepted
    assert not {"submission.conflict", "submission.missing"} & set(rules(received))
    assert warned(received) == {}


def test_part_c_6_3_a_copy_of_a_record_counts_once_with_a_caution() -> None:
    one = record(interval(), interval(**AT_FIVE_PAST), submissionTimestamp=EARLY)
    received = validate(array(one, one))
    assert received.accepted
    assert received.value is not None
    assert len(received.value.limits) == 2
    assert warned(received) == {"submission.duplicate": 2}
    (copy,) = received.transaction.warnings
    assert copy.path == "$.records[1].operatingEnvelopes[0].intervals[0]"
    assert (copy.section, copy.count) == ("Part C §6.3 field 6", 2)
    span = "2026-11-20T10:00:00+10:00 to 2026-11-20T10:10:00+10:00"
    assert copy.value == f"2 intervals, {span}"
    assert "$.records[0].operatingEnvelopes[0].intervals[0]" in copy.message


def test_part_c_6_3_a_copy_without_a_time_or_within_a_record_is_a_copy_too() -> None:
    assert warned(validate(array(record(), record(), record()))) == {"submission.duplicate": 2}
    within = validate(array(record(interval(), interval())))
    assert warned(within) == {"submission.duplicate": 1}
    assert within.accepted
    with_fault = validate(array(record(), record(), BROKEN))
    assert warned(with_fault) == {"submission.duplicate": 1}


def test_part_c_6_3_the_same_limits_submitted_again_are_not_a_copy() -> None:
    early, late = (record(submissionTimestamp=at) for at in (EARLY, LATE))
    assert warned(validate(array(early, late))) == {}


def test_part_c_6_3_lines_on_copies_are_bounded_and_all_are_counted() -> None:
    received = validate(array(*[record()] * 121))
    assert warned(received) == {"submission.duplicate": 120}
    assert len(received.transaction.warnings) == 100


# --- daylight saving -----------------------------------------------------------------------------


def lacking(sites: int, day: str, *present: int, **changes: Any) -> list[dict[str, Any]]:
    """Envelopes of several sites, in full hours."""
    (template,) = hours(day, *present)
    return [template | {"nmi": f"63058{number:05}", **changes} for number in range(sites)]


def test_part_c_1_2_a_missing_hour_is_reported_for_each_site_in_bounded_lines() -> None:
    received = validate(array(*lacking(121, OCTOBER, 1, 3)))
    assert received.accepted
    assert warned(received) == {"time.daylight_saving_hour": 121}
    warnings = received.transaction.warnings
    assert (len(warnings), warnings[-1].count) == (100, 1)
    assert warnings[0].value == f"hour from {OCTOBER}T02:00:00+10:00"
    assert sum(finding.count for finding in warnings) == 100


@pytest.mark.parametrize(
    ("day", "hours_present"),
    [("2026-10-05", (1, 3)), (OCTOBER, (1, 4)), (OCTOBER, (0, 2)), (APRIL, (1, 3))],
)
def test_part_c_1_2_any_other_missing_hour_is_not_daylight_saving(
    day: str, hours_present: tuple[int, ...]
) -> None:
    assert warned(validate(array(*hours(day, *hours_present)))) == {}


def test_part_c_1_2_a_later_submission_of_the_hour_fills_it_and_is_not_a_duplicate() -> None:
    first = lacking(1, APRIL, 1, 2, submissionTimestamp=EARLY)
    again = lacking(1, APRIL, 2, submissionTimestamp=LATE)
    assert warned(validate(array(*first, *again))) == {}
    first = lacking(1, OCTOBER, 1, 3, submissionTimestamp=EARLY)
    again = lacking(1, OCTOBER, 2, submissionTimestamp=LATE)
    assert warned(validate(array(*first, *again))) == {}


def test_part_c_1_2_rows_with_other_faults_do_not_make_a_missing_hour() -> None:
    (complete,) = hours(OCTOBER, 1, 2, 3)
    rows = complete["operatingEnvelopes"][0]["intervals"]
    for row in rows[12:24]:
        row["activePowerExportLimit"] = "x"
    received = validate(array(complete))
    assert dict(received.system.counts) == {"field.type": 12}
    assert warned(received) == {}
    (short,) = hours(OCTOBER, 1, 3)
    short["operatingEnvelopes"][0]["intervals"][3]["activePowerExportLimit"] = "x"
    assert warned(validate(array(short))) == {"time.daylight_saving_hour": 1}
