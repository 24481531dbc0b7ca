"""Runs of consecutive intervals with their limits: the form in which every reader gives a document.

A run is a stretch of consecutive dispatch intervals of one site from one record. A document of a
million sites is a sequence of blocks of them, so that no step needs all limits at once.

Guarantees: what is here has been read and is valid by itself; what runs mean together (which of
several counts, the horizon, who holds a site) follows later. Source: rules-v1 section 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from oepnode.domain.documents.arrays import Bytes, Int32s, Int64s, Texts

LimitColumns: TypeAlias = tuple[Int32s | None, Int32s | None, Int32s | None, Int32s | None]
"""Limits in the order of `quantities.KINDS`, W or var, `quantities.NO_LIMIT` where absent; None
where no run of the block has that kind."""


class RunWarning(NamedTuple):
    """An oddity that is allowed, of one or more records of a block.

    Attributes:
        message: As `faults.FaultLog.warn` takes it.
        record: Number of the first record that has it.
        place: Path within that record, such as ``.submissionTimestamp``.
        places: Number of places that have it.
    """

    message: str
    record: int
    place: str
    places: int


@dataclass(frozen=True, repr=False)
class Runs:
    """A block of runs, one array per column. Its repr shows no NMI.

    Attributes:
        nmi: Per run, NMI or token, as `site_id_column`.
        level: Per run, uint8: 0 NMI, 1 Flex.
        timing: Per run, uint8: 0 PRE, 1 POST.
        objective: Per run, index into ``objectives``, int32.
        objectives: Objective functions of the block.
        submitted: Per run, int64: microseconds since the epoch or `supersession.NO_SUBMISSION`.
        start: Per run, int64: start of its first interval, UTC seconds.
        bounds: Positions of the runs in the limit columns, int64, one more than there are runs.
        limits: The limits of all runs, one after another.
        location: Shape (runs, 3), int64: record, element and index of the first interval.
        records: Records that the block was read from.
        warnings: Oddities that are allowed.
    """

    nmi: Texts
    level: Bytes
    timing: Bytes
    objective: Int32s
    objectives: tuple[str, ...]
    submitted: Int64s
    start: Int64s
    bounds: Int64s
    limits: LimitColumns
    location: Int64s
    records: int
    warnings: tuple[RunWarning, ...] = ()

    def __len__(self) -> int:
        return len(self.start)


def no_runs() -> Runs:
    """A block without a run."""
    empty = np.empty(0, dtype=np.int64)
    return Runs(
        nmi=np.empty(0, dtype="S10"),
        level=empty.astype(np.uint8),
        timing=empty.astype(np.uint8),
        objective=empty.astype(np.int32),
        objectives=(),
        submitted=empty,
        start=empty,
        bounds=np.zeros(1, dtype=np.int64),
        limits=(None, None, None, None),
        location=empty.reshape(0, 3),
        records=0,
    )
