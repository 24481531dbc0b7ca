"""Strict JSON (rules-v1 section 2): arrays and NDJSON, faults with paths, work in linear time."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.documents.strict_json import (
    BadConstant,
    DuplicateKeys,
    Number,
    decode_utf8,
    read_records,
    read_value,
)
from oepnode.domain.rounds.inputs.envelope_document import parse_document
from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
from oepnode.errors import DocumentFault, Finding
from tests.support.envelope_documents import (
    NMI,
    OTHER_NMI,
    array,
    dump,
    ndjson,
    only,
    record,
    rejection,
    snapshot,
)

GOOD = dump(record())
LINE = GOOD.encode()


def records(data: bytes) -> list[tuple[int, Any]]:
    log = FaultLog("thing")
    values = list(read_records(data, log))
    log.raise_if_any()
    return values


def faults(data: bytes) -> list[Finding]:
    log = FaultLog("thing")
    list(read_records(data, log))
    with pytest.raises(DocumentFault) as raised:
        log.raise_if_any()
    return list(raised.value.faults)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Bounds processor time, generously: without the guard it takes minutes."""
    before = time.process_time()
    yield
    assert time.process_time() - before < seconds


# --- Values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["0", "-0", "1.50", "1e5", "1E+05", "-0.0e-0", "9" * 5000, "1e999999999999"]
)
def test_numbers_stay_as_written(text: str) -> None:
    log = FaultLog("thing")
    value = read_value(text.encode(), log)
    assert type(value) is Number
    assert value == text
    assert log.count == 0


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_constants_are_kept_apart_from_numbers(text: str) -> None:
    value = read_value(text.encode(), FaultLog("thing"))
    assert type(value) is BadConstant
    assert str(value) == text


def test_duplicate_keys_are_kept_with_their_names_in_order() -> None:
    value = read_value(b'{"c":1,"a":1,"b":1,"a":2,"c":3,"a":4}', FaultLog("thing"))
    assert isinstance(value, DuplicateKeys)
    assert value.duplicates == ("c", "a")
    assert type(read_value(b'{"a":{"b":1},"b":2}', FaultLog("thing"))) is dict


def test_escaped_and_plain_spelling_of_a_key_are_one_key() -> None:
    value = read_value(b'{"nmi":1,"\\u006emi":2}', FaultLog("thing"))
    assert isinstance(value, DuplicateKeys)
    assert value.duplicates == ("nmi",)


# --- Arrays and NDJSON ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b'[{"a":1},{"b":2}]',
        b' \t\r\n[ {"a":1}\n,\r{"b":2} ] \n\n',
        b'{"a":1}\n{"b":2}',
        b'{"a":1}\r\n{"b":2}\r\n',
        b'\n\n \t\r\n  {"a" : 1} \n\n\n\t{"b":2}\n \n',
    ],
)
def test_the_first_byte_distinguishes_an_array_from_ndjson(data: bytes) -> None:
    assert records(data) == [(0, {"a": "1"}), (1, {"b": "2"})]


def test_lines_end_in_lf_or_cr_lf_only() -> None:
    """A lone CR is white space; line separators of Unicode are not white space."""
    assert [f.code for f in faults(b'{"a":1}\r{"b":2}')] == ["json.trailing"]
    assert [f.code for f in faults('{"a":1}\u2028{"b":2}'.encode())] == ["json.trailing"]
    assert [f.code for f in faults("\u00a0{}".encode())] == ["json.syntax"]
    assert records('{"a":"x\u2028y"}'.encode()) == [(0, {"a": "x\u2028y"})]


@pytest.mark.parametrize("data", [b"", b" \n\r\t\n", b"[]", b" [ \n ] "])
def test_document_empty(data: bytes) -> None:
    fault = only(rejection(parse_document, data))
    assert (fault.path, fault.code, fault.value) == ("$", "document.empty", "")


