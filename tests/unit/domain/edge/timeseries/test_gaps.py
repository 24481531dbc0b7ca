"""Repeats, gaps and jumps of many series, against a plain search (Part C §1.2, §4.1)."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from oepnode.domain.edge.timeseries.gaps import Horizon, examine

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


def test_no_rows_are_no_series() -> None:
    assert look([]) == ([], [], [], 0)
    assert look([], Horizon(60, 120)) == ([], [], [], 0)
