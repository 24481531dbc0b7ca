"""Finding measurements by their time."""

from __future__ import annotations

import numpy as np

from oepnode.domain.documents.arrays import Bools, Indices, Int64s


def find_times(times: Int64s, requested: Int64s) -> tuple[Bools, Indices]:
    """Return which times exist, and the index of each that does.

    Args:
        times: UTC seconds in ascending order, each once.
        requested: UTC seconds, shape (n,).

    Returns:
        Whether each requested time exists, shape (n,); indices into ``times`` of those that do.
    """
    index = np.searchsorted(times, requested)
    exists = np.zeros(len(requested), dtype=np.bool_)
    inside = index < len(times)
    exists[inside] = times[index[inside]] == requested[inside]
    return exists, index[exists]
