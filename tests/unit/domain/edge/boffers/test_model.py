"""Boffers as columns: what is written reads back, in JSON and as rows of Parquet."""

from __future__ import annotations

import json
from datetime import date
from io import BytesIO
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oepnode.domain.edge.boffers import model as boffer
from oepnode.domain.edge.boffers.model import BofferDay, make_day
from oepnode.domain.edge.boffers.validate import validate
from oepnode.domain.edge.schema.shape import records
from oepnode.domain.edge.schema.units import NONE
from oepnode.domain.edge.validation.finding_log import FindingLog
from tests.support.edge_documents import NMI

DAY = date(2026, 11, 20)
watts = st.integers(0, 10_000_000)


@st.composite
def boffer_days(draw: st.DrawFn) -> BofferDay:
    kind = draw(st.sampled_from(["NMI", "DUID"]))
    count = draw(st.integers(1, 4))
    signs = np.repeat([-1, 1], 10)
    rows = [np.array(draw(st.lists(watts, min_size=20, max_size=20))) * signs for _ in range(count)]
    none = st.just(NONE)
    limit = st.lists(none | watts, min_size=count, max_size=count)
    extra: dict[str, Any] = {}
    if kind == "DUID":
        extra = {
            "max_avail_gen": draw(limit),
            "max_avail_load": [w if w == NONE else -w for w in draw(limit)],
            "fixed_load": draw(limit),
        }
    prices = st.lists(st.integers(-100_000, 2_000_000), min_size=20, max_size=20)
    is_priced = draw(st.booleans())
    periods = st.lists(st.integers(1, 288), min_size=count, max_size=count, unique=True)
    return make_day(
        NMI if kind == "NMI" else "UNIT1",
        DAY,
        draw(prices) if is_priced else None,
        rows if is_priced else draw(st.sampled_from([None, np.zeros((count, 20), np.int32)])),
        periods=draw(periods),
        level=draw(st.sampled_from(["NMI", "Flex"])),
        timing="PRE" if kind == "DUID" else draw(st.sampled_from(["PRE", "POST"])),
        kind=kind,  # type: ignore[arg-type]
        submitted_us=draw(st.integers(0, 4 * 10**15)),
        accumulated=draw(st.booleans()),
        **extra,
    )


def same(left: BofferDay, right: BofferDay) -> bool:
    told = {"record", "bid", "place", "has_bands"}
    names = [*(n for n in left.__dataclass_fields__ if n not in told), "states_bands"]
    return all(np.array_equal(getattr(left, name), getattr(right, name)) for name in names)


def read(data: bytes) -> list[BofferDay]:
    log = FindingLog("Boffer", boffer.SECTION)
    found = [day for n, value in records(data, log) for day in boffer.read_record(value, n, log)]
    assert (log.count, log.business_count, log.warnings) == (0, 0, ())
    return found


@given(st.lists(boffer_days(), min_size=1, max_size=3), st.booleans())
def test_what_is_written_reads_back(days: list[BofferDay], ndjson: bool) -> None:
    found = read(boffer.write(days, ndjson=ndjson))
    assert len(found) == len(days)
    assert all(map(same, days, found))


@given(st.lists(boffer_days(), min_size=1, max_size=3))
def test_rows_of_parquet_read_back(days: list[BofferDay]) -> None:
    file = BytesIO()
    boffer.to_frame(days).write_parquet(file)
    file.seek(0)
    found = boffer.from_frame(pl.read_parquet(file)).days
    rows = {(day.identity, *row) for day in days for row in _rows(day)}
    assert {(day.identity, *row) for day in found for row in _rows(day)} == rows


def _rows(day: BofferDay) -> list[tuple[Any, ...]]:
    prices = day.prices.tolist() if day.has_prices else ()
    head = (day.level, day.timing, day.submitted_us, day.accumulated, *prices)
    single = (day.max_avail_load, day.max_avail_gen, day.fixed_load)
    columns = (day.periods, *single, day.states_bands)
    each = zip(*(c.tolist() for c in columns), map(tuple, day.avail.tolist()), strict=True)
    return [(*head, *row) for row in each]


