"""Telemetry of NMIs and DUIDs, a minute a row: reading, both validations, writing.

JSON for submissions, columns for bulk; both end in one frame. Guarantees: power is integer W,
stored energy Wh, instants UTC seconds or microseconds; what is doubled, missing, out of order, or
an hour off is said with its place; rows stay in the document's order, and only rows that a later
submission replaces are taken out.

The columns are those of `NMI` and of `DUID`; ``minute`` is the end of the minute that a row speaks
of. † Part C §4.3 puts the envelope's limits beside the array of measurements, and says that they
apply "to the specified interval": they are read there and within a measurement. † It calls the
measurements instantaneous and time ending, without saying of which grid: whole minutes (§4.1). DUID
telemetry has the same measurements without limits (HLD Appendix H); its definition, Part B, is not
among the documents.

Source: Part C §4, HLD Appendix H.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import groupby
from typing import Any, Final, Literal

import polars as pl

from oepnode.domain.edge.schema.columns import PathOf, read_frame, report, timed
from oepnode.domain.edge.schema.json_writer import nem_text, write_records
from oepnode.domain.edge.schema.kinds import BAD, Identity, Instant, Items, NmiText, Quantity
from oepnode.domain.edge.schema.shape import Attribute, Shape, fold, records
from oepnode.domain.edge.schema.units import KVAR, KW, KWH, to_text
from oepnode.domain.edge.timeseries import checks as measurements
from oepnode.domain.edge.timeseries.checks import Dataset, Table
from oepnode.domain.edge.validation.acknowledgement import ValidationResult, message_id_of
from oepnode.domain.edge.validation.finding_log import MAX_PER_CODE, FindingLog
from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.nem.quantities import Feed

MINUTE_S: Final = 60
SECTION: Final = "Part C §4.3"
UNIT_SECTION: Final = "HLD Appendix H"
_MICROS: Final = 1_000_000
_EDGE_MOST_W: Final = 99_990
_EDGE_STEP_W: Final = 10

Side = Literal["NMI", "DUID"]


# --- the documents' form -------------------------------------------------------------------------

_MEASURED: Final = {
    "minute": Attribute(
        "measurementDateTime",
        Instant(MINUTE_S),
        f"{SECTION} field 3.1",
        "End of the minute that is measured, NEM time",
        ("measurementTime",),
    ),
    "active_power_w": Attribute(
        "activePower",
        Quantity(KW),
        f"{SECTION} field 3.2",
        "Net flow at the connection point in kW: export positive, import negative",
    ),
    "controlled_generation_w": Attribute(
        "controlledGeneration",
        Quantity(KW, least=0),
        f"{SECTION} field 3.3",
        "Generation of controlled assets in kW, ≥ 0",
    ),
    "controlled_load_w": Attribute(
        "controlledLoad",
        Quantity(KW, most=0),
        f"{SECTION} field 3.4",
        "Load of controlled assets in kW, ≤ 0",
    ),
    "energy_stored_wh": Attribute(
        "energyStored",
        Quantity(KWH, least=0),
        f"{SECTION} field 3.5",
        "Stored energy that could have been discharged, kWh, ≥ 0",
    ),
}
_APPLIED: Final = {
    "export_limit_w": Attribute(
        "activePowerExportLimit",
        Quantity(KW, least=0),
        f"{SECTION} field 5",
        "Active power export limit as applied, kW, ≥ 0",
    ),
    "import_limit_w": Attribute(
        "activePowerImportLimit",
        Quantity(KW, most=0),
        f"{SECTION} field 6",
        "Active power import limit as applied, kW, ≤ 0",
    ),
    "reactive_export_limit_var": Attribute(
        "reactivePowerExportLimit",
        Quantity(KVAR, least=0),
        f"{SECTION} field 7",
        "Reactive power export limit as applied, kVAr, ≥ 0",
        required=False,
        nullable=True,
    ),
    "reactive_import_limit_var": Attribute(
        "reactivePowerImportLimit",
        Quantity(KVAR, most=0),
        f"{SECTION} field 8",
        "Reactive power import limit as applied, kVAr, ≤ 0",
        required=False,
        nullable=True,
    ),
    "envelope_submitted_us": Attribute(
        "nmiOeSubmissionTimestamp",
        Instant(),
        f"{SECTION} field 4",
        "Submission of the envelope that was applied; null where there was none",
        ("oeSubmissionTimestamp",),
        required=False,
        nullable=True,
    ),
}
_SUBMITTED: Final = Attribute(
    "submissionDateTime",
    Instant(),
    f"{SECTION} field 9",
    "When the record was made, NEM time",
    ("submissionTimestamp",),
    required=False,
    nullable=True,
)
_NMI: Final = Attribute("nmi", NmiText(), f"{SECTION} field 1", "The NMI without checksum")
_DUID: Final = Attribute(
    "duid", Identity(), UNIT_SECTION, "The aggregator's unit: its whole portfolio"
)

NMI: Final = Dataset(
    "NMI telemetry",
    "telemetry",
    SECTION,
    MINUTE_S,
    "Part C §4.1",
    "nmi",
    "minute",
    "submitted_us",
    {"nmi": _NMI, **_MEASURED, **_APPLIED, "submitted_us": _SUBMITTED},
)
DUID: Final = Dataset(
    "DUID telemetry",
    "telemetry",
    UNIT_SECTION,
    MINUTE_S,
    "HLD §4.1 (1 minute)",
    "duid",
    "minute",
    "submitted_us",
    {"duid": _DUID, **_MEASURED, "submitted_us": _SUBMITTED},
)

_OPTIONAL_APPLIED: Final = tuple(
    Attribute(a.name, a.kind, a.section, a.meaning, a.also, required=False, nullable=a.nullable)
    for a in _APPLIED.values()
)
_ARRAYS: Final = {"NMI": "nmiTelemetryIntervals", "DUID": "duidTelemetryIntervals"}
NMI_SHAPE: Final = Shape(
    _NMI,
    Attribute(
        _ARRAYS["NMI"],
        Items(Shape(*_MEASURED.values(), *_OPTIONAL_APPLIED)),
        f"{SECTION} field 3",
        "Measurements, a minute each",
        ("telemetryIntervals",),
    ),
    *_OPTIONAL_APPLIED,
    _SUBMITTED,
)
DUID_SHAPE: Final = Shape(
    _DUID,
    Attribute(
        _ARRAYS["DUID"],
        Items(Shape(*_MEASURED.values())),
        UNIT_SECTION,
        "Measurements, a minute each",
        ("telemetryIntervals",),
    ),
    _SUBMITTED,
)


# --- JSON ----------------------------------------------------------------------------------------


def validate(
    data: bytes,
    *,
    level: Side | None = None,
    feed: Feed | None = None,
    day: date | None = None,
    message_id: str = "",
) -> ValidationResult[pl.DataFrame]:
    """Read telemetry from a JSON array, NDJSON or one object, and check it.

    Args:
        data: The exact bytes.
        level: Whose telemetry it is; by default that of its first record.
        feed: Profile ``edge`` holds limits to Part C's Decimal(4,2).
        day: The trading day that each NMI or the DUID should cover.
        message_id: Names the submission; by default a digest of its bytes.

    Returns:
        The canonical frame, with both acknowledgements.
    """
    log = FindingLog("telemetry", SECTION)
    reader: _Reader | None = None
    for number, record in records(data, log):
        if reader is None:
            side = level or ("DUID" if DUID_SHAPE.has(record, "duid") else "NMI")
            log = _ledger_of(side, log)
            reader = _Reader(side, log)
        reader.record(record, number)
    identity = message_id or message_id_of(data)
    if reader is None:
        return log.received(None, identity)
    frame = reader.table.frame()
    return log.received(_check(reader.side, frame, log, reader.path, feed, day), identity)


def _ledger_of(side: Side, log: FindingLog) -> FindingLog:
    dataset, shape = (NMI, NMI_SHAPE) if side == "NMI" else (DUID, DUID_SHAPE)
    log.describe(dataset.what, dataset.section, shape.sections())
    return log


class _Reader:
    """Gathers the rows of records."""

    def __init__(self, side: Side, log: FindingLog) -> None:
        self.side: Side = side
        self._log = log
        self._shape = NMI_SHAPE if side == "NMI" else DUID_SHAPE
        self._dataset = NMI if side == "NMI" else DUID
        self.table = Table(self._dataset)

    def record(self, value: object, number: int) -> None:
        path = f"$.records[{number}]"
        other, key = ("duid", DUID_SHAPE) if self.side == "NMI" else ("nmi", NMI_SHAPE)
        if key.has(value, other):
            message = f"a document holds {self._dataset.what} only"
            self._log.add(path, "document.mixed_kinds", message)
            return
        found = self._shape.read(value, path, self._log)
        if found is BAD:
            return
        array = _ARRAYS[self.side]
        elements = found[array]
        outer = {"submitted_us": found["submissionDateTime"]}
        outer[self._dataset.key] = found[self._dataset.key]
        for place, element in enumerate(elements if isinstance(elements, list) else ()):
            if element is BAD:
                continue
            row = {name: element[a.name] for name, a in _MEASURED.items()} | outer
            if self.side == "NMI":
                row |= self._applied(found, element, f"{path}.{array}[{place}]")
            self.table.add(row, number, place)

    def _applied(
        self, record: dict[str, Any], element: dict[str, Any], path: str
    ) -> dict[str, Any]:
        """Limits and envelope of a measurement, from itself or else from its record."""
        row: dict[str, Any] = {}
        for column, attribute in _APPLIED.items():
            inner, outer = element[attribute.name], record[attribute.name]
            here = f"{path}.{attribute.name}"
            if inner is not None and outer is not None and inner != outer:
                message = "given for the record as well, with another value"
                self._log.add(here, "limit.twice", message)
            row[column] = outer if inner is None else inner
            if row[column] is None and attribute.required:
                message = "a mandatory field is missing, here and in the record"
                self._log.add(here, "field.missing", message)
        return row

    def path(self, row: int, column: str) -> str:
        outer = (self._dataset.key, "submitted_us", *_APPLIED)
        return self.table.path(row, column, _ARRAYS[self.side], outer)


# --- columns -------------------------------------------------------------------------------------


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
        feed: Profile ``edge`` holds limits to Part C's Decimal(4,2).
        day: The trading day that each NMI or the DUID should cover.
        message_id: Names the submission.

    Returns:
        The canonical frame, with both acknowledgements.
    """
    names = {fold(name) for name in frame.columns}
    side: Side = "DUID" if "duid" in names and "nmi" not in names else "NMI"
    dataset = NMI if side == "NMI" else DUID
    log = FindingLog(dataset.what, dataset.section, dataset.sections())
    read = read_frame(frame, dataset.columns, log)
    if read is None:
        return log.received(None, message_id)
    rows, path_of = timed(read, dataset.time)
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
        measurements.check_one_unit(dataset, frame, log, path_of)
    message = "telemetry is submitted after the minute that it speaks of"
    measurements.check_after(dataset, frame, log, path_of, message, "Part C §4.2")
    return measurements.check(dataset, frame, log, path_of, day)


