"""Runs and rows in one form, in which the fast reader and the strict one can be compared."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import NamedTuple

from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.documents.sources import BytesSource
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.nem.quantities import NO_LIMIT, Feed
from oepnode.domain.rounds.inputs import json_regions
from oepnode.domain.rounds.inputs.blocks import UnprovenError
from oepnode.domain.rounds.inputs.envelope_reader import read_rows
from oepnode.domain.rounds.inputs.json_document import JsonDocument
from oepnode.domain.rounds.inputs.json_runs import read_runs
from oepnode.domain.rounds.inputs.runs import Runs
from oepnode.errors import Severity

BETWEEN_RECORDS = frozenset({"site.meaning"})
"""Codes of faults that no reader of single records sees."""


class Content(NamedTuple):
    """A document's content: rows, the number of records, and warnings."""

    rows: list[tuple[object, ...]]
    records: int
    warnings: dict[str, tuple[str, int]]


def fast_content(data: bytes, feed: Feed, size: int = json_regions.PIECE) -> Content | None:
    """Content as the fast reader reads it; None where it leaves the document to the strict one."""
    try:
        blocks = list(read_runs(io.BytesIO(data), feed, size=size))
    except UnprovenError:
        return None
    return content_of_runs(blocks)


def content_in_parts(data: bytes, feed: Feed, part_size: int) -> Content | None:
    """Content as the fast reader reads it in parts; None as in `fast_content`."""
    document = JsonDocument(BytesSource(data), feed, part_size=part_size)
    runs: list[Runs] = []
    warnings: dict[str, tuple[str, int]] = {}
    records = 0
    try:
        for part in range(document.part_count):
            before = records
            for block in document.read(part):
                placed = block.placed(before)
                records += block.runs.records
                runs.append(placed.runs)
                for finding in placed.log.findings:
                    first, count = warnings.get(finding.message, (finding.path, 0))
                    warnings[finding.message] = (first, count + finding.count)
    except UnprovenError:
        return None
    if len({block.nmi.dtype for block in runs}) > 1:
        return None  # found where the parts are put together
    return content_of_runs(runs)._replace(warnings=warnings)


def content_of_runs(blocks: Sequence[Runs]) -> Content:
    """Content of blocks of runs."""
    rows: list[tuple[object, ...]] = []
    warnings: dict[str, tuple[str, int]] = {}
    found = [warning for block in blocks for warning in block.warnings]
    for warning in sorted(found, key=lambda warning: warning.record):
        path = f"$.records[{warning.record}]{warning.place}"
        first, count = warnings.get(warning.message, (path, 0))
        warnings[warning.message] = (first, count + warning.places)
    for block in blocks:
        rows += _rows(block)
    return Content(sorted(rows), sum(block.records for block in blocks), warnings)


def _rows(block: Runs) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    columns = [None if c is None else c.tolist() for c in block.limits]
    for run in range(len(block)):
        first, end = int(block.bounds[run]), int(block.bounds[run + 1])
        assert end > first
        record, element, index = block.location[run].tolist()
        for i in range(end - first):
            rows.append(
                (
                    (record, element, index + i),
                    bytes(block.nmi[run]),
                    int(block.level[run]),
                    int(block.timing[run]),
                    block.objectives[block.objective[run]],
                    int(block.submitted[run]),
                    int(block.start[run]) + INTERVAL_S * i,
                    tuple(NO_LIMIT if c is None else c[first + i] for c in columns),
                )
            )
    return rows


def strict_content(data: bytes, feed: Feed) -> tuple[Content | None, set[str]]:
    """Content as the strict reader reads it, None where it has a fault; and the faults' codes.

    Objective and timing are those of the site, as the strict reader keeps them; a document in
    which they differ has the fault ``site.meaning``.
    """
    log = FaultLog("envelope document")
    envelopes = read_rows(data, log, feed)
    codes = {f.code for f in log.findings if f.severity is not Severity.WARNING}
    if log.more:
        codes.add("more")
    if codes - BETWEEN_RECORDS:
        return None, codes
    rows = envelopes.rows
    warnings = {
        f.message: (f.path, f.count) for f in log.findings if f.severity is Severity.WARNING
    }
    content = [
        (
            tuple(location),
            bytes(envelopes.nmi[site]),
            int(envelopes.level[site]),
            int(envelopes.timing[site]),
            envelopes.objective[site],
            submitted,
            start,
            tuple(limits),
        )
        for location, site, submitted, start, limits in zip(
            rows.location.tolist(),
            rows.site.tolist(),
            rows.submitted.tolist(),
            rows.start.tolist(),
            rows.limits.tolist(),
            strict=True,
        )
    ]
    return Content(sorted(content), envelopes.records, warnings), codes


def same_but_for_meaning(fast: Content, strict: Content) -> bool:
    """Whether both have the same rows where a site's meaning is left aside."""

    def bare(content: Content) -> Content:
        return content._replace(rows=[(*row[:3], *row[5:]) for row in content.rows])

    return bare(fast) == bare(strict)
