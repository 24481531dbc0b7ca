"""Writes runs as an envelope document in Parquet, a row for each run, with lists of limits.

Source: rules-v1 section 5 (Parquet).
"""

from __future__ import annotations

from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa
from pyarrow import parquet as pq

from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.nem.nem_time import MICROS
from oepnode.domain.nem.quantities import NO_LIMIT, Feed
from oepnode.domain.rounds.inputs import parquet_form as form
from oepnode.domain.rounds.inputs.blocks import DOCUMENT
from oepnode.domain.rounds.inputs.envelope_form import LEVELS, TIMINGS
from oepnode.domain.rounds.inputs.parquet_columns import INSTANTS_END_US
from oepnode.domain.rounds.inputs.run_writers import written_limits
from oepnode.domain.rounds.inputs.runs import Runs
from oepnode.domain.rounds.inputs.supersession import NO_SUBMISSION

ROWS_PER_GROUP: Final = 10_000
VALUES_PER_GROUP: Final = 1 << 22
"""Intervals of a row group where not stated."""

_TEXT: Final = pa.dictionary(pa.int32(), pa.string())
_INSTANT: Final = pa.timestamp("us", "UTC")
_SCHEMA: Final = pa.schema(
    [
        (form.NMI, pa.string()),
        (form.TIMING, _TEXT),
        (form.OBJECTIVE, _TEXT),
        (form.LEVEL, _TEXT),
        (form.SUBMITTED, _INSTANT),
        (form.START, _INSTANT),
        *((name, pa.list_(pa.int32())) for name in form.LIMITS),
    ]
)


class ParquetWriter:
    """Writes Parquet, packed with zstd.

    Args:
        sink: Takes the bytes.
        feed: The feed that the document is for.
        group: Intervals of a row group, or a few more.
    """

    def __init__(self, sink: BinaryIO, feed: Feed, group: int = VALUES_PER_GROUP) -> None:
        self._feed = feed
        self._group = group
        self._writer = pq.ParquetWriter(sink, _SCHEMA, compression="zstd")
        self._batches: list[Any] = []
        self._rows = 0
        self._values = 0

    def write(self, runs: Runs) -> None:
        """Append the runs of a block.

        Raises:
            DocumentFault: If a submission time has no place in this form.
        """
        log = FaultLog(DOCUMENT)
        if (runs.submitted >= INSTANTS_END_US).any():
            message = "a submission time after 2105 (UTC) cannot be written in Parquet"
            log.add("$", "time.format", message)
            log.raise_if_any()
        self._batches.append(self._batch(runs))
        self._rows += len(runs)
        self._values += int(runs.bounds[-1])
        if self._rows >= ROWS_PER_GROUP or self._values >= self._group:
            self._end_group()

    def close(self) -> None:
        """End the document."""
        self._end_group()
        self._writer.close()

    def _end_group(self) -> None:
        if self._batches:
            table = pa.Table.from_batches(self._batches, schema=_SCHEMA).unify_dictionaries()
            self._writer.write_table(table, row_group_size=max(1, self._rows))
        self._batches, self._rows, self._values = [], 0, 0

    def _batch(self, runs: Runs) -> Any:  # noqa: ANN401 - pyarrow has no types
        columns = [
            pa.array(runs.nmi.tolist(), type=pa.binary()).cast(pa.string()),
            _coded(runs.timing, tuple(TIMINGS)),
            _coded(runs.objective, runs.objectives),
            _coded(runs.level, tuple(LEVELS)),
            pa.array(runs.submitted, mask=runs.submitted == NO_SUBMISSION).cast(_INSTANT),
            pa.array(runs.start * MICROS).cast(_INSTANT),
            *(self._lists(runs, kind) for kind in range(4)),
        ]
        return pa.record_batch(columns, schema=_SCHEMA)

    def _lists(self, runs: Runs, kind: int) -> Any:  # noqa: ANN401
        column = written_limits(runs, kind, self._feed)
        if column is None:
            return pa.nulls(len(runs), pa.list_(pa.int32()))
        is_null = column == NO_LIMIT
        values = pa.array(column, mask=is_null if is_null.any() else None)
        bounds = pa.array(runs.bounds.astype(np.int32))
        return pa.ListArray.from_arrays(bounds, values)


def _coded(index: Any, texts: tuple[str, ...]) -> Any:  # noqa: ANN401
    codes = pa.array(index.astype(np.int32))
    return pa.DictionaryArray.from_arrays(codes, pa.array(texts, type=pa.string()))
