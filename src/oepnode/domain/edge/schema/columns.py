"""The bulk form of a dataset: reads a frame into integer columns, and notes every fault.

A column comes under its own name as integers (``active_power_w``), or under the document's name in
the document's unit (``activePower`` in kW, as floats, decimals or integers). Instants come as UTC
seconds or microseconds, as datetimes, or as text. Guarantees: the form is that of the JSON
reader, ranges included, checked a column at a time; a rejected value becomes null or 0, so that
later passes do not meet it; only `timed` leaves rows out. Source: Part C §4.3, §5.3 ("large file
transfer", §2.3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from oepnode.domain.documents.arrays import Bools
from oepnode.domain.documents.faults import FaultLog, show_value
from oepnode.domain.edge.schema.kinds import BAD, Identity, Instant, NmiText, Quantity
from oepnode.domain.edge.schema.shape import Attribute, fold
from oepnode.domain.edge.validation.finding_log import MAX_PER_CODE, FindingLog
from oepnode.domain.nem.nem_time import INSTANTS_END_S, MICROS, NEM_OFFSET, NO_OFFSET_WARNING
from oepnode.domain.nem.quantities import from_floats, to_text

Specs = Mapping[str, Attribute]
"""Column name → the attribute that it holds."""

PathOf = Callable[[int, str], str]
"""Row and column → path in the document."""

_PER_SECOND: Final = {"ms": 1000, "us": MICROS, "ns": 1_000_000_000}
_FAR: Final = 2**62
"""Replaces integers beyond 64 bits; out of every range as well."""
_INT64_COLUMNS: Final = frozenset({"price_cents"})


def row_path(row: int, column: str) -> str:
    """Return the path of a value in a file of rows."""
    return f"$.rows[{row}].{column}"


def dtype_of(name: str, attribute: Attribute) -> pl.DataType:
    """Return the type of a column in its canonical form."""
    if isinstance(attribute.kind, NmiText | Identity):
        return pl.Categorical()
    if isinstance(attribute.kind, Instant) or name in _INT64_COLUMNS:
        return pl.Int64()
    return pl.Int32()


def read_frame(frame: pl.DataFrame, specs: Specs, log: FindingLog) -> pl.DataFrame | None:
    """Bring a frame to its canonical columns; None where a column cannot be used at all.

    Args:
        frame: Rows as they were read.
        specs: The dataset's columns.
        log: Takes the faults.
    """
    reader = _Reader(frame, log)
    columns = {name: reader.column(name, attribute) for name, attribute in specs.items()}
    reader.note_unknown()
    if not frame.height:
        log.add("$", "document.empty", "a document must have at least one record")
    if any(series is None for series in columns.values()):
        return None
    return pl.DataFrame([series for series in columns.values() if series is not None])


def timed(frame: pl.DataFrame, time: str) -> tuple[pl.DataFrame, PathOf]:
    """Return the rows that have a time, for rules that need one, and their paths in the file."""
    if not frame[time].null_count():
        return frame, row_path
    rows = frame[time].is_not_null().arg_true()
    positions = rows.to_list()
    return frame[rows], lambda row, column: row_path(positions[row], column)


def report(mask: Bools, put: Callable[[int, int], None]) -> None:
    """Note every row of a mask: the first ones by their paths, the others by their number.

    Args:
        mask: Shape (rows,).
        put: Takes a row, and the number of rows that it counts for.
    """
    total = int(np.count_nonzero(mask))
    if not total:
        return
    first = np.flatnonzero(mask)[:MAX_PER_CODE].tolist()
    for row in first:
        put(row, 1)
    if total > len(first):
        put(first[-1], total - len(first))


@dataclass
class _Reader:
    frame: pl.DataFrame
    log: FindingLog

    def __post_init__(self) -> None:
        self._by_fold = {fold(name): name for name in self.frame.columns}
        self._used: set[str] = set()

    def column(self, name: str, attribute: Attribute) -> pl.Series | None:
        """One canonical column."""
        own = self._by_fold.get(fold(name))
        spellings = (fold(other) for other in (attribute.name, *attribute.also))
        documents = next((self._by_fold[f] for f in spellings if f in self._by_fold), None)
        given = own if own is not None else documents
        if given is None:
            return self._absent(name, attribute)
        self._used.add(given)
        if own is not None and documents is not None and documents != own:
            message = f"the column occurs twice, as {own} and as {documents}: give it once"
            self.log.add(f"$.columns.{documents}", "column.twice", message)
            self._used.add(documents)
        series = self.frame[given].alias(name)
        if series.dtype == pl.Null:
            series = series.cast(dtype_of(name, attribute))
        if not attribute.nullable or attribute.required:
            self._check_nulls(series, name, attribute)
        return self._read(series, name, attribute, is_own=own is not None)

    def note_unknown(self) -> None:
        """Note columns that are not read."""
        for name in self.frame.columns:
            if name not in self._used:
                message = "the dataset has no such column; it is ignored"
                self.log.odd("column.unknown", "$.columns", message, show_value(name))

    def _absent(self, name: str, attribute: Attribute) -> pl.Series | None:
        if attribute.required:
            message = f"the column is missing (or {attribute.name} in the document's unit)"
            self.log.add(f"$.columns.{name}", "column.missing", message)
            return None
        return pl.Series(name, [None], dtype=dtype_of(name, attribute)).new_from_index(
            0, self.frame.height
        )

    def _check_nulls(self, series: pl.Series, name: str, attribute: Attribute) -> None:
        if attribute.nullable or not series.null_count():
            return
        mask = series.is_null().to_numpy()
        message = "this field may not be null"
        self._reject(mask, name, "field.null", message)

    def _read(
        self, series: pl.Series, name: str, attribute: Attribute, *, is_own: bool
    ) -> pl.Series | None:
        kind = attribute.kind
        if isinstance(kind, NmiText | Identity):
            return self._identities(series, name, kind)
        if isinstance(kind, Instant):
            return self._instants(series, name, kind)
        assert isinstance(kind, Quantity)  # noqa: S101 - no other kinds are columns
        dtype = dtype_of(name, attribute)
        read = self._integers if is_own else self._numbers
        values = read(series, name, kind, dtype)
        if values is not None:
            self._check_sign(values, name, kind)
        return values

    def _reject(self, mask: Bools, name: str, code: str, message: str) -> None:
        report(
            mask,
            lambda row, count: self.log.add(row_path(row, name), code, message, count=count),
        )

    # --- identities ------------------------------------------------------------------------------

    def _identities(
        self, series: pl.Series, name: str, kind: NmiText | Identity
    ) -> pl.Series | None:
        dtype = series.dtype
        if not (dtype == pl.String or isinstance(dtype, pl.Categorical | pl.Enum)):
            return self._wrong_type(series, name, "text")
        coded = series if isinstance(dtype, pl.Categorical) else series.cast(pl.Categorical())
        known = coded.unique().drop_nulls().cast(pl.String).to_list()
        read: dict[str, str] = {}
        for text in known:
            trial = FaultLog("identity")
            identity = kind.read(text, "", trial)
            if identity is BAD:
                self._bad_identity(coded, name, kind, text)
            elif identity != text:
                read[text] = identity
        if read:
            coded = coded.cast(pl.String).replace(read).cast(pl.Categorical())
        return coded.fill_null("").alias(name) if coded.null_count() else coded

    def _bad_identity(
        self, coded: pl.Series, name: str, kind: NmiText | Identity, text: str
    ) -> None:
        rows = (coded == text).fill_null(value=False).to_numpy()
        kind.read(text, row_path(int(np.argmax(rows)), name), self.log)

    # --- instants --------------------------------------------------------------------------------

    def _instants(self, series: pl.Series, name: str, kind: Instant) -> pl.Series | None:
        dtype = series.dtype
        if dtype == pl.String:
            return self._texts(series, name, kind)
        if isinstance(dtype, pl.Datetime):
            instants, per_second = self._micros(series, dtype, name), MICROS
        elif dtype.is_integer():
            instants, per_second = _wide(series), 1 if kind.grid_s else MICROS
        else:
            return self._wrong_type(series, name, "an instant")
        instants = self._in_years(instants, name, per_second)
        if not kind.grid_s:
            return instants
        instants = self._on_grid(instants, name, kind, per_second)
        return instants if per_second == 1 else instants // per_second

    def _texts(self, series: pl.Series, name: str, kind: Instant) -> pl.Series:
        texts = series.unique().drop_nulls().to_list()
        read: dict[str, int | None] = {}
        for text in texts:
            first = int(np.argmax((series == text).fill_null(value=False).to_numpy()))
            instant = kind.read(text, row_path(first, name), self.log)
            read[text] = None if instant is BAD else instant
        if not read:
            return series.cast(pl.Int64)
        return series.replace_strict(read, default=None, return_dtype=pl.Int64)

    def _micros(self, series: pl.Series, dtype: pl.Datetime, name: str) -> pl.Series:
        """Datetimes as microseconds; those out of every range are first clipped near it."""
        per_second = _PER_SECOND[dtype.time_unit]
        far = 2 * INSTANTS_END_S * per_second
        near = series.to_physical().clip(-far, far)
        is_finer = per_second > MICROS
        micros = near // (per_second // MICROS) if is_finer else near * (MICROS // per_second)
        if dtype.time_zone is not None:
            return micros
        self.log.warn(f"$.columns.{name}", NO_OFFSET_WARNING)
        return micros - int(NEM_OFFSET.utcoffset(None).total_seconds()) * MICROS

    def _in_years(self, series: pl.Series, name: str, per_second: int) -> pl.Series:
        end = INSTANTS_END_S * per_second
        if _is_within(series, 0, end - 1):
            return series
        broken = ((series < 0) | (series >= end)).fill_null(value=False)
        message = "an instant must be in the years 1970 to 2105, NEM time"
        self._reject(broken.to_numpy(), name, "time.format", message)
        return series.set(broken, None)

    def _on_grid(self, series: pl.Series, name: str, kind: Instant, per_second: int) -> pl.Series:
        mask = series.fill_null(0).to_numpy() % (kind.grid_s * per_second) != 0
        if not mask.any():
            return series
        message = f"period ends must be multiples of {kind.grid_s} s"
        self._reject(mask, name, "time.grid", message)
        return series.set(pl.Series(mask), None)

    # --- numbers ---------------------------------------------------------------------------------

    def _integers(
        self, series: pl.Series, name: str, kind: Quantity, dtype: pl.DataType
    ) -> pl.Series | None:
        if not series.dtype.is_integer():
            return self._wrong_type(series, name, "integers")
        wide = series if series.dtype == dtype else _wide(series)
        most = kind.unit.most
        if not _is_within(wide, -most, most):
            beyond = ((wide < -most) | (wide > most)).fill_null(value=False)
            self._reject(beyond.to_numpy(), name, "number.range", f"at most {most} either way")
            wide = wide.set(beyond, 0)
        return wide.cast(dtype)

    def _numbers(
        self, series: pl.Series, name: str, kind: Quantity, dtype: pl.DataType
    ) -> pl.Series | None:
        if not series.dtype.is_numeric():
            return self._wrong_type(series, name, f"numbers of {kind.unit.name}")
        unit = kind.unit
        is_null = series.is_null().to_numpy()
        read = from_floats(series.cast(pl.Float64).fill_null(0.0).to_numpy(), unit)
        message = f"at most {unit.decimals} decimals of {unit.name} (multiples of {unit.step})"
        self._reject(read.inexact, name, f"{unit.family}.decimals", message)
        message = f"at most {to_text(unit.most, unit)} {unit.name} in magnitude"
        self._reject(read.beyond, name, f"{unit.family}.range", message)
        values = pl.Series(name, read.values).cast(dtype)
        if not is_null.any():
            return values
        return pl.select(
            pl.when(pl.Series(~is_null)).then(values).otherwise(None).alias(name)
        ).to_series()

    def _check_sign(self, series: pl.Series, name: str, kind: Quantity) -> None:
        for bound, is_least in ((kind.least, True), (kind.most, False)):
            extreme = series.min() if is_least else series.max()
            if bound is None or extreme is None:
                continue
            assert isinstance(extreme, int)  # noqa: S101 - the column holds integers
            if (extreme < bound) if is_least else (extreme > bound):
                mask = (series < bound) if is_least else (series > bound)
                word = "below" if is_least else "above"
                message = f"must not be {word} {to_text(bound, kind.unit)} {kind.unit.name}"
                rows = mask.fill_null(value=False).to_numpy()
                self._reject(rows, name, f"{kind.unit.family}.sign", message)

    def _wrong_type(self, series: pl.Series, name: str, expected: str) -> pl.Series | None:
        message = f"the column must hold {expected}"
        self.log.add(f"$.columns.{name}", "column.type", message, str(series.dtype))
        return None


def _wide(series: pl.Series) -> pl.Series:
    """Integers as Int64; those that do not fit become `_FAR`."""
    wide = series.cast(pl.Int64, strict=False)
    if wide.null_count() == series.null_count():
        return wide
    return wide.set(wide.is_null() & series.is_not_null(), _FAR)


def _is_within(series: pl.Series, least: int, most: int) -> bool:
    """Whether all integers lie in a range, both ends included; nulls do."""
    low, high = series.min(), series.max()
    if low is None or high is None:
        return True
    assert isinstance(low, int) and isinstance(high, int)  # noqa: S101 - the column holds integers
    return least <= low and high <= most
