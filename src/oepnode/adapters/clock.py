"""The machine's clock. Leaves out keeping it right: an operator runs NTP."""

from __future__ import annotations

import time


class SystemClock:
    """The `ports.Clock` of a running program."""

    def now(self) -> float:
        """UTC seconds since the Unix epoch."""
        return time.time()  # noqa: TID251 - this is the one place that reads the machine's clock
