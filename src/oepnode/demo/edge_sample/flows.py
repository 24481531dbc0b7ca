"""Flows at connection points: uncontrolled load, solar, batteries, and a seeded share of breaches.

Guarantees: flows stay within the envelope of each site and interval, except for the share of
breaches that the plan names; the flow at the connection point is the sum of the uncontrolled flow,
controlled generation and controlled load.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from oepnode.demo.edge_sample.plan import EdgePlan
from oepnode.demo.sample.plan import random_stream
from oepnode.domain.documents.arrays import Bools, Float32s, Indices, Int32s
from oepnode.domain.edge.timeseries.tolerance import MINUTES

_LEAST_EXCESS_W: Final = 60
_MOST_EXCESS_W: Final = 1_500
_DAYLIGHT: Final = 0.15


@dataclass(frozen=True)
class Flows:
    """Flows of some sites in W, shape (sites, minutes) each.

    Attributes:
        uncontrolled: Flow that the aggregator does not control, load ≤ 0.
        generation: Controlled, ≥ 0.
        load: Controlled, ≤ 0.
        stored_wh: Energy in the batteries.
        is_breach: Beyond the envelope.
    """

    uncontrolled: Int32s
    generation: Int32s
    load: Int32s
    stored_wh: Int32s
    is_breach: Bools

    def of(self, rows: Indices) -> Flows:
        """The flows of some of the sites."""
        return Flows(
            self.uncontrolled[rows],
            self.generation[rows],
            self.load[rows],
            self.stored_wh[rows],
            self.is_breach[rows],
        )


class FlowModel:
    """Draws the flows of sites within their envelopes."""

    def __init__(self, plan: EdgePlan) -> None:
        self._random = random_stream(plan.sample, "flows")
        self._breaches = plan.breaches
        minutes = np.arange(1, plan.sample.intervals * MINUTES + 1)
        self._hour = ((4 + minutes / 60) % 24).astype(np.float32)
        self._sun = np.sin(np.pi * np.clip((self._hour - 6) / 13.5, 0, 1)).astype(np.float32) ** 2

    def draw(self, exports_w: Int32s, imports_w: Int32s, is_flex: Bools) -> Flows:
        """Flows of sites; limits have shape (sites, intervals), imports ≤ 0."""
        count = len(exports_w)
        upper, lower = np.repeat(exports_w, MINUTES, axis=1), np.repeat(imports_w, MINUTES, axis=1)
        uncontrolled = self._uncontrolled(count, lower)
        generation, load = self._controlled(count)
        base = np.where(is_flex[:, None], 0, uncontrolled)
        # To stay within the envelope the aggregator turns generation down, then load.
        generation -= np.clip(base + generation + load - upper, 0, generation)
        load += np.clip(lower - (base + generation + load), 0, -load)
        is_breach = self._break(base, generation, load, upper, lower)
        charge = (-load * np.float32(0.9) - np.float32(0.4) * generation) / 60
        stored = np.clip(5_000 + np.cumsum(charge, axis=1), 500, 13_500)
        return Flows(uncontrolled, generation, load, stored.astype(np.int32), is_breach)

    def _uncontrolled(self, count: int, lower: Int32s) -> Int32s:
        peaks = 0.5 * _bump(self._hour, 7.5, 1.2) + _bump(self._hour, 18.8, 2.0)
        size = self._between(700, 2_600, count)
        native = -self._between(150, 600, count) - size * peaks - self._noise(count, 140) ** 2 / 140
        bounded: Int32s = np.maximum(np.minimum(native, 0), lower * np.float32(0.9)).astype(
            np.int32
        )
        return bounded

    def _controlled(self, count: int) -> tuple[Int32s, Int32s]:
        solar = self._between(3_000, 9_000, count) * self._sun + self._noise(count, 60) * self._sun
        evening = self._between(0, 2_500, count) * _bump(self._hour, 19, 1.6)
        generation = np.maximum(solar + evening, 0)
        night = self._between(0, 1_800, count) * _bump(self._hour, 2, 2.2)
        midday = self._between(0, 2_500, count) * _bump(self._hour, 12.5, 2.0)
        load = -np.maximum(night + midday + self._noise(count, 25), 0)
        return generation.astype(np.int32), load.astype(np.int32)

    def _break(
        self, base: Int32s, generation: Int32s, load: Int32s, upper: Int32s, lower: Int32s
    ) -> Bools:
        """Push some minutes of a share of the intervals beyond the envelope, in place."""
        count, minutes = base.shape
        cells = self._random.random((count, minutes // MINUTES)) < self._breaches
        row, interval = np.nonzero(cells)
        excess = self._random.integers(_LEAST_EXCESS_W, _MOST_EXCESS_W, len(row))
        first = self._random.integers(0, MINUTES, len(row))
        length = self._random.integers(1, MINUTES + 1, len(row))
        is_day = self._sun[interval * MINUTES] > _DAYLIGHT
        is_breach = np.zeros(base.shape, dtype=np.bool_)
        for minute in range(MINUTES):
            hit = (minute >= first) & (minute < first + length)
            at = (row[hit], interval[hit] * MINUTES + minute)
            flow = base[at] + generation[at] + load[at]
            up = np.where(is_day[hit], upper[at] + excess[hit] - flow, 0)
            down = np.where(is_day[hit], 0, flow - lower[at] + excess[hit])
            generation[at] += up.astype(np.int32)
            load[at] -= down.astype(np.int32)
            is_breach[at] = True
        return is_breach

    def _between(self, low: float, high: float, count: int) -> Float32s:
        drawn = self._random.random((count, 1), dtype=np.float32)
        return np.float32(low) + drawn * np.float32(high - low)

    def _noise(self, count: int, size: float) -> Float32s:
        shape = (count, len(self._hour))
        return self._random.standard_normal(shape, dtype=np.float32) * np.float32(size)


def _bump(hour: Float32s, middle: float, width: float) -> Float32s:
    """A bell over the hours of a day, continuous at midnight."""
    distance = np.abs(hour - np.float32(middle))
    distance = np.minimum(distance, 24 - distance)
    bell: Float32s = np.exp(-((distance / np.float32(width)) ** 2)).astype(np.float32)
    return bell
