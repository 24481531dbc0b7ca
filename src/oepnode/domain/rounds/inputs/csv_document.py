"""An envelope document in CSV: a line for each site and dispatch interval, with integer watts.

The header has the columns of Parquet's shape of intervals (`parquet_form`), in any order:
``nmi``, ``oeTiming``, ``oeObjectiveFunction``, ``oeApplicationLevel``, ``diStartTime``, one limit
or more (``activePowerExportLimitW`` …), and ``submissionTimestamp`` where it is known. A field that
is empty is null. A byte order mark, CR LF and quotation marks are read.

Guarantees: verdicts are those of the other forms, with the number of the line in each path, the
header being line 1. Source: rules-v1 section 5 (CSV).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from itertools import chain
from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa

from oepnode.domain.documents.arrays import Int64s
from oepnode.domain.documents.compressed import MAX_UNPACKED, Compression, open_unpacked
from oepnode.domain.documents.faults import FaultLog, show_value
from oepnode.domain.documents.json_fields import SiteIdReader
from oepnode.domain.documents.sources import DocumentSource, excerpt
from oepnode.domain.nem.nem_time import (
    MICROS,
    OffGridError,
    Timestamp,
    parse_grid_instant,
    parse_timestamp,
)
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.inputs import parquet_columns as columns
from oepnode.domain.rounds.inputs import parquet_form as form
from oepnode.domain.rounds.inputs.blocks import DOCUMENT, Block
from oepnode.domain.rounds.inputs.csv_form import BOM, COLUMNS, MAX_LINE, REQUIRED
from oepnode.domain.rounds.inputs.csv_lines import fields_of, text_columns
from oepnode.domain.rounds.inputs.envelope_form import LEVELS, TIMINGS
from oepnode.domain.rounds.inputs.envelope_parquet import joined
from oepnode.domain.rounds.inputs.parquet_limits import LimitReader, Signs
from oepnode.domain.rounds.inputs.runs import Runs, no_runs
from oepnode.domain.rounds.inputs.supersession import NO_SUBMISSION

PIECE: Final = 1 << 23
"""Bytes that are read at a time."""
PART: Final = 1 << 26
_WATTS: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,9})", re.ASCII)
_INT32: Final = 2**31
_ROWS, _LINES = "$.rows[", "$.lines["


class _LineLog(FaultLog):
    """Findings whose paths name lines."""

    def add(self, path: str, code: str, message: str, value: str = "") -> None:
        super().add(_in_lines(path), code, message, value)

    def warn(self, path: str, message: str, *, count: int = 1) -> None:
        super().warn(_in_lines(path), message, count=count)


def _in_lines(path: str) -> str:
    return _LINES + path.removeprefix(_ROWS) if path.startswith(_ROWS) else path


@dataclass(frozen=True)
class _Part:
    start: int
    end: int | None
    first_line: int


class CsvDocument:
    """An envelope document in CSV, packed or not.

    Args:
        source: The exact bytes.
        feed: The feed's settings.
        packed: The packed form; None for plain text.
        most: Most unpacked bytes.
        part_size: Bytes of a part.

    Raises:
        DocumentFault: If the header is at fault.
    """

    def __init__(
        self,
        source: DocumentSource,
        feed: Feed,
        *,
        packed: Compression | None = None,
        most: int = MAX_UNPACKED,
        part_size: int = PART,
    ) -> None:
        self._source = source
        self._feed = feed
        self._packed = packed
        self._most = most
        with self._open() as reader:
            pieces = _lines(reader, size=min(PIECE, part_size))
            first = next(pieces, b"")
            header, newline, _ = first.partition(b"\n")
            self._names = _header(header)
            start = len(header) + len(newline)
            is_one = packed is not None or source.size < 2 * part_size
            rest = iter(()) if is_one else chain([first[start:]], pieces)
            self._parts = _plan(rest, start, part_size) if not is_one else [_Part(start, None, 2)]

    def _open(self) -> BinaryIO:
        return open_unpacked(self._source, self._packed, self._most)

    @property
    def part_count(self) -> int:
        """Number of parts."""
        return len(self._parts)

    def alone(self, part: int) -> CsvDocument:
        """A reader of one part with its bytes."""
        chosen = self._parts[part]
        start = chosen.start if self._packed is None else 0
        alone = copy(self)
        alone._source = excerpt(self._source, start, chosen.end)
        return alone

    def strict(self) -> CsvDocument:
        """This one: it judges all that it reads."""
        return self

    def read(self, part: int) -> Iterator[Block]:
        """Blocks of a part, in their order.

        Raises:
            DocumentFault: If packed data is damaged or unpacks to too much.
        """
        chosen = self._parts[part]
        line = chosen.first_line
        with self._open() as reader:
            if self._packed is None:
                reader.seek(chosen.start)
                left = None if chosen.end is None else chosen.end - chosen.start
                pieces = _lines(reader, left)
            else:
                pieces = _without(_lines(reader), chosen.start)
            for piece, following in _pairs(pieces):
                text = piece if following else piece.rstrip(b"\r\n")
                if text:
                    yield self._block(text, line)
                line += piece.count(b"\n")

    def _block(self, text: bytes, first_line: int) -> Block:
        log, signs = _LineLog(DOCUMENT), Signs()
        column = text_columns(text, self._names, first_line, log)
        if column is None:
            return Block(no_runs(), log, ("", ""), None, "$.lines[{0}]")
        ids = SiteIdReader(log)
        nmi = columns.site_ids(column[form.NMI], first_line, ids)
        level = _choices(column, form.LEVEL, first_line, LEVELS, log)
        timing = _choices(column, form.TIMING, first_line, TIMINGS, log)
        objective = column[form.OBJECTIVE].dictionary_encode()
        texts, code = columns.objectives(objective, first_line, log)
        count = len(nmi)
        submitted = np.full(count, NO_SUBMISSION, dtype=np.int64)
        if form.SUBMITTED in column:
            times = _Times(form.SUBMITTED, parse_timestamp, first_line, log)
            submitted = times.read(column[form.SUBMITTED])
        starts = _Times(form.INTERVAL_START, parse_grid_instant, first_line, log)
        start = starts.read(column[form.INTERVAL_START], is_required=True) // MICROS
        given = {
            kind: _watts(column[name], name, first_line, log)
            for kind, name in enumerate(form.LIMITS)
            if name in column
        }
        limits = LimitReader(self._feed, log, signs).values(given, first_line)
        line = np.arange(first_line, first_line + count, dtype=np.int64)
        runs = Runs(
            nmi=nmi,
            level=level,
            timing=timing,
            objective=code,
            objectives=texts,
            submitted=submitted,
            start=start,
            bounds=np.arange(count + 1, dtype=np.int64),
            limits=limits,
            location=np.stack((line, np.zeros_like(line), np.zeros_like(line)), axis=1),
            records=count,
        )
        first_id = None if ids.kind is None else (f"$.lines[{first_line}].nmi", ids.kind)
        found = _in_lines(signs.positive), _in_lines(signs.negative)
        return Block(joined(runs), log, found, first_id, "$.lines[{0}]")


# --- lines ---------------------------------------------------------------------------------------


def _lines(reader: BinaryIO, left: int | None = None, size: int = PIECE) -> Iterator[bytes]:
    """Whole lines in pieces; the last one may have no end."""
    kept = b""
    while left is None or left > 0:
        data = reader.read(size if left is None else min(size, left))
        if not data:
            break
        left = None if left is None else left - len(data)
        cut = data.rfind(b"\n") + 1
        if cut:
            yield kept + data[:cut]
            kept = data[cut:]
        else:
            kept += data
        if len(kept) > MAX_LINE:
            _reject("$", "csv.line", f"a line must have at most {MAX_LINE} bytes")
    if kept:
        yield kept


def _reject(path: str, code: str, message: str, value: str = "") -> None:
    log = FaultLog(DOCUMENT)
    log.add(path, code, message, value)
    log.raise_if_any()


def _without(pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Pieces without their first bytes, which are in the first of them."""
    first = next(pieces, b"")[size:]
    yield first
    yield from pieces