@pytest.mark.parametrize(
    ("data", "at"),
    [(b"\xff[]", 0), (b"[\xc3(]", 1), (b"[\xed\xa0\x80]", 1), (b"\xfe\xff\x00[", 0)]
    + [
        (LINE.replace(b"service", b"\xf8"), LINE.index(b"service")),
        (LINE + b"\xe2\x82", len(LINE)),
    ],
)
def test_json_utf8(data: bytes, at: int) -> None:
    for parse in (parse_document, parse_snapshot):
        fault = only(rejection(parse, data))
        assert (fault.path, fault.code) == ("$", "json.utf8")
        assert fault.message.endswith(f"at byte {at}")


@pytest.mark.parametrize("data", [array(record()), ndjson(record())], ids=["array", "ndjson"])
def test_json_bom(data: bytes) -> None:
    for parse in (parse_document, parse_snapshot):
        fault = only(rejection(parse, b"\xef\xbb\xbf" + data))
        assert (fault.path, fault.code) == ("$", "json.bom")
        assert "save it as UTF-8 without BOM" in fault.message


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        (gzip.compress(ndjson(record())), "this is gzip, to be unpacked first"),
        (ndjson(record()).decode().encode("utf-16"), "this looks like UTF-16"),
    ],
)
def test_bytes_that_are_often_taken_for_json_are_named(data: bytes, hint: str) -> None:
    fault = only(rejection(parse_document, data))
    assert fault.code == "json.utf8"
    assert hint in fault.message


def test_a_byte_order_mark_further_on_is_not_json() -> None:
    assert [f.code for f in faults(b" \xef\xbb\xbf[]")] == ["json.syntax"]


@pytest.mark.parametrize(
    "text",
    [
        "{]",
        "{",
        "x",
        "nan",
        "+1",
        ".5",
        "-",
        "'a'",
        "{a:1}",
        '{"a":1,}',
        '{"a" 1}',
        '{"a":}',
        '"\n"',
        '"\x01"',
        '"\\x"',
        '"\\u12g4"',
        '"',
        "tru",
        "/* */ 1",
        "\x00",
        "\u0660",
    ],
)
def test_json_syntax(text: str) -> None:
    (fault,) = faults(f"[{GOOD},{text}]".encode())
    assert (fault.path, fault.code, fault.value) == ("$.records[1]", "json.syntax", "")
    assert fault.message.startswith("not JSON: ")
    for fault in faults(f"{GOOD}\n{text}\n{GOOD}".encode()):
        assert fault.path.startswith("$.records[")
        assert fault.code == "json.syntax"
    log = FaultLog("thing")
    assert read_value(text.encode(), log) is None
    assert log.count == 1


@pytest.mark.parametrize("text", ["01", "1.", "1.e5", "1e", "0x1f", "1_000", "--1"])
def test_numbers_that_rfc_8259_does_not_know(text: str) -> None:
    for data in (f"[{text}]", text, f'[{{"a":{text}}}]', f'{{"a":{text}}}'):
        assert {f.code for f in faults(data.encode())} <= {"json.syntax", "json.trailing"}


@pytest.mark.parametrize(
    ("data", "path", "rule", "where"),
    [
        (b'[\n{"a":1}\n {"b":2}]', "$.records[0]", "json.syntax", "(line 3, column 2)"),
        (b"[{}\n,\n]", "$.records[1]", "json.syntax", "(line 3, column 1)"),
        (b"[", "$.records[0]", "json.syntax", "(line 1, column 2)"),
        (b"[{}", "$.records[0]", "json.syntax", "(line 1, column 4)"),
        (b"[{}]\n x", "$", "json.trailing", "(line 2, column 2)"),
        (b"[]\n]", "$", "json.trailing", "(line 2, column 1)"),
        (b"\n\n  {}\n {} x\n", "$.records[1]", "json.trailing", "(line 4, column 5)"),
        (b"\n \n  {\n", "$.records[0]", "json.syntax", "(line 3, column 4)"),
        (b"{}\n\n x\n", "$.records[1]", "json.syntax", "(line 3, column 2)"),
    ],
)
def test_faults_are_located_by_line_and_column(
    data: bytes, path: str, rule: str, where: str
) -> None:
    (fault,) = faults(data)
    assert (fault.path, fault.code) == (path, rule)
    assert fault.message.endswith(where)


