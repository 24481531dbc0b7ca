"""Forecasts and dispatch instructions; every rule is in the register (test_rule_register)."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

from oepnode.domain.edge.dispatch import validate as dispatch
from oepnode.domain.edge.dispatch.validate import write_instructions
from oepnode.domain.edge.forecasts import validate as forecast
from oepnode.domain.edge.forecasts.validate import write_forecasts
from oepnode.domain.nem.nem_time import format_nem
from tests.support.edge_documents import (
    DAY_START_S,
    NMI,
    OTHER_NMI,
    Exact,
    cautions,
    document,
    instruction,
    lines,
    renamed,
    system,
    transaction,
    without,
)
from tests.support.edge_documents import forecast as made

DAY = date(2026, 11, 20)


@pytest.mark.parametrize("form", [document, lines])
def test_part_c_5_3_good_forecasts_are_accepted(form: Any) -> None:
    received = forecast.validate(form(made(1), made(2), made(1, nmi=OTHER_NMI)))
    assert cautions(received) == {}
    assert received.value is not None
    assert received.value.schema == forecast.NMI.schema
    assert received.value.row(1)[1:3] == (DAY_START_S + 600, -750)


def test_part_c_5_3_a_whole_day_is_covered() -> None:
    assert forecast.validate(document(*map(made, range(1, 289))), day=DAY).accepted
    short = forecast.validate(document(*map(made, range(2, 288))), day=DAY)
    assert transaction(short) == {"forecast.gap": 2}


def test_part_c_5_3_other_spellings_and_null_submission() -> None:
    odd = renamed(
        made(submissionDateTime=None),
        measurementDateTime="measurementDatetime",
        submissionDateTime="submissionDatetime",
        uncontrolFcst="UncontrolFcst",
    )
    assert cautions(forecast.validate(document(odd))) == {}
    assert forecast.validate(document(without(made(), "submissionDateTime"))).accepted


def test_part_c_5_1_gaps_repeats_and_jumps_have_codes_of_their_own() -> None:
    received = forecast.validate(document(*(made(n) for n in (1, 2, 5, 4, 4))))
    assert transaction(received) == {
        "forecast.clock_jump": 1,
        "forecast.gap": 1,
        "forecast.duplicate": 1,
    }
    differs = forecast.validate(document(made(1), made(1, uncontrolFcst=2)))
    assert transaction(differs) == {"forecast.conflict": 1}


def test_part_c_5_a_forecast_after_its_interval_is_a_caution() -> None:
    late = made(submissionDateTime=format_nem(DAY_START_S + 301))
    assert cautions(forecast.validate(document(late))) == {"forecast.late": 1}


def test_part_c_5_the_latest_forecast_stands() -> None:
    later = made(uncontrolFcst=3, submissionDateTime=format_nem(DAY_START_S - 5))
    received = forecast.validate(document(later, made()))
    assert cautions(received) == {"forecast.superseded": 1}
    assert received.value is not None
    assert received.value["uncontrolled_w"].to_list() == [3000]


def test_forecasts_are_written_and_read_back() -> None:
    frame = forecast.validate(document(made(1), made(2, submissionDateTime=None))).value
    assert frame is not None
    for ndjson in (False, True):
        again = forecast.validate(write_forecasts(frame, ndjson=ndjson)).value
        assert again is not None
        assert again.equals(frame)


def test_forecasts_in_columns() -> None:
    frame = forecast.validate(document(made(1), made(2))).value
    assert frame is not None
    assert forecast.validate_frame(frame).accepted
    assert transaction(forecast.validate_frame(frame[[0, 0]])) == {"forecast.duplicate": 1}
    assert system(forecast.validate_frame(frame.drop("interval_end"))) == {"column.missing": 1}


@pytest.mark.parametrize("form", [document, lines])
def test_good_instructions_are_accepted(form: Any) -> None:
    received = dispatch.validate(form(instruction(1), instruction(2, clearingPrice=None)))
    assert cautions(received) == {}
    assert received.value is not None
    assert received.value.schema == dispatch.DUID.schema
    assert received.value.row(0)[1:4] == (DAY_START_S + 300, -42_500, 7801)
    assert received.value["price_cents"].to_list() == [7801, None]


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (instruction(duid=""), "duid.form"),
        (instruction(duid=4), "field.type"),
        (instruction(diEndTime=format_nem(DAY_START_S + 301)), "time.grid"),
        (instruction(dispatchTarget=None), "field.null"),
        (instruction(clearingPrice=Exact("78.011")), "price.decimals"),
        (instruction(submissionDateTime="x"), "time.format"),
        (without(instruction(), "dispatchTarget"), "field.missing"),
    ],
)
def test_broken_instructions_reject_the_system_acknowledgement(
    record: dict[str, Any], code: str
) -> None:
    assert system(dispatch.validate(document(record))) == {code: 1}


def test_an_instruction_is_issued_before_its_intervals_end() -> None:
    late = instruction(submissionDateTime=format_nem(DAY_START_S + 300))
    assert transaction(dispatch.validate(document(late))) == {"dispatch.issued_late": 1}
    in_time = instruction(submissionDateTime=format_nem(DAY_START_S + 299))
    assert dispatch.validate(document(in_time)).accepted


def test_instructions_of_several_units_gaps_and_conflicts() -> None:
    records = [instruction(1), instruction(3), instruction(3, dispatchTarget=0)]
    received = dispatch.validate(document(*records, instruction(1, duid="UNIT2")))
    assert transaction(received) == {
        "duid.mixed": 1,
        "dispatch.gap": 1,
        "dispatch.conflict": 1,
    }


def test_instructions_are_written_and_read_back() -> None:
    bare = without(instruction(2), "clearingPrice", "submissionDateTime")
    frame = dispatch.validate(document(instruction(1), bare)).value
    assert frame is not None
    again = dispatch.validate(write_instructions(frame)).value
    assert again is not None
    assert again.equals(frame)
    assert dispatch.validate_frame(frame).accepted
    assert system(dispatch.validate_frame(pl.DataFrame({"nmi": [NMI]})))


@pytest.mark.parametrize("validate", [forecast.validate, dispatch.validate])
@pytest.mark.parametrize("data", [b"", b"[]", b"[7]", b"nul", b"[{}]"])
def test_what_is_no_document_is_rejected_with_a_code(validate: Any, data: bytes) -> None:
    assert system(validate(data))
