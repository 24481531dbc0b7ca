"""Makes blocks of runs: from rows, and from several blocks.

Guarantees: every row comes out in exactly one run, in the order of the rows; nothing is checked
that a reader has checked already. Source: rules-v1 section 5.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from oepnode.domain.documents.arrays import Bools, Bytes, Int32s, Int64s, Texts
from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.domain.rounds.inputs.blocks import DOCUMENT
from oepnode.domain.rounds.inputs.envelope_reader import EnvelopeRows
from oepnode.domain.rounds.inputs.row_runs import RowRuns
from oepnode.domain.rounds.inputs.runs import LimitColumns, Runs


def runs_of_rows(envelopes: EnvelopeRows) -> Runs:
    """Runs of rows that the strict reader gave, without faults, in document order."""
    reader = RowRuns(envelopes, FaultLog(DOCUMENT))
    return join([block.runs for part in range(reader.part_count) for block in reader.read(part)])


class RecordTable:
    """Records of one kind of site and one pattern, each with the same number of intervals.

    Args:
        site: Per record, its identifier.
        submitted: Per record.
        record: Per record, its number in the document.
        starts: Shape (intervals,) for all records, or (records, intervals).
        places: Shape (intervals, 2): element and index of each interval.
        limits: Per kind, shape (records, intervals), or None.
    """

    def __init__(
        self,
        site: Texts,
        submitted: Int64s,
        record: Int64s,
        starts: Int64s,
        places: Int64s,
        limits: Sequence[Int32s | None],
    ) -> None:
        self._site = site
        self._submitted = submitted
        self._record = record
        self._starts = starts
        self._places = places
        self._limits = limits

    def runs(self, level: int, timing: int, objective: str) -> Runs:
        """The records' runs, in their order."""
        count, width = len(self._record), len(self._places)
        if self._starts.ndim == 1:
            heads = np.flatnonzero(self._element_begins(self._starts[None, :])[0])
            of = np.repeat(np.arange(count), len(heads))
            at = np.tile(heads, count)
            start = self._starts[at]
        else:
            of, at = np.nonzero(self._element_begins(self._starts))
            start = self._starts[of, at]
        location = np.empty((len(of), 3), dtype=np.int64)
        location[:, 0] = self._record[of]
        location[:, 1:] = self._places[at]
        first, second, third, fourth = (
            None if column is None else column.reshape(-1) for column in self._limits
        )
        return Runs(
            nmi=self._site[of],
            level=np.full(len(of), level, dtype=np.uint8),
            timing=np.full(len(of), timing, dtype=np.uint8),
            objective=np.zeros(len(of), dtype=np.int32),
            objectives=(objective,),
            submitted=self._submitted[of],
            start=start,
            bounds=np.append(of * width + at, count * width).astype(np.int64),
            limits=(first, second, third, fourth),
            location=location,
            records=count,
        )

    def _element_begins(self, starts: Int64s) -> Bools:
        begins = np.ones(starts.shape, dtype=np.bool_)
        same_element = self._places[1:, 0] == self._places[:-1, 0]
        begins[:, 1:] = ~same_element | (starts[:, 1:] != starts[:, :-1] + INTERVAL_S)
        return begins


def cut(runs: Runs, rows: int, longest: int) -> Iterator[Runs]:
    """Blocks of a block: of at most some rows, or one run, each run of at most ``longest`` rows."""
    runs = _shorter_runs(runs, longest)
    first = 0
    while first < len(runs):
        limit = int(runs.bounds[first]) + rows
        last = max(int(np.searchsorted(runs.bounds, limit, side="right")) - 1, first + 1)
        yield _part(runs, first, last)
        first = last


def _shorter_runs(runs: Runs, longest: int) -> Runs:
    length = np.diff(runs.bounds)
    if not len(length) or int(length.max()) <= longest:
        return runs
    pieces = -(-length // longest)
    of = np.repeat(np.arange(len(runs)), pieces)
    offset = (np.arange(len(of)) - np.repeat(np.cumsum(pieces) - pieces, pieces)) * longest
    location = runs.location[of]
    location[:, 2] += offset
    return replace(
        runs,
        nmi=runs.nmi[of],
        level=runs.level[of],
        timing=runs.timing[of],
        objective=runs.objective[of],
        submitted=runs.submitted[of],
        start=runs.start[of] + offset * INTERVAL_S,
        bounds=np.append(runs.bounds[of] + offset, runs.bounds[-1]),
        location=location,
    )


def _part(runs: Runs, first: int, last: int) -> Runs:
    begin, end = int(runs.bounds[first]), int(runs.bounds[last])
    one, two, three, four = (None if c is None else c[begin:end] for c in runs.limits)
    return replace(
        runs,
        nmi=runs.nmi[first:last],
        level=runs.level[first:last],
        timing=runs.timing[first:last],
        objective=runs.objective[first:last],
        submitted=runs.submitted[first:last],
        start=runs.start[first:last],
        bounds=runs.bounds[first : last + 1] - begin,
        limits=(one, two, three, four),
        location=runs.location[first:last],
        records=last - first,
    )


def join(blocks: Sequence[Runs]) -> Runs:
    """One block of several, of one kind of identifier, in their order."""
    if len(blocks) == 1:
        return blocks[0]
    objectives = tuple(dict.fromkeys(name for block in blocks for name in block.objectives))
    index = {name: i for i, name in enumerate(objectives)}
    bounds: list[Int64s] = []
    offset = 0
    for block in blocks:
        bounds.append(block.bounds[:-1] + offset)
        offset += int(block.bounds[-1])
    bounds.append(np.array([offset], dtype=np.int64))
    return Runs(
        nmi=np.concatenate([block.nmi for block in blocks]),
        level=_bytes([block.level for block in blocks]),
        timing=_bytes([block.timing for block in blocks]),
        objective=np.concatenate([_recode(block, index) for block in blocks]),
        objectives=objectives,
        submitted=np.concatenate([block.submitted for block in blocks]),
        start=np.concatenate([block.start for block in blocks]),
        bounds=np.concatenate(bounds),
        limits=_join_limits(blocks),
        location=np.concatenate([block.location for block in blocks]),
        records=sum(block.records for block in blocks),
        warnings=tuple(warning for block in blocks for warning in block.warnings),
    )


def _bytes(columns: Sequence[Bytes]) -> Bytes:
    return np.concatenate(columns)


def _recode(block: Runs, index: dict[str, int]) -> Int32s:
    codes = np.array([index[name] for name in block.objectives], dtype=np.int32)
    return codes[block.objective]


def _join_limits(blocks: Sequence[Runs]) -> LimitColumns:
    joined: list[Int32s | None] = []
    for kind in range(4):
        columns = [block.limits[kind] for block in blocks]
        if all(column is None for column in columns):
            joined.append(None)
            continue
        filled = [
            np.full(int(block.bounds[-1]), NO_LIMIT, dtype=np.int32) if column is None else column
            for block, column in zip(blocks, columns, strict=True)
        ]
        joined.append(np.concatenate(filled))
    first, second, third, fourth = joined
    return first, second, third, fourth
