"""Bad input: one document with everything wrong, and all of it reported in one pass.

The list: a wrong number of bands, prices that fall, a duplicated period, a period 289, a price with
three decimals, a quantity on the wrong side, a re-bid after gate closure with a changed price, a
trading date in the past, gaps, duplicates and clock jumps in telemetry, a daylight-saving hour,
mixed DUIDs. Each has a code and a message of its own.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from oepnode.domain.edge.boffers import validate as boffers
from oepnode.domain.edge.dispatch import validate as dispatch
from oepnode.domain.edge.forecasts import validate as forecasts
from oepnode.domain.edge.telemetry import validate as telemetry
from oepnode.domain.edge.validation.acknowledgement import ValidationResult
from tests.support.edge_documents import (
    BANDS,
    DAY,
    OTHER_NMI,
    PRICES,
    Exact,
    bid,
    check_answer,
    document,
    duid_boffer,
    duid_telemetry,
    measurement,
    nem,
    nmi_telemetry,
    period,
    whole_horizon,
)
from tests.support.rule_register.measurements import (
    AUTUMN,
    SPRING,
    across,
    clock,
    forecast_across,
    made,
    sent,
    targets_across,
)

MELBOURNE = "Australia/Melbourne"
THIRD_NMI = "QAAAVZZZZZ"


def paths_by_code(received: ValidationResult[Any]) -> dict[str, list[str]]:
    """Code → paths of its findings and warnings."""
    check_answer(received)
    listed: dict[str, list[str]] = {}
    messages: dict[str, set[str]] = {}
    for answer in (received.system, received.transaction):
        for item in (*answer.findings, *answer.warnings):
            listed.setdefault(item.code, []).append(item.path)
            messages.setdefault(item.message, set()).add(item.code)
    assert all(len(codes) == 1 for codes in messages.values()), "a message of its own"
    return listed


def test_a_boffer_document_with_everything_wrong() -> None:
    bids = whole_horizon()
    bids[0]["prices"] = [*PRICES[:4], 77, 80, Exact("81.123"), *PRICES[7:]]
    rows = bids[0]["energyPeriods"]
    rows[0]["bandAvail"] = BANDS[:19]
    rows[1]["periodId"] = 289
    rows[2]["periodId"] = 4
    rows[4]["bandAvail"] = [5, *BANDS[1:19], -5]
    bids.append(bid(period(1), tradingDate="2026-11-18"))
    received = boffers.validate(
        document(
            duid_boffer(submissionDateTime=f"{DAY}T03:56:00+10:00"),
            duid_boffer(*bids, submissionDateTime=f"{DAY}T04:58:00+11:00"),
            duid_boffer(duid="UNIT2"),
            {"duid": 7},
        )
    )
    first = "$.records[1].energyBids[0]"
    rows_at = f"{first}.energyPeriods"
    assert paths_by_code(received) == {
        "price.decimals": [f"{first}.prices[6]"],
        "bands.count": [f"{rows_at}[0].bandAvail"],
        "period.range": [f"{rows_at}[1].periodId"],
        "field.type": ["$.records[3].duid"],
        "field.missing": [
            f"$.records[3].{name}"
            for name in (
                "bofferSummationLevel",
                "accumulateBands",
                "energyBids",
                "submissionDateTime",
            )
        ],
        "time.daylight_saving_offset": ["$.records[1].submissionDateTime"],
        "boffer.price_falls": [f"{first}.prices[4]"],
        "boffer.load_sign": [f"{rows_at}[4].bandAvail[0]"],
        "boffer.generation_sign": [f"{rows_at}[4].bandAvail[19]"],
        "boffer.transition": [f"{rows_at}[4].bandAvail[{band}]" for band in (2, 19)],
        "period.duplicate": [f"{rows_at}[3].periodId"],
        "trading_date.past": ["$.records[1].energyBids[2].tradingDate"],
        "gate.price_changed": [f"{first}.prices[{band}]" for band in (4, 6)],
        "gate.not_in_time": [f"$.records[1].energyBids[{n}].tradingDate" for n in (0, 2)],
        "duid.mixed": ["$.records[2].duid"],
    }


def test_telemetry_with_everything_wrong() -> None:
    rows = [measurement(n) for n in (1, 2, 5, 5, 6, 6, 9, 8)]
    rows[0]["measurementDateTime"] = f"{DAY}T05:01:00+11:00"
    rows[1]["measurementDateTime"] = f"{DAY}T04:02:00"
    rows[5]["activePower"] = 9
    rows.append(measurement(10, controlledLoad=1, energyStored=Exact("1.0001")))
    rows.append(measurement(11, measurementDateTime=nem(1795111200 + 641)))
    received = telemetry.validate(
        document(
            nmi_telemetry(*rows, submissionDateTime=f"{DAY}T04:08:30+10:00"),
            across(SPRING, MELBOURNE)[0] | {"nmi": OTHER_NMI},
            across(AUTUMN, MELBOURNE)[0] | {"nmi": THIRD_NMI},
            duid_telemetry(),
        )
    )
    one = "$.records[0].nmiTelemetryIntervals"
    when = "measurementDateTime"
    assert paths_by_code(received) == {
        "time.daylight_saving_offset": [f"{one}[0].{when}"],
        "time.no_offset": [f"{one}[1].{when}"],
        "power.sign": [f"{one}[8].controlledLoad"],
        "energy.decimals": [f"{one}[8].energyStored"],
        "time.grid": [f"{one}[9].{when}"],
        "document.mixed_kinds": ["$.records[3]"],
        "telemetry.gap": [f"{one}[2].{when}", f"{one}[7].{when}"],
        "telemetry.duplicate": [f"{one}[3].{when}"],
        "telemetry.conflict": [f"{one}[5].{when}"],
        "telemetry.clock_jump": [f"{one}[7].{when}"],
        "telemetry.submitted_early": ["$.records[0].submissionDateTime"] * 2,
        "time.daylight_saving_hour": [
            f"$.records[2].nmiTelemetryIntervals[120].{when}",
            f"$.records[1].nmiTelemetryIntervals[60].{when}",
        ],
    }
    assert received.transaction.counts["telemetry.submitted_early"] == 2


def test_telemetry_of_mixed_duids_with_everything_wrong() -> None:
    rows = [measurement(n) for n in (1, 3, 3, 2)]
    autumn = [
        measurement(measurementDateTime=timestamp, activePower=n)
        for n, timestamp in enumerate(clock(AUTUMN, 60, 240, zone=MELBOURNE))
    ]
    received = telemetry.validate(
        document(duid_telemetry(*rows), duid_telemetry(*autumn, duid="UNIT2"))
    )
    one, two = (f"$.records[{n}].duidTelemetryIntervals" for n in (0, 1))
    listed = paths_by_code(received)
    assert len(listed.pop("duid.mixed")) == 100
    assert received.transaction.counts["duid.mixed"] == 240
    assert listed == {
        "telemetry.duplicate": [f"{one}[2].measurementDateTime"],
        "telemetry.clock_jump": [f"{one}[3].measurementDateTime"],
        "time.daylight_saving_hour": [f"{two}[120].measurementDateTime"],
    }
    assert isinstance(received.value, pl.DataFrame)
    assert received.value.height == 244, "nothing is dropped"


def test_forecasts_of_five_minutes_with_everything_wrong() -> None:
    """Over both changes of daylight saving, a series each."""
    spring = [row | {"nmi": OTHER_NMI} for row in forecast_across(SPRING, MELBOURNE)]
    autumn = [row | {"nmi": THIRD_NMI} for row in forecast_across(AUTUMN, MELBOURNE)]
    own = made(1, 3, 3, 2, submissionDateTime=None) + made(3, uncontrolFcst=9)
    own[-1]["submissionDateTime"] = None
    own += made(6)
    received = forecasts.validate(document(*own, *spring, *autumn))
    at = [f"$.records[{n}].measurementDateTime" for n in range(len(own) + 96)]
    assert paths_by_code(received) == {
        "forecast.duplicate": [at[2]],
        "forecast.clock_jump": [at[3]],
        "forecast.conflict": [at[4]],
        "forecast.gap": [at[5]],
        "time.daylight_saving_hour": [at[len(own) + 48 + 24], at[len(own) + 12]],
    }
    assert isinstance(received.value, pl.DataFrame)
    assert received.value.height == len(own) + 96, "nothing is dropped"


def test_targets_of_mixed_duids_with_everything_wrong() -> None:
    own = sent(1, 3, 3, 2, submissionDateTime=None) + sent(3, dispatchTarget=9) + sent(6)
    own[-2]["submissionDateTime"] = None
    own[-1]["submissionDateTime"] = own[-1]["diEndTime"]
    autumn = [row | {"duid": "UNIT2"} for row in targets_across(AUTUMN, MELBOURNE)]
    received = dispatch.validate(document(*own, *autumn))
    at = [f"$.records[{n}].diEndTime" for n in range(len(own) + 48)]
    listed = paths_by_code(received)
    assert listed.pop("duid.mixed") == [f"$.records[{len(own) + n}].duid" for n in range(48)]
    assert listed == {
        "dispatch.issued_late": ["$.records[5].submissionDateTime"],
        "dispatch.duplicate": [at[2]],
        "dispatch.clock_jump": [at[3]],
        "dispatch.conflict": [at[4]],
        "dispatch.gap": [at[5]],
        "time.daylight_saving_hour": [at[len(own) + 24]],
    }


def test_a_day_without_faults_over_both_changes_of_daylight_saving() -> None:
    """NEM time has no daylight saving: a clock in Brisbane shows NEM time."""
    for first in (SPRING, AUTUMN):
        for rows, validate in (
            (across(first, "Australia/Brisbane"), telemetry.validate),
            (forecast_across(first, "Australia/Brisbane"), forecasts.validate),
            (targets_across(first, "Australia/Brisbane"), dispatch.validate),
        ):
            assert paths_by_code(validate(document(*rows))) == {}
