"""A document of any form judged by the rules, and the figures of its sites, in bounded memory.

What `pipeline` does for a round, without registry, keys and entries: for whoever checks a document
before a round. Guarantees: the verdict on the rules is that of a round; only small columns of each
site are kept, and limits for those sites alone that have several runs. Source: rules-v1 section 5.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from oepnode.domain.documents.arrays import Bools, Bytes, Indices, Int32s, Int64s, Texts
from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.domain.rounds import run_table
from oepnode.domain.rounds.entries import KIND_COUNT
from oepnode.domain.rounds.inputs import supersession
from oepnode.domain.rounds.inputs.blocks import Block, DocumentReader, SharedChecks, UnprovenError
from oepnode.domain.rounds.inputs.comparison import Supersession, superseded_within
from oepnode.domain.rounds.inputs.horizons import check_horizon
from oepnode.domain.rounds.inputs.runs import Runs
from oepnode.domain.rounds.inputs.site_figures import (
    SiteFigures,
    figures_of_rows,
    is_ordered,
    joined,
)
from oepnode.domain.rounds.inputs.supersession import Rows
from oepnode.domain.rounds.run_table import ReadBlock, RunTable
from oepnode.domain.rounds.site_entries import EncodedSites

_NO_LIMITS: Final = (None, None, None, None)
_ACTIVE: Final = 2
_ROWS_PER_TASK: Final = 1 << 19


@dataclass(frozen=True, repr=False)
class DocumentFigures:
    """A document that follows the rules. Its repr shows no NMI.

    Attributes:
        figures: Of its sites.
        within: What it supersedes within itself.
        records: Records read.
        place: Path of a record, with a field for its position.
    """

    figures: SiteFigures
    within: Supersession
    records: int
    place: str

    def path_of(self, record: int) -> str:
        """Path of a record."""
        return self.place.format(record)


def read_figures(reader: DocumentReader) -> tuple[FaultLog, DocumentFigures | None]:
    """Judge a document, and return its findings and, where it follows the rules, its figures."""
    try:
        return _read(reader)
    except UnprovenError:
        return _read(reader.strict())


def _read(reader: DocumentReader) -> tuple[FaultLog, DocumentFigures | None]:
    checks, heads, parts = SharedChecks(), list[ReadBlock](), list[SiteFigures]()
    for block in _blocks(reader):
        checks.add(block)
        heads.append(_head(block))
        if not checks.log.count and len(block.runs):
            parts.append(_figures_of_runs(block.runs))
    checks.finish()
    log = checks.log
    if not sum(len(each.block.runs) for each in heads):
        return log, None
    table = run_table.table_of(heads)
    run_table.check_meanings(table, [each.block.place for each in heads], log)
    several = _of_several_runs(table)
    woven, within = _weave(reader, table, heads, several, log)
    check_horizon(table.horizon, table.site_count, table.row_count, log)
    if log.count:
        return log, None
    place = heads[0].block.place.partition("]")[0] + "]"
    is_alone = np.ones(len(table.nmi), dtype=np.bool_)
    is_alone[table.order[several]] = False
    del heads, table  # a million sites take a hundred megabytes, more than once
    figures = _in_order(parts)
    parts.clear()
    if len(several):
        figures = joined([_select(figures, is_alone), *woven])
    elif not is_ordered(figures):
        figures = joined([figures])
    return log, DocumentFigures(figures, within, checks.records, place)


def _blocks(reader: DocumentReader) -> Iterator[Block]:
    for part in range(reader.part_count):
        yield from reader.read(part)


def _head(block: Block) -> ReadBlock:
    """A block without its limits."""
    count = len(block.runs)
    return ReadBlock(
        block=replace(block, runs=replace(block.runs, limits=_NO_LIMITS)),
        holder=np.zeros(count, dtype=np.int32),
        sites=_no_entries(count),
        kept=np.full(count, -1, dtype=np.int64),
        store="",
        limit_store="",
    )


def _no_entries(count: int) -> EncodedSites:
    """Columns of entries that are not made."""
    hashes = np.zeros((count, 0), dtype=np.uint8)
    start = np.full(count, -1, dtype=np.int64)
    return EncodedSites(hashes, hashes, hashes, start, np.zeros(count, dtype=np.int32))


def _figures_of_runs(runs: Runs) -> SiteFigures:
    """Figures of each run, as if it were its site's only one."""
    length = np.diff(runs.bounds)
    inside = np.arange(int(runs.bounds[-1])) - np.repeat(runs.bounds[:-1], length)
    start = np.repeat(runs.start, length) + inside * INTERVAL_S
    limits = _rows_of(runs, slice(0, int(runs.bounds[-1])))[:, :_ACTIVE]
    return figures_of_rows(
        runs.nmi, runs.level, runs.location[:, 0], runs.bounds.astype(np.intp), start, limits
    )


