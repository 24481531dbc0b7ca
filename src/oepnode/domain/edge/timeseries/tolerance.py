"""Tolerances: how far beyond a limit or off a target still conforms. The caller chooses them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from oepnode.domain.documents.arrays import Int64s
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.errors import ConfigError

MINUTE_S: Final = 60
MINUTES: Final = INTERVAL_S // MINUTE_S
"""Minutes of a dispatch interval."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far beyond a limit or off a target still conforms.

    The larger of the two amounts counts.

    Attributes:
        watts: Absolute.
        permille: Of the limit or target.
        minutes: Minutes in breach that put an interval in breach, 1 to 5.
        missing: Minutes of an interval of the portfolio that may be missing or in conflict, 0 to 4.

    Raises:
        ConfigError: If one is out of its range.
    """

    watts: int = 0
    permille: int = 0
    minutes: int = 1
    missing: int = 0

    def __post_init__(self) -> None:
        if self.watts < 0 or not 0 <= self.permille <= 1000 or not 1 <= self.minutes <= MINUTES:
            raise ConfigError(
                "a tolerance must be ≥ 0 W, 0 to 1000 ‰ and 1 to 5 minutes; received "
                f"{self.watts} W, {self.permille} ‰ and {self.minutes} minutes"
            )
        if not 0 <= self.missing < MINUTES:
            raise ConfigError(
                "a tolerance must allow 0 to 4 minutes of an interval to be missing, received "
                f"{self.missing}"
            )

    def allowance(self, limits_w: Int64s) -> Int64s:
        """Return the watts allowed beyond each limit, rounded down."""
        part = np.abs(limits_w) * self.permille // 1000
        return np.asarray(np.maximum(self.watts, part), dtype=np.int64)
