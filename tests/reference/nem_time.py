"""Timestamps, the grid and trading days (section 3)."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

STEP = 300
TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(?:\.([0-9]{1,6}))?(Z|[+-][0-9]{2}:[0-9]{2})?"
)
DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - offsets are taken off by hand
NEM_OFFSET = 10 * 3600


def microseconds(text: str) -> int | None:
    """Microseconds since the Unix epoch of a timestamp; None where the text is not one."""
    match = TIMESTAMP.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(g) for g in match.groups()[:6])
    fraction, zone = match.group(7), match.group(8)
    if not 1970 <= year <= 2105:
        return None
    try:
        local = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001
    except ValueError:
        return None
    if zone is None:
        offset = NEM_OFFSET
    elif zone == "Z":
        offset = 0
    else:
        hours, minutes = int(zone[1:3]), int(zone[4:6])
        if minutes > 59 or hours * 60 + minutes > 14 * 60:
            return None
        offset = (hours * 3600 + minutes * 60) * (-1 if zone[0] == "-" else 1)
    whole = (local - EPOCH) // timedelta(seconds=1) - offset
    if whole < 0:
        return None
    return whole * 1_000_000 + int((fraction or "0").ljust(6, "0"))


def instant(text: str) -> int | str:
    """UTC seconds of a time on the grid, or the name of the rule that it breaks."""
    micros = microseconds(text)
    if micros is None:
        return "time.format"
    if micros % 1_000_000:
        return "time.grid"
    seconds = micros // 1_000_000
    return seconds if seconds % STEP == 0 else "time.grid"


def day_start(text: str) -> int | None:
    """UTC seconds of 04:00 NEM time of a date ``YYYY-MM-DD``; None where the text is not one."""
    match = DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day = (int(g) for g in match.groups())
    if not 1970 <= year <= 2105:
        return None
    try:
        days = (date(year, month, day) - date(1970, 1, 1)).days
    except ValueError:
        return None
    return days * 86400 + 4 * 3600 - NEM_OFFSET


def period_start(day: str, period: int) -> int:
    """Start of period 1 to 288 of a trading day."""
    start = day_start(day)
    assert start is not None
    return start + (period - 1) * STEP
