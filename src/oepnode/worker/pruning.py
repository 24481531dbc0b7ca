"""Decides which rounds' bundles to delete: pure, and never because of one event.

Guarantees: bundles are deleted only if all of these hold: they were published longer ago than the
time to keep, by this machine's clock; as many newer final rounds as are to be kept have bundles;
and no interval that is still to come has its limits from the round (the final round with the
highest number whose horizon covers an interval decides it). Leaves out the deletion.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from oepnode.domain.nem.nem_time import INTERVAL_S


class KeptRound(Struct, frozen=True):
    """A round with bundles.

    Attributes:
        number: Its number.
        published_at: UTC seconds.
        horizon_start: UTC seconds; 0 if the round is unknown here.
        interval_count: Dispatch intervals of its horizon; 0 if the round is unknown here.
    """

    number: int
    published_at: float
    horizon_start: int
    interval_count: int


def deletable(
    rounds: Iterable[KeptRound], now: float, keep_rounds: int, keep_s: float
) -> list[int]:
    """Numbers of the rounds whose bundles are to be deleted.

    Args:
        rounds: All final rounds with bundles.
        now: Time of this machine, UTC seconds.
        keep_rounds: Newest rounds that are kept in any case.
        keep_s: Seconds for which all rounds are kept.
    """
    covered: set[int] = set()
    chosen = []
    newest_first = sorted(rounds, key=lambda kept: kept.number, reverse=True)
    for place, kept in enumerate(newest_first):
        coming = _coming_intervals(kept, now)
        is_in_force = not coming <= covered
        covered |= coming
        is_old = now - kept.published_at > keep_s
        if place >= keep_rounds and is_old and not is_in_force:
            chosen.append(kept.number)
    return chosen


def _coming_intervals(kept: KeptRound, now: float) -> set[int]:
    """Starts of the intervals of a round's horizon that are not over."""
    end = kept.horizon_start + kept.interval_count * INTERVAL_S
    return {at for at in range(kept.horizon_start, end, INTERVAL_S) if at + INTERVAL_S > now}
