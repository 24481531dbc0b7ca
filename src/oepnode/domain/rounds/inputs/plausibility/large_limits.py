"""Limits that are too large for a site, such as watts that were written as kW."""

from __future__ import annotations

from typing import Final

import numpy as np

from oepnode.domain.nem.quantities import kw_text
from oepnode.domain.rounds.inputs.plausibility.policy import Oddity, PathOf
from oepnode.domain.rounds.inputs.site_figures import SiteFigures
from oepnode.errors import Finding

_ODDITY: Final = Oddity(
    "limit.large",
    "large_limit",
    "a limit is larger than plausibility.max_kw; limits are in kW, so divide watts by 1000, or "
    "raise max_kw if sites of this size exist",
)


def find_large_limits(figures: SiteFigures, max_kw: int, path_of: PathOf) -> list[Finding]:
    """Find sites with an active limit above ``max_kw`` in magnitude."""
    large = np.flatnonzero(figures.peak > max_kw * 1000)
    peak = figures.peak[large]

    def value_of(at: int) -> str:
        return f"{kw_text(int(peak[at]))} kW"

    return _ODDITY.at_records(figures.record[large], value_of, path_of)
