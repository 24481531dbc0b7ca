"""NEM time (rules-v1 section 3): UTC+10:00 all year, dispatch intervals, timestamps."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oepnode.domain.nem.nem_time import (
    DAYLIGHT_SAVING_WARNING,
    NO_OFFSET_WARNING,
    OffGridError,
    format_nem,
    parse_grid_instant,
    parse_timestamp,
    parse_trading_date,
    period_start,
    trading_period,
)

LATEST = int(datetime(2105, 12, 31, 13, 55, tzinfo=UTC).timestamp())
GRID = st.integers(0, LATEST // 300).map(lambda n: n * 300)
DAY = date(2026, 11, 20)


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        (1, "2026-11-20T04:00:00", "2026-11-20T04:05:00"),
        (72, "2026-11-20T09:55:00", "2026-11-20T10:00:00"),
        (240, "2026-11-20T23:55:00", "2026-11-21T00:00:00"),
        (241, "2026-11-21T00:00:00", "2026-11-21T00:05:00"),
        (288, "2026-11-21T03:55:00", "2026-11-21T04:00:00"),
    ],
)
def test_a_trading_day_runs_from_four_to_four(period: int, start: str, end: str) -> None:
    assert period_start(DAY, period) == utc(f"{start}+10:00")
    assert period_start(DAY, period) + 300 == utc(f"{end}+10:00")
    assert trading_period(utc(f"{start}+10:00")) == (DAY, period)


@pytest.mark.parametrize("period", [0, 289, -1])
def test_a_period_is_1_to_288(period: int) -> None:
    with pytest.raises(ValueError, match="1 to 288"):
        period_start(DAY, period)


@given(start=GRID)
def test_period_and_interval_start_are_one_to_one(start: int) -> None:
    day, period = trading_period(start)
    assert 1 <= period <= 288
    assert period_start(day, period) == start


@pytest.mark.parametrize("day", ["2026-04-05", "2026-10-04", "2028-02-28", "2028-02-29"])
def test_every_day_has_288_periods_of_300_seconds(day: str) -> None:
    """Also those on which daylight saving starts and ends in Melbourne, and the leap day."""
    trading_date = parse_trading_date(day)
    following = trading_date + timedelta(days=1)
    assert period_start(following, 1) - period_start(trading_date, 1) == 86400
    assert period_start(following, 1) == period_start(trading_date, 288) + 300
    assert format_nem(period_start(trading_date, 1)).endswith("T04:00:00+10:00")


@pytest.mark.parametrize(
    ("text", "seconds", "micros", "warning"),
    [
        ("2026-01-15T12:00:00+10:00", "2026-01-15T02:00:00+00:00", 0, None),
        ("2026-07-15T12:00:00+10:00", "2026-07-15T02:00:00+00:00", 0, None),
        ("2026-01-15T12:00:00", "2026-01-15T02:00:00+00:00", 0, NO_OFFSET_WARNING),
        ("2026-01-15T12:00:00Z", "2026-01-15T12:00:00+00:00", 0, None),
        ("2026-01-15T12:00:00+00:00", "2026-01-15T12:00:00+00:00", 0, None),
        ("2026-01-15T12:00:00-00:00", "2026-01-15T12:00:00+00:00", 0, None),
        ("2026-01-15T12:00:00+11:00", "2026-01-15T01:00:00+00:00", 0, DAYLIGHT_SAVING_WARNING),
        ("2026-01-15T12:00:00-11:00", "2026-01-15T23:00:00+00:00", 0, None),
        ("2026-01-15T12:00:00+09:30", "2026-01-15T02:30:00+00:00", 0, None),
        ("2026-01-15T12:00:00+14:00", "2026-01-14T22:00:00+00:00", 0, None),
        ("2026-01-15T12:00:00-14:00", "2026-01-16T02:00:00+00:00", 0, None),
        ("2026-01-15T12:00:00.5Z", "2026-01-15T12:00:00+00:00", 500_000, None),
        ("2026-01-15T12:00:00.000001Z", "2026-01-15T12:00:00+00:00", 1, None),
        ("2026-01-15T12:00:00.999999", "2026-01-15T02:00:00+00:00", 999_999, NO_OFFSET_WARNING),
        ("2028-02-29T23:59:59Z", "2028-02-29T23:59:59+00:00", 0, None),
        ("2000-02-29T00:00:00Z", "2000-02-29T00:00:00+00:00", 0, None),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00+00:00", 0, None),
        ("1970-01-01T10:00:00+10:00", "1970-01-01T00:00:00+00:00", 0, None),
        ("2105-12-31T23:59:59-14:00", "2106-01-01T13:59:59+00:00", 0, None),
    ],
)
def test_a_timestamp_converts_by_its_instant(
    text: str, seconds: str, micros: int, warning: str | None
) -> None:
    stamp = parse_timestamp(text)
    assert (stamp.seconds, stamp.micros, stamp.warning) == (utc(seconds), micros, warning)
    assert stamp.total_micros == utc(seconds) * 1_000_000 + micros


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "a timestamp must be"),
        ("2026-01-15", "a timestamp must be"),
        ("2026-01-15 12:00:00Z", "a timestamp must be"),
        ("2026-01-15t12:00:00Z", "a timestamp must be"),
        ("2026-01-15T12:00Z", "a timestamp must be"),
        ("2026-01-15T12:00:00z", "a timestamp must be"),
        ("2026-01-15T12:00:00+1000", "a timestamp must be"),
        ("2026-01-15T12:00:00+10", "a timestamp must be"),
        ("2026-01-15T12:00:00.Z", "a timestamp must be"),
        ("2026-01-15T12:00:00.1234567Z", "a timestamp must be"),
        ("2026-01-15T12:00:00,5Z", "a timestamp must be"),
        ("2026-01-15T12:00:00Z\n", "a timestamp must be"),
        (" 2026-01-15T12:00:00Z", "a timestamp must be"),
        ("2026-01-15T12:00:00ZZ", "a timestamp must be"),
        ("-026-01-15T12:00:00Z", "a timestamp must be"),
        ("٢٠٢٦-01-15T12:00:00Z", "a timestamp must be"),
        ("2026-01-15T12:00:00+14:01", "an offset"),
        ("2026-01-15T12:00:00-15:00", "an offset"),
        ("2026-01-15T12:00:00+09:60", "an offset"),
        ("1969-12-31T23:59:59-14:00", "the year"),
        ("2106-01-01T00:00:00Z", "the year"),
        ("0000-01-01T00:00:00Z", "the year"),
        ("2026-02-29T00:00:00Z", "not a date"),
        ("2100-02-29T00:00:00Z", "not a date"),
        ("2026-13-01T00:00:00Z", "not a date"),
        ("2026-00-01T00:00:00Z", "not a date"),
        ("2026-04-31T00:00:00Z", "not a date"),
        ("2026-01-15T24:00:00Z", "not a date"),
        ("2026-01-15T12:60:00Z", "not a date"),
        ("2026-01-15T12:00:60Z", "not a date"),
        ("1970-01-01T09:59:59+10:00", "before 1970"),
        ("1970-01-01T09:59:59", "before 1970"),
        ("1970-01-01T00:00:00+00:01", "before 1970"),
    ],
)
def test_any_other_text_is_rejected_with_the_part_that_is_wrong(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as rejected:
        parse_timestamp(text)
    assert not isinstance(rejected.value, OffGridError)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-15T12:00:01Z",
        "2026-01-15T12:04:59Z",
        "2026-01-15T12:01:00Z",
        "2026-01-15T12:00:00.000001Z",
        "2026-01-15T12:05:00+10:01",
    ],
)
def test_off_the_grid(text: str) -> None:
    with pytest.raises(OffGridError, match="5-minute grid"):
        parse_grid_instant(text)


def test_on_the_grid_with_zeros_behind_and_with_odd_offsets() -> None:
    assert parse_grid_instant("2026-01-15T12:05:00.000000Z").seconds % 300 == 0
    assert parse_grid_instant("2026-01-15T12:06:00+00:01").seconds == utc("2026-01-15T12:05:00Z")
    with pytest.raises(ValueError, match="a timestamp must be") as rejected:
        parse_grid_instant("noon")
    assert not isinstance(rejected.value, OffGridError)


@given(seconds=GRID, offset=st.integers(-840, 840))
def test_any_offset_of_one_instant_reads_the_same(seconds: int, offset: int) -> None:
    local = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds, minutes=offset)
    if not 1970 <= local.year <= 2105:
        return
    sign = "-" if offset < 0 else "+"
    tail = f"{sign}{abs(offset) // 60:02d}:{abs(offset) % 60:02d}"
    stamp = parse_grid_instant(local.strftime("%Y-%m-%dT%H:%M:%S") + tail)
    assert stamp.seconds == seconds
    assert (stamp.warning is not None) == (offset == 660)


@given(seconds=GRID)
def test_a_written_value_reads_back(seconds: int) -> None:
    written = format_nem(seconds)
    assert written.endswith("+10:00")
    stamp = parse_grid_instant(written)
    assert (stamp.seconds, stamp.micros, stamp.warning) == (seconds, 0, None)


@given(text=st.text(alphabet="0123456789-+:TZ. ", max_size=34))
def test_any_text_is_read_or_rejected_with_a_value_error(text: str) -> None:
    try:
        stamp = parse_timestamp(text)
    except ValueError:
        return
    assert stamp.seconds >= 0


def test_trading_date() -> None:
    assert parse_trading_date("2028-02-29") == date(2028, 2, 29)
    assert parse_trading_date("1970-01-01") == date(1970, 1, 1)
    assert parse_trading_date("2105-12-31") == date(2105, 12, 31)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("20261120", "yyyy-mm-dd"),
        ("2026-11-20T00:00:00Z", "yyyy-mm-dd"),
        ("2026-11-2", "yyyy-mm-dd"),
        ("2026-11-20\n", "yyyy-mm-dd"),
        ("２０２６-11-20", "yyyy-mm-dd"),
        ("1969-12-31", "the year"),
        ("2106-01-01", "the year"),
        ("2026-02-29", "calendar"),
        ("2026-00-10", "calendar"),
    ],
)
def test_any_other_trading_date_is_rejected(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_trading_date(text)
