"""Telemetry as JSON and columns: forms, and rules of time; every rule is in the register."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from oepnode.domain.edge.telemetry import json_format
from oepnode.domain.edge.telemetry.validate import validate, validate_frame
from oepnode.domain.nem.nem_time import parse_timestamp
from oepnode.domain.nem.quantities import Feed
from tests.support.edge_documents import (
    DAY_START_S,
    NMI,
    OTHER_NMI,
    cautions,
    document,
    duid_telemetry,
    finding,
    lines,
    measurement,
    nem,
    nmi_telemetry,
    renamed,
    system,
    transaction,
    without,
)
from tests.support.telemetry_columns import frame_of

DAY = date(2026, 11, 20)


def one(**changes: Any) -> bytes:
    return document(nmi_telemetry(**changes))


def minutes(*numbers: int, **changes: Any) -> bytes:
    return document(nmi_telemetry(*(measurement(n) for n in numbers), **changes))


# --- valid documents -----------------------------------------------------------------------------


@pytest.mark.parametrize("form", [document, lines])
def test_part_c_4_3_good_telemetry_is_accepted(form: Any) -> None:
    received = validate(form(nmi_telemetry(), nmi_telemetry(nmi=OTHER_NMI)))
    assert cautions(received) == {}
    frame = received.value
    assert frame is not None
    assert frame.schema == json_format.NMI.schema
    assert frame["nmi"].cast(pl.String).to_list() == [NMI] * 5 + [OTHER_NMI] * 5
    assert frame.row(0)[1:] == (
        DAY_START_S + 60,
        -1500,
        0,
        -2000,
        7250,
        5000,
        -5250,
        None,
        None,
        parse_timestamp("2026-11-20T03:50:00+10:00").total_micros,
        parse_timestamp("2026-11-21T06:00:00+10:00").total_micros,
    )


def test_hld_h_good_duid_telemetry_is_accepted() -> None:
    received = validate(document(duid_telemetry()))
    assert cautions(received) == {}
    assert received.value is not None
    assert received.value.schema == json_format.DUID.schema


def test_part_c_4_3_limits_are_read_within_a_measurement_as_well() -> None:
    limits = {"activePowerExportLimit": 5, "activePowerImportLimit": -5.25}
    inner = [measurement(m, **limits) for m in range(1, 6)]
    outer = without(nmi_telemetry(*inner), *limits)
    assert frame_of(document(outer)).equals(frame_of(document(nmi_telemetry())))


def test_other_spellings_are_read_as_the_canonical_ones() -> None:
    odd = renamed(
        nmi_telemetry(
            *(
                renamed(measurement(m), measurementDateTime="measurementDatetime")
                for m in range(1, 6)
            )
        ),
        submissionDateTime="submissionDatetime",
        nmiTelemetryIntervals="nmi_telemetry_intervals",
    )
    assert frame_of(document(odd)).equals(frame_of(document(nmi_telemetry())))


# --- broken forms --------------------------------------------------------------------------------


def test_part_c_4_3_profile_edge_restricts_limits_to_decimal_4_2() -> None:
    edge = Feed(profile="edge")
    fine = one(activePowerExportLimit=99.99, activePowerImportLimit=-0.01)
    assert validate(fine, feed=edge).accepted
    received = validate(one(activePowerExportLimit=100, activePowerImportLimit=-0.001), feed=edge)
    assert system(received) == {"limit.range": 5, "limit.decimals": 5}
    assert validate(one(activePowerExportLimit=100)).accepted


def test_a_document_holds_one_kind_of_telemetry() -> None:
    received = validate(document(nmi_telemetry(), duid_telemetry()))
    assert system(received) == {"document.mixed_kinds": 1}
    assert system(validate(document(duid_telemetry()), side="NMI"))


@pytest.mark.parametrize("data", [b"", b"[]", b"[1]", b"{}", b"\xef\xbb\xbf[]", b'[{"nmi":"a"}'])
def test_bytes_without_a_document_are_rejected_with_a_code(data: bytes) -> None:
    assert system(validate(data))


# --- rules of time -------------------------------------------------------------------------------


def test_part_c_4_1_a_gap_is_reported_with_its_length() -> None:
    received = validate(minutes(1, 2, 6, 7, 9))
    assert transaction(received) == {"telemetry.gap": 2}
    result = finding(received, "telemetry.gap")
    assert result.path == "$.records[0].nmiTelemetryIntervals[2].measurementDateTime"
    assert result.section == "Part C §4.1"
    assert result.value.startswith("3 missing, 2026-11-20T04:03:00+10:00 to 2026-11-20T04:05:00")
    assert received.value is not None
    assert received.value.height == 5


def test_part_c_4_1_a_trading_day_is_covered_from_end_to_end() -> None:
    whole = minutes(*range(1, 1441))
    assert validate(whole, day=DAY).accepted
    assert transaction(validate(minutes(*range(3, 1440)), day=DAY)) == {"telemetry.gap": 2}
    assert transaction(validate(minutes(*range(1442)), day=DAY)) == {"telemetry.outside_day": 2}


def test_part_c_4_1_a_copy_and_a_conflict_have_their_own_codes() -> None:
    assert transaction(validate(minutes(1, 2, 2, 3))) == {"telemetry.duplicate": 1}
    differs = document(nmi_telemetry(measurement(1), measurement(1, activePower=9)))
    assert transaction(validate(differs)) == {"telemetry.conflict": 1}


def test_part_c_4_3_a_later_submission_replaces_an_earlier_one() -> None:
    again = nmi_telemetry(
        *(measurement(m, activePower=9) for m in range(2, 5)),
        submissionDateTime="2026-11-21T07:00:00+10:00",
    )
    received = validate(document(nmi_telemetry(), again))
    assert cautions(received) == {"telemetry.superseded": 3}
    assert received.value is not None
    values = received.value.sort("minute")["active_power_w"].to_list()
    assert values == [-1500, 9000, 9000, 9000, -1500]
    # The order of the records does not matter, except that time goes back without a later one.
    other = validate(document(again, nmi_telemetry()))
    assert other.value is not None
    assert other.value.sort("minute")["active_power_w"].to_list() == values


def test_part_c_4_1_a_clock_that_goes_back_is_reported() -> None:
    received = validate(minutes(1, 2, 3, 2, 3, 4))
    assert transaction(received) == {"telemetry.clock_jump": 1, "telemetry.duplicate": 2}
    result = finding(received, "telemetry.clock_jump")
    assert result.path.endswith("nmiTelemetryIntervals[3].measurementDateTime")
    text = result.value
    assert text == "2026-11-20T04:03:00+10:00, then 2026-11-20T04:02:00+10:00"


def local(first: str, count: int, **changes: Any) -> list[dict[str, Any]]:
    start = parse_timestamp(f"{first}+10:00").seconds
    return [measurement(measurementDateTime=nem(start + 60 * n), **changes) for n in range(count)]


def test_part_c_1_2_the_hour_that_daylight_saving_leaves_out() -> None:
    spring = local("2026-10-04T01:00:00", 61) + local("2026-10-04T03:01:00", 60)
    record = nmi_telemetry(*spring, nmiOeSubmissionTimestamp=None)
    received = validate(document(record))
    assert transaction(received) == {"time.daylight_saving_hour": 1}
    assert finding(received, "time.daylight_saving_hour").section == "Part C §1.2 (NEM time)"


def test_part_c_1_2_the_hour_that_daylight_saving_repeats() -> None:
    autumn = local("2026-04-05T01:00:00", 121) + local("2026-04-05T02:01:00", 120, activePower=3)
    record = nmi_telemetry(*autumn, nmiOeSubmissionTimestamp=None)
    assert transaction(validate(document(record))) == {"time.daylight_saving_hour": 1}


@pytest.mark.parametrize("first", ["2026-10-04T01:00:00", "2026-04-05T00:00:00"])
def test_part_c_1_2_the_hour_as_a_clock_in_melbourne_writes_it(first: str) -> None:
    zone, start = ZoneInfo("Australia/Melbourne"), parse_timestamp(f"{first}+10:00").seconds
    clocks = [datetime.fromtimestamp(start + 60 * n, tz=UTC).astimezone(zone) for n in range(240)]
    rows = [
        measurement(measurementDateTime=f"{clock:%Y-%m-%dT%H:%M:%S}+10:00", activePower=n)
        for n, clock in enumerate(clocks)
    ]
    received = validate(document(nmi_telemetry(*rows, nmiOeSubmissionTimestamp=None)))
    assert transaction(received) == {"time.daylight_saving_hour": 1}
    warning = finding(received, "time.daylight_saving_hour").value
    assert warning == f"hour from {first[:10]}T02:00:00+10:00"


def test_part_c_1_2_the_repeated_hour_of_one_series_hides_no_conflict_of_another() -> None:
    until_three = local("2026-04-05T01:00:00", 121) + local("2026-04-05T02:01:00", 60)
    until_three.insert(61, until_three[60] | {"activePower": 9})  # 02:00 twice
    before_three = local("2026-04-05T01:00:00", 120) + local("2026-04-05T02:00:00", 60)
    one = nmi_telemetry(*until_three, nmiOeSubmissionTimestamp=None)
    other = nmi_telemetry(*before_three, nmiOeSubmissionTimestamp=None, nmi=OTHER_NMI)
    result = transaction(validate(document(one, other)))
    assert result == {"time.daylight_saving_hour": 2, "telemetry.conflict": 1}


def test_timestamps_with_a_daylight_saving_offset_are_a_warning() -> None:
    shifted = [measurement(m) for m in range(1, 6)]
    for n, row in enumerate(shifted):
        row["measurementDateTime"] = f"2026-11-20T05:0{n + 1}:00+11:00"
    received = validate(document(nmi_telemetry(*shifted)))
    assert cautions(received) == {"time.daylight_saving_offset": 5}
    (warning,) = received.system.warnings
    path = "$.records[0].nmiTelemetryIntervals"
    assert (warning.path, warning.count) == (f"{path}[0].measurementDateTime", 5)
    assert warning.value == f"5 times, the last at {path}[4].measurementDateTime"
    assert received.value is not None
    assert received.value["minute"][0] == DAY_START_S + 60


def test_part_c_4_2_telemetry_is_submitted_after_the_fact() -> None:
    early = minutes(1, 2, submissionDateTime="2026-11-20T04:01:30+10:00")
    assert transaction(validate(early)) == {"telemetry.submitted_early": 1}
    assert validate(minutes(1, 2, submissionDateTime="2026-11-20T04:02:00+10:00")).accepted


def test_part_c_4_3_an_envelope_from_later_is_a_caution() -> None:
    later = one(nmiOeSubmissionTimestamp="2026-11-20T04:03:30+10:00")
    assert cautions(validate(later)) == {"telemetry.envelope_later": 3}
    assert cautions(validate(one(nmiOeSubmissionTimestamp=None))) == {}


def test_part_c_4_3_envelopes_from_later_are_one_line_an_nmi_and_envelope() -> None:
    """One line covers many minutes; the count is that of the minutes."""
    later = "2026-11-20T05:00:00+10:00"
    first = nmi_telemetry(*map(measurement, range(1, 11)), nmiOeSubmissionTimestamp=later)
    other = nmi_telemetry(measurement(3), nmi=OTHER_NMI, nmiOeSubmissionTimestamp=later)
    answer = validate(document(first, other)).transaction
    assert answer.warning_counts == {"telemetry.envelope_later": 11}
    ten, alone = answer.warnings
    assert ten.value == "10 minutes, 2026-11-20T04:01:00+10:00 to 2026-11-20T04:10:00+10:00"
    assert (ten.count, answer.report().warnings[0].count) == (10, 10)
    assert (alone.value, alone.count) == ("2026-11-20T04:03:00+10:00", 1)
    assert alone.path == "$.records[1].nmiOeSubmissionTimestamp"


def test_part_c_4_3_lines_on_envelopes_from_later_are_bounded_and_all_minutes_counted() -> None:
    records = [
        nmi_telemetry(
            measurement(2 * n + 1),
            measurement(2 * n + 2),
            nmiOeSubmissionTimestamp=nem(DAY_START_S + 86_400 + n),
        )
        for n in range(105)
    ]
    answer = validate(document(*records)).transaction
    assert answer.warning_counts == {"telemetry.envelope_later": 210}
    assert [finding.count for finding in answer.warnings] == [2] * 100


def test_hld_4_2_1_a_document_is_about_one_duid() -> None:
    received = validate(document(duid_telemetry(), duid_telemetry(duid="UNIT2")))
    assert transaction(received) == {"duid.mixed": 5}
    assert finding(received, "duid.mixed").path == "$.records[1].duid"


# --- columns -------------------------------------------------------------------------------------


def good(side: str = "NMI") -> pl.DataFrame:
    records = (
        (nmi_telemetry(), nmi_telemetry(nmi=OTHER_NMI)) if side == "NMI" else (duid_telemetry(),)
    )
    return frame_of(document(*records))


def changed(column: str, value: object, row: int = 6) -> pl.DataFrame:
    frame = good()
    values = frame[column].to_list()
    values[row] = value
    return frame.with_columns(pl.Series(column, values, dtype=frame.schema[column]))


@pytest.mark.parametrize("side", ["NMI", "DUID"])
def test_canonical_columns_are_accepted_as_they_are(side: str) -> None:
    received = validate_frame(good(side))
    assert cautions(received) == {}
    assert received.value is not None
    assert received.value.equals(good(side))


@pytest.mark.parametrize("row_order", ["nmi", "minute"])
def test_rows_may_be_grouped_by_site_or_by_time(row_order: str) -> None:
    frame = good().sort(row_order, maintain_order=True)
    assert validate_frame(frame).accepted


def test_columns_under_the_documents_names_are_converted() -> None:
    frame = good()
    kilowatts = {
        "active_power_w": "activePower",
        "controlled_generation_w": "controlledGeneration",
        "controlled_load_w": "controlledLoad",
        "energy_stored_wh": "energyStored",
        "export_limit_w": "activePowerExportLimit",
        "import_limit_w": "activePowerImportLimit",
    }
    named = frame.select(
        pl.col("nmi").cast(pl.String),
        pl.col("minute").map_elements(nem, return_dtype=pl.String).alias("measurementDatetime"),
        *((pl.col(name) / 1000).alias(other) for name, other in kilowatts.items()),
        pl.from_epoch("envelope_submitted_us", "us")
        .dt.replace_time_zone("UTC")
        .alias("nmiOeSubmissionTimestamp"),
        pl.from_epoch(pl.col("submitted_us") + 36_000_000_000, "us").alias("submissionDatetime"),
    )
    received = validate_frame(named)
    assert cautions(received) == {"time.no_offset": 1}
    assert received.value is not None
    assert received.value.equals(frame)


@pytest.mark.parametrize(
    ("frame", "code", "path"),
    [
        (changed("nmi", "630588844"), "nmi.length", "$.rows[6].nmi"),
        (changed("nmi", None), "field.null", "$.rows[6].nmi"),
        (changed("minute", DAY_START_S + 90), "time.grid", "$.rows[6].minute"),
        (changed("minute", -60), "time.format", "$.rows[6].minute"),
        (changed("active_power_w", None), "field.null", "$.rows[6].active_power_w"),
        (changed("controlled_generation_w", -1), "power.sign", "rows[6].controlled_generation_w"),
        (changed("controlled_load_w", 1), "power.sign", "$.rows[6].controlled_load_w"),
        (changed("energy_stored_wh", -1), "energy.sign", "$.rows[6].energy_stored_wh"),
        (changed("export_limit_w", -1), "power.sign", "$.rows[6].export_limit_w"),
        (changed("import_limit_w", 1), "power.sign", "$.rows[6].import_limit_w"),
        (changed("reactive_import_limit_var", 1), "power.sign", "[6].reactive_import_limit_var"),
        (good().drop("active_power_w"), "column.missing", "$.columns.active_power_w"),
        (
            good().with_columns(pl.col("active_power_w").cast(pl.Float64)),
            "column.type",
            "$.columns.active_power_w",
        ),
        (good().with_columns(minute=pl.lit(value=True)), "column.type", "$.columns.minute"),
        (good().with_columns(nmi=pl.lit(7)), "column.type", "$.columns.nmi"),
        (
            good().with_columns(pl.col("active_power_w").alias("activePower") / 1000),
            "column.twice",
            "$.columns.activePower",
        ),
        (
            good().with_columns(pl.col("active_power_w").cast(pl.Int64) * 10**7),
            "number.range",
            "$.rows[0].active_power_w",
        ),
        (
            good().rename({"active_power_w": "activePower"}).with_columns(activePower=1.00005),
            "power.decimals",
            "$.rows[0].active_power_w",
        ),
        (
            good().rename({"active_power_w": "activePower"}).with_columns(activePower=1e8),
            "power.range",
            "$.rows[0].active_power_w",
        ),
        (
            good().rename({"active_power_w": "activePower"}).with_columns(activePower=pl.lit("1")),
            "column.type",
            "$.columns.active_power_w",
        ),
        (good().clear(), "document.empty", "$"),
    ],
)
def test_broken_columns_reject_the_system_acknowledgement(
    frame: pl.DataFrame, code: str, path: str
) -> None:
    received = validate_frame(frame)
    assert code in system(received)
    assert finding(received, code).path.endswith(path)


def test_an_unknown_column_is_a_caution() -> None:
    received = validate_frame(good().with_columns(voltage=230))
    assert cautions(received) == {"column.unknown": 1}


def test_an_nmi_with_its_checksum_is_read_without() -> None:
    frame = good().with_columns(
        pl.col("nmi").cast(pl.String).replace({NMI: NMI + "6"}).cast(pl.Categorical)
    )
    received = validate_frame(frame)
    assert received.value is not None
    assert (
        received.value["nmi"].cast(pl.String).to_list() == good()["nmi"].cast(pl.String).to_list()
    )


def test_findings_in_columns_are_counted_beyond_the_first_hundred() -> None:
    frame = pl.concat([good()] * 60).with_columns(pl.lit(1, pl.Int32).alias("import_limit_w"))
    received = validate_frame(frame)
    assert system(received) == {"power.sign": 600}
    assert len(received.system.findings) == 100
    assert received.transaction.counts["telemetry.duplicate"] == 590


@pytest.mark.parametrize(
    ("rows", "codes"),
    [
        ([0, 1, 3, 4], {"telemetry.gap": 1}),
        ([0, 1, 1, 2], {"telemetry.duplicate": 1}),
        ([0, 1, 3, 2, 4], {"telemetry.clock_jump": 1}),
        ([0, 1, 5, 6], {}),
    ],
)
def test_rules_of_time_apply_to_columns(rows: list[int], codes: dict[str, int]) -> None:
    received = validate_frame(good()[rows])
    assert transaction(received) == codes
    if codes:
        (code,) = codes
        assert finding(received, code).path.startswith("$.rows[")
