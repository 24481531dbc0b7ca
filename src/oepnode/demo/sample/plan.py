"""The plan of a sample, and the names and random streams that follow from it.

Guarantees: one seed gives one stream of random numbers for each purpose.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

import numpy as np

from oepnode.domain.nem.nem_time import INTERVAL_S, period_start
from oepnode.errors import ConfigError

DEFAULT_DATE: Final = date(2026, 11, 20)
MAX_NMIS: Final = 11_000_000
"""About all NMIs of the NEM."""

SUBMITTED_BEFORE_S: Final = 1800
"""Seconds between the submission of the envelopes and the start of the horizon."""

_YEARS: Final = range(1972, 2105)
_MAX_AGGREGATORS: Final = 999


@dataclass(frozen=True, slots=True)
class SamplePlan:
    """Size, horizon and seed of a sample.

    Attributes:
        nmis: Number of NMIs.
        aggregators: Number of aggregators, of Zipf-like sizes.
        intervals: Dispatch intervals from 04:00 of ``day``, 1 to 576.
        day: The trading day.
        seed: Seed of all random streams.
        unassigned: NMIs without an aggregator.
        flex: Share of NMIs, 0 to 1, whose envelope is for the Flex level instead of the NMI.
        format: ``json`` (one array) or ``ndjson``.

    Raises:
        ConfigError: If a number is out of its range.
    """

    nmis: int = 300
    aggregators: int = 3
    intervals: int = 288
    day: date = DEFAULT_DATE
    seed: int = 1
    unassigned: int = 4
    flex: float = 0.0
    format: Literal["json", "ndjson"] = "json"

    def __post_init__(self) -> None:
        _require("--aggregators", self.aggregators, 1, _MAX_AGGREGATORS)
        _require("--unassigned", self.unassigned, 0, MAX_NMIS)
        self._require_nmis()
        _require("--intervals", self.intervals, 1, 576)
        _require("--seed", self.seed, 0, 2**63 - 1)
        _require("--flex", self.flex, 0, 1)
        _require("--date (its year)", self.day.year, _YEARS[0], _YEARS[-1])

    def _require_nmis(self) -> None:
        least = self.aggregators + self.unassigned
        if not least <= self.nmis <= MAX_NMIS:
            raise ConfigError(
                f"--nmis must be {least} to {MAX_NMIS} with --aggregators {self.aggregators} and "
                f"--unassigned {self.unassigned}, received {self.nmis}"
            )

    @property
    def horizon_start(self) -> int:
        """Start of the first interval, UTC seconds."""
        return period_start(self.day, 1)

    @property
    def change_at(self) -> int:
        """Time at which one NMI changes aggregator, UTC seconds; start of a dispatch interval."""
        return self.horizon_start + self.intervals // 2 * INTERVAL_S

    @property
    def has_change(self) -> bool:
        """Whether the sample has two aggregators and two intervals, so that an NMI can change."""
        return self.aggregators > 1 and self.intervals > 1


def aggregator_ids(plan: SamplePlan) -> list[str]:
    """Ids of the aggregators, largest first."""
    return [f"sample-{number:02d}" for number in range(1, plan.aggregators + 1)]


def random_stream(plan: SamplePlan, stream: str) -> np.random.Generator:
    """An independent stream for each purpose, so that a change in one affects no other."""
    return np.random.Generator(np.random.PCG64([plan.seed, *stream.encode()]))


def _require(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise ConfigError(f"{name} must be {least} to {most}, received {value}")
