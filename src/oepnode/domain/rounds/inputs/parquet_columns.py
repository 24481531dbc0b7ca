"""Columns of a Parquet batch as arrays, checked by the rules that JSON is checked by.

Guarantees: a column without a fault is checked as a whole and not copied; the faults of any other
are those of the JSON reader, each with the row's number. Source: rules-v1 sections 3 to 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa

from oepnode.domain.documents.arrays import Bools, Int32s, Int64s, Texts
from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.documents.json_fields import SiteIdReader, read_choice, read_text
from oepnode.domain.nem.nem_time import INTERVAL_S, MICROS
from oepnode.domain.nem.tokens import SiteIdKind
from oepnode.domain.rounds.inputs import parquet_form as form
from oepnode.domain.rounds.inputs.envelope_form import MAX_OBJECTIVE_BYTES
from oepnode.domain.rounds.inputs.site_ids import fixed_site_ids, site_id_column
from oepnode.domain.rounds.inputs.supersession import NO_SUBMISSION

INSTANTS_END_US: Final = 4_291_747_200 * MICROS
"""2106-01-01T00:00:00Z: years are 1970 to 2105, in UTC as Parquet has it."""

_PER_SECOND: Final = {"ms": 1_000, "us": MICROS, "ns": 1_000_000_000}
_BROKEN_TIME: Final = -2


def validity(column: Any) -> Bools | None:  # noqa: ANN401 - pyarrow has no types
    """Per element, whether it is not null; None where none is."""
    if not column.null_count:
        return None
    bits = np.frombuffer(column.buffers()[0], dtype=np.uint8)
    every = np.unpackbits(bits, count=column.offset + len(column), bitorder="little")
    return np.asarray(every[column.offset :], dtype=np.bool_)


def integers(column: Any, dtype: type[np.signedinteger[Any]]) -> Any:  # noqa: ANN401
    """The values of a column of fixed width, whatever they are where an element is null."""
    values = np.frombuffer(column.buffers()[1], dtype=dtype)
    return values[column.offset : column.offset + len(column)]


def site_ids(column: Any, first_row: int, reader: SiteIdReader) -> Texts:  # noqa: ANN401
    """NMIs or tokens of a column of strings."""
    fixed = _of_one_width(column)
    if fixed is not None and reader.kind in {None, SiteIdKind(fixed.dtype.itemsize)}:
        reader.kind = SiteIdKind(fixed.dtype.itemsize)
        return fixed
    ids = [
        reader.read(value, f"$.rows[{first_row + row}].nmi") or ""
        for row, value in enumerate(column.to_pylist())
    ]
    return site_id_column(ids, reader.kind)


def _of_one_width(column: Any) -> Texts | None:  # noqa: ANN401
    """The column as it is, where all are NMIs of ten characters, or all are tokens."""
    if column.null_count or not len(column):
        return None
    is_large = pa.types.is_large_string(column.type)
    _, offsets, data = column.buffers()
    bounds = np.frombuffer(offsets, dtype=np.int64 if is_large else np.int32)
    bounds = bounds[column.offset : column.offset + len(column) + 1]
    width = int(bounds[1] - bounds[0])
    if (np.diff(bounds) != width).any() or not width:
        return None
    text = np.frombuffer(data, dtype=np.uint8)[int(bounds[0]) : int(bounds[-1])]
    return fixed_site_ids(text, width)


def choices(
    column: Any,  # noqa: ANN401
    first_row: int,
    name: str,
    codes: Mapping[str, int],
    log: FaultLog,
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Codes of a column of a few exact strings."""
    texts, index = _distinct(column)
    known = np.array([codes.get(text, 0) if text is not None else 0 for text in texts] or [0])
    bad = [text not in codes for text in texts]
    if any(bad):
        for row in np.flatnonzero(np.array(bad)[index]).tolist():
            path = f"$.rows[{first_row + row}].{name}"
            read_choice(texts[int(index[row])], path, log, codes)
    return known.astype(np.uint8)[index]


