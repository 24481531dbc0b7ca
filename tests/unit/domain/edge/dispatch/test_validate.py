"""Dispatch instructions: both validations (Part C §1.1)."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from oepnode.domain.edge.dispatch import validate as dispatch
from oepnode.domain.edge.dispatch.validate import write_instructions
from oepnode.domain.nem.nem_time import format_nem
from tests.support.edge_documents import (
    DAY_START_S,
    NMI,
    Exact,
    cautions,
    document,
    instruction,
    lines,
    system,
    transaction,
    without,
)


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


@pytest.mark.parametrize("data", [b"", b"[]", b"[7]", b"nul", b"[{}]"])
def test_bytes_without_a_document_are_rejected_with_a_code(data: bytes) -> None:
    assert system(dispatch.validate(data))
