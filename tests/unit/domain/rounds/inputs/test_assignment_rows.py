"""Tables of assignments: read by columns or row by row, with one verdict."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from oepnode.domain.nem.nmi import checksum
from oepnode.domain.rounds.inputs.assignment_rows import (
    AssignmentRows,
    read_assignment_rows,
    rows_by_columns,
    rows_strictly,
)
from oepnode.domain.rounds.inputs.assignments import NO_AGGREGATOR, OPEN_END
from oepnode.errors import DocumentFault

NMI = "6305888444"
NUMBERS = {"north": 1, "south": 7}
GOOD_SITES = [f"63058884{number}" for number in range(40, 60)]
SITES = [*GOOD_SITES, NMI + str(checksum(NMI)), "0a" * 16, "630588844O", "", None, "6305888444x"]
HOLDERS = ["north", "south", "", None, "nobody"]
TIMES = [
    "2026-12-01T04:00:00+10:00",
    "2026-12-01T18:00:00Z",
    "2026-12-05T04:00:00+10:00",
    "2026-12-05T04:00:00",
    "2026-12-05T04:00:00+11:00",
    "2026-12-05T04:00:01+10:00",
    "never",
    "",
    None,
]


def mostly(values: list[str | None], good: int) -> st.SearchStrategy[str | None]:
    plain = st.sampled_from(values[:good])
    return st.one_of(*[plain] * 12, st.sampled_from(values))


ROW = st.tuples(
    mostly([*SITES], 20),
    mostly([*HOLDERS], 2),
    mostly([*TIMES], 2),
    mostly([*TIMES[2:], None], 1) | st.none(),
)


@given(st.lists(ROW, min_size=1, max_size=5), st.booleans())
def test_both_readers_agree(
    drawn: list[tuple[str | None, str | None, str | None, str | None]], may_unassign: bool
) -> None:
    rows = AssignmentRows(*(list(column) for column in zip(*drawn, strict=True)))
    fast = rows_by_columns(rows, NUMBERS, may_unassign=may_unassign)
    event(f"by columns: {fast is not None}")
    if fast is None:
        return
    slow = rows_strictly(rows, NUMBERS, may_unassign=may_unassign)
    for name in ("nmi", "aggregator", "start", "end"):
        one, other = getattr(fast, name), getattr(slow, name)
        assert one.dtype == other.dtype
        assert np.array_equal(one, other), name


def test_a_table_in_order_of_its_sites() -> None:
    rows = AssignmentRows(
        [GOOD_SITES[1], GOOD_SITES[0]], ["north", None], [TIMES[0], TIMES[0]], [None, TIMES[2]]
    )
    read = read_assignment_rows(rows, NUMBERS, may_unassign=True)
    assert [nmi.decode() for nmi in read.nmi] == [GOOD_SITES[0], GOOD_SITES[1]]
    assert read.aggregator.tolist() == [NO_AGGREGATOR, 1]
    assert read.end.tolist()[1] == OPEN_END
    assert GOOD_SITES[0] not in repr(rows) + repr(read)


def test_a_fault_in_a_large_table_has_its_row() -> None:
    size = 50_000
    sites = [f"63{number:08}" for number in range(size)]
    starts = [*([TIMES[0]] * (size - 1)), TIMES[5]]
    rows = AssignmentRows(sites, ["north"] * size, starts, [None] * size)
    with pytest.raises(DocumentFault) as rejected:
        read_assignment_rows(rows, NUMBERS, may_unassign=False)
    (fault,) = rejected.value.faults
    assert (fault.path, fault.code) == (f"$.rows[{size - 1}].from", "time.grid")
