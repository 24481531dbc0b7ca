"""Assignments read from the rows of a table, as strictly as those of a snapshot.

Guarantees: a table with any fault gives no assignment, and each fault has its row as place
(``$.rows[17].nmi``); no message shows an NMI. Source: rules-v1 sections 3, 4 and 6,
docs/services.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from oepnode.domain.documents.arrays import Int64s
from oepnode.domain.documents.arrays import Texts as Sites
from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.documents.json_fields import MISSING, SiteIdReader
from oepnode.domain.nem.nem_time import Timestamp
from oepnode.domain.rounds.inputs.assignment_columns import read_columns
from oepnode.domain.rounds.inputs.assignments import NO_AGGREGATOR, OPEN_END, Assignments
from oepnode.domain.rounds.inputs.registry_snapshot import check_overlaps, read_grid_instant
from oepnode.domain.rounds.inputs.site_ids import site_id_column

COLUMNS: Final = ("nmi", "aggregator", "from", "to")
"""The columns of a table of assignments; ``to`` may be absent."""

_WHAT: Final = "table of assignments"
_PLACE: Final = "$.rows"

Texts = Sequence[str | None]


@dataclass(frozen=True, repr=False)
class AssignmentRows:
    """The columns of a table of assignments, as text. Its repr: no NMI.

    Attributes:
        nmi: NMIs or tokens.
        aggregator: Ids; None or an empty text takes the site away, where that is allowed.
        start: First covered interval start.
        end: First interval start no longer covered, or None.
    """

    nmi: Texts
    aggregator: Texts
    start: Texts
    end: Texts


def read_assignment_rows(
    rows: AssignmentRows, numbers: Mapping[str, int], *, may_unassign: bool
) -> Assignments:
    """Read a table of assignments.

    Args:
        rows: Its columns.
        numbers: Aggregator's id → number.
        may_unassign: Whether a row without an aggregator is allowed.

    Raises:
        DocumentFault: With every fault, by row, code and value.
    """
    fast = rows_by_columns(rows, numbers, may_unassign=may_unassign)
    return fast or rows_strictly(rows, numbers, may_unassign=may_unassign)


def rows_by_columns(
    rows: AssignmentRows, numbers: Mapping[str, int], *, may_unassign: bool
) -> Assignments | None:
    """Read a table by columns, or return None where the strict reader is to decide."""
    index: dict[Any, int] = dict(numbers)
    if may_unassign:
        index |= {None: NO_AGGREGATOR, "": NO_AGGREGATOR}
    columns = read_columns(rows.nmi, rows.aggregator, rows.start, rows.end, index)
    if columns is None:
        return None
    nmi, holder, start, end = columns
    log = FaultLog(_WHAT)
    table = np.stack([holder.astype(np.int64), start, end, np.arange(len(nmi))], axis=1)
    assignments = _sorted(nmi, table, log)
    return None if log.count else assignments


def rows_strictly(
    rows: AssignmentRows, numbers: Mapping[str, int], *, may_unassign: bool
) -> Assignments:
    """Read a table row by row.

    Raises:
        DocumentFault: As `read_assignment_rows`.
    """
    log = FaultLog(_WHAT)
    site_ids = SiteIdReader(log)
    seen: dict[str, Timestamp] = {}
    nmis: list[str] = []
    spans: list[tuple[int, int, int, int]] = []
    columns = zip(rows.nmi, rows.aggregator, rows.start, rows.end, strict=True)
    for number, (nmi_text, holder_text, start_text, end_text) in enumerate(columns):
        before = log.count
        path = f"{_PLACE}[{number}]"
        nmi = site_ids.read(_given(nmi_text, f"{path}.nmi", log), f"{path}.nmi")
        holder = _holder(holder_text, f"{path}.aggregator", numbers, log, may_unassign)
        start_value = _given(start_text, f"{path}.from", log)
        start = read_grid_instant(start_value, f"{path}.from", seen, log)
        end = OPEN_END
        if end_text:
            read = read_grid_instant(end_text, f"{path}.to", seen, log)
            end = OPEN_END if read is None else read
        if start is not None and end <= start:
            log.add(f"{path}.to", "time.order", "the end must be after the start", end_text or "")
        if log.count == before and nmi is not None and start is not None:
            nmis.append(nmi)
            spans.append((holder, start, end, number))
    table = np.array(spans, dtype=np.int64).reshape(-1, 4)
    assignments = _sorted(site_id_column(nmis, site_ids.kind), table, log)
    log.raise_if_any()
    return assignments


def _given(text: str | None, path: str, log: FaultLog) -> object:
    """The text of a required cell, or `MISSING` with the fault recorded."""
    if text:
        return text
    log.add(path, "field.missing", "a mandatory field is missing")
    return MISSING


def _holder(
    text: str | None, path: str, numbers: Mapping[str, int], log: FaultLog, may_unassign: bool
) -> int:
    if not text:
        if not may_unassign:
            log.add(path, "field.missing", "a mandatory field is missing")
        return NO_AGGREGATOR
    number = numbers.get(text)
    if number is None:
        message = "an assignment must name an aggregator of the registry"
        log.add(path, "assignment.aggregator", message, "another name")
        return NO_AGGREGATOR
    return number


def _sorted(nmi: Sites, table: Int64s, log: FaultLog) -> Assignments:
    """Columns in order of (NMI, from), from rows (aggregator, from, to, number)."""
    order = np.lexsort((table[:, 1], nmi))
    nmi, table = nmi[order], table[order]
    check_overlaps(nmi, table, log, _PLACE)
    return Assignments(nmi, table[:, 0].astype(np.int32), table[:, 1].copy(), table[:, 2].copy())
