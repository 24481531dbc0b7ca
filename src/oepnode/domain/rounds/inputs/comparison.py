"""A document compared with the one before it: sites that are new or gone, intervals it supersedes.

Guarantees: counts only, no site is named. What it supersedes follows from both documents'
summaries; how many limits change needs the rows of both, and can be counted by blocks of sites.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oepnode.domain.documents.arrays import Indices, Int64s
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.rounds.inputs.document_summary import Summary
from oepnode.domain.rounds.inputs.envelope_document import Document
from oepnode.domain.rounds.inputs.site_figures import site_keys
from oepnode.domain.rounds.inputs.supersession import Rows


@dataclass(frozen=True)
class Comparison:
    """A document compared with the one before it.

    Attributes:
        sites_before: Sites of the previous document.
        new_sites: Sites that the previous document lacks.
        vanished_sites: Sites that this document lacks.
        superseded: Pairs of site and interval within the spans of both documents: the later round
            counts for them.
    """

    sites_before: int
    new_sites: int
    vanished_sites: int
    superseded: int


@dataclass(frozen=True)
class Supersession:
    """What a document supersedes within itself.

    Attributes:
        rows: Rows that do not count, because a later submission or an equal row does.
        changed_intervals: Pairs of site and interval that have several rows with differing limits.
    """

    rows: int
    changed_intervals: int


def horizon_steps(document: Summary, previous: Summary) -> tuple[int, int]:
    """Dispatch intervals in the horizons of both, and between the previous one and this one."""
    overlap = min(document.horizon_end, previous.horizon_end) - max(
        document.horizon_start, previous.horizon_start
    )
    gap = document.horizon_start - previous.horizon_end
    return max(overlap, 0) // INTERVAL_S, max(gap, 0) // INTERVAL_S


def is_comparable(document: Summary, previous: Summary) -> bool:
    """Whether both name their sites in the same way, by NMIs or by tokens."""
    return document.site_id_kind is previous.site_id_kind


def compare(document: Summary, previous: Summary) -> Comparison:
    """Compare a document with the one before it, of the same kind of site identifiers."""
    here, there = _common(document, previous)
    starts = [
        np.maximum(
            _absolute(document, document.first[here]), _absolute(previous, previous.first[there])
        ),
        np.minimum(
            _absolute(document, document.last[here]), _absolute(previous, previous.last[there])
        ),
    ]
    shared = np.maximum((starts[1] - starts[0]) // INTERVAL_S + 1, 0)
    return Comparison(
        sites_before=len(previous.keys),
        new_sites=len(document.keys) - len(here),
        vanished_sites=len(previous.keys) - len(here),
        superseded=int(shared.sum()),
    )


def _common(document: Summary, previous: Summary) -> tuple[Indices, Indices]:
    """Positions of the sites of both, in each."""
    _, here, there = np.intersect1d(
        document.keys, previous.keys, assume_unique=True, return_indices=True
    )
    return here, there


def _absolute(summary: Summary, interval: Int64s) -> Int64s:
    return summary.horizon_start + interval * INTERVAL_S


def changed_limits(document: Document, previous: Document) -> int:
    """Number of pairs of site and interval that both documents have with differing limits.

    Args:
        document: The new document, or its rows of some sites.
        previous: The one before it, or its rows of the same sites.
    """
    keys = site_keys(document.nmi, document.level)
    other_keys = site_keys(previous.nmi, previous.level)
    _, here, there = np.intersect1d(keys, other_keys, assume_unique=True, return_indices=True)
    site_here = np.full(len(keys), -1, dtype=np.int64)
    site_there = np.full(len(other_keys), -1, dtype=np.int64)
    site_here[here] = site_there[there] = np.arange(len(here))
    (cells, rows), (other_cells, other_rows) = (
        _cells(document, site_here),
        _cells(previous, site_there),
    )
    _, at, other_at = np.intersect1d(cells, other_cells, assume_unique=True, return_indices=True)
    differs = document.limits[rows[at]] != previous.limits[other_rows[other_at]]
    return int(differs.any(axis=1).sum())


def _cells(document: Document, site: Int64s) -> tuple[Int64s, Indices]:
    """One number per pair of common site and interval, and the rows that these are from."""
    of_row = site[document.row_site]
    rows = np.flatnonzero(of_row >= 0)
    period = document.horizon_start // INTERVAL_S + document.row_interval[rows].astype(np.int64)
    return (of_row[rows] << 34) | period, rows


def superseded_within(rows: Rows) -> Supersession:
    """What a document's rows supersede among themselves.

    Args:
        rows: All rows of the document, or those of some sites.
    """
    order = np.lexsort((rows.start, rows.site))
    site, start, limits = rows.site[order], rows.start[order], rows.limits[order]
    is_same = (site[1:] == site[:-1]) & (start[1:] == start[:-1])
    differs = is_same & (limits[1:] != limits[:-1]).any(axis=1)
    cell = np.cumsum(~is_same)
    return Supersession(rows=int(is_same.sum()), changed_intervals=len(np.unique(cell[differs])))