def test_json_trailing() -> None:
    fault = only(rejection(parse_document, array(record()) + b"\x00"))
    assert (fault.path, fault.code) == ("$", "json.trailing")
    fault = only(rejection(parse_document, LINE + b"\n" + LINE + LINE + b"\n"))
    assert (fault.path, fault.code) == ("$.records[1]", "json.trailing")
    fault = only(rejection(parse_snapshot, dump(snapshot()).encode() + b"{}"))
    assert (fault.path, fault.code) == ("$", "json.trailing")


def test_every_bad_line_of_ndjson_is_listed_and_good_ones_are_read() -> None:
    log = FaultLog("thing")
    read = list(read_records(b"{}\nx\n\n[1,\n{}\n{} {}\n5", log))
    assert read == [(0, {}), (3, {}), (5, "5")]
    with pytest.raises(DocumentFault) as raised:
        log.raise_if_any()
    assert [(f.path, f.code) for f in raised.value.faults] == [
        ("$.records[1]", "json.syntax"),
        ("$.records[2]", "json.syntax"),
        ("$.records[4]", "json.trailing"),
    ]


def test_a_record_of_ndjson_may_not_cross_its_line() -> None:
    first, *_ = faults(GOOD.replace(",", ",\n").encode())
    assert first.code == "json.syntax"
    assert "in NDJSON a record is one line" in first.message


def test_a_record_on_several_lines_is_one_fault_and_ends_the_document() -> None:
    indented = json.dumps(json.loads(GOOD), indent=1).encode()
    fault = only(rejection(parse_document, indented))
    assert (fault.path, fault.code) == ("$.records[0]", "json.syntax")
    assert "must be in a JSON array" in fault.message
    log = FaultLog("thing")
    assert list(read_records(b"{}\n" + indented + b"\n" + indented, log)) == [(0, {})]
    assert [(f.path, f.code) for f in log.findings] == [("$.records[1]", "json.syntax")]


def test_a_record_on_several_lines_that_is_not_json_is_read_line_by_line() -> None:
    assert [f.path for f in faults(b'{\n"a": 1,\n}\n{\n}')] == [
        f"$.records[{number}]" for number in range(5)
    ]
    deep = b"{\n" + b'"a":' + b"[" * 100 + b"]" * 100 + b"\n}"
    assert {f.code for f in faults(deep)} >= {"json.nesting", "json.syntax"}


@pytest.mark.parametrize("bomb", ["[" * 10**6, '{"a":' * 10**6, "[" * 10**5 + "]" * 10**5])
def test_json_nesting(bomb: str) -> None:
    with at_most(5):
        for parse, text in ((parse_document, f"[{GOOD},{bomb}"), (parse_snapshot, bomb)):
            fault = only(rejection(parse, text.encode()))
            assert (fault.path, fault.code) == ("$", "json.nesting")
        fault = only(rejection(parse_document, f'{GOOD}\n{{"a":{bomb}\n'.encode()))
        assert (fault.path, fault.code) == ("$.records[1]", "json.nesting")


@pytest.mark.parametrize("depth", [60, 64, 65, 100, 900, 970, 990, 1000, 1100])
def test_nesting_near_any_bound_is_rejected_as_any_other(depth: int) -> None:
    for deep in ("[" * depth + "]" * depth, '{"nmi":' * depth + "1" + "}" * depth):
        for data in (f"[{deep}]", f'{GOOD}\n{{"nmi":{deep}}}'):
            rejection(parse_document, data.encode())
        rejection(parse_snapshot, deep.encode())


def test_nothing_is_yielded_after_a_fault_of_the_text() -> None:
    log = FaultLog("thing")
    assert decode_utf8(b"\xff", log) is None
    assert read_value(b"\xff", log) is None
    assert list(read_records(b"\xff", log)) == []
    assert log.count == 3


@pytest.mark.parametrize("write", [array, ndjson], ids=["array", "ndjson"])
def test_progress_is_reported_now_and_then_and_at_the_end(write: Callable[..., bytes]) -> None:
    data = write(*({"n": n} for n in range(200)))
    steps: list[tuple[str, int, int]] = []
    list(read_records(data, FaultLog("thing"), lambda *step: steps.append(step)))
    assert [stage for stage, _, _ in steps] == ["parse"] * 5
    offsets = [offset for _, offset, _ in steps]
    assert offsets == sorted(offsets)
    assert offsets[-1] == len(data)
    assert {total for _, _, total in steps} == {len(data)}


