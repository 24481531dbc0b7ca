"""Opens an envelope document of any form; its first bytes say which.

Source: rules-v1 sections 2 and 5.
"""

from __future__ import annotations

from typing import Final

from oepnode.domain.documents.compressed import MAX_UNPACKED, compression_of, open_unpacked
from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.documents.sources import DocumentSource, read_start
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.inputs.blocks import DOCUMENT, DocumentReader
from oepnode.domain.rounds.inputs.csv_form import is_csv
from oepnode.domain.rounds.inputs.json_document import JsonDocument
from oepnode.domain.rounds.inputs.manifest import MAX_MANIFEST, is_manifest, parse_manifest
from oepnode.domain.rounds.inputs.manifest_document import ManifestDocument, PartStore
from oepnode.domain.rounds.inputs.parquet_form import MAGIC

_FIRST: Final = 64


def open_document(
    source: DocumentSource, feed: Feed, parts: PartStore | None = None
) -> DocumentReader:
    """A reader of a document.

    Args:
        source: The exact bytes.
        feed: The feed's settings.
        parts: Gives the parts of a manifest.

    Raises:
        DocumentFault: If the document has no parts that could be read.
    """
    first = read_start(source, _FIRST)
    if is_manifest(first):
        named = parse_manifest(_manifest_bytes(source))
        return ManifestDocument(named, parts or _no_part, feed, _open_plain)
    return _open_plain(source, feed)


def _manifest_bytes(source: DocumentSource) -> bytes:
    return read_start(source, MAX_MANIFEST + 1)


def _no_part(_: bytes) -> DocumentSource:
    log = FaultLog(DOCUMENT)
    log.add("$", "manifest.part", "the parts of a manifest cannot be read here")
    log.raise_if_any()
    raise AssertionError


def _open_plain(source: DocumentSource, feed: Feed) -> DocumentReader:
    """A reader of a document that is no manifest."""
    first = read_start(source, _FIRST)
    if first.startswith(MAGIC):
        from oepnode.domain.rounds.inputs.envelope_parquet import ParquetDocument

        return ParquetDocument(source, feed)
    packed = compression_of(first)
    if packed is not None:
        with open_unpacked(source, packed, MAX_UNPACKED) as reader:
            first = reader.read(_FIRST)
    if is_csv(first):
        from oepnode.domain.rounds.inputs.csv_document import CsvDocument

        return CsvDocument(source, feed, packed=packed)
    return JsonDocument(source, feed, packed=packed)


def is_plain_json(source: DocumentSource) -> bool:
    """Whether a document is taken for JSON that is not compressed."""
    first = read_start(source, _FIRST)
    is_other = first.startswith(MAGIC) or compression_of(first) is not None
    return not is_other and not is_csv(first)