def _rows_of(runs: Runs, part: slice) -> Int32s:
    """Limits of some intervals, shape (intervals, 4)."""
    rows = np.full((part.stop - part.start, KIND_COUNT), NO_LIMIT, dtype=np.int32)
    for kind, column in enumerate(runs.limits):
        if column is not None:
            rows[:, kind] = column[part]
    return rows


def _in_order(parts: Sequence[SiteFigures]) -> SiteFigures:
    """Figures of runs, in document order."""
    names = SiteFigures.__dataclass_fields__
    return SiteFigures(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))


def _select(figures: SiteFigures, kept: Bools) -> SiteFigures:
    names = SiteFigures.__dataclass_fields__
    return SiteFigures(*(getattr(figures, name)[kept] for name in names))


# --- sites of several runs -----------------------------------------------------------------------


def _of_several_runs(table: RunTable) -> Indices:
    """Positions in ``table.order`` of the runs of sites that have another one."""
    same = table.site[1:] == table.site[:-1]
    several = np.zeros(len(table.order), dtype=np.bool_)
    several[1:] |= same
    several[:-1] |= same
    return np.flatnonzero(several)


def _weave(
    reader: DocumentReader,
    table: RunTable,
    heads: Sequence[ReadBlock],
    several: Indices,
    log: FaultLog,
) -> tuple[list[SiteFigures], Supersession]:
    """Judge sites with several runs row by row; their limits are read once more."""
    figures: list[SiteFigures] = []
    within = Supersession(0, 0)
    if not len(several):
        return figures, within
    limits = _limits_of(reader, set(table.order[several].tolist()))
    places = tuple(dict.fromkeys(each.block.place for each in heads))
    code = np.array([places.index(each.block.place) for each in heads])
    for positions in _tasks(table, several):
        rows = _woven_rows(table, positions, limits, code, places)
        conflicts = FaultLog(log.what)
        in_force = supersession.resolve(rows, conflicts)
        log.absorb(conflicts)
        if conflicts.count:
            continue
        more = superseded_within(rows)
        within = Supersession(
            within.rows + more.rows, within.changed_intervals + more.changed_intervals
        )
        figures.append(_figures_of_sites(table, positions, rows, rows.take(in_force)))
    return figures, within


def _limits_of(reader: DocumentReader, runs: set[int]) -> dict[int, Int32s]:
    limits: dict[int, Int32s] = {}
    first = 0
    for block in _blocks(reader):
        own = block.runs
        for run in range(len(own)):
            if first + run in runs:
                part = slice(int(own.bounds[run]), int(own.bounds[run + 1]))
                limits[first + run] = _rows_of(own, part)
        first += len(own)
    return limits


def _tasks(table: RunTable, several: Indices) -> list[Indices]:
    """Divide runs into tasks of whole sites."""
    site = table.site[several]
    firsts = np.flatnonzero(np.append(True, site[1:] != site[:-1]))
    task = np.cumsum(table.length[table.order[several]])[firsts] // _ROWS_PER_TASK
    return np.split(several, firsts[1:][task[1:] != task[:-1]])


def _woven_rows(
    table: RunTable,
    positions: Indices,
    limits: dict[int, Int32s],
    code: Int64s,
    places: tuple[str, ...],
) -> Rows:
    runs = table.order[positions]
    length = table.length[runs]
    inside = np.arange(int(length.sum())) - np.repeat(np.cumsum(length) - length, length)
    location = np.repeat(table.location[runs], length, axis=0)
    location[:, 2] += inside
    return Rows(
        site=np.repeat(table.site[positions], length),
        submitted=np.repeat(table.submitted[runs], length),
        start=np.repeat(table.start[runs], length) + inside * INTERVAL_S,
        limits=np.concatenate([limits[run] for run in runs.tolist()]),
        location=location,
        place=np.repeat(code[table.block[runs]], length),
        places=places,
    )


def _figures_of_sites(
    table: RunTable, positions: Indices, rows: Rows, in_force: Rows
) -> SiteFigures:
    sites, bounds = np.unique(in_force.site, return_index=True)
    record = np.full(len(sites), np.iinfo(np.int64).max, dtype=np.int64)
    np.minimum.at(record, np.searchsorted(sites, rows.site), rows.location[:, 0])
    run = table.order[positions[np.searchsorted(table.site[positions], sites)]]
    nmi: Texts = table.nmi[run]
    level: Bytes = table.level[run]
    ends = np.append(bounds, len(in_force.site)).astype(np.intp)
    return figures_of_rows(nmi, level, record, ends, in_force.start, in_force.limits[:, :_ACTIVE])
