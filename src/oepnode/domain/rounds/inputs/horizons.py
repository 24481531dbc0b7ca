"""Bounds on a document's horizon: its length, and how densely rows fill it.

Source: rules-v1 section 5 ("Horizon", "Density").
"""

from __future__ import annotations

from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.nem.nem_time import INTERVAL_S, format_nem
from oepnode.domain.rounds.entries import Horizon
from oepnode.domain.rounds.inputs.envelope_form import MAX_CELLS_PER_ROW, MAX_HORIZON


def check_horizon(horizon: Horizon, sites: int, rows: int, log: FaultLog) -> None:
    """Check length and density, before any table over sites and intervals is made.

    Args:
        horizon: From the earliest interval start to the latest interval end.
        sites: Distinct (NMI, level).
        rows: All rows, repeats and superseded ones included.
        log: Takes a fault.
    """
    count = horizon.count
    if count > MAX_HORIZON:
        message = f"the horizon has {count} intervals, at most {MAX_HORIZON} (7 days) are allowed"
        log.add("$", "horizon.length", message)
    elif is_sparse(sites, count, rows):
        message = (
            f"{sites} sites over a horizon of {count} intervals need at least "
            f"{-(-sites * count // MAX_CELLS_PER_ROW)} rows; check the first and the last date"
        )
        log.add("$", "horizon.sparse", message, f"{rows} rows, {_span(horizon)}")


def is_sparse(sites: int, count: int, rows: int) -> bool:
    """Whether so many rows are too few for that many sites and intervals."""
    return sites * count > MAX_CELLS_PER_ROW * rows


def _span(horizon: Horizon) -> str:
    end = horizon.start + horizon.count * INTERVAL_S
    return f"{format_nem(horizon.start)} to {format_nem(end)}"
