"""Validation of datasets whose rows are records: forecasts and dispatch instructions.

Telemetry, whose records hold arrays of rows, has a reader of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TypeAlias

import polars as pl

from oepnode.domain.edge.schema.columns import PathOf, read_frame, timed
from oepnode.domain.edge.schema.kinds import BAD
from oepnode.domain.edge.schema.shape import Shape, records
from oepnode.domain.edge.timeseries.checks import Dataset, Table
from oepnode.domain.edge.validation.acknowledgement import ValidationResult, message_id_of
from oepnode.domain.edge.validation.finding_log import FindingLog

Check: TypeAlias = Callable[[pl.DataFrame, FindingLog, PathOf, date | None], pl.DataFrame]
"""Checks canonical rows, and returns those that no later submission replaces."""


def validate(
    dataset: Dataset,
    shape: Shape,
    check: Check,
    data: bytes,
    day: date | None,
    message_id: str,
) -> ValidationResult[pl.DataFrame]:
    """Read records from a JSON array, NDJSON or one object, and check them.

    Args:
        dataset: The dataset.
        shape: The form of a record.
        check: The rules of the dataset.
        data: The exact bytes.
        day: The trading day that each series should cover.
        message_id: Names the submission; if empty, a digest of its bytes does.

    Returns:
        The canonical frame, with both acknowledgements.
    """
    log = FindingLog(dataset.title, dataset.section, shape.sections())
    table = Table(dataset)
    for number, record in records(data, log):
        fields = shape.read(record, f"$.records[{number}]", log)
        if fields is not BAD:
            table.add({name: fields[a.name] for name, a in dataset.columns.items()}, number)
    frame = check(table.frame(), log, table.path, day)
    return log.received(frame, message_id or message_id_of(data))


def validate_frame(
    dataset: Dataset, check: Check, frame: pl.DataFrame, day: date | None, message_id: str
) -> ValidationResult[pl.DataFrame]:
    """Check rows in columns, canonical or under the names and units of the documents."""
    log = FindingLog(dataset.title, dataset.section, dataset.sections())
    columns = read_frame(frame, dataset.columns, log)
    if columns is None:
        return log.received(None, message_id)
    rows, path_of = timed(columns, dataset.time)
    return log.received(check(rows, log, path_of, day), message_id)
