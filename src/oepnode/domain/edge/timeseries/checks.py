"""Rules of time that telemetry, forecasts and dispatch instructions share.

A `Dataset` has its columns and the length of its periods; the rules follow from it: one value per
series and period. Findings have codes of the dataset's family: ``telemetry.gap``,
``forecast.duplicate``. Source: Part C §4, §5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import polars as pl

from oepnode.domain.documents.arrays import Bools, Indices
from oepnode.domain.documents.faults import show_value
from oepnode.domain.edge.schema.columns import PathOf, dtype_of, report
from oepnode.domain.edge.schema.kinds import BAD
from oepnode.domain.edge.schema.shape import Attribute
from oepnode.domain.edge.timeseries import daylight_saving
from oepnode.domain.edge.timeseries.gaps import Gaps, Horizon, Jumps, Series, examine
from oepnode.domain.edge.validation.finding_log import FindingLog
from oepnode.domain.nem.nem_time import (
    INTERVAL_S,
    MICROS,
    PERIODS_PER_DAY,
    format_nem,
    period_start,
)

RULES: Final = (
    "gap",
    "duplicate",
    "conflict",
    "superseded",
    "clock_jump",
    "outside_day",
    "submitted_early",
)
"""Second parts of the codes, after a dataset's family; ``superseded`` is a caution."""


@dataclass(frozen=True)
class Dataset:
    """A dataset of measurements: its columns, and how far apart its periods are.

    Attributes:
        title: Its name for messages.
        family: First part of its codes.
        section: Section that defines it.
        step_s: Seconds of a period.
        cadence: Section that defines the length of a period.
        key: Column of the identity.
        time: Column of the period's end.
        submitted: Column of the submission.
        columns: All columns in canonical order.
    """

    title: str
    family: str
    section: str
    step_s: int
    cadence: str
    key: str
    time: str
    submitted: str
    columns: Mapping[str, Attribute]

    @property
    def schema(self) -> pl.Schema:
        """The canonical columns with their types."""
        return pl.Schema({name: dtype_of(name, a) for name, a in self.columns.items()})

    def sections(self) -> dict[str, str]:
        """Section of each column and of each field."""
        by_column = {name: a.section for name, a in self.columns.items()}
        return by_column | {a.name: a.section for a in self.columns.values()}

    def horizon(self, day: date) -> Horizon:
        """Period ends of a trading day."""
        start = int(period_start(day, 1))
        return Horizon(start + self.step_s, start + PERIODS_PER_DAY * INTERVAL_S)


