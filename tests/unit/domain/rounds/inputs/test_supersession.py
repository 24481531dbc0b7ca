"""Supersession (rules-v1 section 5, "Rows"), checked against the four rules as written."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.rounds.inputs.supersession import NO_SUBMISSION, Rows, resolve
from oepnode.errors import DocumentFault, Finding

Plain = tuple[int, int, int, int]  # site, start, submitted, one limit for all four


def table(rows: list[Plain]) -> Rows:
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4)
    location = np.zeros((len(rows), 3), dtype=np.int64)
    location[:, 0] = np.arange(len(rows))
    limits = np.repeat(columns[:, 3:], 4, axis=1).astype(np.int32)
    return Rows(columns[:, 0], columns[:, 2], columns[:, 1], limits, location)


def resolved(rows: list[Plain]) -> tuple[list[Plain], list[Finding]]:
    log = FaultLog("thing")
    standing = [rows[row] for row in resolve(table(rows), log)]
    if not log.count:
        return standing, []
    with pytest.raises(DocumentFault) as raised:
        log.raise_if_any()
    return standing, list(raised.value.faults)


def by_the_rules(
    rows: list[Plain],
) -> tuple[dict[tuple[int, int], int], dict[tuple[int, int], str]]:
    """(limits that stand, broken rules), per site and interval start."""
    stands, broken = {}, {}
    for cell in {(site, start) for site, start, _, _ in rows}:
        here = [
            (submitted, limit) for site, start, submitted, limit in rows if (site, start) == cell
        ]
        if len({limit for _, limit in here}) == 1:
            stands[cell] = here[0][1]
        elif any(submitted == NO_SUBMISSION for submitted, _ in here):
            broken[cell] = "submission.missing"
        elif len(set(here)) > len({submitted for submitted, _ in here}):
            broken[cell] = "submission.conflict"
        else:
            stands[cell] = max(here)[1]
    return stands, broken


ROWS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from([0, 300, 600]),
        st.sampled_from([NO_SUBMISSION, 0, 1, 2]),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=14,
)


@given(rows=ROWS)
def test_the_rules_as_written(rows: list[Plain]) -> None:
    stands, broken = by_the_rules(rows)
    standing, faults = resolved(rows)
    assert [row[:2] for row in standing] == sorted({row[:2] for row in rows})
    for row in standing:
        if row[:2] in stands:
            assert stands[row[0], row[1]] == row[3]
    named = {rows[int(fault.path.split("[")[1].split("]")[0])][:2]: fault for fault in faults}
    assert {cell: fault.code for cell, fault in named.items()} == broken
    assert len(named) == len(faults)


@given(rows=ROWS, seed=st.integers(0, 2**32))
def test_order_changes_neither_the_rows_that_count_nor_the_rejections(
    rows: list[Plain], seed: int
) -> None:
    shuffled = random.Random(seed).sample(rows, len(rows))
    (standing, faults), (others, other_faults) = resolved(rows), resolved(shuffled)
    assert sorted(fault.code for fault in faults) == sorted(fault.code for fault in other_faults)
    if not faults:
        assert [(r[:2], r[3]) for r in standing] == [(r[:2], r[3]) for r in others]


def test_a_fault_names_both_rows() -> None:
    _, (fault,) = resolved([(0, 0, 5, 1), (1, 0, 5, 1), (1, 0, 5, 2)])
    assert fault.path == "$.records[2].operatingEnvelopes[0].intervals[0]"
    assert fault.message.endswith("the other is $.records[1].operatingEnvelopes[0].intervals[0]")


def test_one_row_and_no_row() -> None:
    assert resolved([(3, 600, NO_SUBMISSION, 1)]) == ([(3, 600, NO_SUBMISSION, 1)], [])


def test_limits_that_differ_in_one_kind_only_differ() -> None:
    rows = table([(0, 0, 1, 7), (0, 0, 1, 7)])
    for kind in range(4):
        changed = rows.limits.copy()
        changed[1, kind] = 8
        log = FaultLog("thing")
        resolve(Rows(rows.site, rows.submitted, rows.start, changed, rows.location), log)
        assert log.count == 1
