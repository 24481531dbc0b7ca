"""Telemetry as JSON: the form of the documents, reading, and canonical writing.

The columns are those of `NMI` and of `DUID`; ``minute`` is the end of the minute that was measured.
† Part C §4.3 puts the envelope's limits next to the array of measurements, and has them apply "to
the specified interval": they are read there and within a measurement. † It calls the measurements
instantaneous and time ending, without naming a grid: whole minutes (§4.1). DUID telemetry has the
same measurements without limits (HLD Appendix H); its definition, Part B, is not among the
documents.

Guarantees: power is integer W, stored energy Wh, instants UTC seconds or microseconds; a fault of
the form is noted with its path. Leaves out the rules between rows (``validate``).

Source: Part C §4.3, HLD Appendix H.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final, Literal

import polars as pl

from oepnode.domain.edge.schema.json_writer import nem_text, write_records
from oepnode.domain.edge.schema.kinds import BAD, Identity, Instant, Items, NmiText, Quantity
from oepnode.domain.edge.schema.shape import Attribute, Shape
from oepnode.domain.edge.timeseries.checks import Dataset, Table
from oepnode.domain.edge.timeseries.tolerance import MINUTE_S
from oepnode.domain.edge.validation.finding_log import FindingLog
from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.nem.quantities import KVAR, KW, KWH, to_text

SECTION: Final = "Part C §4.3"
UNIT_SECTION: Final = "HLD Appendix H"

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
APPLIED: Final = {
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
        "Submission of the envelope that was applied; null where there was no envelope",
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
    {"nmi": _NMI, **_MEASURED, **APPLIED, "submitted_us": _SUBMITTED},
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

_OPTIONALAPPLIED: Final = tuple(
    Attribute(a.name, a.kind, a.section, a.meaning, a.also, required=False, nullable=a.nullable)
    for a in APPLIED.values()
)
_ARRAYS: Final = {"NMI": "nmiTelemetryIntervals", "DUID": "duidTelemetryIntervals"}
NMI_SHAPE: Final = Shape(
    _NMI,
    Attribute(
        _ARRAYS["NMI"],
        Items(Shape(*_MEASURED.values(), *_OPTIONALAPPLIED)),
        f"{SECTION} field 3",
        "Measurements, a minute each",
        ("telemetryIntervals",),
    ),
    *_OPTIONALAPPLIED,
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


# --- reading -------------------------------------------------------------------------------------


class TelemetryReader:
    """Gathers the rows of records.

    Args:
        side: Whether they are of NMIs or of a DUID.
        log: Takes the faults.
    """

    def __init__(self, side: Side, log: FindingLog) -> None:
        self.side: Side = side
        self._log = log
        self._shape = NMI_SHAPE if side == "NMI" else DUID_SHAPE
        self._dataset = NMI if side == "NMI" else DUID
        self.table = Table(self._dataset)

    def read(self, value: object, number: int) -> None:
        """Add the rows of a record.

        Args:
            value: The record as the strict reader gives it.
            number: Its position in the document.
        """
        path = f"$.records[{number}]"
        other, key = ("duid", DUID_SHAPE) if self.side == "NMI" else ("nmi", NMI_SHAPE)
        if key.has(value, other):
            message = f"a document must hold {self._dataset.title} only"
            self._log.add(path, "document.mixed_kinds", message)
            return
        record = self._shape.read(value, path, self._log)
        if record is BAD:
            return
        array = _ARRAYS[self.side]
        elements = record[array]
        outer = {"submitted_us": record["submissionDateTime"]}
        outer[self._dataset.key] = record[self._dataset.key]
        for index, element in enumerate(elements if isinstance(elements, list) else ()):
            if element is BAD:
                continue
            row = {name: element[a.name] for name, a in _MEASURED.items()} | outer
            if self.side == "NMI":
                row |= self._applied(record, element, f"{path}.{array}[{index}]")
            self.table.add(row, number, index)

    def _applied(
        self, record: dict[str, Any], element: dict[str, Any], path: str
    ) -> dict[str, Any]:
        """Limits and envelope of a measurement, from itself or else from its record."""
        row: dict[str, Any] = {}
        for column, attribute in APPLIED.items():
            inner, outer = element[attribute.name], record[attribute.name]
            here = f"{path}.{attribute.name}"
            if inner is not None and outer is not None and inner != outer:
                message = "the record states another value: give it once"
                self._log.add(here, "limit.twice", message)
            row[column] = outer if inner is None else inner
            if row[column] is None and attribute.required:
                message = "a mandatory field is missing, here and in the record"
                self._log.add(here, "field.missing", message)
        return row

    def path(self, row: int, column: str) -> str:
        """Path of a value."""
        outer = (self._dataset.key, "submitted_us", *APPLIED)
        return self.table.path(row, column, _ARRAYS[self.side], outer)


# --- writing -------------------------------------------------------------------------------------


def write_telemetry(frame: pl.DataFrame, *, ndjson: bool = False) -> bytes:
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
    for column, attribute in (*APPLIED.items(), ("submitted_us", _SUBMITTED)):
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
