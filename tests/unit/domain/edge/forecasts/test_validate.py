"""Forecasts: both validations (Part C §5.3); every rule is in the register."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from oepnode.domain.edge.forecasts import validate as forecasts
from oepnode.domain.edge.forecasts.validate import write_forecasts
from oepnode.domain.nem.nem_time import format_nem
from tests.support.edge_documents import (
    DAY_START_S,
    OTHER_NMI,
    cautions,
    document,
    forecast,
    lines,
    renamed,
    system,
    transaction,
    without,
)

DAY = date(2026, 11, 20)


@pytest.mark.parametrize("form", [document, lines])
def test_part_c_5_3_good_forecasts_are_accepted(form: Any) -> None:
    received = forecasts.validate(form(forecast(1), forecast(2), forecast(1, nmi=OTHER_NMI)))
    assert cautions(received) == {}
    assert received.value is not None
    assert received.value.schema == forecasts.NMI.schema
    assert received.value.row(1)[1:3] == (DAY_START_S + 600, -750)


def test_part_c_5_3_a_whole_day_is_covered() -> None:
    assert forecasts.validate(document(*map(forecast, range(1, 289))), day=DAY).accepted
    short = forecasts.validate(document(*map(forecast, range(2, 288))), day=DAY)
    assert transaction(short) == {"forecast.gap": 2}


def test_part_c_5_3_other_spellings_and_null_submission() -> None:
    odd = renamed(
        forecast(submissionDateTime=None),
        measurementDateTime="measurementDatetime",
        submissionDateTime="submissionDatetime",
        uncontrolFcst="UncontrolFcst",
    )
    assert cautions(forecasts.validate(document(odd))) == {}
    assert forecasts.validate(document(without(forecast(), "submissionDateTime"))).accepted


def test_part_c_5_1_gaps_repeats_and_jumps_have_codes_of_their_own() -> None:
    received = forecasts.validate(document(*(forecast(n) for n in (1, 2, 5, 4, 4))))
    assert transaction(received) == {
        "forecast.clock_jump": 1,
        "forecast.gap": 1,
        "forecast.duplicate": 1,
    }
    differs = forecasts.validate(document(forecast(1), forecast(1, uncontrolFcst=2)))
    assert transaction(differs) == {"forecast.conflict": 1}


def test_part_c_5_a_forecast_after_its_interval_is_a_caution() -> None:
    late = forecast(submissionDateTime=format_nem(DAY_START_S + 301))
    assert cautions(forecasts.validate(document(late))) == {"forecast.late": 1}


def test_part_c_5_the_latest_forecast_counts() -> None:
    later = forecast(uncontrolFcst=3, submissionDateTime=format_nem(DAY_START_S - 5))
    received = forecasts.validate(document(later, forecast()))
    assert cautions(received) == {"forecast.superseded": 1}
    assert received.value is not None
    assert received.value["uncontrolled_w"].to_list() == [3000]


def test_forecasts_are_written_and_read_back() -> None:
    frame = forecasts.validate(document(forecast(1), forecast(2, submissionDateTime=None))).value
    assert frame is not None
    for ndjson in (False, True):
        again = forecasts.validate(write_forecasts(frame, ndjson=ndjson)).value
        assert again is not None
        assert again.equals(frame)


def test_forecasts_in_columns() -> None:
    frame = forecasts.validate(document(forecast(1), forecast(2))).value
    assert frame is not None
    assert forecasts.validate_frame(frame).accepted
    assert transaction(forecasts.validate_frame(frame[[0, 0]])) == {"forecast.duplicate": 1}
    assert system(forecasts.validate_frame(frame.drop("interval_end"))) == {"column.missing": 1}


@pytest.mark.parametrize("data", [b"", b"[]", b"[7]", b"nul", b"[{}]"])
def test_bytes_without_a_document_are_rejected_with_a_code(data: bytes) -> None:
    assert system(forecasts.validate(data))
