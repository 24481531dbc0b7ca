"""The CSV form: rows as in the other forms, and every fault with its line."""

from __future__ import annotations

import gzip
import random

import pytest

from oepnode.domain.documents.sources import BytesSource
from oepnode.domain.nem.quantities import NO_LIMIT, Feed
from oepnode.domain.rounds.inputs.blocks import Block, DocumentReader, SharedChecks
from oepnode.domain.rounds.inputs.csv_document import CsvDocument
from oepnode.domain.rounds.inputs.document_readers import open_document
from oepnode.errors import DocumentFault
from tests.support.run_rows import content_of_runs

HEADER = (
    "nmi,oeTiming,oeObjectiveFunction,oeApplicationLevel,submissionTimestamp,diStartTime,"
    "activePowerExportLimitW,activePowerImportLimitW"
)
LINES = (
    "6001234567,PRE,x,NMI,2026-11-20T03:00:00+10:00,2026-11-20T04:00:00+10:00,5000,-3210",
    "6001234567,PRE,x,NMI,2026-11-20T03:00:00+10:00,2026-11-20T04:05:00+10:00,4990,",
    "6001234568,POST,größer,Flex,,2026-11-19T18:00:00Z,0,0",
)
PLAIN = "\n".join((HEADER, *LINES)).encode() + b"\n"


def _document(*lines: str) -> bytes:
    return "\n".join((HEADER, *lines)).encode() + b"\n"


def _blocks(reader: DocumentReader) -> list[Block]:
    return [block for part in range(reader.part_count) for block in reader.read(part)]


def _rows(data: bytes, feed: Feed | None = None) -> list[tuple[object, ...]]:
    """Rows without their places."""
    reader = open_document(BytesSource(data), feed or Feed())
    checks = SharedChecks()
    blocks = _blocks(reader)
    for block in blocks:
        checks.add(block)
    checks.finish()
    checks.log.raise_if_any()
    return [row[1:] for row in content_of_runs([block.runs for block in blocks]).rows]


def _faults(data: bytes, feed: Feed | None = None) -> list[tuple[str, str]]:
    with pytest.raises(DocumentFault) as caught:
        _rows(data, feed)
    assert "6001234567" not in str(caught.value.faults)
    return [(fault.path, fault.code) for fault in caught.value.faults]


def test_a_document_gives_its_rows() -> None:
    submitted, start = 1_795_107_600_000_000, 1_795_111_200
    no, none = NO_LIMIT, -1
    assert _rows(PLAIN) == [
        (b"6001234567", 0, 0, "x", submitted, start, (5000, -3210, no, no)),
        (b"6001234567", 0, 0, "x", submitted, start + 300, (4990, no, no, no)),
        (b"6001234568", 1, 1, "größer", none, start, (0, 0, no, no)),
    ]


def test_a_mark_crlf_quotes_and_line_ends_at_the_end_change_nothing() -> None:
    expected = _rows(PLAIN)
    text = PLAIN.decode()
    quoted = "\n".join(
        ",".join(f'"{field}"' if field else "" for field in line.split(","))
        for line in text.splitlines()
    )
    for other in (
        "\ufeff" + text,
        text.replace("\n", "\r\n"),
        "\ufeff" + quoted.replace("\n", "\r\n"),
        quoted,
        text + "\n\r\n\n",
        text.rstrip("\n"),
    ):
        assert _rows(other.encode()) == expected
    assert _rows(gzip.compress(PLAIN)) == expected


def test_columns_may_be_in_any_order() -> None:
    order = list(range(8))
    random.Random(1).shuffle(order)
    lines = [line.split(",") for line in PLAIN.decode().splitlines()]
    shuffled = "\n".join(",".join(line[i] for i in order) for line in lines)
    assert _rows(shuffled.encode()) == _rows(PLAIN)


def test_a_quoted_field_may_hold_a_comma_and_a_doubled_mark() -> None:
    line = LINES[0].replace(",x,", ',"a, ""b""",')
    (row,) = _rows(_document(line))
    assert row[3] == 'a, "b"'


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (HEADER.replace("nmi,", ""), "nmi"),
        (HEADER + ",nmi", "nmi"),
        (HEADER + ",more", "'more'"),
        (HEADER.replace("ExportLimitW", "ExportLimit"), "'activePowerExportLimit'"),
        (HEADER.replace(",", ";"), None),
    ],
)
def test_another_header_is_rejected(header: str, value: str | None) -> None:
    data = "\n".join((header, *LINES)).encode()
    with pytest.raises(DocumentFault) as caught:
        CsvDocument(BytesSource(data), Feed())
    assert {(f.path, f.code) for f in caught.value.faults} == {("$.lines[1]", "csv.header")}
    assert value is None or value in {f.value for f in caught.value.faults}


