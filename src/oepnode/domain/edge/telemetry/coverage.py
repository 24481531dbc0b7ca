"""Coverage of envelopes by telemetry: which minutes of which sites were measured.

Guarantees: every measurement is counted in exactly one place (assessed, a copy, in a conflict,
outside the horizon, at an NMI without an envelope); memory depends on sites and intervals, not on
rows. Leaves out limits (``conformance``). Source: Part C §4.1, §4.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from oepnode.domain.documents.arrays import Bools, Bytes, Indices, Int32s, Int64s
from oepnode.domain.edge.envelopes.table import EnvelopeTable
from oepnode.domain.edge.timeseries.tolerance import MINUTE_S, MINUTES

if TYPE_CHECKING:
    import polars as pl


class Coverage:
    """The minutes that telemetry covers, and the rows that belong to no site or interval.

    Args:
        envelopes: Published envelopes of one application level.

    Attributes:
        readings: Measurements in the horizon per site, int64.
        conflicting: Of these, minutes in conflict, int64.
        rows: Measurements received.
        foreign_rows: At NMIs without an envelope.
        outside_rows: Outside the horizon of the envelopes.
    """

    def __init__(self, envelopes: EnvelopeTable) -> None:
        sites, intervals = envelopes.site_count, envelopes.interval_count
        self._shape = (sites, intervals, MINUTES)
        self._start, self._end = envelopes.horizon_start, envelopes.horizon_end
        self._nmis = envelopes.nmis.astype("S11")
        self._order = np.argsort(self._nmis)
        self._seen = np.zeros((sites, intervals * MINUTES), dtype=np.bool_)
        self._contradicted = np.zeros((sites, intervals * MINUTES), dtype=np.bool_)
        self._foreign_nmis: set[str] = set()
        self.readings: Int64s = np.zeros(sites, dtype=np.int64)
        self.conflicting: Int64s = np.zeros(sites, dtype=np.int64)
        self.rows = self.foreign_rows = self.outside_rows = 0

    @property
    def foreign_nmis(self) -> int:
        """Number of NMIs without an envelope."""
        return len(self._foreign_nmis)

    def minutes(self) -> Bytes:
        """Distinct minutes measured, shape (sites, intervals), uint8."""
        return np.asarray(self._seen.reshape(self._shape).sum(axis=2, dtype=np.uint8))

    def conflicts(self) -> Bytes:
        """Minutes in conflict, shape (sites, intervals), uint8."""
        return np.asarray(self._contradicted.reshape(self._shape).sum(axis=2, dtype=np.uint8))

    def sites(self, names: pl.Series) -> Int32s:
        """Return the index of each row's site, −1 where there is no envelope."""
        import polars as pl

        if not len(names):
            return np.empty(0, dtype=np.int32)
        codes = names.cast(pl.Categorical)
        physical = codes.to_physical().to_numpy()
        used = np.flatnonzero(np.bincount(physical))
        some_row = np.zeros(int(used[-1]) + 1, dtype=np.int32)
        some_row[physical] = np.arange(len(physical), dtype=np.int32)
        texts = codes.gather(some_row[used]).cast(pl.String).to_list()
        sites = self._lookup(texts)
        self._foreign_nmis.update(
            text for text, site in zip(texts, sites.tolist(), strict=True) if site < 0
        )
        site_of = some_row
        site_of[used] = sites
        return np.asarray(site_of[physical], dtype=np.int32)

    def _lookup(self, texts: list[str]) -> Indices:
        keys = np.array([str(text).encode("ascii", "replace")[:11] for text in texts], dtype="S11")
        if not len(self._nmis):
            return np.full(len(keys), -1, dtype=np.intp)
        rank = np.searchsorted(self._nmis, keys, sorter=self._order)
        rank[rank == len(self._nmis)] = 0
        site = self._order[rank]
        return np.where(self._nmis[site] == keys, site, -1)

    def is_inside(self, minute: Int64s, site: Indices) -> Bools:
        """Return which rows are in the horizon at a site with an envelope; count the others."""
        inside = (minute > self._start) & (minute <= self._end)
        self.rows += len(site)
        self.foreign_rows += int((site < 0).sum())
        self.outside_rows += int(((site >= 0) & ~inside).sum())
        return np.asarray(inside & (site >= 0))

    def mark(self, minute: Int64s, site: Indices) -> Int64s:
        """Mark minutes as measured, each once; return their positions in the horizon.

        Raises:
            ValueError: If a minute was measured before.
        """
        position = self._positions(minute)
        if self._seen[site, position].any():
            raise ValueError("an earlier piece of telemetry had a minute of this one")
        self._seen[site, position] = True
        self.readings += np.bincount(site, minlength=len(self.readings))
        return position

    def add_copies(self, rows: pl.DataFrame) -> None:
        """Count rows that repeat others."""
        self._count_unassessed(rows)

    def add_conflicts(self, rows: pl.DataFrame) -> None:
        """Mark minutes whose measurements contradict each other."""
        minutes = self._count_unassessed(rows).select("nmi", "minute").unique()
        site = self.sites(minutes["nmi"]).astype(np.intp)
        position = self._positions(minutes["minute"].to_numpy())
        self._seen[site, position] = True
        self._contradicted[site, position] = True
        self.conflicting += np.bincount(site, minlength=len(self.conflicting))

    def _count_unassessed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Count rows that are not assessed; return those in the horizon at a site."""
        site = self.sites(rows["nmi"]).astype(np.intp)
        kept = self.is_inside(rows["minute"].to_numpy(), site)
        self.readings += np.bincount(site[kept], minlength=len(self.readings))
        return rows.filter(kept)

    def _positions(self, minute: Int64s) -> Int64s:
        return (minute - self._start - 1) // MINUTE_S
