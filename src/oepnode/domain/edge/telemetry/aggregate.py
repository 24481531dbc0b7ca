"""A unit's telemetry, added up from that of its NMIs, in both arrangements.

In the arrangement NMI the unit is the sum of the flows at the connection points; in the arrangement
Flex only what is controlled counts: generation, load and stored energy, measured at the common
point of the flexible assets. Guarantees: exact sums; each minute has the number of NMIs that it is
the sum of, so that a missing one shows; a copy is added once, and a minute in which measurements
contradict each other has no sum (``timeseries.duplicates``). Leaves out validation.
Source: HLD Appendix H, Part C §4.3.

Example:
    >>> sums = UnitSums()                                                 # doctest: +SKIP
    >>> sums.add(telemetry)                                               # doctest: +SKIP
    >>> unit = sums.unit(); unit.flow_w("Flex")                           # doctest: +SKIP
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from oepnode.domain.documents.arrays import Bools, Int64s
from oepnode.domain.edge.timeseries.duplicates import deduplicate
from oepnode.domain.nem.choices import Level

if TYPE_CHECKING:
    import polars as pl

_SUMMED: Final = (
    "active_power_w",
    "controlled_generation_w",
    "controlled_load_w",
    "energy_stored_wh",
)


@dataclass(frozen=True)
class UnitTelemetry:
    """A unit's measurements, one element per minute, in order.

    Attributes:
        minute: UTC seconds, the end of the minute.
        active_power_w: Sum of the flows at the connection points, uncontrolled assets included.
        controlled_generation_w: Sum over flexible assets, ≥ 0.
        controlled_load_w: Sum over flexible assets, ≤ 0.
        energy_stored_wh: Sum over flexible assets, ≥ 0.
        nmis: How many measurements each minute is the sum of.
        conflicting: Minutes left out because measurements of them contradict each other.
    """

    minute: Int64s
    active_power_w: Int64s
    controlled_generation_w: Int64s
    controlled_load_w: Int64s
    energy_stored_wh: Int64s
    nmis: Int64s
    conflicting: int = 0

    def flow_w(self, level: Level) -> Int64s:
        """The flow to compare with a target: all of it (NMI), or that of flexible assets (Flex)."""
        if level == "NMI":
            return self.active_power_w
        return self.controlled_generation_w + self.controlled_load_w

    @property
    def most_nmis(self) -> int:
        """Number of NMIs of the fullest minute; 0 without telemetry."""
        return int(self.nmis.max(initial=0))

    @property
    def is_whole(self) -> Bools:
        """Per minute, whether as many NMIs were measured as in the fullest one."""
        return np.asarray(self.nmis == self.most_nmis)


class UnitSums:
    """Adds up NMI telemetry in any order; all measurements of a minute of an NMI in one piece."""

    def __init__(self) -> None:
        self._parts: list[pl.DataFrame] = []
        self._conflicting: set[int] = set()

    def add(self, telemetry: pl.DataFrame) -> None:
        """Add measurements of NMIs; columns of `telemetry.json_format.NMI`."""
        import polars as pl

        parts = deduplicate(telemetry)
        self._conflicting.update(parts.conflicts["minute"].to_list())
        if parts.rows.height:
            sums = parts.rows.group_by("minute").agg(
                *(pl.col(name).cast(pl.Int64).sum() for name in _SUMMED),
                pl.len().cast(pl.Int64).alias("nmis"),
            )
            self._parts.append(sums)

    def unit(self) -> UnitTelemetry:
        """The unit's telemetry so far."""
        import polars as pl

        names, lost = (*_SUMMED, "nmis"), sorted(self._conflicting)
        if not self._parts:
            nothing = np.empty(0, dtype=np.int64)
            return UnitTelemetry(*(nothing,) * 6, conflicting=len(lost))
        sums = (
            pl.concat(self._parts)
            .filter(~pl.col("minute").is_in(lost))
            .group_by("minute")
            .agg(pl.col(name).sum() for name in names)
            .sort("minute")
        )
        return _unit(sums, _ints(sums["nmis"]), len(lost))


def from_frame(frame: pl.DataFrame) -> UnitTelemetry:
    """Return telemetry that was submitted for the unit itself, of one unit."""
    parts = deduplicate(frame, "duid")
    rows = parts.rows.sort("minute")
    lost = parts.conflicts["minute"].n_unique()
    return _unit(rows, np.ones(rows.height, dtype=np.int64), lost)


def _unit(rows: pl.DataFrame, nmis: Int64s, conflicting: int) -> UnitTelemetry:
    return UnitTelemetry(
        minute=_ints(rows["minute"]),
        active_power_w=_ints(rows["active_power_w"]),
        controlled_generation_w=_ints(rows["controlled_generation_w"]),
        controlled_load_w=_ints(rows["controlled_load_w"]),
        energy_stored_wh=_ints(rows["energy_stored_wh"]),
        nmis=nmis,
        conflicting=conflicting,
    )


def _ints(column: pl.Series) -> Int64s:
    return np.asarray(column.to_numpy(), dtype=np.int64)
