"""Checks the metadata of a Parquet file before any of its columns is read.

Guarantees: nothing is allocated beyond a small multiple of the footer until the number of columns,
row groups, rows and values, and the position of every column, have been found within bounds that
follow from the file's size. Source: rules-v1 section 5 (Parquet).
"""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from oepnode.domain.documents.faults import FaultLog, show_value
from oepnode.domain.documents.sources import DocumentSource
from oepnode.domain.rounds.inputs import parquet_form as form
from oepnode.domain.rounds.inputs.blocks import DOCUMENT
from oepnode.domain.rounds.inputs.parquet_form import LIMITS, MAGIC, TEXTS, ParquetShape

_TAIL: Final = 8
_OLD_PADDING: Final = 100
"""Bytes that readers take after a column of files that some old writers made."""
_KNOWN: Final = frozenset((*TEXTS, form.SUBMITTED, form.START, form.INTERVAL_START, *LIMITS))
_CODECS: Final = frozenset({"UNCOMPRESSED", "SNAPPY", "ZSTD", "GZIP", "LZ4", "LZ4_RAW", "BROTLI"})


def read_metadata(source: DocumentSource) -> Any:  # noqa: ANN401 - pyarrow has no types
    """The metadata of a file, within bounds.

    Raises:
        DocumentFault: If it is no Parquet file, or one that no document needs to be.
    """
    log = FaultLog(DOCUMENT)
    metadata = _parse(source, log)
    log.raise_if_any()
    _check_extent(metadata, source.size, log)
    log.raise_if_any()
    return metadata


def open_file(source: DocumentSource, metadata: Any = None, **options: Any) -> Any:  # noqa: ANN401
    """A file for reading; reads a column at a time, in this thread alone."""
    return pq.ParquetFile(
        pa.PythonFile(source.open(), mode="r"),
        metadata=metadata,
        pre_buffer=False,
        thrift_string_size_limit=form.MAX_TEXT,
        thrift_container_size_limit=form.MAX_STRUCTURE,
        **options,
    )


def byte_range(group: Any) -> tuple[int, int, int]:  # noqa: ANN401
    """Where the columns of a row group are in its file: begin, end, and number of their bytes.

    The end has the few bytes more that are read for files of old writers.
    """
    chunks = [group.column(index) for index in range(group.num_columns)]
    starts = [_start(chunk) for chunk in chunks]
    sizes = [chunk.total_compressed_size for chunk in chunks]
    end = max((start + size for start, size in zip(starts, sizes, strict=True)), default=0)
    return min(starts, default=0), end + _OLD_PADDING, sum(sizes)


def _parse(source: DocumentSource, log: FaultLog) -> Any:  # noqa: ANN401
    with source.open() as reader:
        reader.seek(max(0, source.size - _TAIL))
        tail = reader.read(_TAIL)
    size = int.from_bytes(tail[:4], "little")
    if len(tail) < _TAIL or tail[4:] != MAGIC or source.size < size + _TAIL + len(MAGIC):
        log.add("$", "parquet.format", "not a whole Parquet file: it has no footer at its end")
        return None
    if size > form.MAX_FOOTER:
        message = f"the footer must have at most {form.MAX_FOOTER} bytes"
        log.add("$", "parquet.bounds", message, f"{size} bytes")
        return None
    try:
        return open_file(source).metadata
    except (pa.ArrowException, OSError, ValueError):
        message = (
            "the footer cannot be read: it is damaged, or lists more than "
            f"{form.MAX_STRUCTURE} row groups or columns"
        )
        log.add("$", "parquet.format", message)
        return None


