"""The form of Boffers in a file of rows, one row per dispatch interval.

Guarantees: the result has the columns of `frame.FRAME`; every fault of the form is noted with its
row. Prices are cents and quantities W of each band alone, so that there are no decimals to check.
Prices and quantities may be null, or their columns left out, as in JSON.

Source: Part C §3.3.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from oepnode.domain.documents.arrays import Bools
from oepnode.domain.documents.faults import show_value
from oepnode.domain.edge.boffers.bands import BANDS
from oepnode.domain.edge.boffers.frame import FRAME
from oepnode.domain.edge.boffers.model import SECTION
from oepnode.domain.edge.schema.columns import report, row_path
from oepnode.domain.edge.schema.kinds import Identity, NmiText
from oepnode.domain.edge.validation.finding_log import FindingLog
from oepnode.domain.nem.nem_time import (
    FIRST_DATE,
    INSTANTS_END_S,
    LAST_DATE,
    MICROS,
    PERIODS_PER_DAY,
)

_OPTIONAL: Final = {
    "accumulated": False,
    "prices": None,
    "avail": None,
    "max_avail_load": None,
    "max_avail_gen": None,
    "fixed_load": None,
}
_MOST: Final = 2**31 - 1
_YEARS: Final = "within the years 1970 to 2105, NEM time"
_CHOICES: Final = {
    "kind": ("NMI", "DUID"),
    "level": ("NMI", "Flex"),
    "timing": ("PRE", "POST"),
}
_BANDED: Final = {"prices": "prices.count", "avail": "bands.count"}
_SECTIONS: Final = {
    "identity": f"{SECTION} field 1",
    "level": f"{SECTION} field 2",
    "timing": f"{SECTION} field 3",
    "accumulated": f"{SECTION} field 4",
    "trading_date": f"{SECTION} field 5.1",
    "prices": f"{SECTION} field 5.2",
    "period": f"{SECTION} field 5.3.1",
    "avail": f"{SECTION} field 5.3.2",
    "submitted_us": f"{SECTION} field 6",
}


def read_rows(frame: pl.DataFrame, log: FindingLog) -> pl.DataFrame | None:
    """Bring rows to `frame.FRAME`; None where a column cannot be used.

    Args:
        frame: Rows as they were read.
        log: Takes the faults.
    """
    log.describe(log.what, log.section, _SECTIONS)
    if not frame.height:
        log.add("$", "document.empty", "a document must have at least one record")
        return None
    columns = {name: _column(frame, name, log) for name in FRAME}
    for name in frame.columns:
        if name not in FRAME:
            message = "a column that the dataset does not have is not read"
            log.odd("column.unknown", "$.columns", message, show_value(name))
    if log.count:
        return None
    made = pl.DataFrame([series for series in columns.values() if series is not None])
    _check_values(made, log)
    return made


def _column(frame: pl.DataFrame, name: str, log: FindingLog) -> pl.Series | None:
    dtype = FRAME[name]
    if name not in frame.columns:
        if name in _OPTIONAL:
            return pl.Series(name, [_OPTIONAL[name]], dtype=dtype).new_from_index(0, frame.height)
        log.add(f"$.columns.{name}", "column.missing", "the column is missing")
        return None
    series = frame[name]
    if _OPTIONAL.get(name, False) is not None:
        _reject(series.is_null(), name, "field.null", "this field may not be null", log)
    if name in _BANDED:
        return _bands(series.cast(dtype) if series.dtype == pl.Null else series, name, log)
    if not _is_like(series.dtype, dtype):
        return _wrong_type(series, name, log)
    cast = series.cast(dtype, strict=False)
    lost = cast.is_null() & series.is_not_null()
    _reject(lost, name, "number.range", f"within {dtype}", log)
    return cast


def _is_like(given: pl.DataType, expected: pl.DataType) -> bool:
    if expected == pl.String:
        return given == pl.String or isinstance(given, pl.Categorical | pl.Enum)
    return given.is_integer() if expected.is_integer() else given == expected


def _bands(series: pl.Series, name: str, log: FindingLog) -> pl.Series | None:
    """A column of twenty integers a row."""
    dtype = series.dtype
    lists = series.arr.to_list() if isinstance(dtype, pl.Array) else series
    if not isinstance(lists.dtype, pl.List) or not lists.dtype.inner.is_integer():
        return _wrong_type(series, name, log)
    wrong = lists.list.len() != BANDS
    _reject(wrong, name, _BANDED[name], f"exactly {BANDS} elements", log)
    nulls = lists.list.eval(pl.element().is_null()).list.any()
    _reject(nulls, name, "field.null", "no band is null", log)
    expected = FRAME[name]
    assert isinstance(expected, pl.Array)  # noqa: S101 - both are
    narrow = lists.cast(pl.List(expected.inner), strict=False)
    lost = narrow.list.eval(pl.element().is_null()).list.any() & ~nulls
    _reject(lost, name, "number.range", f"within {expected.inner}", log)
    return None if log.count else narrow.list.to_array(BANDS)


def _check_values(frame: pl.DataFrame, log: FindingLog) -> None:
    outside = (frame["period"] < 1) | (frame["period"] > PERIODS_PER_DAY)
    message = f"a trading day has periods 1 to {PERIODS_PER_DAY}"
    _reject(outside, "period", "period.range", message, log)
    _check_times(frame, log)
    _check_amounts(frame, log)
    for name, words in _CHOICES.items():
        other = ~frame[name].is_in(list(words))
        _reject(other, name, "field.value", f"one of {', '.join(words)}", log)
    kinds = (("NMI", NmiText()), ("DUID", Identity()))
    for kind, reader in kinds:
        rows = frame.with_row_index("row").filter(pl.col("kind") == kind)
        first = rows.group_by("identity", maintain_order=True).agg(pl.col("row").first())
        for text, row in first.select("identity", "row").iter_rows():
            identity = reader.read(text, row_path(row, "identity"), log)
            if isinstance(identity, str) and identity != text:
                message = "in columns an NMI must be without its checksum"
                log.add(row_path(row, "identity"), "nmi.length", message)


def _check_times(frame: pl.DataFrame, log: FindingLog) -> None:
    date, submitted = frame["trading_date"], frame["submitted_us"]
    wrong = (date < FIRST_DATE) | (date > LAST_DATE)
    _reject(wrong, "trading_date", "time.format", _YEARS, log)
    wrong = (submitted < 0) | (submitted >= INSTANTS_END_S * MICROS)
    _reject(wrong, "submitted_us", "time.format", _YEARS, log)


def _check_amounts(frame: pl.DataFrame, log: FindingLog) -> None:
    """Check that prices and quantities are within ±(2^31 - 1), as in JSON; -2^31 is "not given"."""
    message = f"within ±{_MOST}"
    for name in ("max_avail_load", "max_avail_gen", "fixed_load"):
        _reject(frame[name] < -_MOST, name, "number.range", message, log)
    for name in _BANDED:
        least, most = frame[name].arr.min(), frame[name].arr.max()
        _reject((least < -_MOST) | (most > _MOST), name, "number.range", message, log)


def _reject(mask: pl.Series, name: str, code: str, message: str, log: FindingLog) -> None:
    rows: Bools = mask.fill_null(value=False).to_numpy().astype(np.bool_)
    report(rows, lambda row, count: log.add(row_path(row, name), code, message, count=count))


def _wrong_type(series: pl.Series, name: str, log: FindingLog) -> pl.Series | None:
    message = f"the column must hold {FRAME[name]}"
    log.add(f"$.columns.{name}", "column.type", message, str(series.dtype))
    return None
