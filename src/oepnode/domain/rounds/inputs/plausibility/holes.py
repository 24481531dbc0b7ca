"""Intervals that are absent between the first and the last of a site."""

from __future__ import annotations

from typing import Final

import numpy as np

from oepnode.domain.nem.nem_time import INTERVAL_S, format_nem
from oepnode.domain.rounds.inputs.plausibility.policy import Oddity, PathOf
from oepnode.domain.rounds.inputs.site_figures import SiteFigures
from oepnode.errors import Finding

_ODDITY: Final = Oddity(
    "site.hole",
    "hole",
    "a site lacks intervals between its first and its last; no limit is published there, and its "
    "aggregator falls back to default limits: add the intervals",
)


def find_holes(figures: SiteFigures, path_of: PathOf) -> list[Finding]:
    """Find sites that lack intervals inside their own span."""
    missing = figures.missing
    holed = np.flatnonzero(missing > 0)

    def value_of(at: int) -> str:
        site = holed[at]
        count = int(missing[site])
        first, last = int(figures.first[site]), int(figures.last[site])
        noun = "interval" if count == 1 else "intervals"
        return (
            f"{count} {noun} absent between {format_nem(first)} and {format_nem(last + INTERVAL_S)}"
        )

    return _ODDITY.at_records(figures.record[holed], value_of, path_of)