# --- Work grows with the size, not with its square ------------------------------------------------

HEAVY = {
    "empty lines": LINE + b"\n" * 300_000 + LINE,
    "blank lines": LINE + b" \r\n" * 300_000 + LINE,
    "bad lines": b"x\n" * 100_000,
    "lines with a tail": b"{} x\n" * 100_000,
    "lines that open and do not close": b"{}\n" + b"[1,\n" * 100_000,
    "a long flat line after many open ones": b"{}\n" + b"[1,\n" * 800 + b"1," * 500_000,
    "duplicate keys": b"{" + b",".join(b'"%d":1,"%d":2' % (n, n) for n in range(50_000)) + b"}",
    "one key very often": b"{" + b",".join([b'"nmi":1'] * 100_000) + b"}",
    "unknown keys": b"{" + b",".join(b'"%d":1' % n for n in range(100_000)) + b"}",
    "records of a wrong type": b"[" + b",".join([b"1"] * 100_000) + b"]",
    "a long string": LINE.replace(b'"PRE"', b'"' + b"a " * 3_000_000 + b'"'),
    "a long string of digits": LINE.replace(b'"PRE"', b'"' + b"9" * 5_000_000 + b'"'),
    "a long key": LINE.replace(b'"oeTiming"', b'"' + b"a " * 3_000_000 + b'"'),
    "a long number": LINE.replace(b'Limit":5', b'Limit":' + b"9" * 3_000_000),
    "a long number of small value": LINE.replace(
        b'Limit":5', b'Limit":1' + b"0" * 1_000_000 + b"e-1000001"
    ).replace(b"PRE", b"pre"),
    "a long fraction": LINE.replace(b'Limit":5', b'Limit":0.' + b"0" * 3_000_000 + b"1"),
    "a huge exponent": LINE.replace(b'Limit":5', b'Limit":1e999999999'),
    "an exponent of many digits": LINE.replace(b'Limit":5', b'Limit":1e' + b"9" * 3_000_000),
    "a long time": LINE.replace(b"2026-11-20T10:00:00", b"2" * 3_000_000),
    "a long NMI": LINE.replace(NMI.encode(), NMI.encode() * 300_000),
    "escapes": LINE.replace(b"PRE", b"\\ud800" * 500_000),
    "open strings": b'"\n' * 100_000,
}


@pytest.mark.no_cover  # time is bounded, and measuring takes most of it
@pytest.mark.parametrize("data", HEAVY.values(), ids=HEAVY)
def test_heavy_documents_are_validated_in_bounded_time(data: bytes) -> None:
    with at_most(8):
        try:
            parse_document(data)
        except DocumentFault as exc:
            assert len(str(exc)) < 1000
            assert NMI not in str(exc)
    with at_most(8):
        rejection(parse_snapshot, data)


@pytest.mark.no_cover  # time is bounded, and measuring takes most of it
def test_a_snapshot_of_many_assignments_that_overlap_is_rejected_in_bounded_time() -> None:
    line = dump({"nmi": NMI, "aggregator": "north", "from": "2026-11-20T10:00:00+10:00"})
    other = line.replace(NMI, OTHER_NMI)
    text = dump(snapshot()).replace(
        '"assignments":[]', f'"assignments":[{line}' + f",{other}" * 50_000 + "]"
    )
    with at_most(8):
        error = rejection(parse_snapshot, text.encode())
    assert {fault.code for fault in error.faults} == {"assignment.overlap"}
    assert error.more == 50_000 - 1 - 100


# --- Any text -------------------------------------------------------------------------------------


@given(text=st.text(alphabet='{}[]",:\\ \n\r\t01-.eEnulltrueNaIfity/u', max_size=60))
def test_any_text_gives_records_or_faults(text: str) -> None:
    log = FaultLog("thing")
    values = list(read_records(text.encode(), log))
    assert values or log.count
    log = FaultLog("thing")
    value = read_value(text.encode(), log)
    assert value is None or not text.isspace()
