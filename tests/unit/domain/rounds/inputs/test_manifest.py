"""Documents in parts: the manifest's form, its parts, and faults with the part's path."""

from __future__ import annotations

import gzip
import json
from hashlib import sha256
from typing import Any

import pytest

from oepnode.domain.documents.sources import BytesSource, DocumentSource
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.inputs.blocks import Block, SharedChecks, UnprovenError
from oepnode.domain.rounds.inputs.document_readers import open_document
from oepnode.domain.rounds.inputs.manifest import (
    MAX_PARTS,
    Part,
    is_manifest,
    parse_manifest,
    write_manifest,
)
from oepnode.errors import DocumentFault
from tests.support.envelope_documents import NMI, OTHER_NMI, array, interval, ndjson, record
from tests.support.run_rows import content_of_runs

ONE = array(record(), record(nmi=OTHER_NMI))
TWO = gzip.compress(ndjson(record(oeApplicationLevel="Flex")))
CSV = (
    b"nmi,oeTiming,oeObjectiveFunction,oeApplicationLevel,diStartTime,activePowerExportLimitW\n"
    b"6001234567,PRE,x,NMI,2026-11-20T10:00:00+10:00,5000\n"
)


def _part(data: bytes) -> Part:
    return Part(sha256(data).digest(), len(data))


def _store(*parts: bytes) -> dict[bytes, DocumentSource]:
    return {sha256(part).digest(): BytesSource(part) for part in parts}


def _read(manifest: bytes, store: dict[bytes, DocumentSource]) -> list[Block]:
    reader = open_document(BytesSource(manifest), Feed(), store.__getitem__)
    try:
        blocks = [b for part in range(reader.part_count) for b in reader.read(part)]
    except UnprovenError:
        reader = reader.strict()
        blocks = [b for part in range(reader.part_count) for b in reader.read(part)]
    checks = SharedChecks()
    for block in blocks:
        checks.add(block)
    checks.finish()
    checks.log.raise_if_any()
    return blocks


def _faults(manifest: bytes, store: dict[bytes, DocumentSource]) -> list[tuple[str, str]]:
    with pytest.raises(DocumentFault) as caught:
        _read(manifest, store)
    return [(fault.path, fault.code) for fault in caught.value.faults]


def test_parts_of_several_forms_are_one_document() -> None:
    parts = (ONE, TWO, CSV)
    manifest = write_manifest([_part(part) for part in parts])
    assert is_manifest(manifest[:64])
    assert parse_manifest(manifest) == tuple(_part(part) for part in parts)
    blocks = _read(manifest, _store(*parts))
    assert sum(block.runs.records for block in blocks) == 4
    assert [block.place for block in blocks] == [
        "$.parts[0].records[{}].operatingEnvelopes[{}].intervals[{}]",
        "$.parts[1].records[{}].operatingEnvelopes[{}].intervals[{}]",
        "$.parts[2].lines[{0}]",
    ]
    alone = [open_document(BytesSource(part), Feed()) for part in parts]
    rows = [row for reader in alone for row in content_of_runs([next(reader.read(0)).runs]).rows]
    assert sorted(rows) == content_of_runs([block.runs for block in blocks]).rows


def test_a_fault_in_a_part_has_the_parts_path() -> None:
    bad = array(record(), record(interval(activePowerExportLimit=-1.0), nmi=OTHER_NMI))
    manifest = write_manifest([_part(ONE), _part(bad)])
    assert _faults(manifest, _store(ONE, bad)) == [
        (
            "$.parts[1].records[1].operatingEnvelopes[0].intervals[0].activePowerExportLimit",
            "limit.sign",
        )
    ]


def test_a_part_of_no_form_or_a_damaged_one_is_rejected_by_name() -> None:
    for bad, code in (
        (b"nothing", "json.syntax"),
        (TWO[:-4], "form.truncated"),
        (CSV[4:], "csv.header"),
        (CSV.replace(b"diStartTime", b"start"), "csv.header"),
    ):
        found = _faults(write_manifest([_part(bad)]), _store(bad))
        assert code in {name for _, name in found}
        assert all(path.startswith("$.parts[0]") for path, _ in found)


