"""Recognises and reports the hour that local time leaves out or repeats.

The hour from 02:00 that is missing on the first Sunday in October, or occurs twice on the first
Sunday in April, shows that local time was written as NEM time. Clocks differ in whether they write
the period that ends at the change before or after it; both are recognised.

The messages are the same for every dataset. Whether the hour is a fault depends on the dataset: one
that must be without gaps is rejected, an envelope may leave hours out and is not.

Source: Part C §1.2 (NEM time; 288 intervals in every trading day).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

import numpy as np

from oepnode.domain.documents.arrays import Bools, Indices, Int64s
from oepnode.domain.edge.schema.columns import report
from oepnode.domain.nem.nem_time import NEM_OFFSET, format_nem

CODE: Final = "time.daylight_saving_hour"
SECTION: Final = "Part C §1.2 (NEM time)"
HOUR_S: Final = 3600
_APRIL: Final = 4
_OCTOBER: Final = 10
_SUNDAY: Final = 6

Put = Callable[[int, str, str, int], None]
"""Takes a row, the message, the value, and the number of such hours that it counts for."""


def is_missing_hour(before: Int64s, after: Int64s, step_s: int) -> Bools:
    """Whether each gap is the hour that is missing as daylight saving begins.

    Args:
        before: End of the last period before each gap, UTC seconds.
        after: End of the first period after it.
        step_s: Seconds of a period.
    """
    is_hour: Bools = after - before == HOUR_S + step_s
    return is_hour & _is_change(before, step_s, 2, _OCTOBER)


def is_repeated_hour(before: Int64s, after: Int64s, step_s: int) -> Bools:
    """Whether each step back in time is the hour that occurs twice as daylight saving ends.

    Args:
        before: End of the last period before each step back, UTC seconds.
        after: End of the first period after it.
        step_s: Seconds of a period.
    """
    is_hour: Bools = after - before == step_s - HOUR_S
    return is_hour & _is_change(before, step_s, 3, _APRIL)


def report_missing(is_hour: Bools, row: Indices, before: Int64s, put: Put) -> None:
    """Report the gaps that are the hour; ``before`` is as in `is_missing_hour`."""
    message = "an hour is missing as daylight saving begins: NEM time is +10:00 all year"
    _report(is_hour, row, before, message, put)


def report_repeated(is_hour: Bools, row: Indices, before: Int64s, put: Put) -> None:
    """Report the steps back in time that are the hour; ``before`` is as in `is_repeated_hour`."""
    message = "an hour occurs twice as daylight saving ends: NEM time is +10:00 all year"
    _report(is_hour, row, before - HOUR_S, message, put)


def _report(mask: Bools, rows: Indices, start: Int64s, message: str, put: Put) -> None:
    def put_at(index: int, count: int) -> None:
        hour = -(-int(start[index]) // HOUR_S) * HOUR_S  # a clock may leave it a step early
        put(int(rows[index]), message, f"hour from {format_nem(hour)}", count)

    report(mask, put_at)


def _is_change(before: Int64s, step_s: int, hour: int, month: int) -> Bools:
    """Whether each period is the last to end by an hour on the first Sunday of a month."""
    known, inverse = np.unique(before, return_inverse=True)
    is_last = [
        any(_is_first_sunday(int(end) + later, hour, month) for later in (0, step_s))
        for end in known
    ]
    return np.array(is_last, dtype=np.bool_)[inverse]


def _is_first_sunday(instant: int, hour: int, month: int) -> bool:
    local = datetime.fromtimestamp(instant, tz=NEM_OFFSET)
    is_day = local.month == month and local.day <= 7 and local.weekday() == _SUNDAY
    return is_day and (local.hour, local.minute, local.second) == (hour, 0, 0)
