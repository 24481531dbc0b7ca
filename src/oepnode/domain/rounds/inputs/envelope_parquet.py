"""Reads envelope documents in Parquet, in both shapes of rows.

Guarantees: schema and metadata are checked before a column is read (``parquet_metadata``); a batch
of rows is in memory at a time, however large a row group is; verdicts are those of the JSON
reader, with the row's number in each path. Source: rules-v1 section 5 (Parquet).

Example:
    >>> reader = ParquetDocument(source, Feed())                             # doctest: +SKIP
    >>> for block in reader.read(0): ...                                     # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import Any, Final

import numpy as np
import pyarrow as pa

from oepnode.domain.documents.arrays import Int64s
from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.documents.json_fields import SiteIdReader
from oepnode.domain.documents.sources import DocumentSource, excerpt
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.inputs import parquet_columns as columns
from oepnode.domain.rounds.inputs import parquet_form as form
from oepnode.domain.rounds.inputs.blocks import DOCUMENT, Block
from oepnode.domain.rounds.inputs.envelope_form import LEVELS, TIMINGS
from oepnode.domain.rounds.inputs.parquet_form import ParquetShape
from oepnode.domain.rounds.inputs.parquet_limits import LimitReader, Signs
from oepnode.domain.rounds.inputs.parquet_metadata import (
    byte_range,
    check_schema,
    open_file,
    read_metadata,
)
from oepnode.domain.rounds.inputs.runs import LimitColumns, Runs, no_runs
from oepnode.domain.rounds.inputs.supersession import NO_SUBMISSION

_VALUES_PER_BATCH: Final = 1 << 22
_MOST_ROWS: Final = 1 << 16
_FAR: Final = 1 << 20
"""Bytes between the columns of a row group, besides as many as they have."""
_PLACES: Final = {
    ParquetShape.LISTS: "$.rows[{0}][{2}]",
    ParquetShape.INTERVALS: "$.rows[{0}]",
}
_DICTIONARIES: Final = [form.TIMING, form.OBJECTIVE, form.LEVEL]


class ParquetDocument:
    """An envelope document in Parquet; each row group is a part.

    Args:
        source: The exact bytes.
        feed: The feed's settings.

    Raises:
        DocumentFault: If the file is malformed, or has other columns.
    """

    def __init__(self, source: DocumentSource, feed: Feed) -> None:
        self._source = source
        self._feed = feed
        self._metadata = read_metadata(source)
        log = FaultLog(DOCUMENT)
        schema = self._metadata.schema
        shape = check_schema(schema, log)
        log.raise_if_any()
        if shape is None:
            raise AssertionError("a schema without a shape has a fault")
        self._shape = shape
        counts = [self._metadata.row_group(n).num_rows for n in range(self.part_count)]
        self._first_rows = np.concatenate(([0], np.cumsum(np.array(counts, dtype=np.int64))))

    def alone(self, part: int) -> ParquetDocument | None:
        """A reader of one row group with its bytes; None where they are far apart."""
        start, end, size = byte_range(self._metadata.row_group(part))
        if end - start > 2 * size + _FAR:
            return None
        alone = copy(self)
        alone._source = excerpt(self._source, start, end)
        return alone

    def strict(self) -> ParquetDocument:
        """This one: it judges all that it reads."""
        return self

    @property
    def part_count(self) -> int:
        """Number of row groups."""
        return int(self._metadata.num_row_groups)

    def read(self, part: int) -> Iterator[Block]:
        """Blocks of a row group, in their order."""
        first = int(self._first_rows[part])
        count = int(self._first_rows[part + 1]) - first
        if not count:
            return
        read = 0
        try:
            file = open_file(self._source, self._metadata, read_dictionary=_DICTIONARIES)
            options = {"batch_size": self._batch_rows(part, count), "use_threads": False}
            for batch in file.iter_batches(row_groups=[part], **options):
                yield self._block(batch, first + read)
                read += len(batch)
        except (pa.ArrowException, OSError, ValueError):
            yield self._broken(first + read, "the rows from here on cannot be decoded")
            return
        if read != count:
            yield self._broken(first + read, f"the row group must have {count} rows")

    def _batch_rows(self, part: int, count: int) -> int:
        group = self._metadata.row_group(part)
        values = sum(
            group.column(index).num_values
            for index in range(group.num_columns)
            if group.column(index).path_in_schema.split(".")[0] in form.LIMITS
        )
        if self._shape is ParquetShape.INTERVALS:
            return _VALUES_PER_BATCH // 8
        return int(max(1, min(_MOST_ROWS, _VALUES_PER_BATCH * count // max(1, values))))

    def _broken(self, row: int, message: str) -> Block:
        log = FaultLog(DOCUMENT)
        log.add(f"$.rows[{row}]", "parquet.format", message)
        return Block(no_runs(), log, ("", ""), None, _PLACES[self._shape])

    def _block(self, batch: Any, first_row: int) -> Block:  # noqa: ANN401 - pyarrow has no types
        log, signs = FaultLog(DOCUMENT), Signs()
        ids = SiteIdReader(log)
        column = {name: batch.column(name) for name in batch.schema.names}
        nmi = columns.site_ids(column[form.NMI], first_row, ids)
        level = columns.choices(column[form.LEVEL], first_row, form.LEVEL, LEVELS, log)
        timing = columns.choices(column[form.TIMING], first_row, form.TIMING, TIMINGS, log)
        texts, objective = columns.objectives(column[form.OBJECTIVE], first_row, log)
        submitted = np.full(len(batch), NO_SUBMISSION, dtype=np.int64)
        if form.SUBMITTED in column:
            submitted = columns.submissions(column[form.SUBMITTED], first_row, log)
        name = self._shape.start_column
        start = columns.starts(column[name], first_row, name, log)
        bounds, limits = self._limits(column, first_row, start, log, signs)
        row = np.arange(first_row, first_row + len(batch), dtype=np.int64)
        runs = Runs(
            nmi=nmi,
            level=level,
            timing=timing,
            objective=objective,
            objectives=texts,
            submitted=submitted,
            start=start,
            bounds=bounds,
            limits=limits,
            location=np.stack((row, np.zeros_like(row), np.zeros_like(row)), axis=1),
            records=len(batch),
        )
        if self._shape is ParquetShape.INTERVALS:
            runs = joined(runs)
        first_id = None if ids.kind is None else (f"$.rows[{first_row}].nmi", ids.kind)
        place = _PLACES[self._shape]
        return Block(runs, log, (signs.positive, signs.negative), first_id, place)

    def _limits(
        self,
        column: dict[str, Any],
        first_row: int,
        start: Int64s,
        log: FaultLog,
        signs: Signs,
    ) -> tuple[Int64s, LimitColumns]:
        reader = LimitReader(self._feed, log, signs)
        given = {kind: column[name] for kind, name in enumerate(form.LIMITS) if name in column}
        ones = np.arange(len(start) + 1, dtype=np.int64)
        if not given:
            log.add("$", "interval.no_limit", "a document must have a column of limits")
            return ones, (None, None, None, None)
        if self._shape is ParquetShape.INTERVALS:
            return ones, reader.values(given, first_row)
        read = reader.lists(given, first_row)
        if read is None:
            return ones, (None, None, None, None)
        columns.check_last(start, np.diff(read[0]), first_row, form.START, log)
        return read


def joined(runs: Runs) -> Runs:
    """Runs of one interval each as runs of consecutive rows and intervals."""
    goes_on = (runs.nmi[1:] == runs.nmi[:-1]) & (runs.level[1:] == runs.level[:-1])
    goes_on &= (runs.timing[1:] == runs.timing[:-1]) & (runs.objective[1:] == runs.objective[:-1])
    goes_on &= runs.submitted[1:] == runs.submitted[:-1]
    goes_on &= runs.start[1:] == runs.start[:-1] + INTERVAL_S
    first = np.flatnonzero(np.append(True, ~goes_on))
    return Runs(
        nmi=runs.nmi[first],
        level=runs.level[first],
        timing=runs.timing[first],
        objective=runs.objective[first],
        objectives=runs.objectives,
        submitted=runs.submitted[first],
        start=runs.start[first],
        bounds=np.append(first, len(runs)).astype(np.int64),
        limits=runs.limits,
        location=runs.location[first],
        records=runs.records,
    )
