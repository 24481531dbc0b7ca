"""The machine's clock. Leaves out its synchronisation: an operator runs NTP."""

from __future__ import annotations

import time


class SystemClock:
    """The `ports.Clock` of a running program."""

    def now(self) -> float:
        """UTC seconds since the Unix epoch."""
        return time.time()  # noqa: TID251 - only this function reads the machine's clock
