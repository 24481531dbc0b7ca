"""The sites that have an aggregator, and when: of a registry snapshot, or of a plain list.

Leaves out which aggregator it is: that is ``partition``.
"""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np

from oepnode.domain.documents.arrays import Int64s, Texts
from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.documents.json_fields import SiteIdReader
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.nem.tokens import SiteIdKind
from oepnode.domain.rounds.inputs.registry_snapshot import Snapshot, parse_snapshot
from oepnode.domain.rounds.inputs.site_figures import SiteFigures
from oepnode.domain.rounds.inputs.site_ids import site_id_column

_HEADER: Final = "nmi"


class Assigned(Protocol):
    """Sites with an aggregator."""

    @property
    def site_id_kind(self) -> SiteIdKind | None:
        """Whether they are named by NMIs or by tokens; None where there are none."""
        ...

    def intervals_of(self, figures: SiteFigures) -> Int64s:
        """Per site, how many intervals from its first to its last have an aggregator."""
        ...


class AssignedBySnapshot:
    """The assignments of a registry snapshot, whose sites are named as the document's."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    @property
    def site_id_kind(self) -> SiteIdKind | None:
        """Whether the snapshot names sites by NMIs or by tokens; None without assignments."""
        return self._snapshot.site_id_kind

    def intervals_of(self, figures: SiteFigures) -> Int64s:
        """Per site, how many intervals from its first to its last have an aggregator."""
        snapshot = self._snapshot
        held = np.zeros(len(figures), dtype=np.int64)
        for level in (0, 1):
            site = np.flatnonzero(figures.level == level)
            if not len(site) or not len(snapshot.nmi):
                continue
            nmi = figures.nmi[site]  # ascending, because sites are in order of (NMI, level)
            at = np.minimum(np.searchsorted(nmi, snapshot.nmi), len(nmi) - 1)
            given = np.flatnonzero(nmi[at] == snapshot.nmi)
            of = site[at[given]]
            start = np.maximum(snapshot.start[given], figures.first[of])
            end = np.minimum(snapshot.end[given], figures.last[of] + INTERVAL_S)
            np.add.at(held, of, np.maximum(end - start, 0) // INTERVAL_S)
        return held


class AssignedList:
    """A list of sites that have an aggregator at all times."""

    def __init__(self, nmi: Texts) -> None:
        self._nmi = nmi

    @property
    def site_id_kind(self) -> SiteIdKind | None:
        """Whether the list has NMIs or tokens; None for an empty list."""
        return SiteIdKind(self._nmi.dtype.itemsize) if len(self._nmi) else None

    def intervals_of(self, figures: SiteFigures) -> Int64s:
        """Per site, all intervals from its first to its last, or 0 where it is not listed."""
        return np.where(np.isin(figures.nmi, self._nmi), figures.span, 0)


def parse_site_list(data: bytes) -> AssignedList:
    """Read a list of sites from text: an NMI or token a line, first in the line where more follows.

    A first line ``nmi``, a byte order mark and empty lines are ignored.

    Raises:
        DocumentFault: With every line that has no identifier, by path ``$.rows[…]``.
    """
    log = FaultLog("list of sites")
    reader = SiteIdReader(log)
    nmis: list[str] = []
    for number, line in enumerate(data.decode("utf-8-sig", "replace").splitlines()):
        text = line.split(",")[0].strip().strip('"')
        if not text or (number == 0 and text == _HEADER):
            continue
        nmi = reader.read(text, f"$.rows[{number}]")
        if nmi is not None:
            nmis.append(nmi)
    log.raise_if_any()
    return AssignedList(site_id_column(nmis, reader.kind))


def parse_assigned(data: bytes) -> Assigned:
    """Read a registry snapshot, or a list of sites as `parse_site_list` does.

    Raises:
        DocumentFault: With every fault.
    """
    if data.lstrip()[:1] == b"{":
        return AssignedBySnapshot(parse_snapshot(data))
    return parse_site_list(data)
