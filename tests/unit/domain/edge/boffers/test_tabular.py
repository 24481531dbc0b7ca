"""Boffers in files of rows: the form of Part C §3.3 column by column, and the same rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest

from oepnode.domain.edge.boffers.frame import to_frame
from oepnode.domain.edge.boffers.validate import validate, validate_frame
from tests.support.edge_documents import (
    BANDS,
    NMI,
    OTHER_NMI,
    PRICES,
    bid,
    cautions,
    document,
    duid_boffer,
    finding,
    nmi_boffer,
    period,
    system,
    transaction,
)


def frame_of(*records: dict[str, Any]) -> pl.DataFrame:
    read = validate(document(*records)).value
    assert read is not None
    return to_frame(read.days)


def good() -> pl.DataFrame:
    return frame_of(nmi_boffer(bid(period(73), period(72))), nmi_boffer(nmi=OTHER_NMI))


def changed(**values: Any) -> pl.DataFrame:
    """The good rows with the last value of some columns replaced."""
    frame = good()
    for name, value in values.items():
        dtype = frame.schema[name]
        kept = frame[name].to_list()[:-1]
        frame = frame.with_columns(pl.Series(name, [*kept, value], dtype=dtype))
    return frame


def listed(name: str, row: Sequence[int | None]) -> pl.DataFrame:
    """The good rows with a list column whose last row is another."""
    frame = good()
    kept = frame[name].to_list()[:-1]
    return frame.with_columns(pl.Series(name, [*kept, row], dtype=pl.List(pl.Int64)))


def test_good_rows_are_accepted() -> None:
    received = validate_frame(good())
    assert cautions(received) == {}
    assert received.value is not None
    assert received.value.records == 2
    assert to_frame(received.value.days).equals(good())


def test_a_duid_boffer_of_two_days_is_one_boffer() -> None:
    received = validate_frame(frame_of(duid_boffer()))
    assert cautions(received) == {}
    assert received.value is not None
    assert (received.value.records, len(received.value.days)) == (1, 2)


def test_columns_that_may_be_null_may_be_left_out_and_lists_are_read() -> None:
    frame = good().drop("accumulated", "max_avail_load", "max_avail_gen", "fixed_load")
    lists = frame.with_columns(
        pl.col("avail").arr.to_list(),
        pl.col("prices").arr.to_list(),
        pl.col("period").cast(pl.Int64),
        pl.col("identity").cast(pl.Categorical),
    )
    received = validate_frame(lists)
    assert cautions(received) == {}
    assert received.value is not None
    assert to_frame(received.value.days).equals(good())


@pytest.mark.parametrize(
    ("frame", "code", "path"),
    [
        (changed(period=289), "period.range", "$.rows[2].period"),
        (changed(period=0), "period.range", "$.rows[2].period"),
        (changed(period=None), "field.null", "$.rows[2].period"),
        (changed(identity="123"), "nmi.length", "$.rows[2].identity"),
        (changed(identity=NMI + "6"), "nmi.length", "$.rows[2].identity"),
        (changed(kind="DUID", identity="?"), "duid.form", "$.rows[2].identity"),
        (changed(kind="SITE"), "field.value", "$.rows[2].kind"),
        (changed(level="Site"), "field.value", "$.rows[2].level"),
        (changed(timing="NOW"), "field.value", "$.rows[2].timing"),
        (changed(submitted_us=None), "field.null", "$.rows[2].submitted_us"),
        (changed(avail=None), "field.missing", "$.rows[2].avail"),
        (changed(prices=None), "field.missing", "$.rows[2].prices"),
        (listed("avail", [0] * 19), "bands.count", "$.rows[2].avail"),
        (listed("prices", [0] * 21), "prices.count", "$.rows[2].prices"),
        (listed("avail", [None] + [0] * 19), "field.null", "$.rows[2].avail"),
        (listed("avail", [2**40] + [0] * 19), "number.range", "$.rows[2].avail"),
        (good().with_columns(period=pl.lit(40_000)), "number.range", "$.rows[0].period"),
        (good().drop("avail"), "field.missing", "$.rows[0].avail"),
        (good().drop("prices"), "field.missing", "$.rows[0].prices"),
        (good().drop("period"), "column.missing", "$.columns.period"),
        (good().with_columns(avail=pl.lit(1)), "column.type", "$.columns.avail"),
        (good().with_columns(prices=pl.lit("x")), "column.type", "$.columns.prices"),
        (good().with_columns(trading_date=pl.lit("x")), "column.type", "$.columns.trading_date"),
        (good().clear(), "document.empty", "$"),
    ],
)
def test_part_c_3_3_broken_rows_reject_the_system_acknowledgement(
    frame: pl.DataFrame, code: str, path: str
) -> None:
    received = validate_frame(frame)
    assert set(system(received)) == {code}
    assert finding(received, code).path == path
    assert received.value is None


def test_an_unknown_column_is_a_caution() -> None:
    assert cautions(validate_frame(good().with_columns(colour=1))) == {"column.unknown": 1}


def test_the_rules_apply_to_rows_and_name_their_locations() -> None:
    avail = [1000, *(kw * 1000 for kw in BANDS[1:])]
    frame = changed(period=73, avail=avail)
    assert finding(validate_frame(frame), "boffer.load_sign").path == "$.rows[2].avail[0]"
    again = pl.concat([good(), good()[1:2]])
    received = validate_frame(again)
    assert transaction(received) == {"period.duplicate": 1}
    assert finding(received, "period.duplicate").path == "$.rows[3].period"
    falling = [*PRICES[:5], -5, *PRICES[6:]]
    cents = [round(price * 100) for price in falling]
    result = finding(validate_frame(changed(prices=cents)), "boffer.price_falls")
    assert result.path == "$.rows[2].prices[5]"


def test_dates_in_the_past_and_other_units_are_reported_by_row() -> None:
    frame = frame_of(duid_boffer(), duid_boffer(duid="UNIT2"))
    received = validate_frame(frame)
    assert transaction(received) == {"duid.mixed": 1}
    assert finding(received, "duid.mixed").path == "$.rows[576].identity"
    late = frame_of(nmi_boffer(submissionDateTime="2026-11-23T00:00:00+10:00"))
    received = validate_frame(late)
    assert transaction(received) == {"trading_date.past": 1}
    assert finding(received, "trading_date.past").path == "$.rows[0].trading_date"
    assert finding(received, "timing.pre").path == "$.rows[0].submitted_us"


def test_warnings_on_levels_are_reported_by_row() -> None:
    made = {"bofferTiming": "POST", "submissionDateTime": "2026-11-23T00:00:00+10:00"}
    later = nmi_boffer(bofferSummationLevel="Flex", **made)
    received = validate_frame(frame_of(nmi_boffer(), later))
    assert cautions(received) == {"timing.level": 1}
    assert finding(received, "timing.level").path == "$.rows[1].level"
    received = validate_frame(frame_of(duid_boffer(), duid_boffer(bofferSummationLevel="NMI")))
    assert cautions(received) == {"boffer.mixed_levels": 1}
    assert finding(received, "boffer.mixed_levels").path == "$.rows[576].level"
