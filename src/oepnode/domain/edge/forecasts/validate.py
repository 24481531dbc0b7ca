"""Forecasts of uncontrolled load and generation of NMIs, five minutes a row.

Guarantees: as for telemetry. A forecast is calculated just before its dispatch interval; one that
was submitted after the interval's end is a caution and not a fault, because batches are uploaded
later (Part C §5.1). Where a forecast was submitted several times the latest counts.

Source: Part C §5.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any, Final

import polars as pl

from oepnode.domain.edge.schema.columns import PathOf, report
from oepnode.domain.edge.schema.json_writer import nem_text, write_records
from oepnode.domain.edge.schema.kinds import Instant, NmiText, Quantity
from oepnode.domain.edge.schema.shape import Attribute, Shape
from oepnode.domain.edge.timeseries import submission
from oepnode.domain.edge.timeseries.checks import Dataset, check
from oepnode.domain.edge.validation.acknowledgement import ValidationResult
from oepnode.domain.edge.validation.finding_log import FindingLog
from oepnode.domain.nem.nem_time import INTERVAL_S, MICROS, format_nem
from oepnode.domain.nem.quantities import KW, to_text

SECTION: Final = "Part C §5.3"

NMI: Final = Dataset(
    "NMI forecast",
    "forecast",
    SECTION,
    INTERVAL_S,
    "Part C §5.1",
    "nmi",
    "interval_end",
    "submitted_us",
    {
        "nmi": Attribute("nmi", NmiText(), f"{SECTION} field 1", "The NMI without checksum"),
        "interval_end": Attribute(
            "measurementDateTime",
            Instant(INTERVAL_S),
            f"{SECTION} field 2",
            "End of the dispatch interval, NEM time",
            ("measurementTime",),
        ),
        "uncontrolled_w": Attribute(
            "uncontrolFcst",
            Quantity(KW),
            f"{SECTION} field 3",
            "Uncontrolled flow at the connection point in kW: generation positive, load negative",
            ("uncontrolForecast", "uncontrolledFcst", "uncontrolledForecast"),
        ),
        "submitted_us": Attribute(
            "submissionDateTime",
            Instant(),
            f"{SECTION} field 4",
            "When the record was made, NEM time",
            ("submissionTimestamp",),
            required=False,
            nullable=True,
        ),
    },
)
SHAPE: Final = Shape(*NMI.columns.values())


def validate(
    data: bytes, *, day: date | None = None, message_id: str = ""
) -> ValidationResult[pl.DataFrame]:
    """Read forecasts from a JSON array, NDJSON or one object, and check them.

    Args:
        data: The exact bytes.
        day: The trading day that each NMI should cover.
        message_id: Names the submission; by default a digest of its bytes.

    Returns:
        The canonical frame, with both acknowledgements.
    """
    return submission.validate(NMI, SHAPE, _check, data, day, message_id)


def validate_frame(
    frame: pl.DataFrame, *, day: date | None = None, message_id: str = ""
) -> ValidationResult[pl.DataFrame]:
    """Check forecasts in columns, canonical or under Part C's names in kW."""
    return submission.validate_frame(NMI, _check, frame, day, message_id)


def _check(frame: pl.DataFrame, log: FindingLog, path_of: PathOf, day: date | None) -> pl.DataFrame:
    late = (frame["submitted_us"] > frame["interval_end"] * MICROS).fill_null(value=False)

    def put(row: int, count: int) -> None:
        log.caution(
            "forecast.late",
            path_of(row, "submitted_us"),
            "Part C §5",
            "a forecast should be made before its interval; the time may be that of a batch",
            format_nem(frame["interval_end"][row]),
            count=count,
        )

    report(late.to_numpy(), put)
    return check(NMI, frame, log, path_of, day)


def write_forecasts(frame: pl.DataFrame, *, ndjson: bool = False) -> bytes:
    """Write canonical rows as JSON, a record each."""
    return write_records(map(_record, frame.select(*NMI.columns).iter_rows()), ndjson)


def _record(row: tuple[Any, ...]) -> Iterator[tuple[str, str]]:
    nmi, end, watts, submitted = row
    yield "nmi", f'"{nmi}"'
    yield "measurementDateTime", f'"{format_nem(end)}"'
    yield "uncontrolFcst", to_text(watts, KW)
    if submitted is not None:
        yield "submissionDateTime", f'"{nem_text(submitted)}"'