def test_a_part_of_other_bytes_is_never_read() -> None:
    other = ONE.replace(NMI.encode(), OTHER_NMI.encode())
    manifest = write_manifest([_part(TWO), _part(ONE)])
    store = _store(TWO) | {sha256(ONE).digest(): BytesSource(other)}
    assert _faults(manifest, store) == [("$.parts[1]", "manifest.digest")]
    store[sha256(ONE).digest()] = BytesSource(ONE + b" ")
    assert _faults(manifest, store) == [("$.parts[1]", "manifest.size")]


def test_a_manifest_within_a_manifest_is_rejected() -> None:
    inner = write_manifest([_part(ONE)])
    assert _faults(write_manifest([_part(inner)]), _store(ONE, inner)) == [
        ("$.parts[0]", "manifest.nested")
    ]


def test_a_part_named_twice_is_rejected() -> None:
    manifest = write_manifest([_part(ONE), _part(TWO), _part(ONE)])
    assert _faults(manifest, _store(ONE, TWO)) == [("$.parts[2]", "manifest.twice")]


def test_identifiers_of_one_kind_hold_over_all_parts() -> None:
    token = array(record(nmi="0123456789abcdef" * 2))
    found = _faults(write_manifest([_part(ONE), _part(token)]), _store(ONE, token))
    assert found == [("$.parts[1].records[0].nmi", "nmi.mixed")]


def test_the_parts_of_a_manifest_must_be_there() -> None:
    with pytest.raises(KeyError):
        _read(write_manifest([_part(ONE)]), {})
    reader = open_document(BytesSource(write_manifest([_part(ONE)])), Feed())
    (block,) = reader.read(0)
    assert [(f.path, f.code) for f in block.log.findings] == [("$.parts[0]", "manifest.part")]


GOOD: dict[str, Any] = {"sha256": "ab" * 32, "size": 5}


@pytest.mark.parametrize(
    ("value", "path", "code"),
    [
        ({"parts": []}, "$.parts", "array.length"),
        ({"parts": None}, "$.parts", "field.type"),
        ({"parts": [GOOD], "more": 1}, "$", "field.unknown"),
        ({"parts": ["ab" * 32]}, "$.parts[0]", "field.type"),
        ({"parts": [{**GOOD, "url": "x"}]}, "$.parts[0]", "field.unknown"),
        ({"parts": [{"sha256": "ab" * 32}]}, "$.parts[0].size", "field.missing"),
        ({"parts": [{**GOOD, "sha256": "AB" * 32}]}, "$.parts[0].sha256", "manifest.digest"),
        ({"parts": [{**GOOD, "sha256": 7}]}, "$.parts[0].sha256", "manifest.digest"),
        ({"parts": [{**GOOD, "size": 0}]}, "$.parts[0].size", "manifest.size"),
        ({"parts": [{**GOOD, "size": -1}]}, "$.parts[0].size", "manifest.size"),
        ({"parts": [{**GOOD, "size": 1.5}]}, "$.parts[0].size", "manifest.size"),
        ({"parts": [{**GOOD, "size": 2**41}]}, "$.parts[0].size", "manifest.size"),
        ({"parts": [{**GOOD, "size": "5"}]}, "$.parts[0].size", "manifest.size"),
    ],
)
def test_another_form_is_rejected(value: Any, path: str, code: str) -> None:
    with pytest.raises(DocumentFault) as caught:
        parse_manifest(json.dumps(value).encode())
    assert (path, code) in [(fault.path, fault.code) for fault in caught.value.faults]


def test_too_many_parts_are_rejected() -> None:
    parts = [Part(number.to_bytes(32, "big"), 1) for number in range(MAX_PARTS + 1)]
    assert len(parse_manifest(write_manifest(parts[:-1]))) == MAX_PARTS
    with pytest.raises(DocumentFault) as caught:
        parse_manifest(write_manifest(parts))
    assert caught.value.faults[0].code == "array.length"


def test_records_are_no_manifest() -> None:
    for data in (ONE, TWO, CSV, b'{"nmi":1}', b"[]", b'[{"parts":[]}]', b""):
        assert not is_manifest(data[:64])
