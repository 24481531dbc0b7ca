"""Faults of a document: kept, counted and shown without what must not be shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oepnode.domain.documents.faults import MAX_FAULTS, FaultLog, show_value
from oepnode.domain.documents.strict_json import BadConstant, Number
from oepnode.domain.nem.nmi import ALPHABET
from oepnode.domain.rounds.inputs.envelope_document import parse_document
from oepnode.errors import DocumentFault, EvidenceError, Finding
from tests.support.envelope_documents import NMI, SALT, array, check_rejection, record, rejection


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (Number("-1.50"), "-1.50"),
        (BadConstant("NaN"), "NaN"),
        ("PRE", "'PRE'"),
        ("größer", "'gr\\xf6\\xdfer'"),
        ("\ud800\x1b[31m", "'\\ud800\\x1b[31m'"),
        ([1, [2], 3], "an array of 3 elements"),
        ((), "an array of 0 elements"),
        ({"a": NMI}, "an object of 1 fields"),
        (NMI, "'[withheld]'"),
        (NMI.lower() + "8", "'[withheld]'"),
        (f"x/{NMI}/y", "[withheld]"),
        ("6305 888 444", "[withheld]"),
        ("6305-888-444", "[withheld]"),
        ("6305_888.444", "[withheld]"),
        ("QAAA VZ12 34", "[withheld]"),
        ("\uff16\uff13\uff10\uff15888444", "[withheld]"),
        ("2026-11-20T04:05:00+10:00", "'2026-11-20T04:05:00+10:00'"),
        (Number(NMI), "[withheld]"),
        (SALT.hex(), "'[withheld]'"),
        ("123456789", "'123456789'"),
        ("submissionDateTime", "'submissionDateTime'"),
        ("Optimisation of service", "'Optimisation of service'"),
        ("QAAAVZZZZZ", "'[withheld]'"),
        ("qaaavzzzzz", "'[withheld]'"),
        ("nmiQAAAVZZZZZ", "'[withheld]'"),
        ("nmiQAAAVZZZZ1", "'[withheld]'"),
        (b"bytes", "b'bytes'"),
    ],
)
def test_show_value(value: object, shown: str) -> None:
    assert show_value(value) == shown


def test_a_long_value_is_cut_and_its_length_shown() -> None:
    shown = show_value("a b " * 1000)
    assert shown.startswith("'a b a b")
    assert shown.endswith("… (4002 characters)")
    assert len(shown) < 90


@given(before=st.text(), after=st.text(), nmi=st.text(ALPHABET, min_size=10, max_size=10))
def test_an_nmi_is_hidden_whatever_text_surrounds_it(before: str, after: str, nmi: str) -> None:
    assert nmi not in show_value(before + nmi + after)


@given(text=st.text())
def test_shown_values_are_printable_ascii(text: str) -> None:
    shown = show_value(text).replace("…", "")
    assert shown.isascii()
    assert shown.isprintable()


def test_the_first_hundred_faults_are_kept_in_order_and_the_others_counted() -> None:
    fault_log = FaultLog("thing")
    for number in range(250):
        fault_log.add(f"$[{number}]", "a.rule", "why")
    assert fault_log.count == 250
    with pytest.raises(DocumentFault, match=r"^thing rejected: 250 faults; first: \$\[0\]") as got:
        fault_log.raise_if_any()
    assert [fault.path for fault in got.value.faults] == [f"$[{n}]" for n in range(MAX_FAULTS)]
    assert (got.value.more, got.value.what) == (150, "thing")


def test_one_fault_is_reported_in_the_singular() -> None:
    fault_log = FaultLog("thing")
    fault_log.add("$.a", "a.rule", "why", "5")
    with pytest.raises(DocumentFault) as got:
        fault_log.raise_if_any()
    assert str(got.value) == "thing rejected: 1 fault; first: $.a: a.rule: why (found 5)"
    assert isinstance(got.value, EvidenceError)
    assert str(Finding("$", "r", "m")) == "$: r: m"
    assert str(DocumentFault("thing", ())) == "thing rejected: 0 faults"


def test_no_fault_raises_nothing() -> None:
    fault_log = FaultLog("thing")
    fault_log.warn("$", "odd")
    fault_log.raise_if_any()
    assert fault_log.count == 0


def test_equal_warnings_are_counted_under_their_first_location() -> None:
    fault_log = FaultLog("thing")
    assert list(fault_log.warnings) == []
    for name in "abc":
        fault_log.warn(f"$.{name}", "odd")
    fault_log.warn("$.d", "even")
    assert fault_log.warnings == ("$.a: odd (and 2 more)", "$.d: even")


def test_a_document_with_more_faults_than_are_kept() -> None:
    bad = [record(nmi=f"BAD{n:06d}!") for n in range(130)]
    error = rejection(parse_document, array(*bad))
    assert [f.path for f in error.faults] == [f"$.records[{n}].nmi" for n in range(100)]
    assert error.more == 30
    assert str(error).startswith(
        "envelope document rejected: 130 faults; first: $.records[0].nmi: "
    )


def test_the_check_of_rejections_finds_a_secret() -> None:
    with pytest.raises(AssertionError):
        check_rejection(DocumentFault("thing", [Finding("$", "r", f"says {NMI}")]))
