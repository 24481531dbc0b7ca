"""Reading a document in blocks: the interface between the forms of documents and a round's steps.

A reader divides its document into parts that can be read alone, in any order and in any process;
a part gives blocks of a few thousand sites, one after another. Guarantees: what holds across parts
(one kind of identifiers, one sign of imports) is checked where their readings are put together, so
that the verdict does not depend on the division. Source: rules-v1 sections 4 and 5.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Protocol

from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.nem.tokens import SiteIdKind
from oepnode.domain.rounds.inputs.runs import Runs

DOCUMENT: Final = "envelope document"


@dataclass(frozen=True, repr=False)
class Block:
    """Runs of a part of a document, and what was noticed while they were read.

    Attributes:
        runs: Those that can be read.
        log: Faults and warnings of the block.
        signs: Paths of the first positive and the first negative import as written, or empty.
        first_id: Path of the first identifier, and its kind; None where there is none.
        place: Path of an interval, with fields for the columns of ``runs.location``.
        counts_from_part: Whether records are counted from the beginning of the block's part, so
            that the number of those before it must be added; see `placed`.
    """

    runs: Runs
    log: FaultLog
    signs: tuple[str, str]
    first_id: tuple[str, SiteIdKind] | None
    place: str
    counts_from_part: bool = False

    def placed(self, before: int) -> Block:
        """The block with record numbers of the document.

        Args:
            before: Number of records before the block's part.
        """
        if not self.counts_from_part:
            return self
        location = self.runs.location.copy()
        location[:, 0] += before
        log = FaultLog(self.log.what)
        for warning in sorted(self.runs.warnings, key=lambda warning: warning.record):
            path = f"$.records[{before + warning.record}]{warning.place}"
            log.warn(path, warning.message, count=warning.places)
        first_id = self.first_id
        if first_id is not None and len(location):
            first_id = f"$.records[{int(location[:, 0].min())}].nmi", first_id[1]
        return Block(
            replace(self.runs, location=location, warnings=()),
            log,
            self.signs,
            first_id,
            self.place,
        )


class UnprovenError(Exception):
    """A document has a fault, or cannot be proven to have none, by a reader that is made for speed.

    Its `DocumentReader.strict` judges all of it.
    """


class DocumentReader(Protocol):
    """A document that can be read in parts."""

    @property
    def part_count(self) -> int:
        """Number of parts."""
        ...

    def read(self, part: int) -> Iterator[Block]:
        """Blocks of a part, in their order.

        Raises:
            UnprovenError: If another reader has to judge the document.
        """
        ...

    def alone(self, part: int) -> DocumentReader | None:
        """A reader of one part, under its number, which has its bytes and can be pickled.

        None where a part cannot be read without the others.
        """
        ...

    def strict(self) -> DocumentReader:
        """The reader that judges the document where this one cannot.

        Raises:
            DocumentFault: With all faults, by path, code and value.
        """
        ...


class SharedChecks:
    """Puts the findings of blocks together, in document order.

    Attributes:
        log: All of them.
        kind: The kind of the first identifier; None before it.
        records: Records so far.
    """

    def __init__(self) -> None:
        self.log = FaultLog(DOCUMENT)
        self.kind: SiteIdKind | None = None
        self.records = 0
        self._is_mixed = False
        self._signs = ("", "")
        self._is_reported = False

    def add(self, block: Block) -> None:
        """Take the next block's findings."""
        self.log.absorb(block.log)
        self.records += block.runs.records
        self._add_kind(block.first_id)
        self._add_signs(block.signs)

    def _add_kind(self, first_id: tuple[str, SiteIdKind] | None) -> None:
        if first_id is None:
            return
        path, kind = first_id
        self.kind = self.kind or kind
        if kind is not self.kind and not self._is_mixed:
            self._is_mixed = True
            report_mixed_kinds(self.log, path, self.kind)

    def _add_signs(self, signs: tuple[str, str]) -> None:
        self._signs = self._signs[0] or signs[0], self._signs[1] or signs[1]
        if all(self._signs) and not self._is_reported:
            self._is_reported = True
            report_mixed_signs(self.log, *self._signs)

    def finish(self) -> None:
        """Check that there was a record at all."""
        if not self.records and not self.log.count:
            self.log.add("$", "document.empty", "a document must have at least one record")


def report_mixed_kinds(log: FaultLog, path: str, first: SiteIdKind) -> None:
    """Record an identifier of another kind than the document's first one."""
    message = f"a document must hold NMIs or tokens, and the first are {first.plural}"
    log.add(path, "nmi.mixed", message)


def report_mixed_signs(log: FaultLog, positive: str, negative: str) -> None:
    """Record positive and negative imports in one document."""
    message = f"imports must have one sign: positive here, negative at {negative}"
    log.add(positive, "import_sign.mixed", message)
