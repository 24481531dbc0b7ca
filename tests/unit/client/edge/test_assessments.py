"""Telemetry checked against envelopes and targets: the verdict, and the rows behind it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oepnode.client.answers import to_json
from oepnode.client.edge.assessments import assess_telemetry
from oepnode.client.edge.envelopes import load_envelopes
from oepnode.client.edge.levels import COLUMNS, worst_breaches, worst_sites
from oepnode.client.edge.pictures import draw_band, draw_envelope, draw_headroom
from oepnode.client.edge.submissions import load_dispatch, load_telemetry
from oepnode.client.edge.targets import Targets
from oepnode.domain.edge.timeseries.tolerance import Tolerance
from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.nem.quantities import DefaultLimits
from oepnode.errors import ConfigError, DocumentFault
from tests.support.telemetry_columns import START, A, B, C, reading, record
from tests.unit.client.edge.conftest import Write

FIVE = [(5, -5)] * 2


def instruction(kilowatts: float, duid: str = "UNIT1") -> dict[str, object]:
    return {"duid": duid, "diEndTime": format_nem(START + 300), "dispatchTarget": kilowatts}


def unit(duid: str = "UNIT1") -> dict[str, object]:
    minute = {
        "measurementDateTime": format_nem(START + 300),
        "activePower": -70,
        "controlledGeneration": 0,
        "controlledLoad": -30,
        "energyStored": 35,
    }
    return {"duid": duid, "duidTelemetryIntervals": [minute]}


def test_the_verdict_is_false_true_or_none(write: Write, write_telemetry: Write) -> None:
    envelopes = load_envelopes(write("e.json", record(A, FIVE)))
    beyond = load_telemetry(write_telemetry("b.json", reading(A, 1, 5100)))
    assert assess_telemetry(beyond, envelopes).conforms is False
    assert assess_telemetry(beyond, envelopes, tolerance=Tolerance(watts=100)).conforms is True
    foreign = load_telemetry(write_telemetry("f.json", reading(B, 1)))
    nothing = assess_telemetry(foreign, envelopes)
    assert (nothing.conforms, nothing.is_judged) == (None, False)
    incomplete = assess_telemetry(beyond, envelopes, portfolio={A}, tolerance=Tolerance(watts=100))
    assert (incomplete.conforms, incomplete.is_judged) == (None, True)


def test_coverage_names_the_nmis_of_the_portfolio_that_are_missing(
    write: Write, write_telemetry: Write
) -> None:
    records = (record(nmi, FIVE) for nmi in (A, B, C))
    envelopes = load_envelopes(write("e.json", *records))
    rows = (reading(A, minute) for minute in range(1, 11))
    telemetry = load_telemetry(write_telemetry("t.json", *rows))
    free = assess_telemetry(telemetry, envelopes).coverage
    assert free is not None
    assert (free.expected_by, free.nmis, free.unmeasured_nmis, free.unmeasured) == (
        None,
        3,
        2,
        None,
    )
    bound = assess_telemetry(telemetry, envelopes, portfolio={A, B, "6305009999"}).coverage
    assert bound is not None
    assert (bound.expected_by, bound.unmeasured, bound.nmis_without_envelope) == (
        "portfolio",
        (B,),
        1,
    )


def test_rows_are_frames_that_agree_with_the_totals(write: Write, write_telemetry: Write) -> None:
    envelopes = load_envelopes(write("e.json", record(A, FIVE), record(B, FIVE)))
    rows = [reading(A, 1, 5100), reading(A, 2, 5300), reading(A, 6), reading(B, 6, -5050)]
    assessment = assess_telemetry(load_telemetry(write_telemetry("t.json", *rows)), envelopes)
    intervals = assessment.intervals
    assert list(intervals.columns) == list(COLUMNS)
    assert intervals["is_breach"].to_list() == [True, False, True]
    (level,) = assessment.levels
    assert (level.breach_intervals, level.judged_intervals) == (2, 3)
    assert worst_breaches(intervals, "NMI", 1)["beyond_export_w"].to_list() == [300]
    assert worst_breaches(intervals, "Flex", 1).height == 0
    assert worst_sites(level)["nmi"].to_list() == [A, B]
    (first, _) = level.sites["breaching_intervals"].to_list()
    assert [row["minutes"] for row in first] == [2]
    with pytest.raises(TypeError, match="does not support item assignment"):
        level.minutes["readings"] = 0  # type: ignore[index]
    assert level.intervals["breach_nmis"].to_list() == [1, 1]


def test_the_report_is_json_and_shows_no_more_than_was_checked(
    write: Write, write_telemetry: Write
) -> None:
    envelopes = load_envelopes(write("e.json", record(A, FIVE)))
    telemetry = load_telemetry(write_telemetry("t.json", reading(A, 1)))
    assessment = assess_telemetry(telemetry, envelopes, defaults=DefaultLimits(1000, -1000))
    value = json.loads(json.dumps(to_json(assessment.report())))
    assert set(value) == {"telemetry", "envelope", "coverage", "levels", "conforms"}
    assert value["levels"][0]["sites"][0]["breaching_intervals"] == []
    assert value["levels"][0]["sites"][0]["minutes"]["readings"] == 1
    assert A not in repr(assessment)


def test_a_minute_in_doubt_is_counted_once_at_both_levels(
    write: Write, write_telemetry: Write
) -> None:
    envelopes = load_envelopes(write("e.json", record(A, FIVE), record(A, FIVE, level="Flex")))
    rows = reading(A, 1), reading(B, 1)
    assessment = assess_telemetry(load_telemetry(write_telemetry("t.json", *rows)), envelopes)
    assert len(assessment.levels) == 2
    minutes = assessment.left_out_minutes
    assert (minutes["not_judged"], minutes["missing"]) == (1, 9)


def test_contradictory_arguments_are_rejected(write: Write, write_telemetry: Write) -> None:
    telemetry = load_telemetry(write("u.json", unit()))
    with pytest.raises(ConfigError, match="envelopes, dispatch targets or both"):
        assess_telemetry(telemetry)
    with pytest.raises(ConfigError, match="telemetry of a DUID"):
        assess_telemetry(telemetry, load_envelopes(write("e.json", record(A, FIVE))))
    dispatch = load_dispatch(write("d.json", instruction(5)))
    with pytest.raises(ConfigError, match="in step 1 no response is required"):
        assess_telemetry(telemetry, targets=Targets(dispatch, step=1))
    other = load_dispatch(write("o.json", instruction(5, "UNIT2")))
    with pytest.raises(DocumentFault) as caught:
        assess_telemetry(telemetry, targets=Targets(other))
    assert [fault.code for fault in caught.value.faults] == ["duid.mismatch"]


def test_pictures_are_of_measured_nmis(
    write: Write, write_telemetry: Write, tmp_path: Path
) -> None:
    envelopes = load_envelopes(write("e.json", record(A, FIVE), record(B, FIVE)))
    telemetry = load_telemetry(write_telemetry("t.json", reading(A, 1, 5100)))
    assessment = assess_telemetry(telemetry, envelopes)
    draw_band(assessment, tmp_path / "b.svg", A)
    draw_headroom(assessment, str(tmp_path / "h.svg"))
    draw_envelope(envelopes, tmp_path / "e.svg")
    assert "1 minute, 1 in breach; tolerance 0 W" in (tmp_path / "b.svg").read_text()
    assert "1 NMI" in (tmp_path / "h.svg").read_text()
    assert A in (tmp_path / "e.svg").read_text()
    with pytest.raises(ConfigError, match="was not measured"):
        draw_band(assessment, tmp_path / "x.svg", B)
    foreign = load_telemetry(write_telemetry("f.json", reading(C, 1)))
    with pytest.raises(ConfigError, match="no NMI with an envelope was measured"):
        draw_headroom(assess_telemetry(foreign, envelopes), tmp_path / "x.svg")
    assert not (tmp_path / "x.svg").exists()
