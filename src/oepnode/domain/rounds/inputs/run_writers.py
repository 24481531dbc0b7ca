"""Writes runs as an envelope document in JSON, NDJSON or CSV, block by block.

Guarantees: reading what was written gives the same rows, with the same feed; a run becomes one
record, or one line for each interval. Leaves out Parquet (``parquet_writer``), packing and files.
Source: rules-v1 sections 2 to 5.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import BinaryIO, Final, Protocol

import numpy as np
import pyarrow as pa
from pyarrow import csv

from oepnode.domain.documents.arrays import Int32s, Int64s, Ints
from oepnode.domain.nem.nem_time import INSTANTS_END_S, INTERVAL_S, MICROS, NEM_OFFSET
from oepnode.domain.nem.quantities import IMPORT_KINDS, KINDS, NO_LIMIT, Feed, kw_text
from oepnode.domain.rounds.inputs.csv_form import COLUMNS
from oepnode.domain.rounds.inputs.envelope_form import LEVELS, MAX_INTERVALS, TIMINGS
from oepnode.domain.rounds.inputs.parquet_form import LIMITS
from oepnode.domain.rounds.inputs.runs import Runs
from oepnode.domain.rounds.inputs.supersession import NO_SUBMISSION

_LEVELS: Final = tuple(LEVELS)
_TIMINGS: Final = tuple(TIMINGS)
_LAST_OFFSET: Final = timezone(timedelta(hours=-14))


class RunWriter(Protocol):
    """Writes runs to a document of one form."""

    def write(self, runs: Runs) -> None:
        """Append the runs of a block."""
        ...

    def close(self) -> None:
        """End the document; the stream stays open."""
        ...


def written_limits(runs: Runs, kind: int, feed: Feed) -> Int32s | None:
    """The limits of a kind with the signs that a feed writes; `NO_LIMIT` where absent."""
    column = runs.limits[kind]
    if column is None or kind not in IMPORT_KINDS or feed.import_sign == "canonical":
        return column
    return np.where(column == NO_LIMIT, NO_LIMIT, -column).astype(np.int32)


def interval_starts(runs: Runs) -> Int64s:
    """Start of each interval of all runs."""
    length = np.diff(runs.bounds)
    index = np.arange(int(runs.bounds[-1])) - np.repeat(runs.bounds[:-1], length)
    return np.repeat(runs.start, length) + index * INTERVAL_S


@lru_cache(maxsize=1 << 14)
def time_text(micros: int) -> str:
    """A timestamp of section 3, in NEM time where that has a text for it."""
    offset = NEM_OFFSET if micros < INSTANTS_END_S * MICROS else _LAST_OFFSET
    instant = datetime.fromtimestamp(micros // MICROS, tz=offset)
    return instant.replace(microsecond=micros % MICROS).isoformat()


class JsonWriter:
    """Writes a JSON array or NDJSON, a record for each run.

    Args:
        sink: Takes the bytes.
        feed: The feed that the document is for.
        ndjson: Whether a record is a line.
    """

    def __init__(self, sink: BinaryIO, feed: Feed, *, ndjson: bool) -> None:
        self._sink = sink
        self._feed = feed
        self._before, self._between, self._end = (
            (b"", b"\n", b"\n") if ndjson else (b"[", b",\n", b"]\n")
        )
        self._times: dict[int, str] = {}

    def write(self, runs: Runs) -> None:
        """Append the runs of a block."""
        limits = [self._texts(runs, kind) for kind in range(4)]
        heads = self._heads(runs)
        starts = interval_starts(runs).tolist()
        for run, head in enumerate(heads):
            elements = ",".join(self._elements(runs, run, limits, starts))
            self._sink.write(self._before)
            self._sink.write(f'{head}"operatingEnvelopes":[{elements}]}}'.encode())
            self._before = self._between

    def close(self) -> None:
        """End the document."""
        self._sink.write(self._end)

    def _texts(self, runs: Runs, kind: int) -> list[str] | None:
        """A limit's member of each interval's object; empty where there is none."""
        column = written_limits(runs, kind, self._feed)
        if column is None:
            return None
        values, code = np.unique(column, return_inverse=True)
        texts = np.array(
            [
                "" if watts == NO_LIMIT else f'"{KINDS[kind]}":{kw_text(watts)},'
                for watts in values.tolist()
            ],
            dtype=object,
        )
        members: list[str] = texts[code].tolist()
        return members

    def _heads(self, runs: Runs) -> Iterator[str]:
        objectives = [json.dumps(text, ensure_ascii=False) for text in runs.objectives]
        for nmi, timing, objective, level, submitted in zip(
            runs.nmi.tolist(),
            runs.timing.tolist(),
            runs.objective.tolist(),
            runs.level.tolist(),
            runs.submitted.tolist(),
            strict=True,
        ):
            time = (
                ""
                if submitted == NO_SUBMISSION
                else f'"submissionTimestamp":"{time_text(submitted)}",'
            )
            yield (
                f'{{"nmi":"{nmi.decode()}","oeTiming":"{_TIMINGS[timing]}",'
                f'"oeObjectiveFunction":{objectives[objective]},'
                f'"oeApplicationLevel":"{_LEVELS[level]}",{time}'
            )

    def _elements(
        self, runs: Runs, run: int, limits: list[list[str] | None], starts: list[int]
    ) -> Iterator[str]:
        first, end = int(runs.bounds[run]), int(runs.bounds[run + 1])
        for begin in range(first, end, MAX_INTERVALS):
            part = slice(begin, min(begin + MAX_INTERVALS, end))
            members = [texts[part] for texts in limits if texts is not None]
            times = [self._time(start) for start in starts[part]]
            intervals = map("".join, zip(*members, times, strict=True))
            yield '{"intervals":[{' + "},{".join(intervals) + "}]}"

    def _time(self, start: int) -> str:
        text = self._times.get(start)
        if text is None:
            first, last = time_text(start * MICROS), time_text((start + INTERVAL_S) * MICROS)
            text = self._times[start] = f'"diStartTime":"{first}","diEndTime":"{last}"'
        return text


class CsvWriter:
    """Writes CSV, a line for each interval.

    Args:
        sink: Takes the bytes.
        feed: The feed that the document is for.
    """

    def __init__(self, sink: BinaryIO, feed: Feed) -> None:
        self._feed = feed
        sink.write(",".join(COLUMNS).encode() + b"\n")
        texts = [(name, pa.string()) for name in COLUMNS[:6]]
        self._schema = pa.schema([*texts, *((name, pa.int32()) for name in LIMITS)])
        options = csv.WriteOptions(include_header=False)
        self._writer = csv.CSVWriter(sink, self._schema, write_options=options)

    def write(self, runs: Runs) -> None:
        """Append the runs of a block."""
        length = np.diff(runs.bounds)
        each = np.repeat(np.arange(len(runs)), length)
        nmi = pa.array(runs.nmi.tolist(), type=pa.binary()).cast(pa.string())
        submitted = [
            None if micros == NO_SUBMISSION else time_text(micros)
            for micros in runs.submitted.tolist()
        ]
        starts, code = np.unique(interval_starts(runs), return_inverse=True)
        times = [time_text(start * MICROS) for start in starts.tolist()]
        columns = [
            nmi.take(pa.array(each)),
            _chosen(_TIMINGS, runs.timing[each]),
            _chosen(runs.objectives, runs.objective[each]),
            _chosen(_LEVELS, runs.level[each]),
            _chosen(submitted, each),
            _chosen(times, code),
            *(self._limits(runs, kind, len(each)) for kind in range(4)),
        ]
        self._writer.write_batch(pa.record_batch(columns, schema=self._schema))

    def close(self) -> None:
        """End the document."""
        self._writer.close()

    def _limits(self, runs: Runs, kind: int, count: int) -> pa.Array:
        column = written_limits(runs, kind, self._feed)
        if column is None:
            return pa.nulls(count, pa.int32())
        return pa.array(column, mask=column == NO_LIMIT)


def _chosen(texts: list[str | None] | tuple[str, ...] | list[str], index: Ints) -> pa.Array:
    """The text of each index."""
    return pa.array(list(texts), type=pa.string()).take(pa.array(index))