def objectives(
    column: Any,  # noqa: ANN401
    first_row: int,
    log: FaultLog,
) -> tuple[tuple[str, ...], Int32s]:
    """Objective functions of a column, and per row the index of its one."""
    texts, index = _distinct(column)
    for number, text in enumerate(texts):
        check = FaultLog(log.what)
        if read_text(text, "", check, MAX_OBJECTIVE_BYTES) is None:
            for row in np.flatnonzero(index == number).tolist():
                path = f"$.rows[{first_row + row}].{form.OBJECTIVE}"
                read_text(text, path, log, MAX_OBJECTIVE_BYTES)
    return tuple(text or "" for text in texts), index


def _distinct(column: Any) -> tuple[list[str | None], Int32s]:  # noqa: ANN401
    """The distinct values of a dictionary column, and per row the index of its one."""
    index = integers(column.indices, np.int32).copy()
    texts: list[str | None] = column.dictionary.to_pylist()
    is_valid = validity(column.indices)
    if is_valid is not None:
        index[~is_valid] = len(texts)
        texts.append(None)
    used, index = np.unique(index, return_inverse=True)
    return [texts[number] for number in used.tolist()], index.astype(np.int32)


def submissions(column: Any, first_row: int, log: FaultLog) -> Int64s:  # noqa: ANN401
    """Submission times in microseconds, `NO_SUBMISSION` where null."""
    micros, is_valid = _micros(column)
    _check_instants(micros, is_valid, first_row, form.SUBMITTED, log)
    return micros if is_valid is None else np.where(is_valid, micros, NO_SUBMISSION)


def starts(column: Any, first_row: int, name: str, log: FaultLog) -> Int64s:  # noqa: ANN401
    """Interval starts in UTC seconds, on the grid."""
    micros, is_valid = _micros(column)
    if is_valid is not None:
        for row in np.flatnonzero(~is_valid).tolist():
            log.add(f"$.rows[{first_row + row}]", "time.missing", f"{name} must not be null")
    in_range = _check_instants(micros, is_valid, first_row, name, log)
    off_grid = in_range & (micros % (INTERVAL_S * MICROS) != 0)
    message = "a dispatch interval must start at a multiple of 5 minutes"
    for row in np.flatnonzero(off_grid).tolist():
        log.add(f"$.rows[{first_row + row}].{name}", "time.grid", message)
    return micros // MICROS


def _micros(column: Any) -> tuple[Int64s, Bools | None]:  # noqa: ANN401
    """Instants in microseconds; `_BROKEN_TIME` where one has parts of a microsecond."""
    values, per_second = integers(column, np.int64), _PER_SECOND[column.type.unit]
    if per_second == MICROS:
        return values, validity(column)
    if per_second < MICROS:
        scale = MICROS // per_second
        most = INSTANTS_END_US // scale
        return np.where(abs(values) <= most, values, _BROKEN_TIME) * scale, validity(column)
    scale = per_second // MICROS
    return np.where(values % scale == 0, values // scale, _BROKEN_TIME), validity(column)


def _check_instants(
    micros: Int64s, is_valid: Bools | None, first_row: int, name: str, log: FaultLog
) -> Bools:
    in_range = (micros >= 0) & (micros < INSTANTS_END_US)
    bad = ~in_range if is_valid is None else ~in_range & is_valid
    message = "an instant must be in the years 1970 to 2105 (UTC), in whole microseconds"
    for row in np.flatnonzero(bad).tolist():
        log.add(f"$.rows[{first_row + row}].{name}", "time.format", message)
    return in_range if is_valid is None else in_range & is_valid


def check_last(start: Int64s, length: Int64s, first_row: int, name: str, log: FaultLog) -> None:
    """Check that the later intervals of lists are in the same range."""
    bad = (start >= 0) & ((start + (length - 1) * INTERVAL_S) * MICROS >= INSTANTS_END_US)
    bad &= start * MICROS < INSTANTS_END_US
    for row in np.flatnonzero(bad).tolist():
        message = "the last interval must be in the years 1970 to 2105 (UTC)"
        log.add(f"$.rows[{first_row + row}].{name}", "time.format", message)
