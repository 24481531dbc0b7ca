"""Telemetry and forecasts of an aggregator's sites as data frames (Part C §4.3 and §5.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from oepnode.demo.edge_sample.flows import Flows
from oepnode.demo.sample.plan import SUBMITTED_BEFORE_S, SamplePlan
from oepnode.domain.documents.arrays import Bools, Int32s
from oepnode.domain.edge.timeseries.tolerance import MINUTES
from oepnode.domain.nem.nem_time import INTERVAL_S, MICROS

if TYPE_CHECKING:
    import polars as pl

_SENT_AFTER_S = 7200


@dataclass(frozen=True)
class PortfolioPart:
    """Some sites of one aggregator.

    Attributes:
        nmis: One per site.
        flows: Shape (sites, minutes) each.
        exports: Limits in W, shape (sites, intervals).
        imports: The same, ≤ 0.
        is_held: Whether the aggregator holds the site then, shape (sites, intervals).
    """

    nmis: list[str]
    flows: Flows
    exports: Int32s
    imports: Int32s
    is_held: Bools


def telemetry_frame(plan: SamplePlan, part: PortfolioPart) -> pl.DataFrame:
    """1-minute telemetry of some sites."""
    import polars as pl

    minutes = plan.intervals * MINUTES
    minute = plan.horizon_start + 60 * np.arange(1, minutes + 1, dtype=np.int64)
    is_held = np.repeat(part.is_held, MINUTES, axis=1).reshape(-1)
    total = int(is_held.sum())
    flows = part.flows
    submitted = (plan.horizon_start - SUBMITTED_BEFORE_S) * MICROS
    sent = (plan.horizon_start + plan.intervals * INTERVAL_S + _SENT_AFTER_S) * MICROS
    absent = pl.Series([None], dtype=pl.Int32).new_from_index(0, total)

    def flat(values: Int32s) -> Int32s:
        return np.ascontiguousarray(values.reshape(-1)[is_held], dtype=np.int32)

    return pl.DataFrame(
        {
            "nmi": _nmi_column(part.nmis, minutes, is_held),
            "minute": np.tile(minute, len(part.nmis))[is_held],
            "active_power_w": flat(flows.uncontrolled + flows.generation + flows.load),
            "controlled_generation_w": flat(flows.generation),
            "controlled_load_w": flat(flows.load),
            "energy_stored_wh": flat(flows.stored_wh),
            "export_limit_w": flat(np.repeat(part.exports, MINUTES, axis=1)),
            "import_limit_w": flat(np.repeat(part.imports, MINUTES, axis=1)),
            "reactive_export_limit_var": absent,
            "reactive_import_limit_var": absent,
            "envelope_submitted_us": np.full(total, submitted, dtype=np.int64),
            "submitted_us": np.full(total, sent, dtype=np.int64),
        }
    )


def forecast_frame(
    plan: SamplePlan, part: PortfolioPart, random: np.random.Generator
) -> pl.DataFrame:
    """Uncontrolled forecasts of some sites, made shortly before each interval."""
    import polars as pl

    is_held = part.is_held.reshape(-1)
    actual = part.flows.uncontrolled[:, MINUTES - 1 :: MINUTES]
    bias = random.normal(0, 60, (len(part.nmis), 1))
    error = bias + 0.12 * actual * random.standard_normal(actual.shape)
    ends = plan.horizon_start + INTERVAL_S * np.arange(1, plan.intervals + 1, dtype=np.int64)
    end = np.tile(ends, len(part.nmis))[is_held]
    predicted = np.minimum(actual + error, 0).astype(np.int32)
    return pl.DataFrame(
        {
            "nmi": _nmi_column(part.nmis, plan.intervals, is_held),
            "interval_end": end,
            "uncontrolled_w": predicted.reshape(-1)[is_held],
            "submitted_us": (end - INTERVAL_S - 30) * MICROS,
        }
    )


def _nmi_column(nmis: list[str], each: int, is_held: Bools) -> pl.Series:
    import polars as pl

    site = np.repeat(np.arange(len(nmis)), each)[is_held]
    return pl.Series(nmis).cast(pl.Categorical).gather(site)
