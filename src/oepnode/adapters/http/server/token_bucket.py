"""A token bucket for each key, such as an address: bounds events a second, and allows a burst.

Guarantees: memory is bounded by the keys that took a token within the time in which a bucket fills.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

_TIDY_AFTER: Final = 4096
"""Keys after which full buckets are forgotten; a full one says nothing."""


class TokenBuckets:
    """Buckets by key.

    Args:
        per_s: Tokens that a bucket gains in a second.
        burst: Tokens of a full bucket.
        now: Returns the time in seconds.
    """

    def __init__(self, per_s: float, burst: int, now: Callable[[], float]) -> None:
        self._per_s = per_s
        self._burst = burst
        self._now = now
        self._buckets: dict[str, tuple[float, float]] = {}
        self._tidy_at = _TIDY_AFTER

    def take(self, key: str) -> bool:
        """Take a token of a key; False if its bucket is empty."""
        now = self._now()
        tokens = self._tokens(key, now)
        if tokens < 1:
            return False
        self._buckets[key] = (tokens - 1, now)
        if len(self._buckets) > self._tidy_at:
            self._tidy(now)
        return True

    def _tokens(self, key: str, now: float) -> float:
        tokens, since = self._buckets.get(key, (float(self._burst), now))
        return min(self._burst, tokens + (now - since) * self._per_s)

    def _tidy(self, now: float) -> None:
        full = [one for one in self._buckets if self._tokens(one, now) >= self._burst]
        for key in full:
            del self._buckets[key]
        self._tidy_at = max(_TIDY_AFTER, 2 * len(self._buckets))
