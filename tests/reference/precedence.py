"""The round in force in an interval (section 14)."""

from __future__ import annotations

from collections.abc import Sequence

from tests.reference.nem_time import STEP

Horizon = tuple[int, int, int]  # number, start, interval count


def round_in_force(final: Sequence[Horizon], start: int) -> int | None:
    """Number of the round whose limits are in force in the interval that starts then."""
    covering = [number for number, first, n in final if first <= start < first + n * STEP]
    return max(covering, default=None)
