"""The plan of the EDGE datasets of a sample, and the counts of what was written."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import Struct

from oepnode.demo.sample.plan import SamplePlan
from oepnode.errors import ConfigError


@dataclass(frozen=True, slots=True)
class EdgePlan:
    """Plan of the EDGE datasets.

    Attributes:
        sample: The sample that they belong to.
        breaches: Share of NMIs' intervals in which telemetry exceeds the envelope, 0 to 1.

    Raises:
        ConfigError: If the share is out of its range.
    """

    sample: SamplePlan
    breaches: float = 0.002

    def __post_init__(self) -> None:
        if not 0 <= self.breaches <= 1:
            raise ConfigError(f"--breaches must be 0 to 1, received {self.breaches}")


class EdgeSummary(Struct, frozen=True):
    """Counts per aggregator of what was written, without NMIs.

    Attributes:
        telemetry_rows: Rows of 1-minute telemetry.
        breach_intervals: NMIs' intervals with a breach.
        breach_minutes: Minutes beyond a limit.
        forecast_rows: Rows of forecasts.
        targets_off: Dispatch targets missed by more than 10 %.
        offers_over: Intervals in which the DUID Boffer offers more than the portfolio's limits.
        breaches: The share of the plan.
    """

    telemetry_rows: dict[str, int]
    breach_intervals: dict[str, int]
    breach_minutes: dict[str, int]
    forecast_rows: dict[str, int]
    targets_off: dict[str, int]
    offers_over: dict[str, int]
    breaches: float
