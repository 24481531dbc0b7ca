"""Converts an envelope document from any form to any other, in bounded memory.

Guarantees: every row of the document is in the converted one, with its submission time; so both
give the same partitions and the same root. A document with a fault is not converted; files appear
when they are complete, mode 0600.

Example:
    >>> convert_document("document.json", "document.parquet")                 # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final, Literal, TypeAlias

import pyarrow as pa
from msgspec import Struct

from oepnode.adapters.storage.digest_files import make_folder
from oepnode.adapters.storage.document_file import FileSource
from oepnode.client.files import FileName, name_file, not_writable, reason_of, write_file, writing
from oepnode.domain.documents.sources import DocumentSource
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.inputs.blocks import DocumentReader, SharedChecks, UnprovenError
from oepnode.domain.rounds.inputs.document_readers import open_document
from oepnode.domain.rounds.inputs.manifest import Part, write_manifest
from oepnode.domain.rounds.inputs.manifest_document import PartStore
from oepnode.domain.rounds.inputs.parquet_form import MAX_LIST
from oepnode.domain.rounds.inputs.parquet_writer import VALUES_PER_GROUP, ParquetWriter
from oepnode.domain.rounds.inputs.run_blocks import cut
from oepnode.domain.rounds.inputs.run_writers import CsvWriter, JsonWriter, RunWriter
from oepnode.domain.rounds.inputs.runs import Runs
from oepnode.errors import ConfigError

Form: TypeAlias = Literal["json", "ndjson", "parquet", "csv"]
Packing: TypeAlias = Literal["gzip", "zstd"]

SUFFIXES: Final[dict[str, Form]] = {
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
    ".csv": "csv",
}
_PACKINGS: Final[dict[str, Packing]] = {".gz": "gzip", ".zst": "zstd"}
_ROWS: Final = 1 << 15
"""Rows that are written at a time: a part is larger than asked for by at most these."""
_MIN_PART: Final = 1 << 16


class ConvertedDocument(Struct, frozen=True):
    """A converted document.

    Attributes:
        file: The file: the document, or the manifest of its parts.
        form: json, ndjson, parquet or csv.
        packing: gzip, zstd or null.
        digest: SHA-256 of the file, 64 hex digits.
        size_bytes: Its size.
        parts: Number of parts beside a manifest; 0 for a document.
        rows: Number of (site, interval) rows.
    """

    file: str
    form: str
    packing: str | None
    digest: str
    size_bytes: int
    parts: int
    rows: int


def convert_document(
    document: FileName,
    out: FileName,
    *,
    to: Form | None = None,
    packing: Packing | None = None,
    part_size: int | None = None,
    feed: Feed | None = None,
) -> ConvertedDocument:
    """Convert an envelope document.

    Args:
        document: In any form; the parts of a manifest are in the folder ``<document>.parts``, each
            under its SHA-256 in hex.
        out: File for the converted one, or for the manifest of its parts, which are written to
            ``<out>.parts``.
        to: The form; by default that of the suffix: .json, .ndjson, .parquet, .csv, and .gz or
            .zst after it.
        packing: Pack with gzip or zstd; not for Parquet, which packs by itself.
        part_size: Write parts of about this many bytes, and their manifest.
        feed: The agreed profile and import sign.

    Raises:
        ConfigError: If a file is not usable, or the options do not fit.
        DocumentFault: If the document has a fault.
    """
    source, target = FileSource(Path(document)), Path(out)
    form, packing = _form_of(target, to, packing)
    if part_size is not None and part_size < _MIN_PART:
        raise ConfigError(f"a part must have at least {_MIN_PART} bytes, received {part_size}")
    if target.resolve() == source.path.resolve():
        raise ConfigError(f"{target}: is the document itself; name another file")
    conversion = _Conversion(target, form, packing, part_size, feed or Feed())
    with name_file(document):
        try:
            reader = open_document(source, conversion.feed, _parts_of(source.path))
            try:
                conversion.write(reader)
            except UnprovenError:
                conversion.write(reader.strict())
        except OSError as exc:
            raise ConfigError(f"{document}: document not readable: {reason_of(exc)}") from exc
    return conversion.result()


def _form_of(target: Path, to: Form | None, packing: Packing | None) -> tuple[Form, Packing | None]:
    name = Path(target.name)
    packing = packing or _PACKINGS.get(name.suffix)
    if name.suffix in _PACKINGS:
        name = name.with_suffix("")
    form = to or SUFFIXES.get(name.suffix)
    if form is None:
        names = ", ".join(SUFFIXES)
        raise ConfigError(f"{target}: the form is not clear from the suffix ({names}); use --to")
    if form == "parquet" and packing is not None:
        raise ConfigError("Parquet packs by itself: leave --gzip and --zstd away")
    return form, packing


def part_folder(document: Path) -> Path:
    """The folder of a manifest's parts."""
    return document.with_name(document.name + ".parts")


