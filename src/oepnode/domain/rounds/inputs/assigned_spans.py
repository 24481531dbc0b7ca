"""The sites that have an aggregator, and when: of a registry snapshot, or of a plain list."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from oepnode.domain.documents.arrays import Int64s, Texts
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.rounds.inputs.registry_snapshot import Snapshot
from oepnode.domain.rounds.inputs.site_figures import SiteFigures


class Assigned(Protocol):
    """Sites with an aggregator."""

    def intervals_of(self, figures: SiteFigures) -> Int64s:
        """Per site, how many intervals from its first to its last have an aggregator."""
        ...


class AssignedBySnapshot:
    """The assignments of a registry snapshot, whose sites are named as the document's."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

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

    def intervals_of(self, figures: SiteFigures) -> Int64s:
        """Per site, all intervals from its first to its last, or 0 where it is not listed."""
        span = (figures.last - figures.first) // INTERVAL_S + 1
        return np.where(np.isin(figures.nmi, self._nmi), span, 0)