def _check_edge(frame: pl.DataFrame, log: FindingLog, path_of: PathOf) -> None:
    """Limits with two decimals of a kW, up to 99.99."""
    for column in list(_APPLIED)[:4]:
        values = frame[column]
        rules = (
            ("limit.decimals", values % _EDGE_STEP_W != 0, "at most 2 decimals (profile edge)"),
            ("limit.range", values.abs() > _EDGE_MOST_W, "at most 99.99 (profile edge)"),
        )
        for code, mask, message in rules:

            def put(
                row: int, count: int, *, column: str = column, code: str = code, said: str = message
            ) -> None:
                shown = to_text(frame[column][row], KW)
                log.add(path_of(row, column), code, said, shown, count=count)

            report(mask.fill_null(value=False).to_numpy(), put)


def _check_envelope_time(frame: pl.DataFrame, log: FindingLog, path_of: PathOf) -> None:
    """An envelope that is applied has been submitted before: a line an NMI and envelope."""
    stated = frame["envelope_submitted_us"]
    if stated.null_count() == frame.height:
        return
    mask = (stated > frame["minute"] * _MICROS).fill_null(value=False)
    if not mask.any():
        return
    runs = _runs(frame, mask)
    for row, count, first, last in runs.head(MAX_PER_CODE).iter_rows():
        _say_later(log, path_of, row, count, (first, last))
    rest = runs[MAX_PER_CODE:]
    if rest.height:
        row, _, first, last = rest.row(0)
        _say_later(log, path_of, row, int(rest["len"].sum()), (first, last))


