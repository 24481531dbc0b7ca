"""The summary of a document that the sender keeps, to compare the next document with.

Guarantees: it has no limit of any single site; it is small (some 15 bytes a site), and its bytes
are the same for the same document. It names sites as the document does, so it is as private as the
document. Leaves out the comparison: that is ``comparison``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from oepnode.domain.documents.arrays import Int64s, Texts
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.domain.nem.tokens import SiteIdKind
from oepnode.domain.rounds.inputs.site_figures import SiteFigures
from oepnode.errors import EvidenceError

_OFFSET: Final = "<u2"  # a horizon has at most 2016 intervals


@dataclass(frozen=True, repr=False)
class Summary:
    """What is kept of a document. Its repr shows no NMI.

    Attributes:
        horizon_start: UTC seconds.
        interval_count: Length of the horizon in dispatch intervals.
        opened_at: When its round was opened, or the document received, UTC seconds; None where
            that is not known.
        medians: The median of the sites' median active limits, export and import in magnitude, W;
            None where no site has one.
        keys: Per site, identifier and level as one text, ascending.
        first: Per site, its first interval, counted in the horizon, int64.
        last: Per site, its last interval, counted in the horizon, int64.
    """

    horizon_start: int
    interval_count: int
    opened_at: int | None
    medians: tuple[int | None, int | None]
    keys: Texts
    first: Int64s
    last: Int64s

    @property
    def horizon_end(self) -> int:
        """Latest interval end, UTC seconds."""
        return self.horizon_start + self.interval_count * INTERVAL_S

    @property
    def site_id_kind(self) -> SiteIdKind:
        """Whether its sites are named by NMIs or by tokens."""
        return SiteIdKind(self.keys.dtype.itemsize - 1)


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    horizon_start: int
    interval_count: int
    opened_at: int | None
    medians: tuple[int | None, int | None]
    width: int
    keys: bytes
    first: bytes
    last: bytes


def summary_of(figures: SiteFigures, opened_at: int | None) -> Summary:
    """The summary of a document with at least one site.

    Args:
        figures: Of all its sites, in order.
        opened_at: When its round is opened, UTC seconds, if that is known.
    """
    start = int(figures.first.min())
    return Summary(
        horizon_start=start,
        interval_count=(int(figures.last.max()) - start) // INTERVAL_S + 1,
        opened_at=opened_at,
        medians=(_middle(figures, 0), _middle(figures, 1)),
        keys=figures.keys,
        first=(figures.first - start) // INTERVAL_S,
        last=(figures.last - start) // INTERVAL_S,
    )


def _middle(figures: SiteFigures, kind: int) -> int | None:
    """The lower median of the sites' medians of a kind."""
    given = np.sort(figures.median[figures.median[:, kind] != NO_LIMIT, kind])
    return int(given[(len(given) - 1) // 2]) if len(given) else None


def encode_summary(summary: Summary) -> bytes:
    """A summary as bytes."""
    return msgspec.msgpack.encode(
        _Stored(
            summary.horizon_start,
            summary.interval_count,
            summary.opened_at,
            summary.medians,
            summary.keys.dtype.itemsize,
            summary.keys.tobytes(),
            summary.first.astype(_OFFSET).tobytes(),
            summary.last.astype(_OFFSET).tobytes(),
        )
    )


def decode_summary(data: bytes) -> Summary:
    """A summary from its bytes.

    Raises:
        EvidenceError: If they are no summary.
    """
    try:
        stored = msgspec.msgpack.decode(data, type=_Stored)
        keys = np.frombuffer(stored.keys, dtype=f"S{stored.width}")
        first, last = (
            np.frombuffer(column, dtype=_OFFSET).astype(np.int64)
            for column in (stored.first, stored.last)
        )
        SiteIdKind(stored.width - 1)
    except (msgspec.DecodeError, ValueError, TypeError) as exc:
        raise EvidenceError("the summary of the previous document is damaged") from exc
    if not len(keys) == len(first) == len(last) > 0:
        raise EvidenceError("the summary of the previous document is damaged")
    return Summary(
        stored.horizon_start,
        stored.interval_count,
        stored.opened_at,
        stored.medians,
        keys,
        first,
        last,
    )
