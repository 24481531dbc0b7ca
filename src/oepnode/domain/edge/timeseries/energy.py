"""Energy of power held over dispatch intervals or minutes, in whole Wh.

Guarantees: one rounding everywhere, half away from zero, so that energy that is cut and energy that
is missing afterwards are the same number.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from oepnode.domain.documents.arrays import Int64s, Ints
from oepnode.domain.nem.nem_time import INTERVAL_S

_HOUR_S: Final = 3600


def energy_wh(watts: Ints) -> int:
    """Return the energy of watts held over one dispatch interval each."""
    return int(rounded_wh(np.asarray(watts, dtype=np.int64).sum(keepdims=True).ravel())[0])


def rounded_wh(sums: Int64s, held_s: int = INTERVAL_S) -> Int64s:
    """Return sums of watts, each held over so many seconds, as energy; any shape."""
    per_hour = _HOUR_S // held_s
    rounded: Int64s = np.sign(sums) * ((2 * np.abs(sums) + per_hour) // (2 * per_hour))
    return rounded
