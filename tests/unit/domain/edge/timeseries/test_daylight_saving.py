"""The hour that daylight saving leaves out or repeats, known by its times."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from oepnode.domain.edge.timeseries.gaps import examine
from oepnode.domain.nem.nem_time import parse_timestamp


def local_minutes(first: str, last: str) -> list[int]:
    start, end = (parse_timestamp(f"{text}+10:00").seconds for text in (first, last))
    return list(range(start, end + 1, 60))


def melbourne_clock(first: str, count: int, step: int) -> list[int]:
    """Instants from a NEM time on, as a clock in Melbourne shows them, read as NEM time."""
    start = parse_timestamp(f"{first}+10:00").seconds
    zone = ZoneInfo("Australia/Melbourne")
    read: list[int] = []
    for index in range(count):
        texts = datetime.fromtimestamp(start + step * index, tz=UTC).astimezone(zone)
        read.append(parse_timestamp(f"{texts:%Y-%m-%dT%H:%M:%S}+10:00").seconds)
    return read


def of(minutes: list[int], step: int = 60) -> tuple[list[bool], list[bool]]:
    names = pl.Series(["a"] * len(minutes)).cast(pl.Categorical())
    empty = pl.Series([None] * len(minutes), dtype=pl.Int64)
    series = examine(names, np.array(minutes, dtype=np.int64), step, empty)
    return series.gaps.is_saving.tolist(), series.jumps.is_saving.tolist()


def test_part_c_1_2_the_hour_missing_in_october_is_daylight_saving() -> None:
    spring = local_minutes("2026-10-04T01:00:00", "2026-10-04T02:00:00")
    spring += local_minutes("2026-10-04T03:01:00", "2026-10-04T04:00:00")
    assert of(spring) == ([True], [])
    week_after = [minute + 7 * 86_400 for minute in spring]
    assert of(week_after) == ([False], [])
    assert of([m for m in spring if m != spring[0] + 3600]) == ([False], [])


def test_part_c_1_2_the_hour_repeated_in_april_is_daylight_saving() -> None:
    autumn = local_minutes("2026-04-05T01:00:00", "2026-04-05T03:00:00")
    autumn += local_minutes("2026-04-05T02:01:00", "2026-04-05T04:00:00")
    assert of(autumn) == ([], [True])
    assert of([minute + 86_400 for minute in autumn]) == ([], [False])


@pytest.mark.parametrize("step", [60, 300])
def test_part_c_1_2_the_hour_that_a_clock_in_melbourne_skips_or_repeats_is_recognised(
    step: int,
) -> None:
    count = 3 * 3600 // step
    spring = melbourne_clock("2026-10-04T01:00:00", count, step)
    assert of(spring, step) == ([True], [])
    assert of([end + 7 * 86_400 for end in spring], step) == ([False], [])
    autumn = melbourne_clock("2026-04-05T00:00:00", count + 3600 // step, step)
    assert of(autumn, step) == ([], [True])
    assert of([end + 86_400 for end in autumn], step) == ([], [False])