class Table:
    """Rows of a dataset as they are read from JSON, with their positions."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._values: dict[str, list[Any]] = {name: [] for name in dataset.columns}
        self._positions: list[tuple[int, int]] = []

    def add(self, row: Mapping[str, Any], record: int, element: int = -1) -> None:
        """Add a row; a value of a broken form is kept as zero, because its fault is noted."""
        if any(row[name] in (BAD, None) for name in (self._dataset.key, self._dataset.time)):
            return
        for name, values in self._values.items():
            value = row[name]
            if value is BAD:
                value = None if self._dataset.columns[name].nullable else 0
            values.append(value)
        self._positions.append((record, element))

    def frame(self) -> pl.DataFrame:
        """The canonical frame."""
        schema = self._dataset.schema
        return pl.DataFrame(
            [
                _series(name, values, schema[name], self._dataset.columns[name])
                for name, values in self._values.items()
            ]
        )

    def path(self, row: int, column: str, array: str = "", outer: Sequence[str] = ()) -> str:
        """Path of a value: in an element of an array, or in the record itself."""
        record, element = self._positions[row]
        name = self._dataset.columns[column].name
        if element < 0 or column in outer:
            return f"$.records[{record}].{name}"
        return f"$.records[{record}].{array}[{element}].{name}"


def _series(name: str, values: list[Any], dtype: pl.DataType, attribute: Attribute) -> pl.Series:
    if not attribute.nullable and not isinstance(dtype, pl.Categorical):
        values = [0 if value is None else value for value in values]
    return pl.Series(name, values, dtype=dtype)


def check(
    dataset: Dataset, frame: pl.DataFrame, log: FindingLog, path_of: PathOf, day: date | None = None
) -> pl.DataFrame:
    """Check rows against the rules of time.

    Args:
        dataset: Their dataset.
        frame: Canonical columns; their form has been checked.
        log: Takes the findings.
        path_of: Row and column → path.
        day: The trading day that each series should cover from end to end.

    Returns:
        The frame without the rows that a later submission replaces.
    """
    if not frame.height:
        return frame
    checker = _Checker(dataset, frame, log, path_of)
    if day is not None:
        checker.outside(dataset.horizon(day))
    end = frame[dataset.time].to_numpy()
    horizon = None if day is None else dataset.horizon(day)
    series = examine(frame[dataset.key], end, dataset.step_s, frame[dataset.submitted], horizon)
    checker.jumps(series.jumps)
    checker.gaps(series.gaps)
    replaced = checker.repeats(series)
    if not replaced.any():
        return frame
    return frame.filter(pl.Series(~replaced))


def check_single_unit(
    dataset: Dataset, frame: pl.DataFrame, log: FindingLog, path_of: PathOf
) -> None:
    """Check that a document is of one DUID, the aggregator's whole portfolio (HLD §4.2.1)."""
    names = frame[dataset.key]
    if not frame.height or names.n_unique() <= 1:
        return
    mask = (names != names[0]).to_numpy()

    def put(row: int, count: int) -> None:
        log.business(
            "duid.mixed",
            path_of(row, dataset.key),
            "HLD §4.2.1",
            "a document must be of one DUID, which is the aggregator's whole portfolio",
            show_value(names[row]),
            count=count,
        )

    report(mask, put)


def check_after(
    dataset: Dataset,
    frame: pl.DataFrame,
    log: FindingLog,
    path_of: PathOf,
    message: str,
    section: str,
) -> None:
    """Check that measurements are submitted after their period."""
    ends = frame[dataset.time] * MICROS
    mask = (frame[dataset.submitted] < ends).fill_null(value=False)
    if not mask.any():
        return

    def put(row: int, count: int) -> None:
        path, end = path_of(row, dataset.submitted), format_nem(frame[dataset.time][row])
        code = f"{dataset.family}.submitted_early"
        log.business(code, path, section, message, f"for {end}", count=count)

    report(mask.to_numpy(), put)


