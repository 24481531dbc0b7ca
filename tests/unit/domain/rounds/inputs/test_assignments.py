"""Changes of assignments, compared with a table of one holder for each interval."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from oepnode.domain.rounds.inputs.assignments import (
    NO_AGGREGATOR,
    OPEN_END,
    Assignments,
    compare,
    no_assignments,
    overlay,
)

NMIS = ("6305888444", "6305888445", "QB01234567")
EDGES = 8
Row = tuple[str, int, int, int]


def columns(rows: list[Row]) -> Assignments:
    return Assignments(
        np.array([row[0] for row in rows], dtype="S10"),
        np.array([row[1] for row in rows], dtype=np.int32),
        np.array([row[2] for row in rows], dtype=np.int64),
        np.array([row[3] for row in rows], dtype=np.int64),
    )


def rows_of(table: Assignments) -> list[Row]:
    return [
        (nmi.decode(), int(holder), int(start), int(end))
        for nmi, holder, start, end in zip(
            table.nmi, table.aggregator, table.start, table.end, strict=True
        )
    ]


def timeline(table: Assignments, nmi: str) -> list[int]:
    """Holder of each interval, and at last the holder of all later ones."""
    line = [NO_AGGREGATOR] * (EDGES + 1)
    for name, holder, start, end in rows_of(table):
        if name == nmi:
            for step in range(start // 300, EDGES + 1 if end == OPEN_END else end // 300):
                assert line[step] == NO_AGGREGATOR, "overlap"
                line[step] = holder
    return line


@st.composite
def tables(draw: st.DrawFn, lowest: int) -> Assignments:
    rows: list[Row] = []
    for nmi in draw(st.sets(st.sampled_from(NMIS))):
        edges = sorted(draw(st.sets(st.integers(0, EDGES), min_size=1, max_size=5)))
        ends = [*(edge * 300 for edge in edges[1:]), OPEN_END]
        for start, end in zip(edges, ends, strict=True):
            if draw(st.booleans()):
                rows.append((nmi, draw(st.integers(lowest, 2)), start * 300, end))
    return columns(draw(st.permutations(rows)))


@given(tables(0), tables(NO_AGGREGATOR))
def test_changes_replace_what_they_cover_and_nothing_else(
    present: Assignments, changes: Assignments
) -> None:
    after = overlay(present, changes)
    for nmi in NMIS:
        covered = timeline(columns([(n, 1, a, b) for n, _, a, b in rows_of(changes)]), nmi)
        expected = [
            new if is_changed == 1 else old
            for old, new, is_changed in zip(
                timeline(present, nmi), timeline(changes, nmi), covered, strict=True
            )
        ]
        assert timeline(after, nmi) == expected
    rows = rows_of(after)
    assert rows == sorted(rows, key=lambda row: (row[0], row[2]))
    for one, other in pairwise(rows):
        assert one[0] != other[0] or one[3] < other[2] or one[1] != other[1], "not joined"
    assert rows_of(overlay(after, changes)) == rows


@given(tables(0), tables(0))
def test_a_difference_leads_from_one_state_to_the_other(
    before: Assignments, after: Assignments
) -> None:
    difference = compare(before, after)
    kept = set(rows_of(before.take(~difference.removed)))
    added = set(rows_of(after.take(difference.added)))
    assert kept | added == set(rows_of(after))
    assert not kept & added
    assert difference.is_any == (set(rows_of(before)) != set(rows_of(after)))
    counts = difference.counts
    sites: dict[str, Any] = {nmi: (set(), set()) for nmi in NMIS}
    for side, table in enumerate((before, after)):
        for row in rows_of(table):
            sites[row[0]][side].add(row)
    pairs = [pair for pair in sites.values() if pair[0] or pair[1]]
    assert counts.new == sum(not old for old, _ in pairs)
    assert counts.unchanged == sum(old == new for old, new in pairs)
    assert counts.new + counts.changed + counts.ended + counts.unchanged == len(pairs)


def test_counts_by_kind() -> None:
    before = columns([("A" * 10, 0, 0, OPEN_END), ("B" * 10, 0, 0, OPEN_END)])
    after = columns([("A" * 10, 0, 0, 600), ("B" * 10, 0, 0, 600), ("B" * 10, 1, 600, OPEN_END)])
    counts = compare(before, after).counts
    assert (counts.new, counts.changed, counts.ended, counts.unchanged) == (0, 1, 1, 0)
    assert compare(no_assignments(), after).counts.new == 2
    assert compare(after, no_assignments()).counts.ended == 2


def test_previous_ends_chain_the_rows_of_a_site() -> None:
    rows = columns([("A" * 10, 0, 0, 300), ("A" * 10, 1, 600, 900), ("B" * 10, 1, 600, 900)])
    assert rows.previous_ends().tolist() == [-1, 300, -1]
    assert no_assignments().previous_ends().tolist() == []


def test_no_nmi_is_in_a_repr() -> None:
    table = columns([(NMIS[0], 0, 0, 300)])
    assert NMIS[0] not in repr(table) + repr(compare(table, no_assignments()))


@given(tables(0), st.sets(st.sampled_from(NMIS)))
def test_the_rows_of_some_sites(table: Assignments, names: set[str]) -> None:
    ordered = overlay(no_assignments(), table)
    assert ordered.sites().tolist() == sorted({nmi.encode() for nmi, *_ in rows_of(table)})
    wanted = np.array(sorted(names), dtype="S10")
    kept = rows_of(ordered.of_sites(wanted))
    assert kept == [row for row in rows_of(ordered) if row[0] in names]