def test_days_of_one_submission_are_written_as_one_record() -> None:
    avail = [0] * 20
    days = [make_day("UNIT1", date(2026, 11, n), range(20), avail) for n in (20, 21)]
    (record,) = json.loads(boffer.write(days))
    assert [bid["tradingDate"] for bid in record["energyBids"]] == ["2026-11-20", "2026-11-21"]
    assert "submissionDateTime" not in record


def test_numbers_are_written_exactly_and_once() -> None:
    avail = [-1] + [0] * 18 + [1_234_500]
    day = make_day("UNIT1", DAY, [-100_000, *range(1, 20)], avail, fixed_load=0)
    text = boffer.write([day]).decode()
    assert '"prices":[-1000,0.01,' in text
    assert '"bandAvail":[-0.001,0,' in text
    assert text.count("1234.5") == 1
    assert '"fixedLoad":0,"selfDispatch":true' in text


def self_dispatched(**changes: Any) -> BofferDay:
    """Fixed loads alone, without prices and quantities."""
    at = {"periods": [5, 6], "submitted_us": 1795132800000000}
    return make_day("UNIT1", DAY, None, None, fixed_load=[-5_000, 0], **at, **changes)


def test_hld_4_4_what_a_boffer_leaves_out_stays_left_out() -> None:
    day = self_dispatched()
    text = boffer.write([day]).decode()
    assert "prices" not in text
    assert "bandAvail" not in text
    (found,) = read(text.encode())
    assert same(day, found)
    assert (found.has_prices, found.states_bands.tolist()) == (False, [False, False])
    assert not found.avail.any()
    assert boffer.write([found]).decode() == text
    rows = boffer.to_frame([found])
    assert rows["prices"].null_count() == rows["avail"].null_count() == 2
    (again,) = boffer.from_frame(rows).days
    assert boffer.write([again]).decode() == text


def test_hld_4_4_stated_zeros_are_told_from_quantities_left_out() -> None:
    (record,) = json.loads(boffer.write([self_dispatched()]))
    record["energyBids"][0]["energyPeriods"][1]["bandAvail"] = [0] * 20
    (day,) = read(json.dumps([record]).encode())
    assert day.states_bands.tolist() == [False, True]
    assert day.rows(np.array([1])).states_bands.tolist() == [True]
    (bid,) = json.loads(boffer.write([day]))[0]["energyBids"]
    assert ["bandAvail" in row for row in bid["energyPeriods"]] == [False, True]
    frame = boffer.to_frame([day])
    assert frame["avail"].is_null().to_list() == [True, False]
    assert boffer.from_frame(frame).days[0].states_bands.tolist() == [False, True]


def test_hld_4_6_4_no_quantity_is_made_without_a_price() -> None:
    with pytest.raises(ValueError, match="price/quantity pair"):
        make_day("UNIT1", DAY, None, [-1, *[0] * 19])


@pytest.mark.parametrize("bad", [{"avail": [0] * 19}, {"prices": range(19)}, {"periods": [1, 2]}])
def test_shapes_that_do_not_fit_are_rejected(bad: dict[str, Any]) -> None:
    given_values: dict[str, Any] = {"prices": range(20), "avail": [0] * 20} | bad
    with pytest.raises(ValueError, match="20"):
        make_day("UNIT1", DAY, **given_values)


def test_a_frame_of_other_columns_is_rejected() -> None:
    with pytest.raises(ValueError, match="columns"):
        boffer.from_frame(pl.DataFrame({"nmi": ["x"]}))


def test_the_validator_takes_what_is_written() -> None:
    avail = [-1000] + [0] * 19
    day = make_day(NMI, DAY, range(20), avail, kind="NMI", submitted_us=1795132800000000)
    assert validate(boffer.write([day])).accepted
