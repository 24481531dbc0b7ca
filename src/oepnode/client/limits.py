"""Limits as rows, and the names and units in which they are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from oepnode.domain.documents.arrays import Bytes, Int32s
from oepnode.domain.nem import quantities
from oepnode.domain.nem.nem_time import INTERVAL_S, format_nem
from oepnode.domain.nem.quantities import NO_LIMIT

if TYPE_CHECKING:
    import polars as pl

LEVEL_NAMES: Final = ("NMI", "Flex")
TIMING_NAMES: Final = ("PRE", "POST")
_KIND_COLUMNS: Final = (
    "active_export_w",
    "active_import_w",
    "reactive_export_var",
    "reactive_import_var",
)


def limits_frame(
    nmis: Sequence[str],
    levels: Bytes,
    limits: Int32s,
    horizon_start: int,
) -> pl.DataFrame:
    """A row for each site and interval that has at least one limit, in order of site and time.

    Args:
        nmis: One per site.
        levels: One per site.
        limits: Shape (sites, 4, intervals).
        horizon_start: UTC seconds.

    Returns:
        Columns nmi, level, interval_start, interval_end (NEM time) and one for each kind of limit,
        null where it is not published.
    """
    import polars as pl

    site, interval = np.nonzero((limits != NO_LIMIT).any(axis=1))
    instants = [format_nem(horizon_start + INTERVAL_S * i) for i in range(limits.shape[2] + 1)]
    times = pl.Series(instants)
    frame = pl.DataFrame(
        {
            "nmi": pl.Series(list(nmis)).gather(site),
            "level": pl.Series(LEVEL_NAMES).gather(levels[site]),
            "interval_start": times.gather(interval),
            "interval_end": times.gather(interval + 1),
        }
    )
    values = limits[site, :, interval]
    return frame.with_columns(
        pl.Series(name, values[:, kind]).replace(NO_LIMIT, None)
        for kind, name in enumerate(_KIND_COLUMNS)
    )


def kw_text(watts: int) -> str:
    """A quantity in kW, without trailing zeros."""
    return quantities.kw_text(watts)
