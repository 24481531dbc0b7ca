"""The hour that local time leaves out or repeats, as a finding.

``series`` tells it from other gaps and jumps; here is what is said of it, the same of every
dataset. Whether it is a fault is the dataset's matter: one that has to be without gaps is rejected,
an envelope may leave hours out and is not.

Source: Part C §1.2 (NEM time; 288 intervals in every trading day).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from oepnode.domain.documents.arrays import Bools, Indices, Int64s
from oepnode.domain.edge.schema.columns import report
from oepnode.domain.edge.timeseries.gaps import HOUR_S, Gaps, Jumps
from oepnode.domain.nem.nem_time import format_nem

CODE: Final = "time.daylight_saving_hour"
RULE: Final = "Part C §1.2 (NEM time)"

Say = Callable[[int, str, str, int], None]
"""Takes a row, the message, the value, and for how many such hours it stands."""


def tell_missing(gaps: Gaps, step_s: int, say: Say) -> None:
    """Say where the hour is missing, as daylight saving begins."""
    message = "an hour is missing as daylight saving begins: NEM time is +10:00 all year"
    _tell(gaps.is_saving, gaps.row, gaps.first - step_s, message, say)


def tell_doubled(jumps: Jumps, say: Say) -> None:
    """Say where the hour occurs twice, as daylight saving ends."""
    message = "an hour occurs twice as daylight saving ends: NEM time is +10:00 all year"
    _tell(jumps.is_saving, jumps.row, jumps.before - HOUR_S, message, say)


def _tell(
    mask: Bools,
    rows: Indices,
    start: Int64s,
    message: str,
    say: Say,
) -> None:
    def put(place: int, count: int) -> None:
        hour = -(-int(start[place]) // HOUR_S) * HOUR_S  # a clock may leave it a step early
        say(int(rows[place]), message, f"hour from {format_nem(hour)}", count)

    report(mask, put)
