"""The envelope document: bytes in, a canonical table of columns out, or every fault with its path.

Guarantees: a document is read completely or rejected; power is integer watts; each (site, interval)
has one row; the order of records in the document does not matter. Leaves out which aggregator holds
a site: that is ``partition``. Source: Part C §6.3, rules-v1 sections 2 to 5.

Example:
    >>> document = parse_document(path.read_bytes())                  # doctest: +SKIP
    >>> document.limits[document.row_site == 0]                       # doctest: +SKIP
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oepnode.domain.documents.arrays import Bytes, Indices, Int32s, Texts
from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.documents.progress import Progress
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.nem.tokens import SiteIdKind
from oepnode.domain.rounds.entries import Horizon
from oepnode.domain.rounds.inputs import supersession
from oepnode.domain.rounds.inputs.envelope_reader import EnvelopeRows, read_rows
from oepnode.domain.rounds.inputs.horizons import check_horizon
from oepnode.domain.rounds.inputs.supersession import Rows


@dataclass(frozen=True, repr=False)
class Document:
    """A valid envelope document as columns; sites in order of (NMI, level). Its repr has no NMI.

    Attributes:
        horizon_start: Earliest interval start, UTC seconds.
        interval_count: Length of the horizon in dispatch intervals.
        nmi: Per site, NMI or token, as `site_id_column`.
        level: Per site, uint8: 0 NMI, 1 Flex.
        timing: Per site, uint8: 0 PRE, 1 POST.
        objective: Per site, the objective function.
        row_site: Per row, index of its site, int32; rows are in order of (site, interval).
        row_interval: Per row, interval index within the horizon, int32.
        limits: Shape (rows, 4), int32 W or var in the order of `quantities.KINDS`;
            `quantities.NO_LIMIT` where none is published.
        records: Number of records read.
        warnings: Oddities that are allowed.
    """

    horizon_start: int
    interval_count: int
    nmi: Texts
    level: Bytes
    timing: Bytes
    objective: tuple[str, ...]
    row_site: Int32s
    row_interval: Int32s
    limits: Int32s
    records: int
    warnings: tuple[str, ...]

    @property
    def site_id_kind(self) -> SiteIdKind:
        """Whether its sites are named by NMIs or by tokens."""
        return SiteIdKind(self.nmi.dtype.itemsize)

    @property
    def site_count(self) -> int:
        """Number of (NMI, application level) pairs."""
        return len(self.nmi)

    @property
    def horizon_end(self) -> int:
        """Latest interval end, UTC seconds."""
        return self.horizon_start + self.interval_count * INTERVAL_S


def parse_document(
    data: bytes, feed: Feed | None = None, progress: Progress | None = None
) -> Document:
    """Read an envelope document from a JSON array or NDJSON.

    Args:
        data: The exact bytes.
        feed: The feed's settings; by default profile ``wide``, canonical signs.
        progress: Progress callback.

    Raises:
        DocumentFault: With every fault, by path, code and value.
    """
    return parse_history(data, feed, progress)[0]


def parse_history(
    data: bytes, feed: Feed | None = None, progress: Progress | None = None
) -> tuple[Document, Rows]:
    """Read an envelope document as `parse_document` does, and keep superseded rows.

    Returns:
        The document, and all its rows with their submission times, those in force included.

    Raises:
        DocumentFault: With every fault, by path, code and value.
    """
    log = FaultLog("envelope document")
    envelopes = read_rows(data, log, feed, progress)
    log.raise_if_any()
    in_force = resolve_rows(envelopes.rows, log)
    log.raise_if_any()
    return document_of(envelopes, in_force, log.warnings), envelopes.rows


def resolve_rows(rows: Rows, log: FaultLog) -> Indices:
    """Return the indices of the rows that count, in order of (site, start).

    Args:
        rows: Rows that can be read.
        log: Takes conflicts between rows, and a horizon that is too long or too sparsely filled.
    """
    if not len(rows.site):
        return np.empty(0, dtype=np.intp)
    in_force = supersession.resolve(rows, log)
    count = (int(rows.start.max()) - int(rows.start.min())) // INTERVAL_S + 1
    horizon = Horizon(int(rows.start.min()), count)
    check_horizon(horizon, len(np.unique(rows.site)), len(rows.site), log)
    return in_force


def document_of(envelopes: EnvelopeRows, in_force: Indices, warnings: tuple[str, ...]) -> Document:
    """The table of a document without faults.

    Args:
        envelopes: All rows.
        in_force: Indices of the rows that count, from `resolve_rows`.
        warnings: Oddities that are allowed.
    """
    rows = envelopes.rows
    start = int(rows.start.min())
    return Document(
        horizon_start=start,
        interval_count=(int(rows.start.max()) - start) // INTERVAL_S + 1,
        nmi=envelopes.nmi,
        level=envelopes.level,
        timing=envelopes.timing,
        objective=envelopes.objective,
        row_site=rows.site[in_force].astype(np.int32),
        row_interval=((rows.start[in_force] - start) // INTERVAL_S).astype(np.int32),
        limits=rows.limits[in_force],
        records=envelopes.records,
        warnings=warnings,
    )
