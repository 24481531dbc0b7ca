"""Boffers as JSON: what is written reads back."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from oepnode.domain.edge.boffers.frame import from_frame, to_frame
from oepnode.domain.edge.boffers.json_format import read_record, write_boffers
from oepnode.domain.edge.boffers.model import SECTION, BofferDay, make_day
from oepnode.domain.edge.boffers.validate import validate
from oepnode.domain.edge.schema.shape import records
from oepnode.domain.edge.validation.finding_log import FindingLog
from tests.generators.boffers import boffer_days
from tests.support.edge_documents import NMI

DAY = date(2026, 11, 20)


def same(left: BofferDay, right: BofferDay) -> bool:
    positions = {"record", "bid", "positions", "has_bands"}
    names = [*(n for n in left.__dataclass_fields__ if n not in positions), "states_bands"]
    return all(np.array_equal(getattr(left, name), getattr(right, name)) for name in names)


def read(data: bytes) -> list[BofferDay]:
    log = FindingLog("Boffer", SECTION)
    parsed = [day for n, value in records(data, log) for day in read_record(value, n, log)]
    assert (log.count, log.business_count, log.warnings) == (0, 0, ())
    return parsed


@given(st.lists(boffer_days(), min_size=1, max_size=3), st.booleans())
def test_a_written_document_reads_back(days: list[BofferDay], ndjson: bool) -> None:
    parsed = read(write_boffers(days, ndjson=ndjson))
    assert len(parsed) == len(days)
    assert all(map(same, days, parsed))


def test_days_of_one_submission_are_written_as_one_record() -> None:
    avail = [0] * 20
    days = [make_day("UNIT1", date(2026, 11, n), range(20), avail) for n in (20, 21)]
    (record,) = json.loads(write_boffers(days))
    assert [bid["tradingDate"] for bid in record["energyBids"]] == ["2026-11-20", "2026-11-21"]
    assert "submissionDateTime" not in record


def test_numbers_are_written_exactly_and_once() -> None:
    avail = [-1] + [0] * 18 + [1_234_500]
    day = make_day("UNIT1", DAY, [-100_000, *range(1, 20)], avail, fixed_load=0)
    text = write_boffers([day]).decode()
    assert '"prices":[-1000,0.01,' in text
    assert '"bandAvail":[-0.001,0,' in text
    assert text.count("1234.5") == 1
    assert '"fixedLoad":0,"selfDispatch":true' in text


def self_dispatched(**changes: Any) -> BofferDay:
    """Fixed loads alone, without prices and quantities."""
    at: dict[str, Any] = {"periods": [5, 6], "submitted_us": 1795132800000000}
    return make_day("UNIT1", DAY, None, None, fixed_load=[-5_000, 0], **at, **changes)


def test_hld_4_4_fields_that_a_boffer_omits_stay_omitted() -> None:
    day = self_dispatched()
    text = write_boffers([day]).decode()
    assert "prices" not in text
    assert "bandAvail" not in text
    (parsed,) = read(text.encode())
    assert same(day, parsed)
    assert (parsed.has_prices, parsed.states_bands.tolist()) == (False, [False, False])
    assert not parsed.avail.any()
    assert write_boffers([parsed]).decode() == text
    rows = to_frame([parsed])
    assert rows["prices"].null_count() == rows["avail"].null_count() == 2
    (again,) = from_frame(rows).days
    assert write_boffers([again]).decode() == text


def test_hld_4_4_stated_zeros_differ_from_omitted_quantities() -> None:
    (record,) = json.loads(write_boffers([self_dispatched()]))
    record["energyBids"][0]["energyPeriods"][1]["bandAvail"] = [0] * 20
    (day,) = read(json.dumps([record]).encode())
    assert day.states_bands.tolist() == [False, True]
    assert day.rows(np.array([1])).states_bands.tolist() == [True]
    (bid,) = json.loads(write_boffers([day]))[0]["energyBids"]
    assert ["bandAvail" in row for row in bid["energyPeriods"]] == [False, True]
    frame = to_frame([day])
    assert frame["avail"].is_null().to_list() == [True, False]
    assert from_frame(frame).days[0].states_bands.tolist() == [False, True]


def test_the_validator_accepts_a_written_document() -> None:
    avail = [-1000] + [0] * 19
    day = make_day(NMI, DAY, range(20), avail, kind="NMI", submitted_us=1795132800000000)
    assert validate(write_boffers([day])).accepted
