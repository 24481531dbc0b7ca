"""The runs of a whole document without their limits: small columns, from which all is decided.

Guarantees: no column has more than a few bytes a run, so that a million sites fit into memory
however long their horizon is. Source: rules-v1 section 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from oepnode.domain.documents.arrays import Bools, Bytes, Indices, Int32s, Int64s, Texts
from oepnode.domain.documents.faults import FaultLog, show_value
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.rounds.entries import Horizon
from oepnode.domain.rounds.inputs.blocks import Block
from oepnode.domain.rounds.site_entries import EncodedSites


@dataclass(frozen=True, repr=False)
class ReadBlock:
    """A block that was read and, as far as it can be decided alone, encoded. Its repr: no NMI.

    Attributes:
        block: The block without its limits.
        holder: Per run, its holder, or `registry_snapshot.CHANGES`.
        sites: Per run, its entry; its position is -1 where it was not encoded.
        kept: Per run, position of its limits where they were kept instead, or -1.
        store: Name of the store of the entries.
        limit_store: Name of the store of the limits.
    """

    block: Block
    holder: Int32s
    sites: EncodedSites
    kept: Int64s
    store: str
    limit_store: str


@dataclass(frozen=True, repr=False)
class RunTable:
    """All runs of a document, in document order. Its repr shows no NMI.

    Attributes:
        nmi: Per run, NMI or token.
        level: Per run.
        timing: Per run.
        objective: Per run, index into ``objectives``.
        objectives: All objective functions.
        submitted: Per run, as in `runs.Runs`.
        start: Per run, start of the first interval, UTC seconds.
        length: Per run, number of intervals, int64.
        location: Per run, as in `runs.Runs`.
        holder: Per run.
        sites: Per run.
        kept: Per run.
        block: Per run, index of its block, int32.
        order: Indices of the runs in order of (nmi, level), and of the document within.
        site: Per run in that order, index of its site.
    """

    nmi: Texts
    level: Bytes
    timing: Bytes
    objective: Int32s
    objectives: tuple[str, ...]
    submitted: Int64s
    start: Int64s
    length: Int64s
    location: Int64s
    holder: Int32s
    sites: EncodedSites
    kept: Int64s
    block: Int32s
    order: Indices
    site: Int64s

    @property
    def site_count(self) -> int:
        """Number of distinct (nmi, level)."""
        return int(self.site[-1]) + 1 if len(self.site) else 0

    @property
    def row_count(self) -> int:
        """Number of intervals of all runs."""
        return int(self.length.sum())

    @property
    def horizon(self) -> Horizon:
        """From the earliest interval start to the latest interval end; there must be a run."""
        start = int(self.start.min())
        end = int((self.start + self.length * INTERVAL_S).max())
        return Horizon(start, (end - start) // INTERVAL_S)


def table_of(blocks: Sequence[ReadBlock]) -> RunTable:
    """Put blocks together, in document order."""
    runs = [each.block.runs for each in blocks]
    codes: dict[str, int] = {}
    objectives = []
    for each in runs:
        known = [codes.setdefault(text, len(codes)) for text in each.objectives]
        objectives.append(np.array(known, dtype=np.int32)[each.objective])
    nmi = np.concatenate([each.nmi for each in runs])
    level = np.concatenate([each.level for each in runs])
    order, site = _order(nmi, level)
    return RunTable(
        nmi=nmi,
        level=level,
        timing=np.concatenate([each.timing for each in runs]),
        objective=np.concatenate(objectives),
        objectives=tuple(codes),
        submitted=np.concatenate([each.submitted for each in runs]),
        start=np.concatenate([each.start for each in runs]),
        length=np.concatenate([np.diff(each.bounds) for each in runs]),
        location=np.concatenate([each.location for each in runs]),
        holder=np.concatenate([each.holder for each in blocks]),
        sites=joined_sites([each.sites for each in blocks]),
        kept=np.concatenate([each.kept for each in blocks]),
        block=np.repeat(
            np.arange(len(blocks), dtype=np.int32), np.array([len(each) for each in runs])
        ),
        order=order,
        site=site,
    )


def joined_sites(parts: Sequence[EncodedSites]) -> EncodedSites:
    """Columns of entries, one after another."""
    return EncodedSites(
        np.concatenate([part.name for part in parts]),
        np.concatenate([part.leaf for part in parts]),
        np.concatenate([part.custody for part in parts]),
        np.concatenate([part.start for part in parts]),
        np.concatenate([part.size for part in parts]),
    )


def repeated_sites(nmi: Texts, level: Bytes) -> Bools:
    """Per run, whether another run is of the same site."""
    order, site = _order(nmi, level)
    repeated = np.zeros(len(nmi), dtype=np.bool_)
    same = site[1:] == site[:-1]
    repeated[order[1:][same]] = True
    repeated[order[:-1][same]] = True
    return repeated


def _order(nmi: Texts, level: Bytes) -> tuple[Indices, Int64s]:
    """Order of runs by site, and the index of each one's site in that order."""
    if (nmi[1:] > nmi[:-1]).all():  # as most documents are written
        return np.arange(len(nmi)), np.arange(len(nmi), dtype=np.int64)
    order = np.lexsort((level, nmi))
    ids, levels = nmi[order], level[order]
    is_new = (ids[1:] != ids[:-1]) | (levels[1:] != levels[:-1])
    return order, np.concatenate(([0], np.cumsum(is_new)))[: len(nmi)]


# --- checks --------------------------------------------------------------------------------------


def check_meanings(table: RunTable, places: Sequence[str], log: FaultLog) -> None:
    """Record sites with two timings or two objective functions.

    Args:
        table: All runs.
        places: Per block, path of an interval.
        log: Takes one fault for each run that differs from its site's first one.
    """
    ordered = table.order
    same = table.site[1:] == table.site[:-1]
    timing, objective = table.timing[ordered], table.objective[ordered]
    if not (same & ((timing[1:] != timing[:-1]) | (objective[1:] != objective[:-1]))).any():
        return
    first = np.searchsorted(table.site, table.site)
    differs = (timing != timing[first]) | (objective != objective[first])
    message = "one NMI and level must have one oeTiming and one oeObjectiveFunction"
    for run in np.sort(ordered[differs]).tolist():
        record = int(table.location[run, 0])
        path = places[int(table.block[run])].partition("]")[0].format(record, 0, 0) + "]"
        text = table.objectives[int(table.objective[run])]
        log.add(path, "site.meaning", message, show_value(text))
