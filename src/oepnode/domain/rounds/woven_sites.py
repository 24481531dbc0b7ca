"""Sites with several runs, or with a holder that changes inside a run: interval by interval.

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
from oepnode.domain.rounds.entries import KIND_COUNT, Horizon, decode_site
from oepnode.domain.rounds.inputs import supersession
from oepnode.domain.rounds.inputs.blocks import DOCUMENT
from oepnode.domain.rounds.inputs.registry_snapshot import CHANGES, Snapshot
from oepnode.domain.rounds.inputs.runs import Runs
from oepnode.domain.rounds.inputs.supersession import Rows
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


def woven_runs(table: RunTable) -> Indices:
    """Positions in ``table.order`` of the runs of sites that one entry alone cannot stand for."""
    is_alone = (table.sites.start >= 0) & (table.holder != CHANGES)
    is_woven = ~is_alone[table.order]
    same = table.site[1:] == table.site[:-1]
    is_woven[1:] |= same
    is_woven[:-1] |= same
    return np.flatnonzero(is_woven)


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
        site = decode_site(entry)
        first = (int(table.start[run]) - site.header.horizon_start) // INTERVAL_S
        return np.ascontiguousarray(site.limits[:, first : first + length].T)

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
