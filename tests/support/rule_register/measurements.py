"""The register's rows on telemetry, forecasts and dispatch instructions: Part C §1.1, §4 and §5."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl

from oepnode.domain.edge.dispatch import validate as dispatch
from oepnode.domain.edge.forecasts import validate as forecast_validation
from oepnode.domain.edge.telemetry import duid
from oepnode.domain.edge.telemetry import validate as telemetry
from oepnode.domain.edge.validation.acknowledgement import ValidationResult
from oepnode.domain.nem.nem_time import parse_timestamp
from oepnode.domain.nem.quantities import Feed
from tests.support import edge_documents
from tests.support.edge_documents import (
    DAY_START_S,
    NMI,
    OTHER_NMI,
    Exact,
    document,
    duid_telemetry,
    instruction,
    measurement,
    nem,
    nmi_telemetry,
)
from tests.support.rule_register.row import REJECTED, TRANSACTION, WARNING, Check, Rule

Record = dict[str, Any]

DAY: Final = date(2026, 11, 20)
SPRING: Final = "2026-10-04T01:00:00"
"""An hour before clocks in Melbourne go forward, NEM time."""
AUTUMN: Final = "2026-04-05T00:00:00"
"""Two hours before they go back; Brisbane has no daylight saving."""

_SITE: Final = "Part C §4.3"
_FORECAST: Final = "Part C §5.3"
_TARGET: Final = "Part C §1.1 (Dispatch Target)"
_NEM_TIME: Final = "Part C §1.2 (NEM time)"
_HEAD: Final = "$.records[0]"
_ROW: Final = "$.records[0].nmiTelemetryIntervals"


def measured(**settings: Any) -> Check:
    """Validates telemetry as a JSON array."""
    return lambda records: telemetry.validate(document(*records), **settings)


def forecasts(records: Sequence[Record]) -> ValidationResult[Any]:
    return forecast_validation.validate(document(*records))


def forecasts_of_the_day(records: Sequence[Record]) -> ValidationResult[Any]:
    return forecast_validation.validate(document(*records), day=DAY)


def instructions(records: Sequence[Record]) -> ValidationResult[Any]:
    return dispatch.validate(document(*records))


def instructions_of_the_day(records: Sequence[Record]) -> ValidationResult[Any]:
    return dispatch.validate(document(*records), day=DAY)


def targets_of_unit_1(records: Sequence[Record]) -> str:
    """Select the targets of one DUID, as a command with that option does."""
    targets = instructions(records).value
    assert isinstance(targets, pl.DataFrame)
    return duid.only(targets, "UNIT1", "dispatch instructions")[1]


def telemetry_against_targets_of_unit_1(records: Sequence[Record]) -> None:
    """Check that telemetry and targets are of one DUID."""
    frame = telemetry.validate(document(*records)).value
    assert isinstance(frame, pl.DataFrame)
    _, unit = duid.only(frame, None, "telemetry")
    duid.check_same("telemetry", unit, "UNIT1", "dispatch instructions")


# --- documents -----------------------------------------------------------------------------------


def made(*numbers: int, **changes: Any) -> list[Record]:
    """Forecasts of intervals of the day."""
    return [edge_documents.forecast(number, **changes) for number in numbers]


def sent(*numbers: int, **changes: Any) -> list[Record]:
    """Instructions for intervals of the day."""
    return [instruction(number, **changes) for number in numbers]


def site(**changes: Any) -> list[Record]:
    return [nmi_telemetry(**changes)]


def minutes(*numbers: int, **changes: Any) -> list[Record]:
    return [nmi_telemetry(*map(measurement, numbers), **changes)]


def minute(**changes: Any) -> list[Record]:
    """Three minutes of an NMI, the second of which is changed."""
    return [nmi_telemetry(measurement(1), measurement(2, **changes), measurement(3))]


def rows_of(rows: Sequence[Record]) -> list[Record]:
    return [nmi_telemetry(*rows, nmiOeSubmissionTimestamp=None)]


def clock(first: str, step_s: int, count: int, *, zone: str) -> list[str]:
    """Readings of a clock at each step from an instant of NEM time on, written as NEM time."""
    start, clock_zone = parse_timestamp(f"{first}+10:00").seconds, ZoneInfo(zone)
    instants = (datetime.fromtimestamp(start + step_s * n, tz=UTC) for n in range(count))
    return [f"{instant.astimezone(clock_zone):%Y-%m-%dT%H:%M:%S}+10:00" for instant in instants]


def across(first: str, zone: str) -> list[Record]:
    """Four hours of telemetry, a minute each."""
    text = clock(first, 60, 240, zone=zone)
    rows = [measurement(measurementDateTime=when, activePower=n) for n, when in enumerate(text)]
    return rows_of(rows)


def forecast_across(first: str, zone: str) -> list[Record]:
    """Four hours of forecasts, five minutes each."""
    return [
        edge_documents.forecast(measurementDateTime=when, uncontrolFcst=n, submissionDateTime=None)
        for n, when in enumerate(clock(first, 300, 48, zone=zone))
    ]


def targets_across(first: str, zone: str) -> list[Record]:
    """Four hours of dispatch targets, five minutes each."""
    return [
        instruction(diEndTime=when, dispatchTarget=n, submissionDateTime=None)
        for n, when in enumerate(clock(first, 300, 48, zone=zone))
    ]


def frame(
    records: Sequence[Record], validate: Callable[[bytes], ValidationResult[Any]]
) -> pl.DataFrame:
    result = validate(document(*records)).value
    assert isinstance(result, pl.DataFrame)
    return result


# --- Part C §4.3, field by field; mandatory fields are in the register of fields -----------------

_EDGE: Final = measured(feed=Feed(profile="edge"))
_ONE: Final = f"{_ROW}[1]"
_LATE: Final = {"submissionDateTime": "2026-11-21T07:00:00+10:00"}

_TELEMETRY: Final = (
    Rule(f"{_SITE} field 1", "nmi.length", f"{_HEAD}.nmi", measured(), site(nmi=NMI[:9]), site()),
    Rule(f"{_SITE} field 1", "nmi.character", f"{_HEAD}.nmi", measured(), site(nmi="63058884I4"),
         site(nmi="6305888414")),
    Rule(f"{_SITE} field 1", "nmi.checksum", f"{_HEAD}.nmi", measured(), site(nmi=NMI + "5"),
         site(nmi=NMI + "6")),
    Rule(f"{_SITE} field 3", "array.length", _ROW, measured(), site(nmiTelemetryIntervals=[]),
         site()),
    Rule(f"{_SITE} field 3.1", "time.grid", f"{_ROW}[2].measurementDateTime", measured(),
         [nmi_telemetry(measurement(1), measurement(2),
                        measurement(measurementDateTime=nem(DAY_START_S + 150)))],
         minutes(1, 2, 3)),
    Rule(f"{_SITE} field 3.1", "time.format", f"{_ROW}[2].measurementDateTime", measured(),
         [nmi_telemetry(measurement(1), measurement(2), measurement(measurementDateTime="04:03"))],
         minutes(1, 2, 3)),
    Rule(f"{_SITE} field 3.1", "time.no_offset", f"{_ROW}[0].measurementDateTime", measured(),
         [nmi_telemetry(measurement(measurementDateTime="2026-11-20T04:01:00"))], minutes(1),
         WARNING),
    Rule(f"{_SITE} field 3.1", "time.daylight_saving_offset", f"{_ROW}[0].measurementDateTime",
         measured(), [nmi_telemetry(measurement(measurementDateTime="2026-11-20T05:01:00+11:00"))],
         [nmi_telemetry(measurement(measurementDateTime="2026-11-19T18:01:00Z"))], WARNING),
    Rule(f"{_SITE} field 3.2", "power.range", f"{_ONE}.activePower", measured(),
         minute(activePower=Exact("1e9")), minute(activePower=Exact("1e6"))),
    Rule(f"{_SITE} field 3.2", "power.decimals", f"{_ONE}.activePower", measured(),
         minute(activePower=Exact("-1.2345")), minute(activePower=Exact("-1.234"))),
    Rule(f"{_SITE} field 3.2", "number.constant", f"{_ONE}.activePower", measured(),
         minute(activePower=Exact("Infinity")), minute(activePower=0)),
    Rule(f"{_SITE} field 3.3", "power.sign", f"{_ONE}.controlledGeneration", measured(),
         minute(controlledGeneration=Exact("-0.001")), minute(controlledGeneration=Exact("-0"))),
    Rule(f"{_SITE} field 3.4", "power.sign", f"{_ONE}.controlledLoad", measured(),
         minute(controlledLoad=Exact("0.001")), minute(controlledLoad=0)),
    Rule(f"{_SITE} field 3.5", "energy.sign", f"{_ONE}.energyStored", measured(),
         minute(energyStored=Exact("-0.001")), minute(energyStored=0)),
    Rule(f"{_SITE} field 3.5", "energy.decimals", f"{_ONE}.energyStored", measured(),
         minute(energyStored=Exact("1.0001")), minute(energyStored=Exact("1.001"))),
    Rule(f"{_SITE} field 3.5", "energy.range", f"{_ONE}.energyStored", measured(),
         minute(energyStored=Exact("1e9")), minute(energyStored=Exact("1e6"))),
    Rule(f"{_SITE} field 4", "time.format", f"{_HEAD}.nmiOeSubmissionTimestamp", measured(),
         site(nmiOeSubmissionTimestamp="none"), site(nmiOeSubmissionTimestamp=None)),
    Rule(f"{_SITE} field 4", "telemetry.envelope_later", f"{_HEAD}.nmiOeSubmissionTimestamp",
         measured(), site(nmiOeSubmissionTimestamp="2026-11-20T04:01:01+10:00"),
         site(nmiOeSubmissionTimestamp="2026-11-20T04:01:00+10:00"), WARNING),
    Rule(f"{_SITE} field 5", "power.sign", f"{_HEAD}.activePowerExportLimit", measured(),
         site(activePowerExportLimit=-5), site(activePowerExportLimit=0)),
    Rule(f"{_SITE} field 6", "power.sign", f"{_HEAD}.activePowerImportLimit", measured(),
         site(activePowerImportLimit=5), site(activePowerImportLimit=0)),
    Rule(f"{_SITE} field 7", "power.sign", f"{_HEAD}.reactivePowerExportLimit", measured(),
         site(reactivePowerExportLimit=-5), site(reactivePowerExportLimit=5)),
    Rule(f"{_SITE} field 8", "power.sign", f"{_HEAD}.reactivePowerImportLimit", measured(),
         site(reactivePowerImportLimit=5), site(reactivePowerImportLimit=-5)),
    *(
        Rule(f"{_SITE} field {number}", "limit.decimals", f"{_HEAD}.{name}", _EDGE,
             site(**{name: Exact(f"{sign}1.001")}), site(**{name: Exact(f"{sign}1.01")}), count=5,
             case="Decimal(4,2)")
        for number, sign, name in ((5, "", "activePowerExportLimit"),
                                   (6, "-", "activePowerImportLimit"),
                                   (7, "", "reactivePowerExportLimit"),
                                   (8, "-", "reactivePowerImportLimit"))
    ),
    *(
        Rule(f"{_SITE} field {number}", "limit.range", f"{_HEAD}.{name}", _EDGE,
             site(**{name: Exact(f"{sign}100")}), site(**{name: Exact(f"{sign}99.99")}), count=5,
             case="Decimal(4,2)")
        for number, sign, name in ((5, "", "activePowerExportLimit"),
                                   (6, "-", "activePowerImportLimit"),
                                   (7, "", "reactivePowerExportLimit"),
                                   (8, "-", "reactivePowerImportLimit"))
    ),
    Rule(f"{_SITE} field 5", "limit.twice", f"{_ONE}.activePowerExportLimit", measured(),
         minute(activePowerExportLimit=4), minute(activePowerExportLimit=5)),
    Rule(f"{_SITE} field 9", "time.format", f"{_HEAD}.submissionDateTime", measured(),
         site(submissionDateTime="tomorrow"), site(submissionDateTime=None)),
    Rule(_SITE, "field.unknown", _HEAD, measured(), site(voltage=230), site()),
    Rule(_SITE, "document.mixed_kinds", "$.records[1]", measured(), [*site(), duid_telemetry()],
         [*site(), *site(nmi=OTHER_NMI)]),
)  # fmt: skip

# --- Part C §4.1, §4.2: in time ------------------------------------------------------------------

_IN_TIME: Final = (
    Rule("Part C §4.1", "telemetry.gap", f"{_ROW}[2].measurementDateTime", measured(),
         minutes(1, 2, 4), minutes(1, 2, 3), TRANSACTION),
    Rule("Part C §4.1", "telemetry.gap", f"{_ROW}[1438].measurementDateTime", measured(day=DAY),
         minutes(*range(1, 1440)), minutes(*range(1, 1441)), TRANSACTION, case="the day's end"),
    Rule("Part C §4.1", "telemetry.outside_day", f"{_ROW}[0].measurementDateTime",
         measured(day=DAY), minutes(*range(1441)), minutes(*range(1, 1441)), TRANSACTION),
    Rule("Part C §4.1", "telemetry.duplicate", f"{_ROW}[2].measurementDateTime", measured(),
         minutes(1, 2, 2, 3), minutes(1, 2, 3), TRANSACTION),
    Rule("Part C §4.1", "telemetry.conflict", f"{_ROW}[1].measurementDateTime", measured(),
         [nmi_telemetry(measurement(1), measurement(1, activePower=9))], minutes(1, 2),
         TRANSACTION),
    Rule("Part C §4.1", "telemetry.clock_jump", f"{_ROW}[2].measurementDateTime", measured(),
         minutes(1, 3, 2, 4), minutes(1, 2, 3, 4), TRANSACTION),
    Rule("Part C §4.1", "telemetry.superseded", "$.records[1].nmiTelemetryIntervals[0]"
         ".measurementDateTime", measured(), [*minutes(1, 2), *minutes(2, 3, **_LATE)],
         [*minutes(1, 2), *minutes(3, 4, **_LATE)], WARNING),
    Rule("Part C §4.2", "telemetry.submitted_early", f"{_HEAD}.submissionDateTime", measured(),
         minutes(1, 2, submissionDateTime="2026-11-20T04:01:59+10:00"),
         minutes(1, 2, submissionDateTime="2026-11-20T04:02:00+10:00"), TRANSACTION),
    *(
        Rule(_NEM_TIME, "time.daylight_saving_hour", f"{_ROW}[{row}].measurementDateTime",
             measured(), across(first, "Australia/Melbourne"), across(first, "Australia/Brisbane"),
             TRANSACTION, case=f"a minute {case}")
        for case, first, row in (("left out", SPRING, 60), ("twice", AUTUMN, 120))
    ),
)  # fmt: skip

_UNIT_ROW: Final = f"{_HEAD}.duidTelemetryIntervals"

_UNITS: Final = (
    Rule("HLD Appendix H", "duid.form", f"{_HEAD}.duid", measured(), [duid_telemetry(duid="")],
         [duid_telemetry()]),
    Rule("HLD Appendix H", "field.unknown", _HEAD, measured(),
         [duid_telemetry(activePowerExportLimit=5)], [duid_telemetry()],
         case="limits are of NMIs"),
    Rule("HLD Appendix H", "document.mixed_kinds", "$.records[1]", measured(),
         [duid_telemetry(), *site()], [duid_telemetry()]),
    Rule("HLD §4.2.1", "duid.mixed", "$.records[1].duid", measured(),
         [duid_telemetry(), duid_telemetry(measurement(6), duid="UNIT2")],
         [duid_telemetry(), duid_telemetry(measurement(6))], TRANSACTION, case="telemetry"),
    Rule("HLD §4.2.1", "duid.absent", "$.duid", targets_of_unit_1, sent(1, duid="UNIT2"), sent(1),
         REJECTED),
    Rule("HLD §4.2.1, Part C §1.1 Dispatch Target", "duid.mismatch", "$.duid",
         telemetry_against_targets_of_unit_1, [duid_telemetry(duid="UNIT2")], [duid_telemetry()],
         REJECTED),
    Rule("HLD §4.1 (1 minute)", "telemetry.gap", f"{_UNIT_ROW}[1].measurementDateTime", measured(),
         [duid_telemetry(measurement(1), measurement(3))],
         [duid_telemetry(measurement(1), measurement(2))], TRANSACTION),
    Rule(f"{_SITE} field 3.4", "power.sign", f"{_UNIT_ROW}[0].controlledLoad", measured(),
         [duid_telemetry(measurement(controlledLoad=1))],
         [duid_telemetry(measurement(controlledLoad=-1))], case="of a unit"),
)  # fmt: skip

# --- Part C §5 -----------------------------------------------------------------------------------

_FORECASTS: Final = (
    Rule(f"{_FORECAST} field 1", "nmi.length", f"{_HEAD}.nmi", forecasts, made(1, nmi=NMI[:9]),
         made(1)),
    Rule(f"{_FORECAST} field 1", "nmi.character", f"{_HEAD}.nmi", forecasts,
         made(1, nmi="63058884O4"), made(1, nmi="6305888404")),
    Rule(f"{_FORECAST} field 1", "nmi.checksum", f"{_HEAD}.nmi", forecasts,
         made(1, nmi=NMI + "5"), made(1, nmi=NMI + "6")),
    Rule(f"{_FORECAST} field 2", "time.grid", f"{_HEAD}.measurementDateTime", forecasts,
         made(1, measurementDateTime=nem(DAY_START_S + 360)),
         made(1, measurementDateTime=nem(DAY_START_S + 300))),
    Rule(f"{_FORECAST} field 2", "time.format", f"{_HEAD}.measurementDateTime", forecasts,
         made(1, measurementDateTime="04:05"), made(1)),
    Rule(f"{_FORECAST} field 3", "power.decimals", f"{_HEAD}.uncontrolFcst", forecasts,
         made(1, uncontrolFcst=Exact("-0.0001")), made(1, uncontrolFcst=Exact("-0.001"))),
    Rule(f"{_FORECAST} field 3", "power.range", f"{_HEAD}.uncontrolFcst", forecasts,
         made(1, uncontrolFcst=Exact("-1e9")), made(1, uncontrolFcst=Exact("1e6"))),
    Rule(f"{_FORECAST} field 4", "time.format", f"{_HEAD}.submissionDateTime", forecasts,
         made(1, submissionDateTime="late"), made(1, submissionDateTime=None)),
    Rule(_FORECAST, "field.unknown", _HEAD, forecasts, made(1, activePower=1), made(1)),
    Rule("Part C §5", "forecast.late", f"{_HEAD}.submissionDateTime", forecasts,
         made(1, submissionDateTime=nem(DAY_START_S + 301)),
         made(1, submissionDateTime=nem(DAY_START_S + 300)), WARNING),
    Rule("Part C §5.1", "forecast.gap", "$.records[2].measurementDateTime", forecasts,
         made(1, 2, 4), made(1, 2, 3), TRANSACTION),
    Rule("Part C §5.1", "forecast.gap", "$.records[0].measurementDateTime", forecasts_of_the_day,
         made(*range(2, 289)), made(*range(1, 289)), TRANSACTION, case="the day's begin"),
    Rule("Part C §5.1", "forecast.outside_day", "$.records[288].measurementDateTime",
         forecasts_of_the_day, made(*range(1, 290)), made(*range(1, 289)), TRANSACTION),
    Rule("Part C §5.1", "forecast.duplicate", "$.records[1].measurementDateTime", forecasts,
         made(1, 1), made(1, 2), TRANSACTION),
    Rule("Part C §5.1", "forecast.conflict", "$.records[1].measurementDateTime", forecasts,
         [*made(1), *made(1, uncontrolFcst=2)], made(1, 2), TRANSACTION),
    Rule("Part C §5.1", "forecast.clock_jump", "$.records[2].measurementDateTime", forecasts,
         made(1, 3, 2, submissionDateTime=None), made(1, 2, 3, submissionDateTime=None),
         TRANSACTION),
    Rule("Part C §5.1", "forecast.superseded", "$.records[1].measurementDateTime", forecasts,
         [*made(1), *made(1, submissionDateTime=nem(DAY_START_S - 5))], made(1, 2), WARNING),
    *(
        Rule(_NEM_TIME, "time.daylight_saving_hour", f"$.records[{row}].measurementDateTime",
             forecasts, forecast_across(first, "Australia/Melbourne"),
             forecast_across(first, "Australia/Brisbane"), TRANSACTION,
             case=f"a forecast {case}")
        for case, first, row in (("left out", SPRING, 12), ("twice", AUTUMN, 24))
    ),
)  # fmt: skip

# --- dispatch instructions -----------------------------------------------------------------------

_INTERVAL: Final = "Part C §1.2 (Dispatch Interval)"
_CADENCE: Final = "HLD §4.3 (every 5 minutes)"

_TARGETS: Final = (
    Rule(_TARGET, "duid.form", f"{_HEAD}.duid", instructions, sent(1, duid=""), sent(1)),
    Rule(_INTERVAL, "time.grid", f"{_HEAD}.diEndTime", instructions,
         sent(1, diEndTime=nem(DAY_START_S + 360)), sent(1, diEndTime=nem(DAY_START_S + 600))),
    Rule(_TARGET, "power.decimals", f"{_HEAD}.dispatchTarget", instructions,
         sent(1, dispatchTarget=Exact("1.0001")), sent(1, dispatchTarget=Exact("1.001"))),
    Rule("Part C §1.1", "price.decimals", f"{_HEAD}.clearingPrice", instructions,
         sent(1, clearingPrice=Exact("78.011")), sent(1, clearingPrice=None)),
    Rule("HLD §4.4", "time.format", f"{_HEAD}.submissionDateTime", instructions,
         sent(1, submissionDateTime="soon"), sent(1, submissionDateTime=None)),
    Rule(_TARGET, "dispatch.issued_late", f"{_HEAD}.submissionDateTime", instructions,
         sent(1, submissionDateTime=nem(DAY_START_S + 300)),
         sent(1, submissionDateTime=nem(DAY_START_S + 299)), TRANSACTION),
    Rule("HLD §4.2.1", "duid.mixed", "$.records[1].duid", instructions,
         [*sent(1), *sent(2, duid="UNIT2")], sent(1, 2), TRANSACTION, case="targets"),
    Rule(_CADENCE, "dispatch.gap", "$.records[1].diEndTime", instructions, sent(1, 3),
         sent(1, 2), TRANSACTION),
    Rule(_CADENCE, "dispatch.outside_day", "$.records[288].diEndTime", instructions_of_the_day,
         sent(*range(1, 290)), sent(*range(1, 289)), TRANSACTION),
    Rule(_CADENCE, "dispatch.duplicate", "$.records[1].diEndTime", instructions, sent(1, 1),
         sent(1, 2), TRANSACTION),
    Rule(_CADENCE, "dispatch.conflict", "$.records[1].diEndTime", instructions,
         [*sent(1), *sent(1, dispatchTarget=0)], sent(1, 2), TRANSACTION),
    Rule(_CADENCE, "dispatch.clock_jump", "$.records[2].diEndTime", instructions,
         sent(1, 3, 2, submissionDateTime=None), sent(1, 2, 3, submissionDateTime=None),
         TRANSACTION),
    Rule(_CADENCE, "dispatch.superseded", "$.records[1].diEndTime", instructions,
         [*sent(1), *sent(1, submissionDateTime=nem(DAY_START_S + 60))], sent(1, 2), WARNING),
    *(
        Rule(_NEM_TIME, "time.daylight_saving_hour", f"$.records[{row}].diEndTime", instructions,
             targets_across(first, "Australia/Melbourne"),
             targets_across(first, "Australia/Brisbane"), TRANSACTION, case=f"a target {case}")
        for case, first, row in (("left out", SPRING, 12), ("twice", AUTUMN, 24))
    ),
)  # fmt: skip

# --- files of columns ----------------------------------------------------------------------------

_COLUMNS: Final = frame(site(), telemetry.validate)
_IN_KW: Final = _COLUMNS.with_columns(activePower=pl.col("active_power_w") / 1000)


def _with(**columns: Any) -> pl.DataFrame:
    return _COLUMNS.with_columns(pl.lit(value).alias(name) for name, value in columns.items())


_FRAMES: Final = (
    Rule(_SITE, "document.empty", "$", telemetry.validate_frame, _COLUMNS.clear(), _COLUMNS,
         case="no rows"),
    Rule(f"{_SITE} field 3.2", "column.missing", "$.columns.active_power_w",
         telemetry.validate_frame, _COLUMNS.drop("active_power_w"), _COLUMNS),
    Rule(f"{_SITE} field 3.2", "column.twice", "$.columns.activePower", telemetry.validate_frame,
         _IN_KW, _IN_KW.drop("active_power_w")),
    Rule(f"{_SITE} field 3.2", "column.type", "$.columns.active_power_w",
         telemetry.validate_frame, _with(active_power_w=1.5), _with(active_power_w=1500)),
    Rule(_SITE, "column.unknown", "$.columns", telemetry.validate_frame, _with(voltage=230),
         _COLUMNS, WARNING),
    Rule(f"{_SITE} field 3.2", "number.range", "$.rows[0].active_power_w",
         telemetry.validate_frame, _with(active_power_w=2**31), _with(active_power_w=2**31 - 1),
         count=5),
    Rule(f"{_SITE} field 3.1", "time.grid", "$.rows[0].minute", telemetry.validate_frame,
         _COLUMNS.with_columns(pl.col("minute") + 30), _COLUMNS, count=5, case="in columns"),
    Rule(f"{_SITE} field 3.4", "power.sign", "$.rows[0].controlled_load_w",
         telemetry.validate_frame, _with(controlled_load_w=1), _with(controlled_load_w=0),
         count=5, case="in columns"),
    Rule("Part C §4.1", "telemetry.gap", "$.rows[2].minute", telemetry.validate_frame,
         _COLUMNS[[0, 1, 3]], _COLUMNS[[0, 1, 2]], TRANSACTION, case="in columns"),
)  # fmt: skip

RULES: Final = (*_TELEMETRY, *_IN_TIME, *_UNITS, *_FORECASTS, *_TARGETS, *_FRAMES)
"""Every row on telemetry, forecasts and dispatch instructions."""