def test_a_header_without_a_limit_is_rejected() -> None:
    data = HEADER.rsplit(",", 2)[0].encode()
    assert _faults(data) == [("$.lines[1]", "csv.header")]


def test_a_document_without_rows_is_rejected() -> None:
    assert _faults(HEADER.encode()) == [("$", "document.empty")]
    assert _faults(HEADER.encode() + b"\r\n\n") == [("$", "document.empty")]


@pytest.mark.parametrize(
    ("old", "new", "path", "code"),
    [
        ("4990,", "4990", "$.lines[3]", "csv.fields"),
        ("4990,", "4990,,", "$.lines[3]", "csv.fields"),
        (LINES[1], "", "$.lines[3]", "csv.fields"),
        (",größer,", ',"größer,', "$.lines[4]", "csv.quotes"),
        (",größer,", ',gr"ößer,', "$.lines[4]", "csv.quotes"),
        (",größer,", ',"größer"x,', "$.lines[4]", "csv.quotes"),
        ("6001234568", "600123456O", "$.lines[4].nmi", "nmi.character"),
        ("6001234568", "", "$.lines[4].nmi", "field.type"),
        ("POST", "post", "$.lines[4].oeTiming", "field.value"),
        ("Flex", "", "$.lines[4].oeApplicationLevel", "field.type"),
        ("größer", "\x07", "$.lines[4].oeObjectiveFunction", "field.value"),
        (",größer,", ",a\rb,", "$.lines[4].oeObjectiveFunction", "field.value"),
        ("04:05:00", "04:03:00", "$.lines[3].diStartTime", "time.grid"),
        ("2026-11-20T04:05:00+10:00", "", "$.lines[3]", "time.missing"),
        ("18:00:00Z", "18:00", "$.lines[4].diStartTime", "time.format"),
        ("5000", "5.0", "$.lines[2].activePowerExportLimitW", "field.type"),
        ("5000", "05000", "$.lines[2].activePowerExportLimitW", "field.type"),
        ("5000", "-1", "$.lines[2].activePowerExportLimitW", "limit.sign"),
        ("5000", "-2147483648", "$.lines[2].activePowerExportLimitW", "limit.range"),
        ("5000", "9999999999", "$.lines[2].activePowerExportLimitW", "limit.range"),
        ("4990,", ",", "$.lines[3]", "interval.no_limit"),
    ],
)
def test_a_fault_has_the_number_of_its_line(old: str, new: str, path: str, code: str) -> None:
    text = PLAIN.decode()
    assert old in text
    assert (path, code) in _faults(text.replace(old, new, 1).encode())


def test_quotes_across_lines_are_rejected() -> None:
    text = PLAIN.decode().replace(",x,", ',"x\ny",', 1)
    assert _faults(text.encode()) == [("$.lines[2]", "csv.quotes"), ("$.lines[3]", "csv.quotes")]


def test_other_bytes_than_utf8_are_rejected() -> None:
    assert _faults(PLAIN.replace("ö".encode(), b"\xf6")) == [("$.lines[4]", "csv.utf8")]


def test_profile_edge_needs_both_active_limits_in_steps_of_ten_watts() -> None:
    faults = _faults(PLAIN.replace(b"3210", b"3215"), Feed("edge"))
    assert ("$.lines[2].activePowerImportLimitW", "limit.decimals") in faults
    assert ("$.lines[3].activePowerImportLimitW", "field.type") in faults


def test_parts_give_the_same_rows_and_lines() -> None:
    lines = [
        f"600123{i % 50:04},PRE,x,NMI,,2026-11-20T04:{5 * (i // 50):02}:00+10:00,{i},-{i}"
        for i in range(600)
    ]
    data = _document(*lines)
    whole: DocumentReader = CsvDocument(BytesSource(data), Feed())
    parts = CsvDocument(BytesSource(data), Feed(), part_size=4_000)
    assert whole.part_count == 1
    assert parts.part_count >= 5
    assert content_of_runs([b.runs for b in _blocks(whole)]) == content_of_runs(
        [b.runs for b in _blocks(parts)]
    )


def test_a_line_without_an_end_is_rejected() -> None:
    data = _document(*LINES) + b"x" * (1 << 24)
    assert _faults(data) == [("$", "csv.line")]
