"""An envelope document in parts that a manifest names.

Guarantees: a part whose bytes are not the manifest's is never read; paths name the part, such as
``$.parts[2].records[17]``; parts are opened one at a time. Source: rules-v1 section 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.documents.sources import DocumentSource, digest_of, read_start
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.inputs.blocks import DOCUMENT, Block, DocumentReader
from oepnode.domain.rounds.inputs.manifest import Part, is_manifest
from oepnode.domain.rounds.inputs.runs import no_runs
from oepnode.errors import DocumentFault, Severity

PartStore: TypeAlias = Callable[[bytes], DocumentSource]
"""Gives the part of a SHA-256; raises an error of its own where it has none."""
OpenDocument: TypeAlias = Callable[[DocumentSource, Feed], DocumentReader]

_FIRST: Final = 64


class ManifestDocument:
    """An envelope document in parts; each is read as a whole by one task.

    Args:
        parts: Those of the manifest.
        store: Gives their bytes.
        feed: The feed's settings.
        opener: Opens a part of any form but a manifest.
        is_strict: Whether parts are read by their strict readers.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        store: PartStore,
        feed: Feed,
        opener: OpenDocument,
        *,
        is_strict: bool = False,
    ) -> None:
        self._parts = parts
        self._store = store
        self._feed = feed
        self._opener = opener
        self._is_strict = is_strict

    @property
    def part_count(self) -> int:
        """Number of parts."""
        return len(self._parts)

    def strict(self) -> ManifestDocument:
        """The same parts, read by their strict readers."""
        return ManifestDocument(self._parts, self._store, self._feed, self._opener, is_strict=True)

    def alone(self, part: int) -> ManifestDocument | None:
        """None: where the parts are is known here."""
        return None

    def read(self, part: int) -> Iterator[Block]:
        """Blocks of a part, in their order.

        Raises:
            UnprovenError: If the strict readers have to judge the parts.
        """
        prefix = f"$.parts[{part}]"
        try:
            reader = self._open(part)
            records = 0
            for inner in range(reader.part_count):
                before = records
                for block in reader.read(inner):
                    records += block.runs.records
                    yield _moved(block.placed(before), prefix)
        except DocumentFault as exc:
            yield _rejected(exc, prefix)

    def _open(self, part: int) -> DocumentReader:
        named = self._parts[part]
        source = self._store(named.digest)
        log = FaultLog(DOCUMENT)
        if source.size != named.size:
            message = f"a part of {named.size} bytes is expected"
            log.add("$", "manifest.size", message, f"{source.size} bytes")
        elif digest_of(source) != named.digest:
            log.add("$", "manifest.digest", "its SHA-256 is not the manifest's")
        elif is_manifest(read_start(source, _FIRST)):
            log.add("$", "manifest.nested", "a part must not be a manifest")
        log.raise_if_any()
        reader = self._opener(source, self._feed)
        return reader.strict() if self._is_strict else reader


def _moved(block: Block, prefix: str) -> Block:
    """A block with the paths of its part."""
    log = FaultLog(block.log.what)
    for finding in block.log.findings:
        path = _path(finding.path, prefix)
        if finding.severity is Severity.WARNING:
            log.warn(path, finding.message, count=finding.count)
        else:
            log.add(path, finding.code, finding.message, finding.value)
    log.skip(block.log.more)
    first_id = block.first_id and (_path(block.first_id[0], prefix), block.first_id[1])
    signs = _path(block.signs[0], prefix), _path(block.signs[1], prefix)
    place = _path(block.place, prefix)
    return replace(block, log=log, first_id=first_id, signs=signs, place=place)


def _rejected(fault: DocumentFault, prefix: str) -> Block:
    """A block with the faults for which a part was rejected."""
    log = FaultLog(DOCUMENT)
    for finding in fault.faults:
        log.add(_path(finding.path, prefix), finding.code, finding.message, finding.value)
    log.skip(fault.more)
    return Block(no_runs(), log, ("", ""), None, prefix)


def _path(path: str, prefix: str) -> str:
    return prefix + path.removeprefix("$") if path else path
