"""Limits how often a line of one kind is logged."""

from __future__ import annotations

import time
from collections.abc import Hashable
from typing import Final

_EVERY_S: Final = 60.0
_KINDS: Final = 1_000


class Throttle:
    """Admits one line of each kind a minute."""

    def __init__(self, every_s: float = _EVERY_S) -> None:
        self._every_s = every_s
        self._last: dict[Hashable, float] = {}

    def admits(self, kind: Hashable) -> bool:
        """Whether a line of this kind may be logged now."""
        now = time.monotonic()
        last = self._last.get(kind)
        if last is not None and now - last < self._every_s:
            return False
        if len(self._last) >= _KINDS:
            self._last.clear()
        self._last[kind] = now
        return True
