"""Conversion between all forms: equal rows and roots; files that are complete or not there."""

from __future__ import annotations

import random
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from oepnode.adapters.storage.document_file import FileSource
from oepnode.client.conversion import Form, Packing, convert_document, part_folder
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.inputs.blocks import DocumentReader, UnprovenError
from oepnode.domain.rounds.inputs.document_readers import open_document
from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
from oepnode.domain.rounds.inputs.runs import Runs
from oepnode.errors import ConfigError, DocumentFault
from tests.generators import strategies
from tests.generators.alike_records import alike_document
from tests.generators.cases import Shape
from tests.support.envelope_documents import NMI, array, interval, record
from tests.support.partitioning import partition_round
from tests.support.run_rows import content_of_runs

FORMS: list[tuple[Form, Packing | None]] = [
    ("json", None),
    ("ndjson", None),
    ("parquet", None),
    ("csv", None),
    ("json", "gzip"),
    ("ndjson", "zstd"),
    ("csv", "gzip"),
]


def _rows(path: Path, feed: Feed) -> list[tuple[object, ...]]:
    """Rows of a document without their places, sorted."""

    def part(digest: bytes) -> FileSource:
        return FileSource(part_folder(path) / digest.hex())

    reader = open_document(FileSource(path), feed, part)
    try:
        blocks = _blocks(reader)
    except UnprovenError:
        blocks = _blocks(reader.strict())
    return sorted((row[1:] for row in content_of_runs(blocks).rows), key=repr)


def _blocks(reader: DocumentReader) -> list[Runs]:
    blocks = [block for part in range(reader.part_count) for block in reader.read(part)]
    assert not any(block.log.count for block in blocks)
    return [block.runs for block in blocks]


def _is_valid(path: Path, feed: Feed) -> bool:
    try:
        _rows(path, feed)
    except DocumentFault:
        return False
    return True


def _check(path: Path, folder: Path, feed: Feed) -> None:
    """Convert a document to every form, and each of these to another one."""
    expected = _rows(path, feed)
    rnd = random.Random(path.name)
    for number, (form, packing) in enumerate(FORMS):
        first, second = folder / f"{path.name}-{number}", folder / f"{path.name}-{number}-again"
        converted = convert_document(path, first, to=form, packing=packing, feed=feed)
        assert converted.rows == len(expected)
        assert _rows(first, feed) == expected, (form, packing)
        other, how = rnd.choice(FORMS)
        convert_document(first, second, to=other, packing=how, feed=feed)
        assert _rows(second, feed) == expected, (form, packing, other, how)


def test_documents_of_programs_keep_their_rows(tmp_path: Path) -> None:
    feeds = [Feed(), Feed("edge"), Feed("wide", "magnitude")]
    valid = 0
    for seed in range(24):
        rnd = random.Random(seed)
        feed = rnd.choice(feeds)
        path = tmp_path / f"document-{seed}"
        path.write_bytes(alike_document(rnd, 0.0, feed))
        if _is_valid(path, feed):
            valid += 1
            _check(path, tmp_path, feed)
    assert valid > 10


@pytest.mark.parametrize("seed", range(12))
def test_documents_of_the_reference_model_keep_their_rows(tmp_path: Path, seed: int) -> None:
    case = strategies.build_case(_shape(seed))
    feed = Feed(case.shape.profile, case.shape.import_sign)
    path = tmp_path / "document"
    path.write_bytes(case.envelope)
    _check(path, tmp_path, feed)
    context = RoundContext(case.chain_id, case.contract, case.number)
    snapshot = parse_snapshot(case.registry)
    root = partition_round(case.envelope, snapshot, case.salt, context, feed).root
    for converted in tmp_path.glob("document-*"):
        data = converted.read_bytes()
        assert partition_round(data, snapshot, case.salt, context, feed).root == root


