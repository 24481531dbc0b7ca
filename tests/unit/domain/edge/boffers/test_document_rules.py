"""Several Boffers: copies, and acknowledgement one by one (HLD §4.7)."""

from __future__ import annotations

from typing import Any

import pytest

from oepnode.domain.edge.boffers.frame import to_frame
from oepnode.domain.edge.boffers.validate import (
    AcknowledgedBoffer,
    Context,
    validate,
    validate_each,
    validate_frame,
    validate_frame_each,
)
from oepnode.errors import DocumentFault
from tests.support.edge_documents import (
    BANDS,
    DAY,
    PRICES,
    cautions,
    document,
    duid_boffer,
    lines,
    transaction,
    whole_horizon,
)

DEARER = [*PRICES[:3], 78.5, *PRICES[4:]]


def at(time: str, *bids: Any, **changes: Any) -> dict[str, Any]:
    """A DUID's Boffer, submitted on the day; its gate has closed."""
    return duid_boffer(*bids, submissionDateTime=f"{DAY}T{time}+10:00", **changes)


def codes(answers: tuple[AcknowledgedBoffer, ...]) -> list[dict[str, int]]:
    return [
        {**answer.received.system.counts, **answer.received.transaction.counts}
        for answer in answers
    ]


def test_a_copy_counts_once_and_is_one_warning() -> None:
    first, other = at("03:56:00"), at("03:57:00")
    received = validate(document(first, other, first, first))
    assert (received.accepted, cautions(received)) == (
        True,
        {"submission.duplicate": 2, "gate.not_in_time": 1},
    )
    assert received.value is not None
    assert [day.record for day in received.value.days] == [0, 0, 1, 1]
    assert received.value.records == 4


def test_different_content_of_one_submission_is_not_a_copy() -> None:
    other = at("03:57:00", *whole_horizon(prices=DEARER))
    received = validate(document(at("03:57:00"), other))
    assert transaction(received)["period.duplicate"] == 576


def test_rows_of_a_boffer_need_not_be_adjacent() -> None:
    read = validate(document(at("03:56:00"), at("03:57:00"))).value
    assert read is not None
    rows = to_frame(read.days).sort("trading_date", "period", "submitted_us")
    assert validate_frame(rows).transaction.counts == {}
    assert codes(validate_frame_each(rows)) == [{}, {}]


def test_hld_4_7_each_boffer_is_acknowledged_separately() -> None:
    bad = at("03:57:00", *whole_horizon(prices=DEARER))
    answers = validate_each(lines(at("03:56:00"), bad, at("03:58:00")))
    assert codes(answers) == [{}, {"gate.price_changed": 1}, {}]
    assert [answer.path for answer in answers] == [f"$.records[{n}]" for n in range(3)]
    assert answers[1].message == "1 fault: gate.price_changed"
    assert answers[2].message == "all rules hold"


def test_hld_4_7_a_rejected_boffer_counts_nowhere() -> None:
    """It freezes no prices, is no first of the document, and has no copies."""
    wrong = whole_horizon(prices=DEARER)
    wrong[0]["energyPeriods"][0]["bandAvail"] = [5, *BANDS[1:]]
    rejected = at("03:56:00", *wrong, duid="UNIT2")
    answers = validate_each(document(rejected, at("03:57:00"), rejected, at("03:57:00")))
    result = codes(answers)
    assert result[0].keys() == {"boffer.load_sign", "boffer.transition"}
    assert result[1] == {}
    assert result[2].keys() == {"boffer.load_sign", "boffer.transition", "duid.mixed"}
    assert (result[3], answers[3].received.transaction.warning_counts) == (
        {},
        {"submission.duplicate": 1},
    )


def test_a_record_of_the_wrong_form_is_rejected_alone() -> None:
    short = at("03:56:00")
    short["energyBids"][0]["prices"] = PRICES[:19]
    first, second, third = validate_each(document(short, {"duid": "U"}, at("03:57:00")))
    assert first.received.system.counts == {"prices.count": 1}
    assert (first.received.value, first.message) == (None, "1 fault: prices.count")
    assert (second.first, second.path) == (None, "$.records[1]")
    assert third.received.accepted
    assert third.received.value is not None
    assert [day.record for day in third.received.value.days] == [2, 2]


def test_the_first_boffer_is_compared_with_earlier_ones() -> None:
    read = validate(document(at("03:56:00"))).value
    assert read is not None
    other = document(at("03:57:00", *whole_horizon(prices=DEARER)))
    assert codes(validate_each(other)) == [{}]
    assert codes(validate_each(other, Context(earlier=read.days))) == [{"gate.price_changed": 1}]
    assert codes(validate_each(other, Context(step=2, earlier=read.days)))[0].keys() == {
        "boffer.step2_no_fixed",
        "boffer.step2_bands",
    }


def test_a_document_without_records_is_rejected_as_a_whole() -> None:
    with pytest.raises(DocumentFault):
        validate_each(b"{")
    read = validate(document(at("03:56:00"))).value
    assert read is not None
    with pytest.raises(DocumentFault):
        validate_frame_each(to_frame(read.days).drop("period"))