def _say_later(
    log: FindingLog, path_of: PathOf, row: int, count: int, minutes: tuple[int, int]
) -> None:
    first, last = map(format_nem, minutes)
    log.caution(
        "telemetry.envelope_later",
        path_of(row, "envelope_submitted_us"),
        f"{SECTION} field 4",
        "the envelope was submitted after the minute in which it is said to apply",
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


# --- writing -------------------------------------------------------------------------------------


def write(frame: pl.DataFrame, *, ndjson: bool = False) -> bytes:
    """Write canonical rows as JSON: neighbouring rows with the same limits are one record."""
    return write_records(_records(frame), ndjson)


def _records(frame: pl.DataFrame) -> Iterator[Iterator[tuple[str, str]]]:
    side: Side = "NMI" if "nmi" in frame.columns else "DUID"
    dataset = NMI if side == "NMI" else DUID
    outer = [name for name in dataset.columns if name not in _MEASURED]
    rows = frame.select(*_MEASURED, *outer).iter_rows()
    for head, group in groupby(rows, key=lambda row: row[len(_MEASURED) :]):
        yield _record(side, dict(zip(outer, head, strict=True)), list(group))


def _record(side: Side, head: dict[str, Any], rows: list[Any]) -> Iterator[tuple[str, str]]:
    key = "nmi" if side == "NMI" else "duid"
    yield key, f'"{head[key]}"'
    yield _ARRAYS[side], f"[{','.join(map(_measurement, rows))}]"
    for column, attribute in (*_APPLIED.items(), ("submitted_us", _SUBMITTED)):
        value = head.get(column)
        if value is not None:
            kind = attribute.kind
            text = to_text(value, kind.unit) if isinstance(kind, Quantity) else _quoted(value)
            yield attribute.name, text


def _quoted(micros: int) -> str:
    return f'"{nem_text(micros)}"'


def _measurement(row: tuple[int, ...]) -> str:
    parts = [f'"measurementDateTime":"{format_nem(row[0])}"']
    for value, attribute in zip(row[1:5], list(_MEASURED.values())[1:], strict=True):
        assert isinstance(attribute.kind, Quantity)  # noqa: S101 - all but the first are
        parts.append(f'"{attribute.name}":{to_text(value, attribute.kind.unit)}')
    return f"{{{','.join(parts)}}}"