def _check_extent(metadata: Any, size: int, log: FaultLog) -> None:  # noqa: ANN401
    """Compare what the metadata claims with the size of the file."""
    if metadata.num_columns > len(_KNOWN):
        message = f"a document must have at most {len(_KNOWN)} columns"
        log.add("$", "field.unknown", message, f"{metadata.num_columns} columns")
        return
    rows, values = 0, 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        rows += group.num_rows
        if group.num_rows < 0 or group.num_columns != metadata.num_columns:
            log.add(f"$.rowGroups[{number}]", "parquet.format", "a row group is malformed")
            return
        for index in range(group.num_columns if group.num_rows else 0):
            column = group.column(index)
            values += max(column.num_values, group.num_rows)
            if not _is_inside(column, size):
                message = "a column must lie within the file, and be compressed as Parquet defines"
                log.add(f"$.rowGroups[{number}]", "parquet.format", message)
                return
    if rows != metadata.num_rows:
        message = "the row groups must have as many rows as the file"
        log.add("$", "parquet.format", message, f"{metadata.num_rows} rows, not {rows}")
    if values > size * form.VALUES_PER_BYTE + form.SPARE_VALUES:
        message = (
            f"a file must hold at most {form.VALUES_PER_BYTE} values for each of its bytes "
            f"and {form.SPARE_VALUES} more"
        )
        log.add("$", "parquet.bounds", message, f"{values} values in {size} bytes")


def _start(column: Any) -> int:  # noqa: ANN401
    start = int(column.data_page_offset)
    if column.has_dictionary_page and column.dictionary_page_offset is not None:
        start = min(start, int(column.dictionary_page_offset))
    return start


def _is_inside(column: Any, size: int) -> bool:  # noqa: ANN401
    start, packed = _start(column), column.total_compressed_size
    is_inside = len(MAGIC) <= start and 0 <= packed <= size and start + packed <= size
    return is_inside and column.num_values >= 0 and column.compression in _CODECS


# --- schema --------------------------------------------------------------------------------------


def check_schema(schema: Any, log: FaultLog) -> ParquetShape | None:  # noqa: ANN401
    """Check names and types of all columns; returns the shape of the rows.

    Args:
        schema: Of the file, as Parquet has it.
        log: Takes a fault for each column that is not of the form.
    """
    columns = [schema.column(index) for index in range(len(schema))]
    names = [column.path.split(".", 1)[0] for column in columns]
    for name in dict.fromkeys(names):
        if name not in _KNOWN:
            log.add("$", "field.unknown", "the form has no such column", show_value(name))
        elif names.count(name) > 1:
            log.add(f"$.columns.{name}", "json.duplicate_key", "a column occurs twice")
    for name in TEXTS:
        if name not in names:
            log.add(f"$.columns.{name}", "field.missing", "a mandatory column is missing")
    starts = [name for name in (form.START, form.INTERVAL_START) if name in names]
    if len(starts) != 1:
        message = f"a file must have one of the columns {form.START} and {form.INTERVAL_START}"
        code = "field.unknown" if starts else "field.missing"
        log.add("$", code, message)
        return None
    shape = ParquetShape.LISTS if starts[0] == form.START else ParquetShape.INTERVALS
    for name, column in zip(names, columns, strict=True):
        expected = _expected(name, shape)
        if expected and not _has_type(column, name, shape):
            log.add(f"$.columns.{name}", "field.type", f"a column of {expected} is expected")
    return shape


def _expected(name: str, shape: ParquetShape) -> str:
    if name in TEXTS:
        return "strings"
    if name in LIMITS:
        return "lists of int32" if shape is ParquetShape.LISTS else "int32"
    return "timestamps in UTC" if name in _KNOWN else ""


def _has_type(column: Any, name: str, shape: ParquetShape) -> bool:  # noqa: ANN401
    logical = column.logical_type
    kind = logical.type
    if name in LIMITS:
        depth = 1 if shape is ParquetShape.LISTS else 0
        is_plain = kind == "NONE" or (
            kind == "INT" and '"bitWidth":32,"isSigned":true' in logical.to_json()
        )
        nested = len(column.path.split(".")) == (3 if depth else 1)
        is_deep = column.max_repetition_level == depth and nested
        return column.physical_type == "INT32" and is_plain and is_deep
    if column.path != name or column.max_repetition_level:
        return False
    if name in TEXTS:
        return bool(column.physical_type == "BYTE_ARRAY" and kind == "STRING")
    is_utc = kind == "TIMESTAMP" and '"isAdjustedToUTC":true' in logical.to_json()
    return bool(column.physical_type == "INT64" and is_utc)
