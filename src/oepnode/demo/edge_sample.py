"""EDGE datasets beside a sample: telemetry, forecasts, Boffers, targets, POST envelopes.

Guarantees: the same plan gives the same files; telemetry keeps within the envelope of each NMI and
interval but for a seeded share of breaches, which ``edge.json`` counts; the other datasets follow
from the same flows, with a seeded share of targets missed and of offers above the portfolio's
limits; memory does not grow with the number of NMIs but for sums per aggregator and interval.
Telemetry is consistent in itself: the flow at the connection point is what is not controlled plus
controlled generation plus controlled load.

| place | what |
|---|---|
| ``edge/post-envelope.json`` | POST envelopes of all NMIs (Part C §6.3) |
| ``edge/ID/telemetry/part-N.parquet`` | 1-minute telemetry of an aggregator's NMIs (§4.3) |
| ``edge/ID/telemetry-one-nmi.json`` | the first NMI's telemetry as a document |
| ``edge/ID/forecast/part-N.parquet`` | uncontrolled forecasts, 5 minutes (§5.3) |
| ``edge/ID/boffer.json`` | the DUID Boffer, 576 intervals (HLD §4.1) |
| ``edge/ID/nmi-boffers.ndjson`` | PRE Boffers of a few NMIs (§3.3) |
| ``edge/ID/dispatch.ndjson`` | dispatch instructions for the DUID |

Source: Part C, HLD §4 and Appendices E to G for the shape of a portfolio's Boffer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec import json as msgspec_json

from oepnode.demo import sample
from oepnode.demo.sample import LimitChunk, SamplePlan, Sites
from oepnode.domain.documents.progress import Progress
from oepnode.domain.edge.boffers import model as boffer
from oepnode.domain.edge.boffers.bands import BANDS
from oepnode.domain.edge.boffers.json_format import write_boffers
from oepnode.domain.edge.dispatch.validate import write_instructions
from oepnode.domain.edge.telemetry.json_format import write_telemetry
from oepnode.domain.edge.timeseries.tolerance import MINUTES
from oepnode.domain.nem.nem_time import INTERVAL_S, MICROS, PERIODS_PER_DAY
from oepnode.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

FOLDER: Final = "edge"
_LOAD_PRICES: Final = (-100_000, 0, 100, 2_000, 4_000, 7_800, 9_000, 9_900, 150_000, 1_510_000)
_GEN_PRICES: Final = (-100_000, 0, 100, 2_000, 4_000, 7_800, 9_000, 10_000, 150_000, 1_510_000)
PRICES: Final = (*_LOAD_PRICES, *_GEN_PRICES)
"""Cents per MWh. Load is offered in bands 2, 8 and 10, generation in band 18."""

_PART_ROWS: Final = 2_000_000
_BOFFER_NMIS: Final = 5
_OFF_TARGET: Final = 0.03
_OVER_OFFERED: Final = 0.08
_LEAST_EXCESS_W, _MOST_EXCESS_W = 60, 1_500


@dataclass(frozen=True, slots=True)
class EdgePlan:
    """What to make beside a sample.

    Attributes:
        sample: The sample that it belongs to.
        breaches: Share of NMIs' intervals in which telemetry goes beyond the envelope, 0 to 1.

    Raises:
        ConfigError: If the share is none.
    """

    sample: SamplePlan
    breaches: float = 0.002

    def __post_init__(self) -> None:
        if not 0 <= self.breaches <= 1:
            raise ConfigError(f"--breaches must be 0 to 1, received {self.breaches}")


class EdgeSummary(Struct, frozen=True):
    """What was made: counts per aggregator, no NMI.

    Attributes:
        telemetry_rows: Rows of 1-minute telemetry.
        breach_intervals: NMIs' intervals with a breach.
        breach_minutes: Minutes beyond a limit.
        forecast_rows: Rows of forecasts.
        targets_off: Dispatch targets missed by more than 10 %.
        offers_over: Intervals in which the DUID Boffer offers more than the portfolio's limits.
        breaches: The share that was asked for.
    """

    telemetry_rows: dict[str, int]
    breach_intervals: dict[str, int]
    breach_minutes: dict[str, int]
    forecast_rows: dict[str, int]
    targets_off: dict[str, int]
    offers_over: dict[str, int]
    breaches: float


@dataclass(frozen=True)
class Flows:
    """Flows of some sites in W, shape (sites, minutes) each.

    Attributes:
        uncontrolled: What the aggregator does not control, load ≤ 0.
        generation: Controlled, ≥ 0.
        load: Controlled, ≤ 0.
        stored_wh: Energy in the batteries.
        is_breach: Beyond the envelope.
    """

    uncontrolled: Int32
    generation: Int32
    load: Int32
    stored_wh: Int32
    is_breach: npt.NDArray[np.bool_]


def write_edge(
    plan: EdgePlan, out: Path, progress: Progress = lambda _stage, _done, _all: None
) -> EdgeSummary:
    """Write the datasets into the folder of a sample that `sample.write_sample` has just made.

    Raises:
        ConfigError: If the folder cannot be written.
    """
    sites = sample.make_sites(plan.sample)
    folder = out / FOLDER
    try:
        folder.mkdir()
        _write_post(plan.sample, sites, folder, progress)
        made = _Portfolios(plan, sites, folder)
        for chunk in sample.limit_chunks(plan.sample):
            made.add(chunk)
            progress("telemetry", chunk.sites.stop, plan.sample.nmis)
        summary = made.close()
        text = msgspec_json.format(msgspec_json.encode(summary)) + b"\n"
        (folder / "edge.json").write_bytes(text)
    except OSError as exc:
        raise ConfigError(f"{folder}: cannot be written: {exc.strerror}") from exc
    return summary


# -- POST envelopes ------------------------------------------------------------------------------


def _write_post(plan: SamplePlan, sites: Sites, folder: Path, progress: Progress) -> None:
    submitted = plan.horizon_start + plan.intervals * INTERVAL_S + INTERVAL_S
    chunks = sample.document_chunks(
        plan, sites, _post_limits(plan), progress, timing="POST", submitted=submitted
    )
    with (folder / f"post-envelope.{plan.format}").open("xb") as file:
        file.writelines(chunks)


def _post_limits(plan: SamplePlan) -> Iterator[LimitChunk]:
    """What the network could really have carried: mostly more than promised, seldom less."""
    random = sample.random_stream(plan, "post")
    for chunk in sample.limit_chunks(plan):
        size = chunk.exports.shape[0]
        room = random.normal(0.08, 0.05, (size, 1)) + 0.05 * random.standard_normal((1,))
        yield LimitChunk(
            chunk.sites,
            _scaled(chunk.exports, room + 0.03 * random.random(chunk.exports.shape)),
            _scaled(chunk.imports, room / 2 + 0.02 * random.random(chunk.imports.shape)),
        )


def _scaled(steps: npt.NDArray[np.int16], share: npt.NDArray[np.float64]) -> npt.NDArray[np.int16]:
    return np.clip(steps * (1 + share), 100, sample.MOST_STEPS).astype(np.int16)


# -- flows ---------------------------------------------------------------------------------------


class _World:
    """Draws what sites do within their envelopes."""

    def __init__(self, plan: EdgePlan) -> None:
        self._random = sample.random_stream(plan.sample, "flows")
        self._breaches = plan.breaches
        minutes = np.arange(1, plan.sample.intervals * MINUTES + 1)
        self._hour = ((4 + minutes / 60) % 24).astype(np.float32)
        self._sun = np.sin(np.pi * np.clip((self._hour - 6) / 13.5, 0, 1)).astype(np.float32) ** 2

    def draw(self, exports_w: Int32, imports_w: Int32, is_flex: npt.NDArray[np.bool_]) -> Flows:
        """Flows of sites; limits have shape (sites, intervals), imports ≤ 0."""
        count = len(exports_w)
        upper, lower = np.repeat(exports_w, MINUTES, axis=1), np.repeat(imports_w, MINUTES, axis=1)
        uncontrolled = self._uncontrolled(count, lower)
        generation, load = self._controlled(count)
        base = np.where(is_flex[:, None], 0, uncontrolled)
        # The aggregator holds the envelope: it turns generation down, then load.
        generation -= np.clip(base + generation + load - upper, 0, generation)
        load += np.clip(lower - (base + generation + load), 0, -load)
        is_breach = self._break(base, generation, load, upper, lower)
        moved = (-load * np.float32(0.9) - np.float32(0.4) * generation) / 60
        stored = np.clip(5_000 + np.cumsum(moved, axis=1), 500, 13_500)
        return Flows(uncontrolled, generation, load, stored.astype(np.int32), is_breach)

    def _uncontrolled(self, count: int, lower: Int32) -> Int32:
        peaks = 0.5 * _bump(self._hour, 7.5, 1.2) + _bump(self._hour, 18.8, 2.0)
        size = self._between(700, 2_600, count)
        native = -self._between(150, 600, count) - size * peaks - self._noise(count, 140) ** 2 / 140
        held: Int32 = np.maximum(np.minimum(native, 0), lower * np.float32(0.9)).astype(np.int32)
        return held

    def _controlled(self, count: int) -> tuple[Int32, Int32]:
        solar = self._between(3_000, 9_000, count) * self._sun + self._noise(count, 60) * self._sun
        evening = self._between(0, 2_500, count) * _bump(self._hour, 19, 1.6)
        generation = np.maximum(solar + evening, 0)
        night = self._between(0, 1_800, count) * _bump(self._hour, 2, 2.2)
        midday = self._between(0, 2_500, count) * _bump(self._hour, 12.5, 2.0)
        load = -np.maximum(night + midday + self._noise(count, 25), 0)
        return generation.astype(np.int32), load.astype(np.int32)

    def _break(
        self, base: Int32, generation: Int32, load: Int32, upper: Int32, lower: Int32
    ) -> npt.NDArray[np.bool_]:
        """Push some minutes of a share of the intervals beyond the envelope, in place."""
        count, minutes = base.shape
        cells = self._random.random((count, minutes // MINUTES)) < self._breaches
        row, interval = np.nonzero(cells)
        excess = self._random.integers(_LEAST_EXCESS_W, _MOST_EXCESS_W, len(row))
        first = self._random.integers(0, MINUTES, len(row))
        length = self._random.integers(1, MINUTES + 1, len(row))
        is_day = self._sun[interval * MINUTES] > 0.15
        is_breach = np.zeros(base.shape, dtype=np.bool_)
        for place in range(MINUTES):
            hit = (place >= first) & (place < first + length)
            at = (row[hit], interval[hit] * MINUTES + place)
            flow = base[at] + generation[at] + load[at]
            up = np.where(is_day[hit], upper[at] + excess[hit] - flow, 0)
            down = np.where(is_day[hit], 0, flow - lower[at] + excess[hit])
            generation[at] += up.astype(np.int32)
            load[at] -= down.astype(np.int32)
            is_breach[at] = True
        return is_breach

    def _between(self, low: float, high: float, count: int) -> Floats:
        drawn = self._random.random((count, 1), dtype=np.float32)
        return np.float32(low) + drawn * np.float32(high - low)

    def _noise(self, count: int, size: float) -> Floats:
        shape = (count, len(self._hour))
        return self._random.standard_normal(shape, dtype=np.float32) * np.float32(size)


def _bump(hour: Floats, middle: float, width: float) -> Floats:
    """A bell over the hours of a day, around midnight as well."""
    distance = np.abs(hour - np.float32(middle))
    distance = np.minimum(distance, 24 - distance)
    bell: Floats = np.exp(-((distance / np.float32(width)) ** 2)).astype(np.float32)
    return bell


# -- portfolios ----------------------------------------------------------------------------------


class _Portfolios:
    """Writes each aggregator's part, and sums up what its DUID is offered and measured at."""

    def __init__(self, plan: EdgePlan, sites: Sites, folder: Path) -> None:
        self._plan, self._sites, self._folder = plan, sites, folder
        self._ids = sample.aggregator_ids(plan.sample)
        self._world = _World(plan)
        self._forecast_random = sample.random_stream(plan.sample, "forecast")
        count, shape = len(self._ids), (len(self._ids), plan.sample.intervals)
        self._rows: list[list[pl.DataFrame]] = [[] for _ in range(count)]
        self._forecasts: list[list[pl.DataFrame]] = [[] for _ in range(count)]
        self._held = 0
        self._parts = [0] * count
        self._telemetry_rows = [0] * count
        self._breach_intervals = [0] * count
        self._breach_minutes = [0] * count
        self._forecast_rows = [0] * count
        # Sums over the NMIs of a portfolio, per interval, W.
        self._uncontrolled, self._actual = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        self._generation, self._load = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        self._export, self._import = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        self._nmi_days: list[list[boffer.BofferDay]] = [[] for _ in range(count)]
        for name in self._ids:
            (folder / name / "telemetry").mkdir(parents=True)
            (folder / name / "forecast").mkdir()

    def add(self, chunk: LimitChunk) -> None:
        """Draw the flows of some sites and file them."""
        part = chunk.sites
        exports, imports = chunk.exports.astype(np.int32) * 10, chunk.imports.astype(np.int32) * -10
        flows = self._world.draw(exports, imports, self._sites.is_flex[part])
        holder = self._sites.holder[part]
        names = self._sites.nmi[part].tobytes().decode()
        for index in range(len(self._ids)):
            held = np.flatnonzero(holder == index)
            if len(held):
                self._file(index, held, part.start, names, flows, (exports, imports), slice(None))
        self._move(part, names, flows, (exports, imports))
        if self._held >= _PART_ROWS:
            self._flush()

    def _move(self, part: slice, names: str, flows: Flows, limits: tuple[Int32, Int32]) -> None:
        """The NMI that changes aggregator: from then on its rows are the second one's."""
        if not part.start <= self._sites.changing < part.stop:
            return
        half = self._plan.sample.intervals // 2
        moved = np.array([self._sites.changing - part.start])
        self._file(1, moved, part.start, names, flows, limits, slice(half, None))

    def _file(
        self,
        index: int,
        held: npt.NDArray[np.intp],
        first: int,
        names: str,
        flows: Flows,
        limits: tuple[Int32, Int32],
        intervals: slice,
    ) -> None:
        count = self._plan.sample.intervals
        is_mine = np.zeros((len(held), count), dtype=np.bool_)
        is_mine[:, intervals] = True
        if index == 0 and intervals == slice(None):
            is_mine[held + first == self._sites.changing, count // 2 :] = False
        nmis = [names[i * 10 : i * 10 + 10] for i in held.tolist()]
        rows = self._telemetry(nmis, held, flows, limits, is_mine)
        forecasts = self._forecast(nmis, held, flows, is_mine)
        self._rows[index].append(rows)
        self._forecasts[index].append(forecasts)
        self._held += rows.height
        self._telemetry_rows[index] += rows.height
        self._forecast_rows[index] += forecasts.height
        breach = flows.is_breach[held].reshape(len(held), count, MINUTES) & is_mine[:, :, None]
        self._breach_minutes[index] += int(breach.sum())
        self._breach_intervals[index] += int(breach.any(axis=2).sum())
        self._sum_up(index, held, flows, limits, is_mine)
        if intervals == slice(None):
            wanted = _BOFFER_NMIS - len(self._nmi_days[index])
            for place, nmi in zip(held[:wanted].tolist(), nmis, strict=False):
                self._nmi_days[index].append(self._nmi_boffer(nmi, place, flows, limits))

    def _telemetry(
        self,
        nmis: list[str],
        held: npt.NDArray[np.intp],
        flows: Flows,
        limits: tuple[Int32, Int32],
        is_mine: npt.NDArray[np.bool_],
    ) -> pl.DataFrame:
        import polars as pl

        plan = self._plan.sample
        minutes = plan.intervals * MINUTES
        minute = plan.horizon_start + 60 * np.arange(1, minutes + 1, dtype=np.int64)
        count = len(held)
        mine = np.repeat(is_mine, MINUTES, axis=1).reshape(-1)
        total = int(mine.sum())

        def flat(values: Int32) -> Int32:
            return np.ascontiguousarray(values.reshape(-1)[mine], dtype=np.int32)

        generation, load = flows.generation[held], flows.load[held]
        texts = pl.Series(nmis).cast(pl.Categorical)
        submitted = (plan.horizon_start - sample.SUBMITTED_BEFORE_S) * MICROS
        sent = (plan.horizon_start + plan.intervals * INTERVAL_S + 7200) * MICROS
        nothing = pl.Series([None], dtype=pl.Int32).new_from_index(0, total)
        return pl.DataFrame(
            {
                "nmi": texts.gather(np.repeat(np.arange(count), minutes)[mine]),
                "minute": np.tile(minute, count)[mine],
                "active_power_w": flat(flows.uncontrolled[held] + generation + load),
                "controlled_generation_w": flat(generation),
                "controlled_load_w": flat(load),
                "energy_stored_wh": flat(flows.stored_wh[held]),
                "export_limit_w": flat(np.repeat(limits[0][held], MINUTES, axis=1)),
                "import_limit_w": flat(np.repeat(limits[1][held], MINUTES, axis=1)),
                "reactive_export_limit_var": nothing,
                "reactive_import_limit_var": nothing,
                "envelope_submitted_us": np.full(total, submitted, dtype=np.int64),
                "submitted_us": np.full(total, sent, dtype=np.int64),
            }
        )

    def _forecast(
        self,
        nmis: list[str],
        held: npt.NDArray[np.intp],
        flows: Flows,
        is_mine: npt.NDArray[np.bool_],
    ) -> pl.DataFrame:
        import polars as pl

        plan, mine = self._plan.sample, is_mine.reshape(-1)
        actual = flows.uncontrolled[held][:, MINUTES - 1 :: MINUTES]
        random = self._forecast_random
        bias = random.normal(0, 60, (len(held), 1))
        error = bias + 0.12 * actual * random.standard_normal(actual.shape)
        ends = plan.horizon_start + INTERVAL_S * np.arange(1, plan.intervals + 1, dtype=np.int64)
        end = np.tile(ends, len(held))[mine]
        texts = pl.Series(nmis).cast(pl.Categorical)
        predicted = np.minimum(actual + error, 0).astype(np.int32)
        return pl.DataFrame(
            {
                "nmi": texts.gather(np.repeat(np.arange(len(held)), plan.intervals)[mine]),
                "interval_end": end,
                "uncontrolled_w": predicted.reshape(-1)[mine],
                "submitted_us": (end - INTERVAL_S - 30) * MICROS,
            }
        )

    def _sum_up(
        self,
        index: int,
        held: npt.NDArray[np.intp],
        flows: Flows,
        limits: tuple[Int32, Int32],
        is_mine: npt.NDArray[np.bool_],
    ) -> None:
        last = np.s_[:, MINUTES - 1 :: MINUTES]
        uncontrolled, generation, load = (
            (values[held][last] * is_mine).sum(axis=0, dtype=np.int64)
            for values in (flows.uncontrolled, flows.generation, flows.load)
        )
        self._uncontrolled[index] += uncontrolled
        self._generation[index] += generation
        self._load[index] += load
        self._actual[index] += uncontrolled + generation + load
        self._export[index] += (limits[0][held] * is_mine).sum(axis=0, dtype=np.int64)
        self._import[index] += (limits[1][held] * is_mine).sum(axis=0, dtype=np.int64)

    # -- what is left at the end ---------------------------------------------------------------

    def close(self) -> EdgeSummary:
        """Write what is left, the Boffers and the targets."""
        self._flush()
        random = sample.random_stream(self._plan.sample, "offers")
        off, over = [], []
        for index, name in enumerate(self._ids):
            over.append(self._write_boffer(index, random))
            off.append(self._write_targets(index, random))
            days = write_boffers(self._nmi_days[index], ndjson=True)
            (self._folder / name / "nmi-boffers.ndjson").write_bytes(days)

        def by_id(values: list[int]) -> dict[str, int]:
            return dict(zip(self._ids, values, strict=True))

        return EdgeSummary(
            telemetry_rows=by_id(self._telemetry_rows),
            breach_intervals=by_id(self._breach_intervals),
            breach_minutes=by_id(self._breach_minutes),
            forecast_rows=by_id(self._forecast_rows),
            targets_off=by_id(off),
            offers_over=by_id(over),
            breaches=self._plan.breaches,
        )

    def _flush(self) -> None:
        import polars as pl

        for index, name in enumerate(self._ids):
            if not self._rows[index]:
                continue
            self._parts[index] += 1
            part = f"part-{self._parts[index]:04d}.parquet"
            rows = pl.concat(self._rows[index])
            rows.write_parquet(self._folder / name / "telemetry" / part)
            pl.concat(self._forecasts[index]).write_parquet(self._folder / name / "forecast" / part)
            if self._parts[index] == 1:
                one = rows.filter(pl.col("nmi").cast(pl.String) == str(rows["nmi"][0]))
                text = write_telemetry(one)
                (self._folder / name / "telemetry-one-nmi.json").write_bytes(text)
            self._rows[index], self._forecasts[index] = [], []
        self._held = 0

    def _write_boffer(self, index: int, random: np.random.Generator) -> int:
        """The DUID Boffer over 48 hours; the second day repeats the first."""
        plan = self._plan.sample
        count = plan.intervals
        room = self._export[index] - self._uncontrolled[index]
        generation = np.minimum(self._generation[index], room)
        # Too much is offered where much could be: an offer that forgets the envelope.
        is_over = (generation * 2 > room) & (random.random(count) < _OVER_OFFERED)
        generation = np.where(is_over, room + self._export[index] // 12, generation)
        avail = bands(self._uncontrolled[index], self._load[index], generation)
        whole = np.tile(avail, (-(-boffer.HORIZON // count), 1))[: boffer.HORIZON]
        days = []
        for day in range(boffer.HORIZON // PERIODS_PER_DAY):
            rows = whole[day * PERIODS_PER_DAY : (day + 1) * PERIODS_PER_DAY]
            days.append(
                boffer.make_day(
                    self._ids[index],
                    plan.day + timedelta(days=day),
                    PRICES,
                    rows,
                    max_avail_load=rows[:, :10].sum(axis=1).tolist(),
                    max_avail_gen=rows[:, 10:].sum(axis=1).tolist(),
                    submitted_us=(plan.horizon_start - 60) * MICROS,
                )
            )
        (self._folder / self._ids[index] / "boffer.json").write_bytes(write_boffers(days))
        offered = avail[:, 10:].sum(axis=1)
        return int((offered > self._export[index]).sum())

    def _nmi_boffer(
        self, nmi: str, place: int, flows: Flows, limits: tuple[Int32, Int32]
    ) -> boffer.BofferDay:
        plan = self._plan.sample
        count = min(plan.intervals, PERIODS_PER_DAY)
        last = np.s_[place, MINUTES - 1 :: MINUTES]
        uncontrolled = flows.uncontrolled[last].astype(np.int64)[:count]
        room = limits[0][place][:count].astype(np.int64) - uncontrolled
        generation = np.minimum(flows.generation[last].astype(np.int64)[:count], room)
        load = flows.load[last].astype(np.int64)[:count]
        least = limits[1][place][:count].astype(np.int64) - uncontrolled
        load = np.maximum(load, np.minimum(least, 0))
        return boffer.make_day(
            nmi,
            plan.day,
            PRICES,
            bands(uncontrolled, load, generation),
            kind="NMI",
            submitted_us=(plan.horizon_start - 60) * MICROS,
        )

    def _write_targets(self, index: int, random: np.random.Generator) -> int:
        import polars as pl

        plan, actual = self._plan.sample, self._actual[index]
        size = np.maximum(np.abs(actual), 1_000)
        is_off = random.random(len(actual)) < _OFF_TARGET
        share = np.where(is_off, random.uniform(0.12, 0.4, len(actual)), 0)
        side = np.where(random.random(len(actual)) < 0.5, -1, 1)
        near = random.uniform(-0.02, 0.02, len(actual))
        target = (actual + size * (near + share * side)).astype(np.int64)
        ends = plan.horizon_start + INTERVAL_S * np.arange(1, plan.intervals + 1, dtype=np.int64)
        frame = pl.DataFrame(
            {
                "duid": pl.Series([self._ids[index]] * len(ends)).cast(pl.Categorical),
                "interval_end": ends,
                "target_w": target.astype(np.int32),
                "price_cents": pl.Series([None] * len(ends), dtype=pl.Int64),
                "issued_us": (ends - INTERVAL_S - 20) * MICROS,
            }
        )
        path = self._folder / self._ids[index] / "dispatch.ndjson"
        path.write_bytes(write_instructions(frame, ndjson=True))
        return int((np.abs(actual - target) > np.abs(target) // 10).sum())


def bands(uncontrolled_w: Int64, load_w: Int64, generation_w: Int64) -> Int32:
    """Quantities of an offer at the connection point, shape (n, 20), as in HLD Appendix G.

    Up to $0 all load is on and generation off; up to $99 only what is uncontrolled is on; from $100
    generation is on as well. What generation only offsets is load that is offered below $99.
    """
    all_on = uncontrolled_w + generation_w
    avail = np.zeros((len(uncontrolled_w), BANDS), dtype=np.int64)
    avail[:, 9] = np.minimum(all_on, 0)
    avail[:, 7] = np.minimum(uncontrolled_w, 0) - avail[:, 9]
    avail[:, 1] = load_w
    avail[:, 17] = np.maximum(all_on, 0)
    return avail.astype(np.int32)
