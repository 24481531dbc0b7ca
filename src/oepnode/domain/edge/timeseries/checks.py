"""What telemetry, forecasts and dispatch instructions share: one value per series and period.

A `Dataset` says which columns there are and how far apart the periods lie; the rules of time follow
from it. Findings have codes of the dataset's family: ``telemetry.gap``, ``forecast.duplicate``.
Source: Part C §4, §5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from oepnode.domain.documents.faults import show_value
from oepnode.domain.edge.schema.columns import Bools, PathOf, dtype_of, report
from oepnode.domain.edge.schema.kinds import BAD
from oepnode.domain.edge.schema.shape import Attribute
from oepnode.domain.edge.timeseries import daylight_saving as saving_hour
from oepnode.domain.edge.timeseries.gaps import HOUR_S, Gaps, Horizon, Jumps, Series, examine
from oepnode.domain.edge.validation.finding_log import FindingLog
from oepnode.domain.nem.nem_time import INTERVAL_S, PERIODS_PER_DAY, format_nem, period_start

RULES: Final = (
    "gap",
    "duplicate",
    "conflict",
    "superseded",
    "clock_jump",
    "outside_day",
    "submitted_early",
)
"""Second parts of the codes, behind a dataset's family; ``superseded`` is a caution."""

_MICROS: Final = 1_000_000


@dataclass(frozen=True)
class Dataset:
    """What a dataset of measurements consists of.

    Attributes:
        what: Its name for messages.
        family: First part of its codes.
        section: Where it is defined.
        step_s: Seconds of a period.
        cadence: Where the length of a period is said.
        key: Column of the identity.
        time: Column of the period's end.
        submitted: Column of the submission.
        columns: All columns in canonical order.
    """

    what: str
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
        found = {name: a.section for name, a in self.columns.items()}
        return found | {a.name: a.section for a in self.columns.values()}

    def horizon(self, day: date) -> Horizon:
        """Period ends of a trading day."""
        start = int(period_start(day, 1))
        return Horizon(start + self.step_s, start + PERIODS_PER_DAY * INTERVAL_S)


class Table:
    """Rows of a dataset as they are read from JSON, with their places."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._values: dict[str, list[Any]] = {name: [] for name in dataset.columns}
        self._places: list[tuple[int, int]] = []

    def add(self, row: Mapping[str, Any], record: int, element: int = -1) -> None:
        """Add a row; a value whose form is broken is kept as zero, its fault is noted already."""
        if any(row[name] in (BAD, None) for name in (self._dataset.key, self._dataset.time)):
            return
        for name, values in self._values.items():
            value = row[name]
            if value is BAD:
                value = None if self._dataset.columns[name].nullable else 0
            values.append(value)
        self._places.append((record, element))

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
        """Place of a value: in an element of an array, or in the record itself."""
        record, element = self._places[row]
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
    """Hold rows to the rules of time.

    Args:
        dataset: What they are.
        frame: Canonical columns, whose form has been checked.
        log: Takes the findings.
        path_of: Row and column → place.
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
    found = examine(frame[dataset.key], end, dataset.step_s, frame[dataset.submitted], horizon)
    checker.jumps(found.jumps)
    checker.gaps(found.gaps)
    replaced = checker.repeats(found)
    if not replaced.any():
        return frame
    return frame.filter(pl.Series(~replaced))


