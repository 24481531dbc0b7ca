"""Boffers of a portfolio and of single NMIs, and dispatch targets.

Source: HLD §4 and Appendices E to G for the shape of a portfolio's Boffer.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from oepnode.demo.edge_sample.frames import PortfolioPart
from oepnode.demo.sample.plan import SamplePlan
from oepnode.domain.documents.arrays import Int32s, Int64s
from oepnode.domain.edge.boffers.bands import BANDS
from oepnode.domain.edge.boffers.model import HORIZON, BofferDay, make_day
from oepnode.domain.edge.timeseries.tolerance import MINUTES
from oepnode.domain.nem.nem_time import INTERVAL_S, MICROS, PERIODS_PER_DAY

if TYPE_CHECKING:
    import polars as pl


_LOAD_PRICES: Final = (-100_000, 0, 100, 2_000, 4_000, 7_800, 9_000, 9_900, 150_000, 1_510_000)
_GEN_PRICES: Final = (-100_000, 0, 100, 2_000, 4_000, 7_800, 9_000, 10_000, 150_000, 1_510_000)
PRICES: Final = (*_LOAD_PRICES, *_GEN_PRICES)
"""Cents per MWh. Load is offered in bands 2, 8 and 10, generation in band 18."""

_OFF_TARGET: Final = 0.03
_OVER_OFFERED: Final = 0.08


class PortfolioSums:
    """Sums over the sites of a portfolio, per interval in W, at the interval's last minute."""

    def __init__(self, intervals: int) -> None:
        self.uncontrolled: Int64s = np.zeros(intervals, np.int64)
        self.generation: Int64s = np.zeros(intervals, np.int64)
        self.load: Int64s = np.zeros(intervals, np.int64)
        self.export: Int64s = np.zeros(intervals, np.int64)

    @property
    def actual(self) -> Int64s:
        """Flow at the connection points."""
        return self.uncontrolled + self.generation + self.load

    def add(self, part: PortfolioPart) -> None:
        """Add some sites."""
        last = np.s_[:, MINUTES - 1 :: MINUTES]

        def total(values: Int32s) -> Int64s:
            sums: Int64s = (values * part.is_held).sum(axis=0, dtype=np.int64)
            return sums

        self.uncontrolled += total(part.flows.uncontrolled[last])
        self.generation += total(part.flows.generation[last])
        self.load += total(part.flows.load[last])
        self.export += total(part.exports)


def offered_quantities(sums: PortfolioSums, random: np.random.Generator) -> Int32s:
    """Quantities that a portfolio offers, shape (intervals, 20); some are beyond its limits."""
    room = sums.export - sums.uncontrolled
    generation = np.minimum(sums.generation, room)
    # Too much is offered where much could be: an offer that forgets the envelope.
    is_over = (generation * 2 > room) & (random.random(len(room)) < _OVER_OFFERED)
    generation = np.where(is_over, room + sums.export // 12, generation)
    return bands(sums.uncontrolled, sums.load, generation)


def duid_boffer(plan: SamplePlan, duid: str, quantities: Int32s) -> list[BofferDay]:
    """The DUID Boffer over 48 hours; the second day repeats the first."""
    repeats = -(-HORIZON // plan.intervals)
    horizon = np.tile(quantities, (repeats, 1))[:HORIZON]
    return [
        make_day(
            duid,
            plan.day + timedelta(days=day),
            PRICES,
            rows,
            max_avail_load=rows[:, :10].sum(axis=1).tolist(),
            max_avail_gen=rows[:, 10:].sum(axis=1).tolist(),
            submitted_us=(plan.horizon_start - 60) * MICROS,
        )
        for day, rows in enumerate(np.split(horizon, HORIZON // PERIODS_PER_DAY))
    ]


def nmi_boffer(plan: SamplePlan, part: PortfolioPart, site: int) -> BofferDay:
    """The PRE Boffer of one site, within its limits."""
    count = min(plan.intervals, PERIODS_PER_DAY)
    last = np.s_[site, MINUTES - 1 :: MINUTES]
    uncontrolled = part.flows.uncontrolled[last].astype(np.int64)[:count]
    room = part.exports[site][:count].astype(np.int64) - uncontrolled
    generation = np.minimum(part.flows.generation[last].astype(np.int64)[:count], room)
    least = part.imports[site][:count].astype(np.int64) - uncontrolled
    load = part.flows.load[last].astype(np.int64)[:count]
    load = np.maximum(load, np.minimum(least, 0))
    return make_day(
        part.nmis[site],
        plan.day,
        PRICES,
        bands(uncontrolled, load, generation),
        kind="NMI",
        submitted_us=(plan.horizon_start - 60) * MICROS,
    )


def bands(uncontrolled_w: Int64s, load_w: Int64s, generation_w: Int64s) -> Int32s:
    """Quantities of an offer at the connection point, shape (n, 20), as in HLD Appendix G.

    Up to $0 all load is on and generation off; up to $99 only uncontrolled load is on; from $100
    generation is on as well. Load that generation only offsets is offered below $99.
    """
    all_on = uncontrolled_w + generation_w
    quantities = np.zeros((len(uncontrolled_w), BANDS), dtype=np.int64)
    quantities[:, 9] = np.minimum(all_on, 0)
    quantities[:, 7] = np.minimum(uncontrolled_w, 0) - quantities[:, 9]
    quantities[:, 1] = load_w
    quantities[:, 17] = np.maximum(all_on, 0)
    return quantities.astype(np.int32)


def dispatch_targets(actual_w: Int64s, random: np.random.Generator) -> Int64s:
    """A target per interval near the actual flow, except for a share that is missed."""
    count = len(actual_w)
    size = np.maximum(np.abs(actual_w), 1_000)
    is_off = random.random(count) < _OFF_TARGET
    share = np.where(is_off, random.uniform(0.12, 0.4, count), 0)
    side = np.where(random.random(count) < 0.5, -1, 1)
    near = random.uniform(-0.02, 0.02, count)
    target: Int64s = (actual_w + size * (near + share * side)).astype(np.int64)
    return target


def target_frame(plan: SamplePlan, duid: str, target_w: Int64s) -> pl.DataFrame:
    """Dispatch instructions for a DUID, one per interval."""
    import polars as pl

    count = plan.intervals
    ends = plan.horizon_start + INTERVAL_S * np.arange(1, count + 1, dtype=np.int64)
    return pl.DataFrame(
        {
            "duid": pl.Series([duid] * count).cast(pl.Categorical),
            "interval_end": ends,
            "target_w": target_w.astype(np.int32),
            "price_cents": pl.Series([None] * count, dtype=pl.Int64),
            "issued_us": (ends - INTERVAL_S - 20) * MICROS,
        }
    )
