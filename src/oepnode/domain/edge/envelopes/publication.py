"""Checks an envelope document that is to be published: rules, plausibility, what it supersedes.

Guarantees: the verdict on the rules is that of a round; oddities reject only where the sender's
policy says so; a result names no site but by the path of its record. The same check serves the
gateway and the sender's own machine. Source: Part C §3.2 (both acknowledgements), §6.3.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from msgspec import Struct

from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.documents.progress import Progress
from oepnode.domain.documents.sources import (
    DocumentBytes,
    DocumentSource,
    digest_of,
    read_all,
    source_of,
)
from oepnode.domain.edge.envelopes.validate import examine, log_of
from oepnode.domain.edge.validation.acknowledgement import (
    ACCEPTED,
    AcknowledgementReport,
    message_id_for,
)
from oepnode.domain.edge.validation.finding_log import FindingLog
from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.nem.tokens import SiteIdKind
from oepnode.domain.rounds.document_figures import DocumentFigures, read_figures
from oepnode.domain.rounds.inputs.assigned_spans import Assigned
from oepnode.domain.rounds.inputs.comparison import (
    Comparison,
    Supersession,
    changed_limits,
    compare,
    horizon_steps,
    is_comparable,
    superseded_within,
)
from oepnode.domain.rounds.inputs.document_readers import is_plain_json, open_document
from oepnode.domain.rounds.inputs.document_summary import Summary, summary_of
from oepnode.domain.rounds.inputs.envelope_document import Document
from oepnode.domain.rounds.inputs.plausibility.checks import Subject, find_oddities
from oepnode.domain.rounds.inputs.plausibility.policy import Policy
from oepnode.domain.rounds.inputs.site_figures import figures_of_document
from oepnode.errors import DocumentFault, Finding, Severity

_WHOLE_BYTES: Final = 32 * 2**20
_RECORD: Final = "$.records[{}]"


class PreviousFacts(Struct, frozen=True):
    """A document against the one before it.

    What follows from its sites is None where one document has NMIs and the other tokens.

    Attributes:
        horizon_start: Of the previous document, NEM time.
        horizon_end: Of the previous document, NEM time.
        sites: Sites of the previous document.
        new_sites: Sites that it lacks.
        vanished_sites: Sites that only it has.
        overlap_intervals: Intervals in the horizons of both.
        gap_intervals: Intervals between both horizons.
        superseded_limits: Pairs of site and interval in the spans of both, for which the new
            document counts.
        changed_limits: Of these, the pairs with other limits; None where the previous document
            itself is not at hand.
    """

    horizon_start: str
    horizon_end: str
    sites: int
    new_sites: int | None
    vanished_sites: int | None
    overlap_intervals: int
    gap_intervals: int
    superseded_limits: int | None
    changed_limits: int | None


class DocumentFacts(Struct, frozen=True):
    """Facts about a document that follows the rules.

    Attributes:
        horizon_start: NEM time.
        horizon_end: NEM time.
        intervals: Length of the horizon in dispatch intervals.
        sites: Pairs of NMI and application level.
        records: Records of the document.
        superseded_rows: Rows that another row of the document supersedes or repeats.
        changed_intervals: Pairs of site and interval with several rows whose limits differ.
        sites_with_holes: Sites that lack intervals between their first and their last.
        missing_intervals: Pairs of site and interval that lack so.
        shorter_sites: Sites that start after the horizon's start or end before its end.
        unassigned_sites: Sites without an aggregator in all or part of their span; None where the
            registry is not known.
        previous: The document against the one before it, or None.
    """

    horizon_start: str
    horizon_end: str
    intervals: int
    sites: int
    records: int
    superseded_rows: int
    changed_intervals: int
    sites_with_holes: int
    missing_intervals: int
    shorter_sites: int
    unassigned_sites: int | None
    previous: PreviousFacts | None


@dataclass(frozen=True, repr=False)
class Background:
    """What a document is checked against. Its repr shows no NMI.

    Attributes:
        policy: The sender's decisions about oddities.
        opened_at: When the document's round is opened, UTC seconds, or None.
        previous: The document before it, or None.
        previous_document: All of that document, to count changed limits, or None.
        assigned: Sites that have an aggregator, or None where that is not known.
    """

    policy: Policy = field(default_factory=Policy)
    opened_at: int | None = None
    previous: Summary | None = None
    previous_document: Document | None = None
    assigned: Assigned | None = None


@dataclass(frozen=True, repr=False)
class CheckedDocument:
    """The verdict on a document. Its repr shows no NMI.

    Attributes:
        system: The answer to its form.
        transaction: The answer to its content, oddities included.
        facts: Facts about it; None where it breaks a rule.
        summary: What is kept of it for the next document; None where it breaks a rule.
    """

    system: AcknowledgementReport
    transaction: AcknowledgementReport
    facts: DocumentFacts | None
    summary: Summary | None

    @property
    def accepted(self) -> bool:
        """Whether both acknowledgements accept it."""
        return self.system.code == self.transaction.code == ACCEPTED


def check_publication(
    document: DocumentBytes,
    feed: Feed | None = None,
    background: Background | None = None,
    *,
    message_id: str = "",
    progress: Progress | None = None,
) -> CheckedDocument:
    """Check an envelope document that is to be published.

    JSON of moderate size is read whole, with cautions about repeats and daylight saving; any other
    document in blocks, in bounded memory, without these cautions and the count of changed limits.

    Args:
        document: The exact bytes.
        feed: The feed's settings.
        background: What it is checked against.
        message_id: Names the submission; by default a digest of its bytes.
        progress: Progress callback, of a document that is read whole.
    """
    background = background or Background()
    source = source_of(document)
    name = message_id or message_id_for(digest_of(source))
    facts = summary = None
    if is_plain_json(source) and source.size <= _WHOLE_BYTES:
        log, records, whole, rows = examine(read_all(source), feed, progress)
        if whole is not None:
            read = DocumentFigures(
                figures_of_document(whole, rows), superseded_within(rows), records, _RECORD
            )
            facts, summary = _examine_content(read, background, log, whole)
    else:
        faults, found = _read_in_blocks(source, feed or Feed())
        log = log_of(faults)
        if found is not None:
            facts, summary = _examine_content(found, background, log, None)
    result = log.received(facts, name)
    return CheckedDocument(result.system.report(), result.transaction.report(), facts, summary)


def _read_in_blocks(source: DocumentSource, feed: Feed) -> tuple[FaultLog, DocumentFigures | None]:
    try:
        return read_figures(open_document(source, feed))
    except DocumentFault as exc:
        log = FaultLog(exc.what)
        for fault in exc.faults:
            log.add(fault.path, fault.code, fault.message, fault.value)
        log.skip(exc.more)
        return log, None


def _examine_content(
    document: DocumentFigures, background: Background, log: FindingLog, whole: Document | None
) -> tuple[DocumentFacts, Summary]:
    figures = document.figures
    summary = summary_of(figures, background.opened_at)
    previous = background.previous
    comparison = None
    if previous is not None and is_comparable(summary, previous):
        comparison = compare(summary, previous)
    assigned = _of_same_kind(background.assigned, summary.site_id_kind, log)
    subject = Subject(figures, summary, previous, comparison, assigned, document.path_of)
    for finding in find_oddities(subject, background.policy):
        _log_oddity(finding, log)
    changed = None
    before = background.previous_document
    if comparison is not None and before is not None and whole is not None:
        changed = changed_limits(whole, before)
    return _facts(subject, document.within, document.records, changed), summary


def _of_same_kind(assigned: Assigned | None, kind: SiteIdKind, log: FindingLog) -> Assigned | None:
    """The registry's sites, if they are named as the document's; otherwise a broken rule."""
    if assigned is None or assigned.site_id_kind in (None, kind):
        return assigned
    expected = assigned.site_id_kind.plural
    message = (
        f"the document has {kind.plural}, and the registry {expected}: no round can be computed"
    )
    log.business("nmi.kind", "$", "rules-v1 section 4", message)
    return None


def _log_oddity(finding: Finding, log: FindingLog) -> None:
    record = log.business if finding.severity is Severity.ERROR else log.caution
    record(
        finding.code,
        finding.path,
        finding.section,
        finding.message,
        finding.value,
        count=finding.count,
    )


def _facts(
    subject: Subject, within: Supersession, records: int, changed: int | None
) -> DocumentFacts:
    summary, figures, assigned = subject.summary, subject.figures, subject.assigned
    unassigned = None
    if assigned is not None:
        unassigned = int((assigned.intervals_of(figures) < figures.span).sum())
    is_shorter = (summary.first > 0) | (summary.last < summary.interval_count - 1)
    return DocumentFacts(
        horizon_start=format_nem(summary.horizon_start),
        horizon_end=format_nem(summary.horizon_end),
        intervals=summary.interval_count,
        sites=len(figures),
        records=records,
        superseded_rows=within.rows,
        changed_intervals=within.changed_intervals,
        sites_with_holes=int((figures.missing > 0).sum()),
        missing_intervals=int(figures.missing.sum()),
        shorter_sites=int(is_shorter.sum()),
        unassigned_sites=unassigned,
        previous=_previous_facts(subject.previous, summary, subject.comparison, changed),
    )


def _previous_facts(
    previous: Summary | None,
    summary: Summary,
    comparison: Comparison | None,
    changed: int | None,
) -> PreviousFacts | None:
    if previous is None:
        return None
    overlap, gap = horizon_steps(summary, previous)
    return PreviousFacts(
        horizon_start=format_nem(previous.horizon_start),
        horizon_end=format_nem(previous.horizon_end),
        sites=len(previous.keys),
        new_sites=None if comparison is None else comparison.new_sites,
        vanished_sites=None if comparison is None else comparison.vanished_sites,
        overlap_intervals=overlap,
        gap_intervals=gap,
        superseded_limits=None if comparison is None else comparison.superseded,
        changed_limits=changed,
    )
