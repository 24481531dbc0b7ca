"""The hour that local time leaves out or repeats, as a finding.

``gaps`` distinguishes it from other gaps and jumps; here are its messages, which are the same for
every dataset. Whether it is a fault depends on the dataset: one that must be without gaps is
rejected, an envelope may leave hours out and is not.

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
SECTION: Final = "Part C §1.2 (NEM time)"

Put = Callable[[int, str, str, int], None]
"""Takes a row, the message, the value, and the number of such hours that it counts for."""


def report_missing(gaps: Gaps, step_s: int, put: Put) -> None:
    """Report where the hour is missing, as daylight saving begins."""
    message = "an hour is missing as daylight saving begins: NEM time is +10:00 all year"
    _report(gaps.is_saving, gaps.row, gaps.first - step_s, message, put)


def report_repeated(jumps: Jumps, put: Put) -> None:
    """Report where the hour occurs twice, as daylight saving ends."""
    message = "an hour occurs twice as daylight saving ends: NEM time is +10:00 all year"
    _report(jumps.is_saving, jumps.row, jumps.before - HOUR_S, message, put)


def _report(mask: Bools, rows: Indices, start: Int64s, message: str, put: Put) -> None:
    def put_at(index: int, count: int) -> None:
        hour = -(-int(start[index]) // HOUR_S) * HOUR_S  # a clock may leave it a step early
        put(int(rows[index]), message, f"hour from {format_nem(hour)}", count)

    report(mask, put_at)
