"""Both validations of telemetry, from JSON or from columns.

JSON is for submissions, columns are for bulk; both end in one frame with the columns of
`json_format.NMI` or `json_format.DUID`. Guarantees: gaps, repeats, clocks that go back and
daylight-saving hours are reported with their location; rows keep the document's order, and only
rows that a later submission replaces are left out.

Source: Part C §4, HLD Appendix H.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from oepnode.domain.edge.schema.columns import PathOf, read_frame, report, timed
from oepnode.domain.edge.schema.shape import fold, records
from oepnode.domain.edge.telemetry.json_format import (
    APPLIED,
    DUID,
    DUID_SHAPE,
    NMI,
    NMI_SHAPE,
    SECTION,
    Side,
    TelemetryReader,
)
from oepnode.domain.edge.timeseries.checks import check, check_after, check_single_unit
from oepnode.domain.edge.validation.acknowledgement import ValidationResult, message_id_of
from oepnode.domain.edge.validation.finding_log import MAX_PER_CODE, FindingLog
from oepnode.domain.nem.nem_time import MICROS, format_nem
from oepnode.domain.nem.quantities import EDGE_LIMIT, KW, Feed, to_text


def validate(
    data: bytes,
    *,
    side: Side | None = None,
    feed: Feed | None = None,
    day: date | None = None,
    message_id: str = "",
) -> ValidationResult[pl.DataFrame]:
    """Read telemetry from a JSON array, NDJSON or one object, and check it.

    Args:
        data: The exact bytes.
        side: Telemetry of NMIs or of a DUID; by default as its first record.
        feed: Profile ``edge`` limits limits to Part C's Decimal(4,2).
        day: The trading day that each NMI or the DUID should cover.
        message_id: Names the submission; by default a digest of its bytes.

    Returns:
        The canonical frame, with both acknowledgements.
    """
    log = FindingLog("telemetry", SECTION)
    reader: TelemetryReader | None = None
    for number, record in records(data, log):
        if reader is None:
            first: Side = "DUID" if DUID_SHAPE.has(record, "duid") else "NMI"
            reader = _reader(side or first, log)
        reader.read(record, number)
    identity = message_id or message_id_of(data)
    if reader is None:
        return log.received(None, identity)
    frame = reader.table.frame()
    return log.received(_check(reader.side, frame, log, reader.path, feed, day), identity)


def _reader(side: Side, log: FindingLog) -> TelemetryReader:
    dataset, shape = (NMI, NMI_SHAPE) if side == "NMI" else (DUID, DUID_SHAPE)
    log.describe(dataset.title, dataset.section, shape.sections())
    return TelemetryReader(side, log)


def validate_frame(
    frame: pl.DataFrame,
    *,
    feed: Feed | None = None,
    day: date | None = None,
    message_id: str = "",
) -> ValidationResult[pl.DataFrame]:
    """Check telemetry in columns, as from Parquet.

    Args:
        frame: Canonical columns, or columns under Part C's names in kW.
        feed: Profile ``edge`` limits limits to Part C's Decimal(4,2).
        day: The trading day that each NMI or the DUID should cover.
        message_id: Names the submission.

    Returns:
        The canonical frame, with both acknowledgements.
    """
    names = {fold(name) for name in frame.columns}
    side: Side = "DUID" if "duid" in names and "nmi" not in names else "NMI"
    dataset = NMI if side == "NMI" else DUID
    log = FindingLog(dataset.title, dataset.section, dataset.sections())
    columns = read_frame(frame, dataset.columns, log)
    if columns is None:
        return log.received(None, message_id)
    rows, path_of = timed(columns, dataset.time)
    return log.received(_check(side, rows, log, path_of, feed, day), message_id)


# --- rules ---------------------------------------------------------------------------------------


def _check(
    side: Side,
    frame: pl.DataFrame,
    log: FindingLog,
    path_of: PathOf,
    feed: Feed | None,
    day: date | None,
) -> pl.DataFrame:
    dataset = NMI if side == "NMI" else DUID
    if side == "NMI":
        if feed is not None and feed.profile == "edge":
            _check_edge(frame, log, path_of)
        _check_envelope_time(frame, log, path_of)
    else:
        check_single_unit(dataset, frame, log, path_of)
    message = "telemetry must be submitted after the minute that it measures"
    check_after(dataset, frame, log, path_of, message, "Part C §4.2")
    return check(dataset, frame, log, path_of, day)


def _check_edge(frame: pl.DataFrame, log: FindingLog, path_of: PathOf) -> None:
    """Check that limits have two decimals of a kW, up to 99.99."""
    most, decimals = to_text(EDGE_LIMIT.most, EDGE_LIMIT), EDGE_LIMIT.decimals
    for column in list(APPLIED)[:4]:
        values = frame[column]
        rules = (
            ("limit.decimals", values % EDGE_LIMIT.grid != 0, f"at most {decimals} decimals"),
            ("limit.range", values.abs() > EDGE_LIMIT.most, f"at most {most} either way"),
        )
        for code, mask, message in rules:

            def put(
                row: int, count: int, *, column: str = column, code: str = code, text: str = message
            ) -> None:
                value = to_text(frame[column][row], KW)
                log.add(path_of(row, column), code, f"{text} (profile edge)", value, count=count)

            report(mask.fill_null(value=False).to_numpy(), put)


def _check_envelope_time(frame: pl.DataFrame, log: FindingLog, path_of: PathOf) -> None:
    """Report envelopes submitted after the minute in which they apply, one line per site each."""
    stated = frame["envelope_submitted_us"]
    if stated.null_count() == frame.height:
        return
    mask = (stated > frame["minute"] * MICROS).fill_null(value=False)
    if not mask.any():
        return
    runs = _runs(frame, mask)
    for row, count, first, last in runs.head(MAX_PER_CODE).iter_rows():
        _report_later(log, path_of, row, count, (first, last))
    rest = runs[MAX_PER_CODE:]
    if rest.height:
        row, _, first, last = rest.row(0)
        _report_later(log, path_of, row, int(rest["len"].sum()), (first, last))


def _report_later(
    log: FindingLog, path_of: PathOf, row: int, count: int, minutes: tuple[int, int]
) -> None:
    first, last = map(format_nem, minutes)
    log.caution(
        "telemetry.envelope_later",
        path_of(row, "envelope_submitted_us"),
        f"{SECTION} field 4",
        "the envelope was submitted after the minute in which it is stated to apply",
        first if count == 1 else f"{count} minutes, {first} to {last}",
        count=count,
    )


def _runs(frame: pl.DataFrame, mask: pl.Series) -> pl.DataFrame:
    """Rows of a mask by NMI and envelope: the first row, how many, the first and last minute."""
    chosen = frame.select("nmi", "envelope_submitted_us", "minute").with_row_index("row")
    minute = pl.col("minute")
    return (
        chosen.filter(mask)
        .group_by("nmi", "envelope_submitted_us", maintain_order=True)
        .agg(pl.col("row").min(), pl.len(), minute.min().alias("first"), minute.max().alias("last"))
        .select("row", "len", "first", "last")
    )
