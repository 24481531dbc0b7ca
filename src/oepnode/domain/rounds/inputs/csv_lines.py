"""Cuts CSV into lines and fields: RFC 4180 with a line for each row.

Guarantees: every line has the fields of the header, or is reported with its number; a quoted field
never holds a line end, so that text can be cut anywhere at one. Most text goes through the fast
parser of Arrow; text in which a quotation mark or a CR stands in an unusual place is cut here, line
by line. Source: rules-v1 section 5 (CSV), RFC 4180.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyarrow import csv

from oepnode.domain.documents.faults import FaultLog

_FIELD: Final = re.compile(r'(?:"((?:[^"]|"")*)"|([^",]*))(?:,|\Z)')
_BLANK_LINES: Final = (b"\n\n", b"\n\r\n")
_QUOTE: Final = ord('"')
_BEFORE: Final = np.isin(np.arange(256), list(b",\n"))
_AFTER: Final = np.isin(np.arange(256), list(b",\r\n"))


def fields_of(line: str) -> list[str] | None:
    """The fields of a line without its end; None where quotation marks do not fit."""
    fields: list[str] = []
    at = 0
    while True:
        match = _FIELD.match(line, at)
        if match is None:
            return None
        quoted, plain = match[1], match[2]
        fields.append(plain if quoted is None else quoted.replace('""', '"'))
        if match.end() == len(line) and not match[0].endswith(","):
            return fields
        if match.end() == at:
            return None
        at = match.end()


def text_columns(
    text: bytes, names: Sequence[str], first_line: int, log: FaultLog
) -> dict[str, Any] | None:
    """Columns of strings, null where a field is empty; None where a line is at fault.

    Args:
        text: Whole lines, the last with or without its end.
        names: The header's names.
        first_line: Number of the first line, from 1.
        log: Takes faults, each with its line.
    """
    lines = text.count(b"\n") + (not text.endswith(b"\n"))
    table = None if _is_unusual(text) else _parsed(text, names)
    if table is not None and table.num_rows == lines:
        return {name: _joined(table.column(name)) for name in names}
    return _cut(text, names, first_line, log)


def _is_unusual(text: bytes) -> bool:
    """Whether there is an empty line, a CR in a line, or a mark that is at no end of a field."""
    if text.startswith((b"\n", b"\r\n")) or any(mark in text for mark in _BLANK_LINES):
        return True
    if text.count(b"\r") != text.count(b"\r\n"):
        return True
    if b'"' not in text:
        return False
    codes = np.frombuffer(b"\n" + text + b"\n", dtype=np.uint8)
    marks = np.flatnonzero(codes == _QUOTE)
    opening, closing = marks[0::2], marks[1::2]
    if len(opening) != len(closing):
        return True
    return not (_BEFORE[codes[opening - 1]].all() and _AFTER[codes[closing + 1]].all())


def _parsed(text: bytes, names: Sequence[str]) -> Any | None:  # noqa: ANN401 - pyarrow has no types
    """The table as Arrow reads it, or None where it finds a fault."""
    try:
        return csv.read_csv(
            pa.BufferReader(text),
            read_options=csv.ReadOptions(
                column_names=list(names), use_threads=False, block_size=len(text) + 1
            ),
            parse_options=csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid:
        return None


def _joined(column: Any) -> Any:  # noqa: ANN401
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _cut(
    text: bytes, names: Sequence[str], first_line: int, log: FaultLog
) -> dict[str, Any] | None:
    """Cut line by line, and report those at fault."""
    before = log.count
    rows: list[list[str]] = []
    for number, raw in enumerate(text.removesuffix(b"\n").split(b"\n"), start=first_line):
        fields = _line(raw.removesuffix(b"\r"), f"$.lines[{number}]", len(names), log)
        if fields is not None:
            rows.append(fields)
    if log.count != before:
        return None
    return {
        name: pa.array([row[index] or None for row in rows], type=pa.string())
        for index, name in enumerate(names)
    }


def _line(raw: bytes, path: str, width: int, log: FaultLog) -> list[str] | None:
    try:
        fields = fields_of(raw.decode("utf-8"))
    except UnicodeDecodeError as exc:
        log.add(path, "csv.utf8", f"the bytes are not UTF-8 at byte {exc.start} of the line")
        return None
    if fields is None:
        message = (
            "a quotation mark must enclose a whole field, be doubled within one, and be closed in "
            "its line"
        )
        log.add(path, "csv.quotes", message)
        return None
    if len(fields) != width:
        log.add(path, "csv.fields", f"a line must have {width} fields", f"{len(fields)} fields")
        return None
    return fields
