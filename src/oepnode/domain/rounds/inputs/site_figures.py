"""A few figures of each site of a document: its span, its size, its largest and its usual limit.

Guarantees: small columns without the limits themselves, which can be made block by block and then
joined, so that a document of a million sites is summarised in some tens of megabytes. Leaves out
what is odd about them: that is ``plausibility``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from oepnode.domain.documents.arrays import Bytes, Indices, Int32s, Int64s, Texts
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.domain.rounds.inputs.envelope_document import Document
from oepnode.domain.rounds.inputs.supersession import Rows

_ACTIVE: Final = 2
_DIGIT: Final = ord("0")


@dataclass(frozen=True, repr=False)
class SiteFigures:
    """Figures of sites, one array per column; of the rows in force. Its repr shows no NMI.

    Attributes:
        nmi: Per site, NMI or token, as `site_id_column`.
        level: Per site, uint8: 0 NMI, 1 Flex.
        record: Per site, position of its first record in the document, int64.
        first: Per site, start of its first interval, UTC seconds, int64.
        last: Per site, start of its last interval, UTC seconds, int64.
        covered: Per site, number of its intervals, int32.
        peak: Per site, its largest active limit in magnitude, W, int32; 0 where it has none.
        median: Shape (sites, 2), int32: the lower median of its active export and import limits in
            magnitude, W; `quantities.NO_LIMIT` where it has none.
    """

    nmi: Texts
    level: Bytes
    record: Int64s
    first: Int64s
    last: Int64s
    covered: Int32s
    peak: Int32s
    median: Int32s

    def __len__(self) -> int:
        return len(self.nmi)

    @property
    def keys(self) -> Texts:
        """Per site, its identifier and level as one text; two documents' sites are matched so."""
        return site_keys(self.nmi, self.level)

    @property
    def span(self) -> Int64s:
        """Per site, the number of intervals from its first to its last."""
        return (self.last - self.first) // INTERVAL_S + 1

    @property
    def missing(self) -> Int64s:
        """Per site, the number of intervals that are absent in its span."""
        return self.span - self.covered


def site_keys(nmi: Texts, level: Bytes) -> Texts:
    """Per site, its identifier and level as one text, in the same order as the sites."""
    width = nmi.dtype.itemsize
    table = np.empty((len(nmi), width + 1), dtype=np.uint8)
    table[:, :width] = np.ascontiguousarray(nmi).view(np.uint8).reshape(len(nmi), width)
    table[:, width] = level + _DIGIT
    return table.view(f"S{width + 1}").reshape(len(nmi))


def figures_of_document(document: Document, rows: Rows) -> SiteFigures:
    """The figures of a whole document.

    Args:
        document: The document.
        rows: All its rows, superseded ones included, for the places of its records.
    """
    record = np.full(document.site_count, np.iinfo(np.int64).max, dtype=np.int64)
    np.minimum.at(record, rows.site, rows.location[:, 0])
    start = document.horizon_start + document.row_interval.astype(np.int64) * INTERVAL_S
    bounds = np.searchsorted(document.row_site, np.arange(document.site_count + 1))
    return figures_of_rows(
        document.nmi, document.level, record, bounds, start, document.limits[:, :_ACTIVE]
    )


def figures_of_rows(
    nmi: Texts, level: Bytes, record: Int64s, bounds: Indices, start: Int64s, limits: Int32s
) -> SiteFigures:
    """The figures of a block of sites from their rows in force.

    Args:
        nmi: Per site, NMI or token.
        level: Per site.
        record: Per site, position of its first record.
        bounds: Positions of the sites' rows, one more than there are sites; each site has a row.
        start: Per row, interval start in UTC seconds, ascending within a site.
        limits: Shape (rows, 2), the active limits.
    """
    # In 32 bits `NO_LIMIT` is its own magnitude, and below all others.
    sizes = [np.abs(limits[:, kind]) for kind in range(_ACTIVE)]
    head = bounds[:-1]
    return SiteFigures(
        nmi=nmi,
        level=level,
        record=record,
        first=start[head],
        last=start[bounds[1:] - 1],
        covered=np.diff(bounds).astype(np.int32),
        peak=np.maximum.reduceat(np.maximum(*sizes), head).clip(min=0),
        median=np.stack([_medians(size, bounds) for size in sizes], axis=1),
    )


def is_ordered(figures: SiteFigures) -> bool:
    """Whether the sites are in their order."""
    keys = figures.keys
    return bool((keys[1:] > keys[:-1]).all())


def joined(blocks: Sequence[SiteFigures]) -> SiteFigures:
    """The figures of blocks of one document, whose sites are different, in order of the sites."""
    one = SiteFigures(
        *(
            np.concatenate([getattr(block, name) for block in blocks])
            for name in SiteFigures.__dataclass_fields__
        )
    )
    order = np.argsort(one.keys, kind="stable")
    return SiteFigures(*(getattr(one, name)[order] for name in SiteFigures.__dataclass_fields__))


def _medians(sizes: Int32s, bounds: Indices) -> Int32s:
    """Lower median of each site's sizes without `NO_LIMIT`, or `NO_LIMIT` where there is no other.

    Sites of one length without gaps, which is the usual document, are partitioned as a table.
    """
    counts = np.diff(bounds)
    absent = sizes == NO_LIMIT
    if absent.all():
        return np.full(len(counts), NO_LIMIT, dtype=np.int32)
    if not absent.any() and (counts == counts[0]).all():
        middle = (int(counts[0]) - 1) // 2
        table = sizes.reshape(len(counts), -1)
        medians: Int32s = np.partition(table, middle, axis=1)[:, middle]
        return medians.copy()
    site = np.repeat(np.arange(len(counts)), counts)
    ordered = sizes[np.lexsort((sizes, site))]  # those of NO_LIMIT come first
    lacking = np.add.reduceat(absent.astype(np.int64), bounds[:-1])
    middles = np.minimum(lacking + (counts - lacking - 1) // 2, counts - 1)
    found: Int32s = ordered[bounds[:-1] + middles]
    return found