def _shape(seed: int) -> Any:
    rnd = random.Random(seed)
    return Shape(
        seed=seed,
        nmis=rnd.randint(1, 4),
        intervals=rnd.randint(1, 6),
        profile=rnd.choice(["wide", "edge"]),
        import_sign=rnd.choice(["canonical", "magnitude"]),
        both_levels=rnd.random() < 0.5,
        gaps=rnd.random() < 0.5,
        reactive=rnd.random() < 0.5,
        repeats=rnd.random() < 0.5,
        supersession=rnd.random() < 0.5,
        full_day=rnd.random() < 0.2,
    )


@pytest.mark.parametrize("form", ["ndjson", "csv", "parquet"])
def test_parts_and_their_manifest_are_the_document(tmp_path: Path, form: Form) -> None:
    rnd, count = random.Random(form), 240 if form == "parquet" else 40
    records = [
        record(
            *(
                interval(
                    diStartTime=f"2026-11-20T{h:02}:{m:02}:00Z",
                    diEndTime=None,
                    activePowerExportLimit=rnd.randint(0, 9_999) / 1000,
                )
                for h in range(24)
                for m in range(0, 60, 5)
            ),
            nmi=f"60012{site:05}",
        )
        for site in range(count)
    ]
    path, out = tmp_path / "document.json", tmp_path / "manifest.json"
    path.write_bytes(array(*records))
    converted = convert_document(path, out, to=form, part_size=1 << 16)
    assert converted.parts > 1
    assert converted.rows == count * 288
    for part in part_folder(out).iterdir():
        assert sha256(part.read_bytes()).hexdigest() == part.name
    assert len(list(part_folder(out).iterdir())) == converted.parts
    assert _rows(out, Feed()) == _rows(path, Feed())
    back = tmp_path / "back.csv"
    assert convert_document(out, back).rows == converted.rows
    assert _rows(back, Feed()) == _rows(path, Feed())


def test_a_document_with_a_fault_is_not_converted(tmp_path: Path) -> None:
    path, out = tmp_path / "document.json", tmp_path / "out.parquet"
    path.write_bytes(array(record(), record(interval(activePowerExportLimit=-1.0))))
    with pytest.raises(DocumentFault) as caught:
        convert_document(path, out)
    assert caught.value.faults[0].code == "limit.sign"
    assert NMI not in str(caught.value)
    assert list(tmp_path.iterdir()) == [path]


def test_options_that_do_not_fit_are_rejected(tmp_path: Path) -> None:
    path = tmp_path / "document.json"
    path.write_bytes(array(record()))
    for out, options, text in (
        ("out", {}, "--to"),
        ("out.parquet", {"packing": "gzip"}, "packs by itself"),
        ("document.json", {}, "the document itself"),
        ("out.json", {"part_size": 10}, "at least"),
    ):
        with pytest.raises(ConfigError, match=text):
            convert_document(path, tmp_path / out, **options)
    with pytest.raises(ConfigError, match="not readable"):
        convert_document(tmp_path / "missing.json", tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == [path]


def test_a_suffix_names_form_and_packing(tmp_path: Path) -> None:
    path = tmp_path / "document.json"
    path.write_bytes(array(record()))
    for name, form, packing in (
        ("a.ndjson", "ndjson", None),
        ("a.csv.gz", "csv", "gzip"),
        ("a.jsonl.zst", "ndjson", "zstd"),
        ("a.parquet", "parquet", None),
    ):
        converted = convert_document(path, tmp_path / name)
        assert (converted.form, converted.packing) == (form, packing)
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_a_missing_part_is_an_error_with_its_name(tmp_path: Path) -> None:
    path, out = tmp_path / "document.json", tmp_path / "manifest.json"
    path.write_bytes(array(record()))
    convert_document(path, out, to="csv", part_size=1 << 16)
    (part,) = part_folder(out).iterdir()
    part.unlink()
    with pytest.raises(ConfigError, match=part.name):
        convert_document(out, tmp_path / "back.json")