def _parts_of(document: Path) -> PartStore:
    """Gives the parts beside a manifest by digest."""

    def part(digest: bytes) -> DocumentSource:
        path = part_folder(document) / digest.hex()
        if not path.is_file():
            raise ConfigError(f"{path}: the part of the manifest is missing")
        return FileSource(path)

    return part


class _Conversion:
    """Writes one document, or parts of it and their manifest."""

    def __init__(
        self, target: Path, form: Form, packing: Packing | None, part_size: int | None, feed: Feed
    ) -> None:
        self._target = target
        self._form = form
        self._packing = packing
        self._part_size = part_size
        self.feed = feed
        self._rows = 0
        self._parts: list[Part] = []

    def write(self, reader: DocumentReader) -> None:
        """Write all of a document."""
        self._rows = 0
        self._parts = []
        blocks = self._blocks(reader)
        if self._part_size is None:
            with writing(self._target) as file:
                self._fill(file, blocks, None)
            return
        folder = part_folder(self._target)
        try:
            make_folder(folder)
        except OSError as exc:
            raise not_writable(folder, exc) from exc
        first = next(blocks, None)
        while first is not None:
            first = self._part(folder, chain([first], blocks), self._part_size)
        write_file(self._target, write_manifest(self._parts))

    def _blocks(self, reader: DocumentReader) -> Iterator[Runs]:
        """Blocks of a few rows each; all of them are checked before the last one is given."""
        checks = SharedChecks()
        rows = _ROWS if self._part_size is None else min(_ROWS, self._part_size // 8)
        for part in range(reader.part_count):
            before = checks.records
            for block in reader.read(part):
                checks.add(block.placed(before))
                checks.log.raise_if_any()
                for runs in cut(block.runs, rows, MAX_LIST):
                    self._rows += int(runs.bounds[-1])
                    yield runs
        checks.finish()
        checks.log.raise_if_any()

    def _part(self, folder: Path, blocks: Iterator[Runs], size: int) -> Runs | None:
        """Write one part; returns the block that begins the next one."""
        temporary = folder / "unfinished"
        with writing(temporary) as file:
            after = self._fill(file, blocks, size)
        part = _digest(temporary)
        if part not in self._parts:
            self._parts.append(part)
        temporary.replace(folder / part.digest.hex())
        return after

    def _fill(self, file: BinaryIO, blocks: Iterator[Runs], size: int | None) -> Runs | None:
        """Write blocks to a file until it has a size; returns the first that is not in it."""
        sink = file if self._packing is None else pa.CompressedOutputStream(file, self._packing)
        writer = self._writer(sink)
        after = None
        try:
            for runs in blocks:
                if size is not None and file.tell() >= size:
                    after = runs
                    break
                writer.write(runs)
        finally:
            writer.close()
            if sink is not file:
                sink.close()
        return after

    def _writer(self, sink: BinaryIO) -> RunWriter:
        if self._form == "parquet":
            values = VALUES_PER_GROUP if self._part_size is None else self._part_size // 4
            return ParquetWriter(sink, self.feed, min(values, VALUES_PER_GROUP))
        if self._form == "csv":
            return CsvWriter(sink, self.feed)
        return JsonWriter(sink, self.feed, ndjson=self._form == "ndjson")

    def result(self) -> ConvertedDocument:
        """The outcome, when all is written."""
        written = _digest(self._target)
        return ConvertedDocument(
            file=str(self._target),
            form=self._form,
            packing=self._packing,
            digest=written.digest.hex(),
            size_bytes=written.size,
            parts=len(self._parts),
            rows=self._rows,
        )


def _digest(path: Path) -> Part:
    digest, size = sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
            size += len(piece)
    return Part(digest.digest(), size)
