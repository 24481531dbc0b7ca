"""The round whose limits are in force in an interval, where the horizons of final rounds overlap.

Guarantees: each interval that any horizon covers has exactly one round, the one with the highest
number of those that cover it; the order of the horizons has no influence. Leaves out which rounds
are final: the caller reads that from the chain. Source: rules-v1 section 14.

Example:
    >>> spans_in_force([RoundHorizon(1, 0, 4), RoundHorizon(2, 600, 4)])
    (RoundHorizon(number=1, start=0, interval_count=2), RoundHorizon(number=2, start=600, interval_count=4))
"""  # noqa: E501 - the example's output is one line

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import pairwise

from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.errors import ConfigError


@dataclass(frozen=True, slots=True)
class RoundHorizon:
    """Consecutive intervals of one round: its whole horizon, or the part in which it is in force.

    Attributes:
        number: Round number.
        start: Start of the first interval, UTC seconds.
        interval_count: Number of dispatch intervals.
    """

    number: int
    start: int
    interval_count: int

    @property
    def end(self) -> int:
        """End of the last interval, UTC seconds."""
        return self.start + self.interval_count * INTERVAL_S


def spans_in_force(horizons: Iterable[RoundHorizon]) -> tuple[RoundHorizon, ...]:
    """Which round is in force when.

    Args:
        horizons: The horizons of final rounds of one contract, in any order.

    Returns:
        In order of time, without overlap; intervals that no horizon covers are left out, and two
        neighbours are of different rounds.

    Raises:
        ConfigError: If one round has two horizons.
    """
    ordered = sorted(set(horizons), key=lambda horizon: horizon.start)
    if len({horizon.number for horizon in ordered}) < len(ordered):
        raise ConfigError("a round has one horizon, and two different ones were given")
    spans: list[RoundHorizon] = []
    open_horizons: list[tuple[int, int]] = []  # (-number, end); the highest number comes first
    bounds = sorted({bound for horizon in ordered for bound in (horizon.start, horizon.end)})
    later = iter(ordered)
    following = next(later, None)
    for start, end in pairwise(bounds):
        while following is not None and following.start <= start:
            heappush(open_horizons, (-following.number, following.end))
            following = next(later, None)
        while open_horizons and open_horizons[0][1] <= start:
            heappop(open_horizons)
        if open_horizons:
            _append(spans, -open_horizons[0][0], start, end)
    return tuple(spans)


def _append(spans: list[RoundHorizon], number: int, start: int, end: int) -> None:
    """Append a span, or extend the last one where it is of the same round."""
    if spans and spans[-1].number == number and spans[-1].end == start:
        start = spans.pop().start
    spans.append(RoundHorizon(number, start, (end - start) // INTERVAL_S))
