"""Sites that no single run decides, or with a holder that changes: interval by interval.

Which of several limits counts is judged by ``supersession``, row by row; each holder's intervals
become an entry. Everything is done for some thousand rows at a time, from limits that were kept
while the document was read. Source: rules-v1 sections 5 and 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from oepnode.domain.documents.arrays import Indices, Int32s, Texts
from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.domain.rounds.entries import KIND_COUNT, Horizon, limits_of
from oepnode.domain.rounds.inputs import supersession
from oepnode.domain.rounds.inputs.blocks import DOCUMENT
from oepnode.domain.rounds.inputs.registry_snapshot import CHANGES, Snapshot
from oepnode.domain.rounds.inputs.runs import Runs
from oepnode.domain.rounds.inputs.supersession import NO_SUBMISSION, Rows
from oepnode.domain.rounds.run_table import ReadBlock, RunTable
from oepnode.domain.rounds.site_entries import EncodedSites, SiteEncoder
from oepnode.domain.rounds.workshop import Workshop

_ROWS_PER_TASK: Final = 1 << 19
KEPT_ROW: Final = KIND_COUNT * 4
"""Bytes of the kept limits of an interval: int32 in the machine's order."""


@dataclass(frozen=True, repr=False)
class WovenSites:
    """Entries of sites that were judged interval by interval. Its repr shows no NMI.

    Attributes:
        log: Conflicts between rows.
        nmi: Per entry.
        level: Per entry.
        holder: Per entry.
        sites: Per entry.
        store: Name of the store of the entries.
    """

    log: FaultLog
    nmi: Texts
    level: Int32s
    holder: Int32s
    sites: EncodedSites
    store: str


def split_runs(table: RunTable) -> tuple[Indices, Indices]:
    """Tell sites that one run decides from the others.

    A run decides if it is the only one, or if each run has a submission time of its own and the
    latest covers all others: then its row counts in every interval (rules-v1 section 5, "Rows").

    Returns:
        The deciding runs in document order, and positions in ``table.order`` of the runs of all
        other sites.
    """
    has_entry = (table.sites.start >= 0) & (table.holder != CHANGES)
    if table.site_count == len(table.order):
        return np.flatnonzero(has_entry), np.flatnonzero(~has_entry[table.order])
    run = table.order[np.lexsort((table.submitted[table.order], table.site))]
    is_first = np.append(True, table.site[1:] != table.site[:-1])
    firsts = np.flatnonzero(is_first)
    lasts = np.append(firsts[1:], len(run)) - 1
    start, end = table.start[run], table.start[run] + table.length[run] * INTERVAL_S
    submitted = table.submitted[run]
    is_repeat = np.append(False, submitted[1:] == submitted[:-1]) & ~is_first
    is_dated = (submitted[firsts] != NO_SUBMISSION) & ~np.logical_or.reduceat(is_repeat, firsts)
    is_first_start = start[lasts] == np.minimum.reduceat(start, firsts)
    is_last_end = end[lasts] == np.maximum.reduceat(end, firsts)
    decides = (firsts == lasts) | (is_dated & is_first_start & is_last_end)
    decides &= has_entry[run[lasts]]
    return np.sort(run[lasts[decides]]), np.flatnonzero(~decides[table.site])


