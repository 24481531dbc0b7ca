"""Section 3: timestamps, and the periods of trading days."""

from __future__ import annotations

from tests.reference.nem_time import day_start, instant, microseconds, period_start
from tests.reference.vectors.common import Json

TIMESTAMPS = (
    "2026-11-20T04:05:00+10:00",
    "2026-11-20T04:05:00",
    "2026-11-19T18:05:00Z",
    "2026-11-20T05:05:00+11:00",
    "2026-11-19T12:35:00-05:30",
    "2026-11-20T08:05:00+14:00",
    "2026-11-19T04:05:00-14:00",
    "2026-11-19T18:05:00-00:00",
    "2026-11-20T04:05:00.000+10:00",
    "2026-11-20T04:05:00.000001+10:00",
    "2026-11-20T04:05:00.5+10:00",
    "2026-11-20T04:05:01+10:00",
    "2026-11-20T04:04:59.999999+10:00",
    "2024-02-29T00:00:00+10:00",
    "1970-01-01T00:00:00Z",
    "1970-01-01T10:00:00+10:00",
    "2105-12-31T23:55:00+10:00",
    "2105-12-31T23:55:00-14:00",
    "2105-12-31T23:59:59.999999-14:00",
)
NO_TIMESTAMPS = (
    "2026-11-20",
    "2026-11-20T04:05",
    "2026-11-20 04:05:00+10:00",
    "2026-11-20t04:05:00+10:00",
    "2026-11-20T04:05:00z",
    "2026-11-20T04:05:00.+10:00",
    "2026-11-20T04:05:00.0000000+10:00",
    "2026-11-20T04:05:00+1000",
    "2026-11-20T04:05:00+14:01",
    "2026-11-20T04:05:00+09:60",
    "2026-11-20T24:00:00+10:00",
    "2026-11-20T04:05:60+10:00",
    "2026-02-29T04:05:00+10:00",
    "2106-01-01T00:00:00+10:00",
    "1969-12-31T23:55:00Z",
    "1969-12-31T23:55:00-14:00",
    "2105-12-32T00:00:00+10:00",
    "2026-11-20T04:60:00+10:00",
    "2026-11-20T04:05:00+10:00 ",
    "2026-11-20T04:05:00+10:00\n",
    " 2026-11-20T04:05:00+10:00",
    "2026-11-20T04:05:00,5+10:00",
    "2026-11-20T04:05:00+10",
    "+2026-11-20T04:05:00+10:00",
    "2026-11-20T04:05:00\u221210:00",
    "1970-01-01T09:55:00+10:00",
    "٢٠٢٦-11-20T04:05:00Z",
    "",
)
NO_DATES = (
    "1969-12-31",
    "2106-01-01",
    "2026-02-29",
    "2026-11-31",
    "2026-00-10",
    "20261120",
    "2026-W47-5",
    "2026-11-20 ",
    "2026-11-20\n",
    "2026-11-20T00:00:00",
    "26-11-20",
    "٢٠٢٦-11-20",
    "",
)


def time_vectors() -> Json:
    """Timestamps, and the periods of trading days."""
    accepted = []
    for text in TIMESTAMPS:
        micros = microseconds(text)
        if micros is None:
            raise AssertionError(text)
        zone = text[19:].lstrip(".0123456789")
        accepted.append(
            {
                "text": text,
                "seconds": micros // 1_000_000,
                "micros": micros % 1_000_000,
                "onGrid": isinstance(instant(text), int),
                "warning": zone in ("", "+11:00"),
            }
        )
    periods = [
        {"tradingDate": day, "period": period, "start": period_start(day, period)}
        for day in (
            "2026-11-20",
            "2026-10-04",
            "2024-02-28",
            "2024-02-29",
            "1970-01-02",
            "2105-12-31",
        )
        for period in (1, 72, 240, 241, 288)
    ]
    rejected = []
    for text in NO_TIMESTAMPS:
        if microseconds(text) is not None:
            raise AssertionError(text)
        rejected.append({"text": text, "rule": "time.format"})
    if any(day_start(text) is not None for text in NO_DATES):
        raise AssertionError(NO_DATES)
    return {
        "section": "3",
        "accepted": accepted,
        "rejected": rejected,
        "periods": periods,
        "rejectedDates": list(NO_DATES),
    }
