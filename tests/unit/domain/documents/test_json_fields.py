"""Fields of JSON objects: spellings, presence, types (rules-v1 sections 2 and 5)."""

from __future__ import annotations

from typing import Any

import pytest

from oepnode.domain.documents import json_fields
from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.documents.json_fields import Field, ObjectShape
from oepnode.domain.documents.strict_json import BadConstant, Number, read_value
from oepnode.errors import DocumentFault, Finding
from tests.support.envelope_documents import NMI

SHAPE = ObjectShape(Field("nmi"), Field("end", ("End", "END")), Field("note", required=False))


def faults(log: FaultLog) -> list[Finding]:
    with pytest.raises(DocumentFault) as raised:
        log.raise_if_any()
    return list(raised.value.faults)


def spellings(text: str) -> tuple[Any, list[tuple[str, str, str]]]:
    log = FaultLog("thing")
    result = SHAPE.spellings(read_value(text.encode(), log), "$.x", log)
    listed = faults(log) if log.count else []
    return result, [(fault.path, fault.code, fault.value) for fault in listed]


def test_each_spelling_is_read_as_the_canonical_name() -> None:
    assert spellings('{"nmi":1,"end":2}') == ({"nmi": "nmi", "end": "end"}, [])
    assert spellings('{"END":2,"nmi":1,"note":null}') == (
        {"nmi": "nmi", "end": "END", "note": "note"},
        [],
    )
    assert spellings('{"End":2,"nmi":1}')[0]["end"] == "End"


def test_every_fault_of_the_set_of_keys_is_listed() -> None:
    result, listed = spellings('{"End":1,"END":2,"x":3,"x":4,"6305888444":5}')
    assert result == {"end": "End"}  # the fields that are there can still be read
    assert listed == [
        ("$.x", "json.duplicate_key", "'x'"),
        ("$.x", "json.duplicate_key", "'END'"),
        ("$.x", "field.unknown", "'x'"),
        ("$.x", "field.unknown", "'[withheld]'"),
        ("$.x.nmi", "field.missing", ""),
    ]


def test_a_faulty_set_of_keys_is_not_remembered_as_good() -> None:
    for _ in range(2):
        assert spellings('{"nmi":1}')[1] == [("$.x.end", "field.missing", "")]
    assert spellings('{"nmi":1,"end":2}')[1] == []
    for _ in range(2):
        assert spellings('{"nmi":1,"end":2,"end":2}')[1] == [("$.x", "json.duplicate_key", "'end'")]


@pytest.mark.parametrize(
    ("text", "displayed"),
    [
        ("null", "null"),
        ("5", "5"),
        ('"a"', "'a'"),
        ("[]", "an array of 0 elements"),
        ("NaN", "NaN"),
    ],
)
def test_an_object_is_expected(text: str, displayed: str) -> None:
    log = FaultLog("thing")
    value = None if text == "null" else read_value(text.encode(), log)
    assert SHAPE.spellings(value, "$.x", log) is None
    (fault,) = faults(log)
    assert (fault.path, fault.code, fault.value) == ("$.x", "field.type", displayed)


@pytest.mark.parametrize("value", ["x", "ü" * 5, "a" * 10, "\u0085", "\u2028", " "])
def test_read_text(value: str) -> None:
    log = FaultLog("thing")
    assert json_fields.read_text(value, "$", log, 10) == value
    assert log.count == 0


@pytest.mark.parametrize(
    ("value", "rule", "displayed"),
    [
        (None, "field.type", "null"),
        (Number("5"), "field.type", "5"),
        (True, "field.type", "true"),
        (BadConstant("NaN"), "field.type", "NaN"),
        (["x"], "field.type", "an array of 1 elements"),
        ("", "field.value", "0 characters"),
        ("a" * 11, "field.value", "11 characters"),
        ("ü" * 6, "field.value", "6 characters"),
        ("a\x00", "field.value", ""),
        ("a\x1f", "field.value", ""),
        ("\x7f", "field.value", ""),
        ("\ud800", "field.value", ""),
        ("\udfff", "field.value", ""),
    ],
)
def test_read_text_rejects(value: object, rule: str, displayed: str) -> None:
    log = FaultLog("thing")
    assert json_fields.read_text(value, "$.t", log, 10) is None
    (fault,) = faults(log)
    assert (fault.path, fault.code, fault.value) == ("$.t", rule, displayed)


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("pre", "field.value"),
        (" PRE", "field.value"),
        ("", "field.value"),
        ("\ud800", "field.value"),
    ]
    + [(None, "field.type"), (Number("0"), "field.type"), ([], "field.type"), ({}, "field.type")],
)
def test_read_choice_rejects(value: object, rule: str) -> None:
    log = FaultLog("thing")
    assert json_fields.read_choice("POST", "$.c", log, {"PRE": 0, "POST": 1}) == 1
    assert json_fields.read_choice(value, "$.c", log, {"PRE": 0, "POST": 1}) is None
    (fault,) = faults(log)
    assert (fault.path, fault.code, fault.message) == ("$.c", rule, "must be one of PRE, POST")


@pytest.mark.parametrize(
    "text",
    [NMI, "630588844", "63058884440", "6305888444.0", "6.305888444e9", "6305888.44", "-123456789"],
)
def test_an_nmi_that_is_a_number_is_not_shown(text: str) -> None:
    """A spreadsheet drops the leading zeros of an NMI: nine digits can be one, too."""
    log = FaultLog("thing")
    assert json_fields.read_nmi(Number(text), "$.nmi", log) is None
    (fault,) = faults(log)
    assert (fault.path, fault.code, fault.value) == ("$.nmi", "field.type", "a number")


def test_read_nmi_shows_kinds_and_nothing_of_a_text() -> None:
    log = FaultLog("thing")
    assert json_fields.read_nmi(NMI + "6", "$.nmi", log) == NMI
    for value in (None, [NMI], {NMI: 1}, True, "630588844", NMI + "5", NMI.replace("8", "O")):
        assert json_fields.read_nmi(value, "$.nmi", log) is None
    assert [(fault.code, fault.value) for fault in faults(log)] == [
        ("field.type", "null"),
        ("field.type", "an array of 1 elements"),
        ("field.type", "an object of 1 fields"),
        ("field.type", "true"),
        ("nmi.length", ""),
        ("nmi.checksum", ""),
        ("nmi.character", ""),
    ]


@pytest.mark.parametrize(
    ("value", "most", "rule"),
    [([], None, "array.length"), ([], 2, "array.length"), ([1, 2, 3], 2, "array.length")]
    + [({}, 2, "field.type"), (None, None, "field.type"), ("ab", 2, "field.type")],
)
def test_read_array_rejects(value: object, most: int | None, rule: str) -> None:
    log = FaultLog("thing")
    assert json_fields.read_array([1, 2], "$.a", log, most) == [1, 2]
    assert json_fields.read_array(value, "$.a", log, most) is None
    assert [fault.code for fault in faults(log)] == [rule]


def test_is_constant() -> None:
    assert json_fields.is_constant(BadConstant("NaN"))
    assert not json_fields.is_constant("NaN")
    assert not json_fields.is_constant(None)