class _Checker:
    """Turns gaps, jumps and repeats of series into findings."""

    def __init__(
        self, dataset: Dataset, frame: pl.DataFrame, log: FindingLog, path_of: PathOf
    ) -> None:
        self._dataset = dataset
        self._frame = frame
        self._log = log
        self._path_of = path_of

    def outside(self, horizon: Horizon) -> None:
        """Report rows that do not belong to the trading day."""
        end = self._frame[self._dataset.time]
        first, last = end.min(), end.max()
        assert isinstance(first, int) and isinstance(last, int)  # noqa: S101 - not empty
        if first >= horizon.first and last <= horizon.last:
            return
        mask = ((end < horizon.first) | (end > horizon.last)).to_numpy()
        message = f"the trading day is {format_nem(horizon.first)} to {format_nem(horizon.last)}"
        report(
            mask,
            lambda row, count: self._put("outside_day", row, message, format_nem(end[row]), count),
        )

    def jumps(self, jumps: Jumps) -> None:
        """Report clocks that go back."""
        end = self._frame[self._dataset.time]

        def put(index: int, count: int) -> None:
            row = int(jumps.row[index])
            value = f"{format_nem(int(jumps.before[index]))}, then {format_nem(end[row])}"
            self._put("clock_jump", row, "time must not go back within a series", value, count)

        report(~jumps.is_saving, put)
        hour = jumps.is_saving, jumps.row, jumps.before
        daylight_saving.report_repeated(*hour, self._put_hour)

    def gaps(self, gaps: Gaps) -> None:
        """Report periods that are missing."""
        step = self._dataset.step_s

        def put(index: int, count: int) -> None:
            first, length = int(gaps.first[index]), int(gaps.count[index])
            last = first + (length - 1) * step
            value = f"{length} missing, {format_nem(first)} to {format_nem(last)}"
            message = f"a series must have a row every {step} s"
            self._put("gap", int(gaps.row[index]), message, value, count)

        report(~gaps.is_saving, put)
        hour = gaps.is_saving, gaps.row, gaps.first - step
        daylight_saving.report_missing(*hour, self._put_hour)

    def _put_hour(self, row: int, message: str, value: str, count: int) -> None:
        path = self._path_of(row, self._dataset.time)
        code, section = daylight_saving.CODE, daylight_saving.SECTION
        self._log.business(code, path, section, message, value, count=count)

    def repeats(self, series: Series) -> Bools:
        """Report rows of one series and period; return those that a later submission replaces."""
        replaced = np.zeros(self._frame.height, dtype=np.bool_)
        if not len(series.repeats):
            return replaced
        row, other = series.repeats[:, 0], series.repeats[:, 1]
        later = self._frame[row.astype(np.uint32)]
        earlier = self._frame[other.astype(np.uint32)]
        name = self._dataset.submitted
        is_resent = (later[name] != earlier[name]).fill_null(value=False).to_numpy()
        is_equal = np.ones(len(row), dtype=np.bool_)
        for column in self._dataset.columns:
            if column != name:
                is_equal &= later[column].eq_missing(earlier[column]).to_numpy()
        is_reported = self._in_repeated_hour(later, series.jumps)
        put = self._repeat_finding(row, other)
        once = "a series must have one row for a period"
        report(~is_resent & is_equal & ~is_reported, put("duplicate", f"{once}; this is a copy"))
        message = f"{once}; these differ, and no later submission decides"
        report(~is_resent & ~is_equal & ~is_reported, put("conflict", message))
        report(is_resent, put("superseded", "a later submission replaces an earlier row"))
        return self._replaced(series.repeats[is_resent], replaced)

    def _repeat_finding(
        self, row: Indices, other: Indices
    ) -> Callable[[str, str], Callable[[int, int], None]]:
        def finding(code: str, message: str) -> Callable[[int, int], None]:
            def put(index: int, count: int) -> None:
                value = f"the other is {self._path_of(int(other[index]), self._dataset.time)}"
                self._put(code, int(row[index]), message, value, count)

            return put

        return finding

    def _in_repeated_hour(self, rows: pl.DataFrame, jumps: Jumps) -> Bools:
        """Whether a repeat belongs to an hour that is reported already."""
        reported = np.zeros(rows.height, dtype=np.bool_)
        chosen = jumps.row[jumps.is_saving]
        if not len(chosen):
            return reported
        key, last = self._dataset.key, jumps.before[jumps.is_saving]
        names = self._frame[key][chosen.astype(np.uint32)].to_physical().to_numpy()
        series, end = rows[key].to_physical().to_numpy(), rows[self._dataset.time].to_numpy()
        for before in np.unique(last).tolist():
            is_hour = (end > before - daylight_saving.HOUR_S) & (end <= before)
            reported |= is_hour & np.isin(series, names[last == before])
        return reported

    def _replaced(self, pairs: Indices, replaced: Bools) -> Bools:
        """Mark the rows of resent periods that do not have the latest submission."""
        if not len(pairs):
            return replaced
        rows = np.unique(pairs)
        key, time, name = self._dataset.key, self._dataset.time, self._dataset.submitted
        chosen = self._frame[rows.astype(np.uint32)].select(key, time, name)
        latest = pl.col(name).max().over(key, time)
        replaced[rows] = chosen.select(pl.col(name) < latest).to_series().to_numpy()
        return replaced

    def _put(self, code: str, row: int, message: str, value: str, count: int) -> None:
        path = self._path_of(row, self._dataset.time)
        put = self._log.caution if code == "superseded" else self._log.business
        name = f"{self._dataset.family}.{code}"
        put(name, path, self._dataset.cadence, message, value, count=count)