def _pairs(pieces: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Each piece, and whether another one with more than line ends follows."""
    before = next(pieces, None)
    for piece in pieces:
        assert before is not None  # noqa: S101 - there was a piece before this one
        if not piece.strip(b"\r\n"):
            before += piece
            continue
        yield before, True
        before = piece
    if before is not None:
        yield before, False


def _plan(pieces: Iterator[bytes], start: int, part_size: int) -> list[_Part]:
    """Parts of whole lines, of a size or a little more."""
    parts: list[_Part] = []
    position, line, first, first_line = start, 2, start, 2
    for piece in pieces:
        if position - first >= part_size:
            parts.append(_Part(first, position, first_line))
            first, first_line = position, line
        position += len(piece)
        line += piece.count(b"\n")
    return [*parts, _Part(first, position, first_line)]


def _header(line: bytes) -> list[str]:
    """The names of the columns.

    Raises:
        DocumentFault: ``csv.header``.
    """
    log = FaultLog(DOCUMENT)
    path = "$.lines[1]"
    text = line.removeprefix(BOM).removesuffix(b"\r").decode("utf-8", "replace")
    names = fields_of(text) or []
    for name in dict.fromkeys(names):
        if name not in COLUMNS:
            log.add(path, "csv.header", "the form has no such column", show_value(name))
        elif names.count(name) > 1:
            log.add(path, "csv.header", "a column occurs twice", name)
    for name in REQUIRED:
        if name not in names:
            log.add(path, "csv.header", "a mandatory column is missing", name)
    if not set(names) & set(form.LIMITS):
        log.add(path, "csv.header", "a document must have a column of limits")
    log.raise_if_any()
    return names


# --- columns -------------------------------------------------------------------------------------


def _choices(
    column: dict[str, Any], name: str, first_line: int, codes: dict[str, int], log: FaultLog
) -> Any:  # noqa: ANN401
    return columns.choices(column[name].dictionary_encode(), first_line, name, codes, log)


class _Times:
    """Reads a column of timestamps, each distinct text once.

    Args:
        name: The column.
        parse: Reads a text.
        first_line: Number of the first line.
        log: Takes faults and warnings.
    """

    def __init__(
        self, name: str, parse: Callable[[str], Timestamp], first_line: int, log: FaultLog
    ) -> None:
        self._name = name
        self._parse = parse
        self._first_line = first_line
        self._log = log

    def read(self, column: Any, *, is_required: bool = False) -> Int64s:  # noqa: ANN401
        """Instants in microseconds; `NO_SUBMISSION` where null, or at fault."""
        encoded = column.dictionary_encode()
        texts = encoded.dictionary.to_pylist()
        code = encoded.indices.fill_null(len(texts)).to_numpy()
        values = [self._instant(text, code, number) for number, text in enumerate(texts)]
        if is_required:
            for row in np.flatnonzero(code == len(texts)).tolist():
                path = f"$.lines[{self._first_line + row}]"
                self._log.add(path, "time.missing", f"{self._name} must not be empty")
        instants: Int64s = np.array([*values, NO_SUBMISSION], dtype=np.int64)
        return np.asarray(instants[code])

    def _instant(self, text: str, code: Any, number: int) -> int:  # noqa: ANN401
        try:
            instant = self._parse(text)
        except ValueError as exc:
            rule = "time.grid" if isinstance(exc, OffGridError) else "time.format"
            for row in np.flatnonzero(code == number).tolist():
                self._log.add(self._path(row), rule, str(exc), show_value(text))
            return NO_SUBMISSION
        if instant.warning:
            rows = np.flatnonzero(code == number)
            self._log.warn(self._path(int(rows[0])), instant.warning, count=len(rows))
        return instant.total_micros

    def _path(self, row: int) -> str:
        return f"$.lines[{self._first_line + row}].{self._name}"


def _watts(column: Any, name: str, first_line: int, log: FaultLog) -> Any:  # noqa: ANN401
    """Integers of a column of texts, null where empty."""
    encoded = column.dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    code = encoded.indices.fill_null(len(texts)).to_numpy()
    values = np.zeros(len(texts) + 1, dtype=np.int64)
    for number, text in enumerate(texts):
        if _WATTS.fullmatch(text) and -_INT32 <= int(text) < _INT32:
            values[number] = int(text)
            continue
        is_number = _WATTS.fullmatch(text) is not None
        rule = "limit.range" if is_number else "field.type"
        message = "an integer number of watts (or var) of 32 bits is expected, without decimals"
        for row in np.flatnonzero(code == number).tolist():
            log.add(f"$.lines[{first_line + row}].{name}", rule, message, show_value(text))
    is_null = code == len(texts)
    return pa.array(values[code].astype(np.int32), mask=is_null if is_null.any() else None)
