"""NEM time, dispatch intervals and timestamps.

NEM time is UTC+10:00 all year. A dispatch interval (DI) is 300 s and named by its end; instants are
whole UTC seconds. Source: rules-v1 section 3, Part C §6.3 (``diStarttime``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final, NewType

UtcSeconds = NewType("UtcSeconds", int)

INTERVAL_S: Final = 300
PERIODS_PER_DAY: Final = 288
MICROS: Final = 1_000_000
"""Microseconds in a second."""
NEM_OFFSET: Final = timezone(timedelta(hours=10), "NEM")

NO_OFFSET_WARNING: Final = "timestamp without an offset, taken as NEM time (+10:00)"
DAYLIGHT_SAVING_WARNING: Final = (
    "offset +11:00 converted by instant; NEM time has no daylight saving, so check the source"
)


class OffGridError(ValueError):
    """An instant does not lie on the 5-minute grid."""


_TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:(Z)|([+-])(\d\d):(\d\d))?",
    re.ASCII,
)
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_MAX_OFFSET_MIN: Final = 14 * 60
_YEARS: Final = range(1970, 2106)

INSTANTS_END_S: Final = int(datetime(_YEARS.stop, 1, 1, tzinfo=NEM_OFFSET).timestamp())
"""The first instant, UTC seconds, that has no text in NEM time."""
FIRST_DATE: Final = date(_YEARS.start, 1, 1)
LAST_DATE: Final = date(_YEARS.stop - 1, 12, 31)
"""Trading dates that can be written."""


@dataclass(frozen=True, slots=True)
class Timestamp:
    """An instant read from text.

    Attributes:
        seconds: Whole UTC seconds since the Unix epoch.
        micros: Microseconds beyond them, 0 to 999,999.
        warning: Oddity of the text, or None.
    """

    seconds: UtcSeconds
    micros: int = 0
    warning: str | None = None

    @property
    def total_micros(self) -> int:
        """The instant in microseconds since the Unix epoch."""
        return self.seconds * MICROS + self.micros


def parse_timestamp(text: str) -> Timestamp:
    """Read a timestamp as rules-v1 section 3 defines it.

    Raises:
        ValueError: If the text breaks a part of the rule, which the message names.
    """
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise ValueError("a timestamp must be yyyy-mm-ddThh:mm:ss with an offset such as +10:00")
    year, month, day, hour, minute, second = (int(match[i]) for i in range(1, 7))
    offset, warning = _offset(match)
    if year not in _YEARS:
        raise ValueError("the year must be 1970 to 2105")
    try:
        local = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as exc:
        raise ValueError("not a date and time of the calendar") from exc
    seconds = int(local.timestamp()) - offset * 60
    if seconds < 0:
        raise ValueError("the instant lies before 1970-01-01T00:00:00Z")
    return Timestamp(UtcSeconds(seconds), int((match[7] or "0").ljust(6, "0")), warning)


def _offset(match: re.Match[str]) -> tuple[int, str | None]:
    if match[8]:
        return 0, None
    if match[9] is None:
        return 600, NO_OFFSET_WARNING
    minutes = int(match[10]) * 60 + int(match[11])
    if int(match[11]) > 59 or minutes > _MAX_OFFSET_MIN:
        raise ValueError("an offset must be at most 14:00, with minutes 00 to 59")
    minutes = -minutes if match[9] == "-" else minutes
    return minutes, DAYLIGHT_SAVING_WARNING if minutes == 660 else None


def parse_grid_instant(text: str) -> Timestamp:
    """Read a timestamp that must lie on the 5-minute grid.

    Raises:
        OffGridError: For an instant off the grid.
        ValueError: For a text that is no timestamp.
    """
    instant = parse_timestamp(text)
    if instant.micros or instant.seconds % INTERVAL_S:
        raise OffGridError("not on the 5-minute grid of dispatch intervals")
    return instant


def parse_trading_date(text: str) -> date:
    """Read ``yyyy-mm-dd``.

    Raises:
        ValueError: For any other text, or a date outside 1970 to 2105.
    """
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError("a trading date must be yyyy-mm-dd")
    if int(match[1]) not in _YEARS:
        raise ValueError("the year must be 1970 to 2105")
    try:
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError as exc:
        raise ValueError("not a date of the calendar") from exc


def period_start(trading_date: date, period: int) -> UtcSeconds:
    """Return the start of a period of a trading day (1 to 288).

    The day begins at 04:00 NEM time: period 1 starts then, and ends 04:05.
    """
    if not 1 <= period <= PERIODS_PER_DAY:
        raise ValueError(f"a period must be 1 to {PERIODS_PER_DAY}, received {period}")
    midnight = datetime(trading_date.year, trading_date.month, trading_date.day, tzinfo=NEM_OFFSET)
    return UtcSeconds(int(midnight.timestamp()) + 4 * 3600 + (period - 1) * INTERVAL_S)


def trading_period(start: int) -> tuple[date, int]:
    """Return trading date and period of the interval that starts at ``start`` (UTC seconds).

    Period 1 ends 04:05 NEM time; the interval that ends 04:00 is period 288 of the day before.
    """
    local = datetime.fromtimestamp(start, tz=NEM_OFFSET) - timedelta(hours=4)
    return local.date(), (local.hour * 3600 + local.minute * 60) // INTERVAL_S + 1


def format_nem(seconds: int) -> str:
    """Write an instant in NEM time as Part C does: ``yyyy-mm-ddThh:mm:ss+10:00``."""
    return datetime.fromtimestamp(seconds, tz=NEM_OFFSET).isoformat(timespec="seconds")
