"""Horizons that leave a gap to the previous one, or are shifted against the round's opening."""

from __future__ import annotations

from typing import Final

from oepnode.domain.nem.nem_time import INTERVAL_S, PERIODS_PER_DAY, format_nem
from oepnode.domain.rounds.inputs.document_summary import Summary
from oepnode.domain.rounds.inputs.plausibility.policy import Oddity
from oepnode.errors import Finding

_MINUTE_S: Final = 60
_DAY_S: Final = PERIODS_PER_DAY * INTERVAL_S
_GAP: Final = Oddity(
    "horizon.gap",
    "gap",
    "the horizon starts after the end of the previous one; no limit is published between: start "
    "earlier, or publish a document for the intervals between",
)
_SHIFT: Final = Oddity(
    "horizon.shift",
    "shift",
    "the horizon does not start when it should after the opening of the round; an hour too early "
    "or too late is usually daylight saving (NEM time is +10:00 all year): correct the times, or "
    "set plausibility.lead_min if the document is meant to start then",
)


def find_gap(document: Summary, previous: Summary) -> list[Finding]:
    """Find intervals between the previous horizon and this one."""
    if document.horizon_start <= previous.horizon_end:
        return []
    value = f"{format_nem(previous.horizon_end)} to {format_nem(document.horizon_start)}"
    return [_GAP.finding("$", value)]


def find_shift(
    document: Summary, previous: Summary | None, lead_min: int | None, shift_min: int
) -> list[Finding]:
    """Find a horizon that starts at another time after the opening than expected.

    A horizon that starts at the same time of day as the previous one is as expected: a document
    for a whole day may be published at any hour before it.

    Args:
        document: The document, with the time of its opening.
        previous: The document before it.
        lead_min: Minutes from the opening to the first interval that are expected.
        shift_min: Minutes from which a difference is a shift.
    """
    lead = _lead_s(document)
    if lead is None:
        return []
    before = None if previous is None else _lead_s(previous)
    expected = before or 0 if lead_min is None else lead_min * _MINUTE_S
    if abs(lead - expected) < shift_min * _MINUTE_S:
        return []
    if lead_min is None and previous is not None and _is_same_time_of_day(document, previous):
        return []
    value = (
        f"starts {_minutes(lead)} the opening, expected {_minutes(expected)} it; "
        f"first interval {format_nem(document.horizon_start)}"
    )
    return [_SHIFT.finding("$", value)]


def _lead_s(summary: Summary) -> int | None:
    """Seconds from the opening to the first interval, negative where it has begun before."""
    return None if summary.opened_at is None else summary.horizon_start - summary.opened_at


def _is_same_time_of_day(document: Summary, previous: Summary) -> bool:
    is_later = document.horizon_start > previous.horizon_start
    return is_later and (document.horizon_start - previous.horizon_start) % _DAY_S == 0


def _minutes(seconds: int) -> str:
    minutes = round(abs(seconds) / _MINUTE_S)
    return f"{minutes} min {'before' if seconds < 0 else 'after'}"
