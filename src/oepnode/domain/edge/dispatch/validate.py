"""Dispatch instructions: the target that a DUID has to meet by the end of each interval.

† Their definition is in Part B, which is not among the documents. The documents mention a target
per dispatch interval and DUID, sent every five minutes (HLD §4.3 to §4.5, Part C §1.1 "Dispatch
Target"). The form here has that, and the clearing price where it is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any, Final

import polars as pl

from oepnode.domain.edge.schema.columns import PathOf, report
from oepnode.domain.edge.schema.json_writer import nem_text, write_records
from oepnode.domain.edge.schema.kinds import Identity, Instant, Quantity
from oepnode.domain.edge.schema.shape import Attribute, Shape
from oepnode.domain.edge.timeseries import submission
from oepnode.domain.edge.timeseries.checks import Dataset, check, check_single_unit
from oepnode.domain.edge.validation.acknowledgement import ValidationResult
from oepnode.domain.edge.validation.finding_log import FindingLog
from oepnode.domain.nem.nem_time import INTERVAL_S, MICROS, format_nem
from oepnode.domain.nem.quantities import KW, PRICE, to_text

SECTION: Final = "Part C §1.1 (Dispatch Target)"

DUID: Final = Dataset(
    "dispatch instruction",
    "dispatch",
    SECTION,
    INTERVAL_S,
    "HLD §4.3 (every 5 minutes)",
    "duid",
    "interval_end",
    "issued_us",
    {
        "duid": Attribute("duid", Identity(), SECTION, "The unit that is dispatched"),
        "interval_end": Attribute(
            "diEndTime",
            Instant(INTERVAL_S),
            "Part C §1.2 (Dispatch Interval)",
            "End of the dispatch interval, NEM time",
            ("dispatchInterval",),
        ),
        "target_w": Attribute(
            "dispatchTarget",
            Quantity(KW),
            SECTION,
            "Target to reach by the end of the interval, kW: export positive, import negative",
        ),
        "price_cents": Attribute(
            "clearingPrice",
            Quantity(PRICE),
            "Part C §1.1",
            "The price that cleared, $/MWh",
            required=False,
            nullable=True,
        ),
        "issued_us": Attribute(
            "submissionDateTime",
            Instant(),
            "HLD §4.4",
            "When the instruction was issued, NEM time",
            ("submissionTimestamp", "issueDateTime"),
            required=False,
            nullable=True,
        ),
    },
)
SHAPE: Final = Shape(*DUID.columns.values())


def validate(
    data: bytes, *, day: date | None = None, message_id: str = ""
) -> ValidationResult[pl.DataFrame]:
    """Read dispatch instructions from a JSON array, NDJSON or one object, and check them.

    Args:
        data: The exact bytes.
        day: The trading day that should be covered.
        message_id: Names the submission; by default a digest of its bytes.

    Returns:
        The canonical frame, with both acknowledgements.
    """
    return submission.validate(DUID, SHAPE, _check, data, day, message_id)


def validate_frame(
    frame: pl.DataFrame, *, day: date | None = None, message_id: str = ""
) -> ValidationResult[pl.DataFrame]:
    """Check dispatch instructions in columns, canonical or under the names of JSON in kW."""
    return submission.validate_frame(DUID, _check, frame, day, message_id)


def _check(frame: pl.DataFrame, log: FindingLog, path_of: PathOf, day: date | None) -> pl.DataFrame:
    check_single_unit(DUID, frame, log, path_of)
    late = (frame["issued_us"] >= frame["interval_end"] * MICROS).fill_null(value=False)

    def put(row: int, count: int) -> None:
        log.business(
            "dispatch.issued_late",
            path_of(row, "issued_us"),
            SECTION,
            "a target to be met by the end of an interval must be issued before it",
            format_nem(frame["interval_end"][row]),
            count=count,
        )

    report(late.to_numpy(), put)
    return check(DUID, frame, log, path_of, day)


def write_instructions(frame: pl.DataFrame, *, ndjson: bool = False) -> bytes:
    """Write canonical rows as JSON, a record each."""
    return write_records(map(_record, frame.select(*DUID.columns).iter_rows()), ndjson)


def _record(row: tuple[Any, ...]) -> Iterator[tuple[str, str]]:
    duid, end, watts, price, issued = row
    yield "duid", f'"{duid}"'
    yield "diEndTime", f'"{format_nem(end)}"'
    yield "dispatchTarget", to_text(watts, KW)
    if price is not None:
        yield "clearingPrice", to_text(price, PRICE)
    if issued is not None:
        yield "submissionDateTime", f'"{nem_text(issued)}"'
