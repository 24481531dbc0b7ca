"""Envelope limits of a sample: low exports at midday, low imports in the evening peak."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from oepnode.demo.sample.plan import SamplePlan, random_stream
from oepnode.domain.documents.arrays import Float32s, Floats, Int16s
from oepnode.domain.nem.nem_time import INTERVAL_S

MOST_STEPS: Final = 1000
_LEAST_EXPORT: Final = 150
_LEAST_IMPORT: Final = 200
"""Limits in steps of 10 W: exports 1.5 to 10 kW, imports 2 to 10 kW."""


class LimitChunk(NamedTuple):
    """Limits of some sites.

    Attributes:
        sites: Their rows.
        exports: Shape (sites, intervals), steps of 10 W.
        imports: The same, as magnitudes.
    """

    sites: slice
    exports: Int16s
    imports: Int16s


class LimitModel:
    """Draws limits: solar fills the network at midday, load in the evening."""

    def __init__(self, plan: SamplePlan) -> None:
        self._random = random_stream(plan, "limits")
        local = (4 * 3600 + np.arange(plan.intervals) * INTERVAL_S + INTERVAL_S / 2) % 86_400
        hour = local / 3600
        sun = np.sin(np.pi * np.clip((hour - 6) / 13.5, 0, 1)) ** 1.5
        self._solar = (sun * _clouds(plan)).astype(np.float32)
        self._peak = np.exp(-(((hour - 18.5) / 2) ** 2)).astype(np.float32)

    def draw(self, sites: int) -> tuple[Int16s, Int16s]:
        """Export and import limits of sites, shape (sites, intervals), in steps of 10 W."""
        most_export = self._between(500, 1000, sites)
        depth = self._between(0.35, 0.85, sites)
        most_import = self._between(500, 1000, sites)
        exports = most_export * (1 - depth * self._solar)
        imports = most_import * (1 - np.float32(0.45) * self._peak)
        return self._steps(exports, _LEAST_EXPORT), self._steps(imports, _LEAST_IMPORT)

    def _between(self, low: float, high: float, sites: int) -> Float32s:
        drawn = self._random.random((sites, 1), dtype=np.float32)
        return np.float32(low) + drawn * np.float32(high - low)

    def _steps(self, values: Float32s, least: int) -> Int16s:
        """Add noise, and round to steps within the range."""
        values += self._random.standard_normal(values.shape, dtype=np.float32) * np.float32(12)
        return np.clip(values, least, MOST_STEPS).astype(np.int16)


def _clouds(plan: SamplePlan) -> Floats:
    """Share of the sun that reaches the network in each interval, 0.6 to 1, smooth over an hour."""
    drawn = random_stream(plan, "clouds").random(plan.intervals + 11)
    return 0.6 + 0.4 * np.convolve(drawn, np.full(12, 1 / 12), mode="valid")
