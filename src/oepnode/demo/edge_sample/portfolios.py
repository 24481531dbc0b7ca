"""Files of each aggregator's portfolio: telemetry, forecasts, Boffers and targets.

Guarantees: memory does not grow with the number of NMIs, except for sums per aggregator and
interval.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from oepnode.demo.edge_sample import offers
from oepnode.demo.edge_sample.flows import FlowModel
from oepnode.demo.edge_sample.frames import PortfolioPart, forecast_frame, telemetry_frame
from oepnode.demo.edge_sample.plan import EdgePlan, EdgeSummary
from oepnode.demo.sample.limits import LimitChunk
from oepnode.demo.sample.plan import SamplePlan, aggregator_ids, random_stream
from oepnode.demo.sample.sites import Sites
from oepnode.domain.documents.arrays import Indices
from oepnode.domain.edge.boffers.json_format import write_boffers
from oepnode.domain.edge.boffers.model import BofferDay
from oepnode.domain.edge.dispatch.validate import write_instructions
from oepnode.domain.edge.telemetry.json_format import write_telemetry
from oepnode.domain.edge.timeseries.tolerance import MINUTES

if TYPE_CHECKING:
    import polars as pl

_PART_ROWS: Final = 2_000_000
_BOFFER_NMIS: Final = 5


class Portfolios:
    """Draws the flows of all sites, and writes them by aggregator."""

    def __init__(self, plan: EdgePlan, sites: Sites, folder: Path) -> None:
        self._plan, self._sites = plan, sites
        self._flows = FlowModel(plan)
        random = random_stream(plan.sample, "forecast")
        self._portfolios = [
            _Portfolio(plan.sample, name, folder / name, random)
            for name in aggregator_ids(plan.sample)
        ]

    def add(self, chunk: LimitChunk) -> None:
        """Draw the flows of some sites and file them."""
        parts = _Parts(self._plan.sample, self._sites, self._flows, chunk)
        holder = self._sites.holder[chunk.sites]
        for index, portfolio in enumerate(self._portfolios):
            rows = np.flatnonzero(holder == index)
            if len(rows):
                part = parts.held(rows)
                portfolio.add(part)
                portfolio.add_boffers(part)
        if parts.changing is not None:
            self._portfolios[1].add(parts.moved(parts.changing))
        if sum(portfolio.buffered for portfolio in self._portfolios) >= _PART_ROWS:
            self._flush()

    def close(self) -> EdgeSummary:
        """Write the rows that are left, the Boffers and the targets."""
        self._flush()
        random = random_stream(self._plan.sample, "offers")
        for portfolio in self._portfolios:
            portfolio.write_boffer(random)
            portfolio.write_targets(random)
            portfolio.write_nmi_boffers()

        def by_id(count: Callable[[_Portfolio], int]) -> dict[str, int]:
            return {portfolio.name: count(portfolio) for portfolio in self._portfolios}

        return EdgeSummary(
            telemetry_rows=by_id(lambda one: one.telemetry_rows),
            breach_intervals=by_id(lambda one: one.breach_intervals),
            breach_minutes=by_id(lambda one: one.breach_minutes),
            forecast_rows=by_id(lambda one: one.forecast_rows),
            targets_off=by_id(lambda one: one.targets_off),
            offers_over=by_id(lambda one: one.offers_over),
            breaches=self._plan.breaches,
        )

    def _flush(self) -> None:
        for portfolio in self._portfolios:
            portfolio.flush()


class _Parts:
    """The parts of one chunk of sites, with the flows drawn for it.

    Attributes:
        changing: Row of the NMI that changes aggregator, or None where the chunk lacks it.
    """

    def __init__(self, plan: SamplePlan, sites: Sites, flows: FlowModel, chunk: LimitChunk) -> None:
        self._intervals = plan.intervals
        self._names = sites.nmi[chunk.sites].tobytes().decode()
        self._exports = chunk.exports.astype(np.int32) * 10
        self._imports = chunk.imports.astype(np.int32) * -10
        self._flows = flows.draw(self._exports, self._imports, sites.is_flex[chunk.sites])
        is_here = chunk.sites.start <= sites.changing < chunk.sites.stop
        self.changing = sites.changing - chunk.sites.start if is_here else None

    def held(self, rows: Indices) -> PortfolioPart:
        """Sites of the aggregator that holds them at the start of the horizon."""
        part = self._part(rows, is_held=True)
        part.is_held[rows == self.changing, self._intervals // 2 :] = False
        return part

    def moved(self, row: int) -> PortfolioPart:
        """The NMI that changes aggregator, as the second aggregator's from then on."""
        part = self._part(np.array([row]), is_held=False)
        part.is_held[:, self._intervals // 2 :] = True
        return part

    def _part(self, rows: Indices, *, is_held: bool) -> PortfolioPart:
        return PortfolioPart(
            [self._names[row * 10 : row * 10 + 10] for row in rows.tolist()],
            self._flows.of(rows),
            self._exports[rows],
            self._imports[rows],
            np.full((len(rows), self._intervals), is_held),
        )


class _Portfolio:
    """Writes one aggregator's files, and sums up the flows of its DUID.

    Attributes:
        name: The aggregator's id, which is its DUID as well.
        buffered: Rows of telemetry that are not written yet.
    """

    def __init__(
        self, plan: SamplePlan, name: str, folder: Path, random: np.random.Generator
    ) -> None:
        self.name = name
        self._plan, self._folder, self._random = plan, folder, random
        self._telemetry: list[pl.DataFrame] = []
        self._forecasts: list[pl.DataFrame] = []
        self._nmi_days: list[BofferDay] = []
        self._sums = offers.PortfolioSums(plan.intervals)
        self._files = 0
        self.buffered = 0
        self.telemetry_rows = self.forecast_rows = 0
        self.breach_intervals = self.breach_minutes = 0
        self.targets_off = self.offers_over = 0
        (folder / "telemetry").mkdir(parents=True)
        (folder / "forecast").mkdir()

    def add(self, part: PortfolioPart) -> None:
        """Add some sites' telemetry and forecasts."""
        rows = telemetry_frame(self._plan, part)
        forecasts = forecast_frame(self._plan, part, self._random)
        self._telemetry.append(rows)
        self._forecasts.append(forecasts)
        self.buffered += rows.height
        self.telemetry_rows += rows.height
        self.forecast_rows += forecasts.height
        breach = part.flows.is_breach.reshape(*part.is_held.shape, MINUTES)
        breach &= part.is_held[:, :, None]
        self.breach_minutes += int(breach.sum())
        self.breach_intervals += int(breach.any(axis=2).sum())
        self._sums.add(part)

    def add_boffers(self, part: PortfolioPart) -> None:
        """Add the Boffers of the first few sites."""
        missing = _BOFFER_NMIS - len(self._nmi_days)
        for site in range(min(missing, len(part.nmis))):
            self._nmi_days.append(offers.nmi_boffer(self._plan, part, site))

    def flush(self) -> None:
        """Write the buffered rows as the next part."""
        import polars as pl

        if not self._telemetry:
            return
        self._files += 1
        name = f"part-{self._files:04d}.parquet"
        rows = pl.concat(self._telemetry)
        rows.write_parquet(self._folder / "telemetry" / name)
        pl.concat(self._forecasts).write_parquet(self._folder / "forecast" / name)
        if self._files == 1:
            one = rows.filter(pl.col("nmi").cast(pl.String) == str(rows["nmi"][0]))
            (self._folder / "telemetry-one-nmi.json").write_bytes(write_telemetry(one))
        self._telemetry, self._forecasts, self.buffered = [], [], 0

    def write_boffer(self, random: np.random.Generator) -> None:
        """Write the DUID Boffer."""
        quantities = offers.offered_quantities(self._sums, random)
        days = offers.duid_boffer(self._plan, self.name, quantities)
        (self._folder / "boffer.json").write_bytes(write_boffers(days))
        offered = quantities[:, 10:].sum(axis=1)
        self.offers_over = int((offered > self._sums.export).sum())

    def write_targets(self, random: np.random.Generator) -> None:
        """Write the dispatch instructions."""
        actual = self._sums.actual
        target = offers.dispatch_targets(actual, random)
        frame = offers.target_frame(self._plan, self.name, target)
        (self._folder / "dispatch.ndjson").write_bytes(write_instructions(frame, ndjson=True))
        self.targets_off = int((np.abs(actual - target) > np.abs(target) // 10).sum())

    def write_nmi_boffers(self) -> None:
        """Write the Boffers of single NMIs."""
        text = write_boffers(self._nmi_days, ndjson=True)
        (self._folder / "nmi-boffers.ndjson").write_bytes(text)
