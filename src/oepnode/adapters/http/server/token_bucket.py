"""A token bucket for each address: bounds requests a second, and allows a burst.

Guarantees: memory is bounded by the addresses that made requests within the time in which a
bucket fills.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

_TIDY_AFTER: Final = 4096
"""Addresses after which full buckets are forgotten; a full one says nothing."""


class TokenBuckets:
    """Buckets by address.

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

    def take(self, address: str) -> bool:
        """Take a token of an address; False if its bucket is empty."""
        now = self._now()
        tokens = self._tokens(address, now)
        if tokens < 1:
            return False
        self._buckets[address] = (tokens - 1, now)
        if len(self._buckets) > self._tidy_at:
            self._tidy(now)
        return True

    def _tokens(self, address: str, now: float) -> float:
        tokens, since = self._buckets.get(address, (float(self._burst), now))
        return min(self._burst, tokens + (now - since) * self._per_s)

    def _tidy(self, now: float) -> None:
        full = [one for one in self._buckets if self._tokens(one, now) >= self._burst]
        for address in full:
            del self._buckets[address]
        self._tidy_at = max(_TIDY_AFTER, 2 * len(self._buckets))