def tasks_of(table: RunTable, woven: Indices) -> list[Indices]:
    """Divide runs into tasks of whole sites."""
    if not len(woven):
        return []
    rows = np.cumsum(table.length[table.order[woven]])
    site = table.site[woven]
    is_first = np.append(True, site[1:] != site[:-1])
    firsts = np.flatnonzero(is_first)
    task = (rows[firsts] // _ROWS_PER_TASK).astype(np.int64)
    cuts = firsts[1:][task[1:] != task[:-1]]
    return np.split(woven, cuts)


class Weaver:
    """Judges and encodes the runs of sites.

    Args:
        table: All runs.
        blocks: The blocks that they are from.
        snapshot: The registry snapshot.
        workshop: Has the kept limits and entries.
        encoder: Encodes entries, or None where the document is rejected anyway.
        horizon: The document's.
    """

    def __init__(
        self,
        table: RunTable,
        blocks: Sequence[ReadBlock],
        snapshot: Snapshot,
        workshop: Workshop,
        encoder: SiteEncoder | None,
        horizon: Horizon,
    ) -> None:
        self._table = table
        self._blocks = blocks
        self._snapshot = snapshot
        self._workshop = workshop
        self._encoder = encoder
        self._horizon = horizon

    def weave(self, positions: Indices, store: str) -> WovenSites:
        """Judge and encode whole sites.

        Args:
            positions: Positions of all their runs in ``table.order``.
            store: Name of a store for the entries.
        """
        log = FaultLog(DOCUMENT)
        rows = self._rows(positions)
        in_force = supersession.resolve(rows, log)
        empty = np.empty(0, dtype=np.int32)
        if self._encoder is None or log.count:
            sites = EncodedSites.empty(0, has_custody=False)
            return WovenSites(log, self._table.nmi[:0], empty, empty, sites, store)
        rows = rows.take(in_force)
        sample, number = np.unique(rows.site, return_index=True)
        del number
        nmi, site_of = self._site_columns(positions, sample)
        holder = self._snapshot.holders(nmi, np.searchsorted(sample, rows.site), rows.start)
        runs, run_holder = self._runs(rows, holder, sample, site_of)
        sites = self._encoder.encode(
            runs,
            np.arange(len(runs)),
            run_holder,
            lambda data: self._workshop.append(store, data),
        )
        return WovenSites(log, runs.nmi, runs.level.astype(np.int32), run_holder, sites, store)

    def _site_columns(self, positions: Indices, sites: Indices) -> tuple[Texts, Indices]:
        """NMI of each site, and one of its runs."""
        run = self._table.order[positions[np.searchsorted(self._table.site[positions], sites)]]
        return self._table.nmi[run], run

    def _rows(self, positions: Indices) -> Rows:
        table = self._table
        runs = table.order[positions]
        length = table.length[runs]
        inside = np.arange(int(length.sum())) - np.repeat(np.cumsum(length) - length, length)
        location = np.repeat(table.location[runs], length, axis=0)
        location[:, 2] += inside
        places = tuple(dict.fromkeys(each.block.place for each in self._blocks))
        code = np.array([places.index(each.block.place) for each in self._blocks])
        return Rows(
            site=np.repeat(table.site[positions], length),
            submitted=np.repeat(table.submitted[runs], length),
            start=np.repeat(table.start[runs], length) + inside * INTERVAL_S,
            limits=np.concatenate([self._limits(run) for run in runs.tolist()]),
            location=location,
            place=np.repeat(code[table.block[runs]], length),
            places=places,
        )

    def _limits(self, run: int) -> Int32s:
        """Limits of a run, shape (intervals, 4), as they were kept."""
        table, block = self._table, self._blocks[int(self._table.block[run])]
        length = int(table.length[run])
        if table.kept[run] >= 0:
            data = self._workshop.read(block.limit_store, int(table.kept[run]), length * KEPT_ROW)
            return np.frombuffer(data, dtype=np.int32).reshape(length, KIND_COUNT)
        entry = self._workshop.read(
            block.store, int(table.sites.start[run]), int(table.sites.size[run])
        )
        first = (int(table.start[run]) - self._horizon.start) // INTERVAL_S
        limits = limits_of(entry, self._horizon.count)[:, first : first + length]
        return np.ascontiguousarray(limits.T)

    def _runs(
        self, rows: Rows, holder: Int32s, sites: Indices, run_of_site: Indices
    ) -> tuple[Runs, Int32s]:
        """One run over the whole horizon for each (site, holder), and the holder of each."""
        table, count = self._table, self._horizon.count
        key = (rows.site.astype(np.int64) << 32) | (holder.astype(np.int64) + 1)
        parts, part = np.unique(key, return_inverse=True)
        slot = part * count + (rows.start - self._horizon.start) // INTERVAL_S
        limits: list[Int32s] = []
        for kind in range(KIND_COUNT):
            column = np.full(len(parts) * count, NO_LIMIT, dtype=np.int32)
            column[slot] = rows.limits[:, kind]
            limits.append(column)
        run = run_of_site[np.searchsorted(sites, parts >> 32)]
        runs = Runs(
            nmi=table.nmi[run],
            level=table.level[run],
            timing=table.timing[run],
            objective=table.objective[run],
            objectives=table.objectives,
            submitted=table.submitted[run],
            start=np.full(len(parts), self._horizon.start, dtype=np.int64),
            bounds=np.arange(len(parts) + 1, dtype=np.int64) * count,
            limits=(limits[0], limits[1], limits[2], limits[3]),
            location=table.location[run],
            records=0,
        )
        return runs, ((parts & 0xFFFFFFFF) - 1).astype(np.int32)
