"""Part C §6.3: an envelope's faults are told apart by what they speak of."""

from __future__ import annotations

from typing import Any

import pytest

from oepnode.domain.edge.envelope_check import validate
from oepnode.domain.power import Feed
from tests.unit.domain.documents import array, interval, record
from tests.unit.domain.edge.edge_documents import (
    OTHER_NMI,
    cautions,
    finding,
    system,
    transaction,
)

EARLY, LATE = "2026-11-20T09:00:00+10:00", "2026-11-20T09:30:00+10:00"


def with_interval(**changes: Any) -> bytes:
    return array(record(interval(**changes)))


@pytest.mark.parametrize("timing", ["PRE", "POST"])
def test_part_c_6_3_good_envelopes_are_accepted(timing: str) -> None:
    received = validate(array(record(oeTiming=timing)), timing=timing)  # type: ignore[arg-type]
    assert cautions(received) == {}
    assert received.value is not None
    assert received.value.site_count == 1


@pytest.mark.parametrize(
    ("data", "code", "rule"),
    [
        (array(record(nmi="1")), "nmi.length", "Part C §6.3 field 1"),
        (array(record(oeTiming="NOW")), "field.value", "Part C §6.3 field 2"),
        (array(record(oeObjectiveFunction="")), "field.value", "Part C §6.3 field 3"),
        (array(record(oeApplicationLevel=1)), "field.type", "Part C §6.3 field 4"),
        (array(record(operatingEnvelopes=[])), "array.length", "Part C §6.3 field 5"),
        (with_interval(activePowerExportLimit="5"), "field.type", "Part C §6.3 field 5.2.1"),
        (with_interval(activePowerImportLimit=1e-4), "limit.decimals", "Part C §6.3 field 5.2.2"),
        (with_interval(diStartTime="x"), "time.format", "Part C §6.3 field 5.2.3"),
        (with_interval(diEndTime="2026-11-20T10:04:00+10:00"), "time.grid", "field 5.2.4"),
        (array(record(submissionTimestamp="x")), "time.format", "Part C §6.3 field 6"),
        (b"[{]", "json.syntax", "RFC 8259"),
    ],
)
def test_part_c_6_3_broken_forms_refuse_the_system_acknowledgement(
    data: bytes, code: str, rule: str
) -> None:
    received = validate(data)
    assert set(system(received)) == {code}
    assert finding(received, code).rule.endswith(rule)
    assert not received.transaction.accepted


def elements(*inner: dict[str, Any]) -> dict[str, Any]:
    return record(operatingEnvelopes=list(inner))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (with_interval(activePowerExportLimit=-1), "limit.sign"),
        (array(elements({"nmi": OTHER_NMI, "intervals": [interval()]})), "nmi.mismatch"),
        (
            array(elements({"oeApplicationLevel": "Flex", "intervals": [interval()]})),
            "level.mismatch",
        ),
        (array(record(), record(oeTiming="POST")), "site.meaning"),
        (array(record(), record(interval(activePowerExportLimit=1))), "submission.missing"),
        (
            array(
                record(submissionTimestamp=EARLY),
                record(interval(activePowerExportLimit=1), submissionTimestamp=EARLY),
            ),
            "submission.conflict",
        ),
        (with_interval(diEndTime="2026-11-20T10:10:00+10:00"), "time.length"),
        (with_interval(diEndTime="2026-11-20T09:55:00+10:00"), "time.order"),
        (with_interval(diStartTime=None, diEndTime=None), "time.missing"),
    ],
)
def test_part_c_6_3_broken_rules_refuse_the_transaction_acknowledgement(
    data: bytes, code: str
) -> None:
    received = validate(data)
    assert transaction(received) == {code: 1}
    assert received.value is None


def test_part_c_6_3_the_latest_submission_stands() -> None:
    early = record(interval(activePowerExportLimit=1), submissionTimestamp=EARLY)
    assert validate(array(early, record(submissionTimestamp=LATE))).accepted


def test_part_c_6_3_the_other_timing_can_be_refused() -> None:
    received = validate(array(record()), timing="POST")
    assert transaction(received) == {"envelope.timing": 1}
    assert finding(received, "envelope.timing").value == "1 of 1 sites"


def test_the_feeds_settings_hold() -> None:
    magnitude = with_interval(activePowerImportLimit=2.5)
    assert transaction(validate(magnitude)) == {"limit.sign": 1}
    assert validate(magnitude, Feed(import_sign="magnitude")).accepted


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
