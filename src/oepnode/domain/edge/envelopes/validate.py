"""Both validations of an operating envelope document, PRE or POST.

The document is read once, by ``envelope_reader.read_rows``. A fault of one value's form belongs to
the system acknowledgement; rules between values (signs, order of times, NMIs that agree, the
submission that counts) belong to the transaction acknowledgement. Rules between rows are checked on
all rows that can be read, also where the document is rejected. Source: Part C §6.2 and §6.3.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.documents.progress import Progress
from oepnode.domain.edge.envelopes.form import SHAPE
from oepnode.domain.edge.envelopes.row_rules import (
    BusinessRules,
    check_daylight_saving,
    check_repeats,
)
from oepnode.domain.edge.validation.acknowledgement import ValidationResult, message_id_of
from oepnode.domain.edge.validation.finding_log import FindingLog
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.inputs.envelope_document import Document, document_of, resolve_rows
from oepnode.domain.rounds.inputs.envelope_form import NO_TIMING, SECTION, TIMINGS
from oepnode.domain.rounds.inputs.envelope_reader import EnvelopeRows, read_rows
from oepnode.domain.rounds.inputs.supersession import Rows
from oepnode.errors import Severity

_BUSINESS: Final = frozenset(
    {
        "horizon.length",
        "horizon.sparse",
        "import_sign.mixed",
        "level.mismatch",
        "limit.sign",
        "nmi.mismatch",
        "site.meaning",
        "submission.conflict",
        "submission.missing",
        "time.length",
        "time.missing",
        "time.order",
    }
)
"""Rules of the reader that concern several values."""


def validate(
    data: bytes,
    feed: Feed | None = None,
    *,
    timing: Literal["PRE", "POST"] | None = None,
    message_id: str = "",
    progress: Progress | None = None,
) -> ValidationResult[Document]:
    """Validate an envelope document.

    Args:
        data: The exact bytes, a JSON array or NDJSON.
        feed: The feed's settings.
        timing: Reject sites of the other timing.
        message_id: Names the submission; by default a digest of its bytes.
        progress: Progress callback.

    Returns:
        The document with both acknowledgements; None where either rejects it, because a document
        is read completely or not at all.
    """
    log, _, document, _ = examine(data, feed, progress, timing=timing, needs_active=True)
    return log.received(document, message_id or message_id_of(data))


def log_of(faults: FaultLog) -> FindingLog:
    """The log of a submission whose faults a reader of another form has found."""
    log = FindingLog("operating envelope", SECTION, SHAPE.sections())
    _transfer(faults, log, BusinessRules(log))
    return log


class Examined(NamedTuple):
    """A document after both validations.

    Attributes:
        log: All findings; others can be added.
        records: Records read, faulty ones included.
        document: The document; None where it is rejected.
        rows: Its rows that can be read, superseded ones included.
    """

    log: FindingLog
    records: int
    document: Document | None
    rows: Rows


def examine(
    data: bytes,
    feed: Feed | None = None,
    progress: Progress | None = None,
    *,
    timing: Literal["PRE", "POST"] | None = None,
    needs_active: bool = False,
) -> Examined:
    """Validate an envelope document as `validate` does, and leave its log open.

    Args:
        data: The exact bytes.
        feed: The feed's settings.
        progress: Progress callback.
        timing: Reject sites of the other timing.
        needs_active: Demand both active limits in each interval, as Part C does; without it the
            verdict is that of a round.
    """
    log, faults = FindingLog("operating envelope", SECTION, SHAPE.sections()), FaultLog("")
    envelopes = read_rows(data, faults, feed, progress, needs_active=needs_active)
    business = BusinessRules(log)
    _transfer(faults, log, business)
    in_force = resolve_rows(envelopes.rows, business)
    is_rejected = log.count or log.business_count
    check_repeats(envelopes.rows, log)
    check_daylight_saving(envelopes.timed, log)
    if timing is not None:
        _check_timing(timing, envelopes, log)
    document = None if is_rejected else document_of(envelopes, in_force, faults.warnings)
    return Examined(log, envelopes.records, document, envelopes.rows)


def _transfer(faults: FaultLog, log: FindingLog, business: BusinessRules) -> None:
    """Record the reader's findings, by acknowledgement."""
    errors = 0
    for finding in faults.findings:
        if finding.severity is Severity.WARNING:
            log.warn(finding.path, finding.message, count=finding.count)
            continue
        errors += 1
        into = business if finding.code in _BUSINESS else log
        into.add(finding.path, finding.code, finding.message, finding.value)
    if not faults.more:
        return
    code, message = "document.further_faults", f"faults beyond the first {errors}"
    if log.count:
        log.add("$", code, message, count=faults.more)
    else:
        log.business(code, "$", SECTION, message, count=faults.more)


def _check_timing(timing: str, envelopes: EnvelopeRows, log: FindingLog) -> None:
    known = envelopes.timing[envelopes.timing != NO_TIMING]
    wrong = int((known != TIMINGS[timing]).sum())
    if wrong:
        message = f"oeTiming must be {timing}, and is not for these sites"
        value = f"{wrong} of {len(known)} sites"
        section = f"{SECTION} field 2"
        log.business("envelope.timing", "$", section, message, value, count=wrong)
