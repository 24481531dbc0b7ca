"""One mistake that breaks several rules: the cause is first, its effects are marked."""

from __future__ import annotations

from datetime import date

import pytest

from oepnode.domain.edge.boffers import validate as boffers
from oepnode.domain.edge.envelopes import validate as envelopes
from oepnode.domain.edge.telemetry import validate as telemetry
from oepnode.domain.edge.validation.causes import causes_first
from oepnode.errors import DocumentFault, Finding
from tests.support.edge_documents import (
    bid,
    document,
    duid_boffer,
    finding,
    measurement,
    nmi_boffer,
    nmi_telemetry,
    period,
    transaction,
    whole_horizon,
)
from tests.support.envelope_documents import array, interval, record

LOAD_ABOVE = [0, 5, -60, *[0] * 17]
"""Band 2 holds generation: its sign is wrong, and load is above generation."""


def test_hld_4_6_a_wrong_sign_comes_before_the_order_that_it_breaks() -> None:
    wrong = nmi_boffer(bid(period(72, bandAvail=LOAD_ABOVE), period(73)))
    answer = boffers.validate(document(wrong)).transaction
    cause, effect = answer.findings
    assert (cause.code, cause.caused_by) == ("boffer.load_sign", "")
    assert (effect.code, effect.caused_by) == ("boffer.transition", "boffer.load_sign")
    assert answer.report().faults[1].caused_by == "boffer.load_sign"
    assert answer.counts == {"boffer.load_sign": 1, "boffer.transition": 1}
    expected = "2 faults: boffer.load_sign; following from these: 1 boffer.transition"
    assert answer.message == expected


def test_causes_go_before_effects_wherever_they_were_found() -> None:
    wrong = nmi_boffer(bid(*(period(n, bandAvail=LOAD_ABOVE) for n in (1, 2, 3))))
    received = boffers.validate(document(wrong))
    codes = [finding.code for finding in received.transaction.findings]
    assert codes == ["boffer.load_sign"] * 3 + ["boffer.transition"] * 3
    with pytest.raises(DocumentFault) as caught:
        received.raise_if_rejected()
    assert "[follows from boffer.load_sign] (HLD §4.6 (9))" in str(caught.value.faults[-1])


def test_hld_4_1_a_period_in_place_of_another_leaves_a_gap() -> None:
    bids = whole_horizon()
    bids[0]["energyPeriods"][71]["periodId"] = 71
    answer = boffers.validate(document(duid_boffer(*bids))).transaction
    follows = {finding.code: finding.caused_by for finding in answer.findings}
    assert follows == {"period.duplicate": "", "boffer.horizon": "period.duplicate"}


def test_part_c_6_3_a_wrong_sign_comes_before_mixed_signs() -> None:
    wrong = interval(
        activePowerImportLimit=2, diStartTime="2026-11-20T10:05:00+10:00", diEndTime=None
    )
    answer = envelopes.validate(array(record(interval(), wrong))).transaction
    follows = {finding.code: finding.caused_by for finding in answer.findings}
    assert follows == {"limit.sign": "", "import_sign.mixed": "limit.sign"}


@pytest.mark.parametrize(
    "path",
    [
        "$.records[0].energyBids[0].energyPeriods[8].bandAvail[2]",
        "$.records[0].energyBids[1].energyPeriods[7].bandAvail[2]",
        "$.rows[7].avail[2]",
    ],
)
def test_a_finding_in_another_scope_follows_from_nothing(path: str) -> None:
    location = "$.records[0].energyBids[0].energyPeriods[7].bandAvail[0]"
    marked = causes_first(
        [
            Finding(path, "boffer.transition", "m", "", "r"),
            Finding(location, "boffer.load_sign", "m", "", "r"),
        ]
    )
    assert [finding.caused_by for finding in marked] == ["", ""]
    rows = causes_first(
        [
            Finding("$.rows[7].avail[2]", "boffer.transition", "m", "", "r"),
            Finding("$.rows[7].avail[0]", "boffer.load_sign", "m", "", "r"),
        ]
    )
    assert [finding.caused_by for finding in rows] == ["", "boffer.load_sign"]


@pytest.mark.parametrize("minutes", [(-60,), (1500,), (-60, 1500)])
def test_part_c_4_1_rows_outside_the_day_leave_no_gap_in_it(minutes: tuple[int, ...]) -> None:
    """Rows of other days are reported as such; only gaps of the day are counted."""
    late = "2026-11-22T06:00:00+10:00"
    data = document(nmi_telemetry(*map(measurement, minutes), submissionDateTime=late))
    received = telemetry.validate(data, day=date(2026, 11, 20))
    assert transaction(received) == {"telemetry.outside_day": len(minutes), "telemetry.gap": 1}
    span = "2026-11-20T04:01:00+10:00 to 2026-11-21T04:00:00+10:00"
    assert finding(received, "telemetry.gap").value == f"1440 missing, {span}"
