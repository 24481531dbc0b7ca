"""Repeats, gaps and jumps of many series, against a plain search (Part C §1.2, §4.1)."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oepnode.domain.edge.timeseries.gaps import Horizon, examine
from oepnode.domain.nem.nem_time import parse_timestamp

rows_of = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 12)), min_size=1, max_size=30)


def look(rows: list[tuple[str, int]], horizon: Horizon | None = None) -> tuple[object, ...]:
    names = pl.Series([name for name, _ in rows]).cast(pl.Categorical())
    end = np.array([60 * minute for _, minute in rows], dtype=np.int64)
    submitted = pl.Series([None] * len(rows), dtype=pl.Int64)
    series = examine(names, end, 60, submitted, horizon)
    gaps = sorted(
        (rows[row][0], int(first) // 60, int(count))
        for row, first, count in zip(
            series.gaps.row, series.gaps.first, series.gaps.count, strict=True
        )
    )
    jumps = sorted(
        (int(row), int(b) // 60)
        for row, b in zip(series.jumps.row, series.jumps.before, strict=True)
    )
    repeats = sorted((rows[row], rows[other]) for row, other in series.repeats.tolist())
    return gaps, jumps, repeats, series.count


def plain(
    rows: list[tuple[str, int]], horizon: tuple[int, int] | None = None
) -> tuple[object, ...]:
    gaps, jumps, repeats = [], [], []
    names = sorted({name for name, _ in rows})
    for name in names:
        places = [i for i, row in enumerate(rows) if row[0] == name]
        minutes = [rows[i][1] for i in places]
        jumps += [
            (index, before)
            for index, before, now in zip(places[1:], minutes, minutes[1:], strict=False)
            if now < before
        ]
        ordered = sorted(minutes)
        repeats += [((name, a), (name, a)) for a, b in itertools.pairwise(ordered) if a == b]
        ends = [horizon[0] - 1, *ordered, horizon[1] + 1] if horizon else ordered
        gaps += [(name, a + 1, b - a - 1) for a, b in itertools.pairwise(ends) if b - a > 1]
    return sorted(gaps), sorted(jumps), sorted(repeats), len(names)


@given(rows_of)
def test_examine_finds_what_a_plain_search_finds(rows: list[tuple[str, int]]) -> None:
    assert look(rows) == plain(rows)


@given(rows_of)
def test_examine_finds_missing_ends(rows: list[tuple[str, int]]) -> None:
    assert look(rows, Horizon(60, 720)) == plain(rows, (1, 12))


@given(rows_of, st.booleans())
def test_complete_series_are_quiet_in_any_grouping(
    rows: list[tuple[str, int]], mixed: bool
) -> None:
    whole = [(name, m) for name in dict.fromkeys(n for n, _ in rows) for m in range(1, 13)]
    if mixed:
        whole.sort(key=lambda row: row[1])
    gaps, jumps, repeats, _ = look(whole, Horizon(60, 720))
    assert (gaps, jumps, repeats) == ([], [], [])


def test_a_later_submission_may_go_back_in_time() -> None:
    names = pl.Series(["a"] * 4).cast(pl.Categorical())
    end = np.array([60, 120, 60, 120], dtype=np.int64)
    series = examine(names, end, 60, pl.Series([1, 1, 2, 2]))
    assert len(series.jumps.row) == 0
    assert sorted(series.repeats.tolist()) == [[2, 0], [3, 1]]
    again = examine(names, end, 60, pl.Series([2, 2, 1, 1]))
    assert again.jumps.row.tolist() == [2]


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


def test_part_c_1_2_the_hour_doubled_in_april_is_daylight_saving() -> None:
    autumn = local_minutes("2026-04-05T01:00:00", "2026-04-05T03:00:00")
    autumn += local_minutes("2026-04-05T02:01:00", "2026-04-05T04:00:00")
    assert of(autumn) == ([], [True])
    assert of([minute + 86_400 for minute in autumn]) == ([], [False])


@pytest.mark.parametrize("step", [60, 300])
def test_part_c_1_2_the_hour_is_known_as_a_clock_in_melbourne_skips_and_repeats_it(
    step: int,
) -> None:
    count = 3 * 3600 // step
    spring = melbourne_clock("2026-10-04T01:00:00", count, step)
    assert of(spring, step) == ([True], [])
    assert of([end + 7 * 86_400 for end in spring], step) == ([False], [])
    autumn = melbourne_clock("2026-04-05T00:00:00", count + 3600 // step, step)
    assert of(autumn, step) == ([], [True])
    assert of([end + 86_400 for end in autumn], step) == ([], [False])


def test_no_rows_are_no_series() -> None:
    assert look([]) == ([], [], [], 0)
    assert look([], Horizon(60, 120)) == ([], [], [], 0)