def check_one_unit(dataset: Dataset, frame: pl.DataFrame, log: FindingLog, path_of: PathOf) -> None:
    """A document speaks of one DUID, which is the aggregator's whole portfolio (HLD §4.2.1)."""
    names = frame[dataset.key]
    if not frame.height or names.n_unique() <= 1:
        return
    mask = (names != names[0]).to_numpy()

    def put(row: int, count: int) -> None:
        log.business(
            "duid.mixed",
            path_of(row, dataset.key),
            "HLD §4.2.1",
            "a document speaks of one DUID, which is the aggregator's whole portfolio",
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
    """What is measured is submitted afterwards."""
    ends = frame[dataset.time] * _MICROS
    mask = (frame[dataset.submitted] < ends).fill_null(value=False)
    if not mask.any():
        return

    def put(row: int, count: int) -> None:
        path, shown = path_of(row, dataset.submitted), format_nem(frame[dataset.time][row])
        code = f"{dataset.family}.submitted_early"
        log.business(code, path, section, message, f"for {shown}", count=count)

    report(mask.to_numpy(), put)


class _Checker:
    """Turns what `series` finds into findings."""

    def __init__(
        self, dataset: Dataset, frame: pl.DataFrame, log: FindingLog, path_of: PathOf
    ) -> None:
        self._dataset = dataset
        self._frame = frame
        self._log = log
        self._path_of = path_of

    def outside(self, horizon: Horizon) -> None:
        """Rows that do not belong to the trading day."""
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
        """Clocks that go back."""
        end = self._frame[self._dataset.time]

        def put(place: int, count: int) -> None:
            row = int(jumps.row[place])
            shown = f"{format_nem(int(jumps.before[place]))}, then {format_nem(end[row])}"
            self._put("clock_jump", row, "time does not go back within a series", shown, count)

        report(~jumps.is_saving, put)
        saving_hour.tell_doubled(jumps, self._say_hour)

    def gaps(self, gaps: Gaps) -> None:
        """Periods that are missing."""
        step = self._dataset.step_s

        def put(place: int, count: int) -> None:
            first, length = int(gaps.first[place]), int(gaps.count[place])
            last = first + (length - 1) * step
            shown = f"{length} missing, {format_nem(first)} to {format_nem(last)}"
            message = f"a series has a row every {step} s"
            self._put("gap", int(gaps.row[place]), message, shown, count)

        report(~gaps.is_saving, put)
        saving_hour.tell_missing(gaps, step, self._say_hour)

    def _say_hour(self, row: int, message: str, value: str, count: int) -> None:
        path = self._path_of(row, self._dataset.time)
        self._log.business(saving_hour.CODE, path, saving_hour.RULE, message, value, count=count)

    def repeats(self, found: Series) -> Bools:
        """Rows of one series and period; returns which rows a later submission replaces."""
        replaced = np.zeros(self._frame.height, dtype=np.bool_)
        if not len(found.repeats):
            return replaced
        row, other = found.repeats[:, 0], found.repeats[:, 1]
        later = self._frame[row.astype(np.uint32)]
        earlier = self._frame[other.astype(np.uint32)]
        name = self._dataset.submitted
        is_resent = (later[name] != earlier[name]).fill_null(value=False).to_numpy()
        is_equal = np.ones(len(row), dtype=np.bool_)
        for column in self._dataset.columns:
            if column != name:
                is_equal &= later[column].eq_missing(earlier[column]).to_numpy()
        is_told = self._in_repeated_hour(later, found.jumps)
        self._say_repeats(row, other, is_resent, is_equal, is_told)
        return self._replaced(found.repeats[is_resent], replaced)

    def _say_repeats(
        self,
        row: npt.NDArray[np.intp],
        other: npt.NDArray[np.intp],
        is_resent: Bools,
        is_equal: Bools,
        is_told: Bools,
    ) -> None:
        time = self._dataset.time

        def said(code: str, message: str) -> Callable[[int, int], None]:
            def put(place: int, count: int) -> None:
                shown = f"the other is {self._path_of(int(other[place]), time)}"
                self._put(code, int(row[place]), message, shown, count)

            return put

        once = "a series has one row for a period"
        report(~is_resent & is_equal & ~is_told, said("duplicate", f"{once}; this is a copy"))
        message = f"{once}; these differ, and no later submission decides"
        report(~is_resent & ~is_equal & ~is_told, said("conflict", message))
        message = "a later submission replaces an earlier row"
        report(is_resent, said("superseded", message))

    def _in_repeated_hour(self, rows: pl.DataFrame, jumps: Jumps) -> Bools:
        """Whether a repeat belongs to an hour that is told of already."""
        told = np.zeros(rows.height, dtype=np.bool_)
        chosen = jumps.row[jumps.is_saving]
        if not len(chosen):
            return told
        key, last = self._dataset.key, jumps.before[jumps.is_saving]
        names = self._frame[key][chosen.astype(np.uint32)].to_physical().to_numpy()
        series, end = rows[key].to_physical().to_numpy(), rows[self._dataset.time].to_numpy()
        for before in np.unique(last).tolist():
            is_hour = (end > before - HOUR_S) & (end <= before)
            told |= is_hour & np.isin(series, names[last == before])
        return told

    def _replaced(self, pairs: npt.NDArray[np.intp], replaced: Bools) -> Bools:
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
