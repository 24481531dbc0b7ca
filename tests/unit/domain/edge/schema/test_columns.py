"""Columns of Parquet hold what JSON may hold: every range is checked, whatever the type is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from oepnode.domain.edge.dispatch import validate as dispatch
from oepnode.domain.edge.forecasts import validate as forecasts
from oepnode.domain.edge.telemetry import validate as telemetry
from oepnode.domain.edge.telemetry.json_format import write_telemetry
from oepnode.domain.nem.nem_time import INSTANTS_END_S
from tests.support.telemetry_columns import START, A, frame, reading

MOST = 2**31 - 1
MICROS = 1_000_000
SENT = (START + 86_400) * MICROS
POWERS = ("active_power_w", "export_limit_w", "reactive_import_limit_var")


def minutes(*numbers: int) -> pl.DataFrame:
    """Telemetry of one NMI; the numbers are minutes."""
    return frame(*(reading(A, number, submitted_us=SENT) for number in numbers))


def put(rows: pl.DataFrame, column: str, values: list[Any], dtype: Any) -> pl.DataFrame:
    return rows.with_columns(pl.Series(column, values, dtype=dtype))


def paths(received: Any) -> dict[str, list[str]]:
    """Code → places of what rejects it, in the form and in the rules."""
    places: dict[str, list[str]] = {}
    for finding in (*received.system.findings, *received.transaction.findings):
        places.setdefault(finding.code, []).append(finding.path)
    return places


def intervals() -> pl.DataFrame:
    ends = [START + 300, START + 600]
    return pl.DataFrame({"interval_end": ends, "nmi": [A, A], "uncontrolled_w": [1, 2]})


# --- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", POWERS)
@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (-MOST - 1, pl.Int32),
        (MOST + 1, pl.Int64),
        (-(2**63), pl.Int64),
        (2**63 - 1, pl.Int64),
        (2**64 - 1, pl.UInt64),
    ],
)
def test_power_out_of_range_is_rejected_in_every_type(column: str, value: int, dtype: Any) -> None:
    broken = put(minutes(1, 2), column, [0, value], dtype)
    assert paths(telemetry.validate_frame(broken)) == {"number.range": [f"$.rows[1].{column}"]}


@pytest.mark.parametrize("dtype", [pl.Int32, pl.Int64])
def test_the_ends_of_the_range_are_read(dtype: Any) -> None:
    received = telemetry.validate_frame(put(minutes(1, 2), "active_power_w", [-MOST, MOST], dtype))
    assert received.accepted
    assert received.value is not None
    assert received.value["active_power_w"].to_list() == [-MOST, MOST]


@pytest.mark.parametrize("value", [-(2**63), MOST + 1])
def test_a_price_in_columns_has_the_range_of_one_in_json(value: int) -> None:
    row = {"duid": ["U"], "interval_end": [START + 300], "target_w": [0], "price_cents": [value]}
    received = dispatch.validate_frame(pl.DataFrame(row))
    assert paths(received) == {"number.range": ["$.rows[0].price_cents"]}


# --- instants ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [pl.Int64, pl.UInt64])
def test_a_minute_out_of_range_is_rejected_and_checked_by_no_rule(dtype: Any) -> None:
    high = [INSTANTS_END_S, 2**63 - 1, 2**64 - 1 if dtype == pl.UInt64 else -(2**63)]
    first = int(minutes(1)["minute"][0])
    ends = [first, *high, first + 60]
    broken = put(minutes(1, 2, 3, 4, 5), "minute", ends, dtype)
    received = telemetry.validate_frame(broken)
    assert paths(received) == {"time.format": [f"$.rows[{row}].minute" for row in (1, 2, 3)]}


def test_the_last_minute_in_range_is_read_and_written() -> None:
    late = put(minutes(1), "minute", [INSTANTS_END_S - 60], pl.Int64)
    late = put(late, "submitted_us", [INSTANTS_END_S * MICROS - 1], pl.Int64)
    received = telemetry.validate_frame(late)
    assert received.value is not None
    again = telemetry.validate(write_telemetry(received.value)).value
    assert again is not None
    assert again.equals(received.value)


def test_rows_after_a_rejected_minute_keep_their_row_numbers() -> None:
    first = int(minutes(1)["minute"][0])
    broken = put(minutes(1, 2, 3), "minute", [first, first + 1, first + 180], pl.Int64)
    assert paths(telemetry.validate_frame(broken)) == {
        "time.grid": ["$.rows[1].minute"],
        "telemetry.gap": ["$.rows[2].minute"],
    }


def test_a_minute_that_is_null_or_not_a_timestamp_is_checked_by_no_rule() -> None:
    texts = ["2026-11-19T10:01:00+10:00", None, "soon", "2026-11-19T10:02:00+10:00"]
    broken = put(minutes(1, 2, 3, 4), "minute", texts, pl.String)
    assert paths(telemetry.validate_frame(broken)) == {
        "field.null": ["$.rows[1].minute"],
        "time.format": ["$.rows[2].minute"],
    }


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), -1, INSTANTS_END_S * MICROS])
@pytest.mark.parametrize("column", ["submitted_us", "envelope_submitted_us"])
def test_a_submission_time_out_of_range_is_rejected(column: str, value: int) -> None:
    broken = put(minutes(1, 2), column, [value, SENT - MICROS * 90_000], pl.Int64)
    codes = paths(telemetry.validate_frame(broken))
    assert codes.pop("time.format") == [f"$.rows[0].{column}"]
    assert set(codes) <= {"telemetry.submitted_early"}


def test_a_submission_time_out_of_range_replaces_no_row() -> None:
    twice = put(minutes(1, 1), "submitted_us", [SENT, 2**63 - 1], pl.Int64)
    twice = put(twice, "active_power_w", [1, 2], pl.Int32)
    received = telemetry.validate_frame(twice)
    assert received.value is None
    assert "telemetry.superseded" not in received.transaction.warning_counts


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC"])
@pytest.mark.parametrize("value", [2**63 - 1, -(2**63) + 1, -1])
@pytest.mark.parametrize("column", ["minute", "submitted_us"])
def test_datetimes_out_of_range_are_rejected(
    column: str, value: int, zone: str | None, unit: Any
) -> None:
    raw = pl.Series(column, [value], dtype=pl.Int64).cast(pl.Datetime(unit, zone))
    received = telemetry.validate_frame(minutes(1).with_columns(raw))
    assert paths(received) == {"time.format": [f"$.rows[0].{column}"]}


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_datetimes_of_every_unit_are_read_alike(unit: Any) -> None:
    first = int(minutes(1)["minute"][0])
    at = pl.Series("minute", [datetime.fromtimestamp(first, UTC)]).dt.cast_time_unit(unit)
    received = telemetry.validate_frame(minutes(1).with_columns(at))
    assert received.value is not None
    assert received.value["minute"].to_list() == [first]


def test_an_interval_out_of_range_is_rejected_in_forecasts_and_targets() -> None:
    broken = put(intervals(), "interval_end", [START + 300, 2**63 - 1], pl.Int64)
    path = {"time.format": ["$.rows[1].interval_end"]}
    assert paths(forecasts.validate_frame(broken)) == path
    targets = broken.rename({"nmi": "duid", "uncontrolled_w": "target_w"})
    assert paths(dispatch.validate_frame(targets)) == path


# --- nulls ---------------------------------------------------------------------------------------


def test_a_column_of_nulls_without_a_type_is_read_as_nulls() -> None:
    rows = minutes(1).with_columns(submitted_us=pl.lit(None), reactive_export_limit_var=None)
    assert telemetry.validate_frame(rows).accepted
    absent = telemetry.validate_frame(minutes(1).with_columns(active_power_w=pl.lit(None)))
    assert paths(absent) == {"field.null": ["$.rows[0].active_power_w"]}
