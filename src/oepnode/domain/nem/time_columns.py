"""Timestamps as columns: many texts at once, each distinct one read as the strict reader reads it.

Source: rules-v1 section 3.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from oepnode.domain.nem.nem_time import Timestamp, parse_grid_instant, parse_timestamp

BAD_TIME: Final = -1
"""In the place of an instant that is none."""
_NEW_TIME: Final = -2
_MAX_KNOWN: Final = 1 << 16


class TimeReader:
    """Reads timestamps as the strict reader does, each distinct text once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str | None, bool], dict[bytes, int]] = {}

    def pattern(self, text: bytes, *, grid: bool) -> Timestamp:
        """A timestamp that the strict reader has accepted."""
        return (parse_grid_instant if grid else parse_timestamp)(text.decode("ascii"))

    def read(
        self, texts: list[bytes], width: int, warning: str | None, *, grid: bool
    ) -> npt.NDArray[np.int64]:
        """Seconds of grid instants, or microseconds of others; `BAD_TIME` for other texts.

        Args:
            texts: Of this width, or shorter where they ended with NUL.
            width: Number of bytes.
            warning: The only warning that a good text may have.
            grid: Whether they must lie on the grid.
        """
        known = self._known.setdefault((width, warning, grid), {})
        values = [known.get(text, _NEW_TIME) for text in texts]
        if _NEW_TIME in values:
            if len(known) > _MAX_KNOWN:
                known.clear()
            for text in set(texts).difference(known):
                known[text] = _read_time(text, width, warning, grid=grid)
            values = [known[text] for text in texts]
        return np.array(values, dtype=np.int64)


def _read_time(text: bytes, width: int, warning: str | None, *, grid: bool) -> int:
    try:
        instant = (parse_grid_instant if grid else parse_timestamp)(text.decode("ascii"))
    except ValueError:
        return BAD_TIME
    if len(text) != width or instant.warning != warning:
        return BAD_TIME
    return instant.seconds if grid else instant.total_micros
