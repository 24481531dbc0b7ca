"""Rows of a document in memory as runs, so that every form takes the same way from here.

Leaves out reading: that is ``envelope_reader`` and ``envelope_document``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from oepnode.domain.documents.arrays import Int32s, Int64s
from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.domain.nem.tokens import SiteIdKind
from oepnode.domain.rounds.inputs.blocks import DOCUMENT, Block
from oepnode.domain.rounds.inputs.envelope_reader import EnvelopeRows
from oepnode.domain.rounds.inputs.runs import LimitColumns, Runs
from oepnode.domain.rounds.inputs.supersession import JSON_PLACE, Rows

_ROWS_PER_PART: Final = 1 << 21


class RowRuns:
    """A document whose rows have been read, as runs.

    Args:
        envelopes: Its rows, without a fault.
        log: Has its warnings.
    """

    def __init__(self, envelopes: EnvelopeRows, log: FaultLog) -> None:
        self._envelopes = envelopes
        self._log = log
        self._codes = dict.fromkeys(envelopes.objective)
        for number, text in enumerate(self._codes):
            self._codes[text] = number
        self._firsts = _first_rows(envelopes.rows)
        count = len(envelopes.rows.site)
        cuts = np.searchsorted(self._firsts, np.arange(0, count, _ROWS_PER_PART))
        self._cuts = np.unique(np.append(cuts, len(self._firsts))).tolist()

    @property
    def part_count(self) -> int:
        """Number of parts."""
        return len(self._cuts) - 1

    def alone(self, part: int) -> None:
        """None: the rows are in the memory of this process."""
        return

    def strict(self) -> RowRuns:
        """This one: its rows are the strict reader's."""
        return self

    def read(self, part: int) -> Iterator[Block]:
        """The block of a part."""
        is_first = part == 0
        log = self._log if is_first else FaultLog(DOCUMENT)
        runs = self._runs(part)
        kind = SiteIdKind(self._envelopes.nmi.dtype.itemsize)
        yield Block(runs, log, ("", ""), ("$", kind), JSON_PLACE)

    def _runs(self, part: int) -> Runs:
        envelopes, rows = self._envelopes, self._envelopes.rows
        first = self._firsts[self._cuts[part] : self._cuts[part + 1]]
        is_last = part + 1 == self.part_count
        end = len(rows.site) if is_last else int(self._firsts[self._cuts[part + 1]])
        site = rows.site[first]
        objective = np.array(
            [self._codes[envelopes.objective[number]] for number in site.tolist()], dtype=np.int32
        )
        begin = int(first[0]) if len(first) else end
        return Runs(
            nmi=envelopes.nmi[site],
            level=envelopes.level[site],
            timing=envelopes.timing[site],
            objective=objective,
            objectives=tuple(self._codes),
            submitted=rows.submitted[first],
            start=rows.start[first],
            bounds=np.append(first, end).astype(np.int64) - begin,
            limits=limit_columns(rows.limits[begin:end]),
            location=rows.location[first],
            records=envelopes.records if part == 0 else 0,
        )


def limit_columns(limits: Int32s) -> LimitColumns:
    """Limits of shape (rows, 4) as columns; None for a kind that no row has."""
    columns = (np.ascontiguousarray(limits[:, kind]) for kind in range(4))
    one, two, three, four = (None if (c == NO_LIMIT).all() else c for c in columns)
    return one, two, three, four


def _first_rows(rows: Rows) -> Int64s:
    """The rows at which a run begins."""
    goes_on = (rows.site[1:] == rows.site[:-1]) & (rows.submitted[1:] == rows.submitted[:-1])
    goes_on &= rows.start[1:] == rows.start[:-1] + INTERVAL_S
    goes_on &= (rows.location[1:, :2] == rows.location[:-1, :2]).all(axis=1)
    goes_on &= rows.location[1:, 2] == rows.location[:-1, 2] + 1
    return np.flatnonzero(np.append(True, ~goes_on)[: len(rows.site)])
