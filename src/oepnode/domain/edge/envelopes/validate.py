"""Both validations of an operating envelope document, PRE or POST.

The document is read by ``envelope.parse_history``, as everywhere; here its faults are told apart
by what they speak of. A fault of one value's form is the system acknowledgement's; what only holds
between values (signs, times in order, NMIs that agree, which submission stands) is the transaction
acknowledgement's. A document that is rejected is looked through once more for what its first
reading did not come to (`envelope_rest`). Source: Part C §6.2 and §6.3.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from oepnode.domain.documents.strict_json import Progress
from oepnode.domain.edge.envelopes import salvage as envelope_rest
from oepnode.domain.edge.schema.kinds import (
    Choice,
    Day,
    Instant,
    Items,
    Kind,
    NmiText,
    Quantity,
    Text,
)
from oepnode.domain.edge.schema.shape import Attribute, Shape
from oepnode.domain.edge.schema.units import KVAR, KW
from oepnode.domain.edge.validation.acknowledgement import ValidationResult, message_id_of
from oepnode.domain.edge.validation.finding_log import FindingLog
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.inputs.envelope_document import Document, parse_history
from oepnode.domain.rounds.inputs.envelope_form import MAX_INTERVALS, TIMINGS
from oepnode.errors import DocumentFault

SECTION: Final = "Part C §6.3"
_WARNING: Final = re.compile(r"(\$\S*): (.*?)(?: \(and (\d+) more\))?", re.DOTALL)

_BUSINESS: Final = frozenset(
    {
        "horizon.length",
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
"""Rules that hold between values, or between documents."""

_LAST: Final = frozenset({"horizon.length", "submission.conflict", "submission.missing"})
"""Rules that the first reading comes to only where every row is right."""


def _attribute(
    name: str, kind: Kind, field: str, meaning: str, *also: str, required: bool = True
) -> Attribute:
    section = f"{SECTION} field {field}" if field else SECTION
    return Attribute(name, kind, section, meaning, also, required, nullable=not required)


_LEVEL: Final = Choice(("NMI", "Flex"))
_INTERVAL: Final = Shape(
    _attribute("activePowerExportLimit", Quantity(KW, least=0), "5.2.1", "Export limit in kW, ≥ 0"),
    _attribute("activePowerImportLimit", Quantity(KW, most=0), "5.2.2", "Import limit in kW, ≤ 0"),
    _attribute(
        "reactivePowerExportLimit",
        Quantity(KVAR, least=0),
        "",
        "Reactive export limit in kVAr, ≥ 0 (named in §6.1)",
        required=False,
    ),
    _attribute(
        "reactivePowerImportLimit",
        Quantity(KVAR, most=0),
        "",
        "Reactive import limit in kVAr, ≤ 0 (named in §6.1)",
        required=False,
    ),
    _attribute(
        "diStartTime",
        Instant(INTERVAL_S),
        "5.2.3",
        "Start of the dispatch interval; one of both times may be left out",
        "diStarttime",
        required=False,
    ),
    _attribute(
        "diEndTime",
        Instant(INTERVAL_S),
        "5.2.4",
        "End of the dispatch interval",
        "diEndtime",
        required=False,
    ),
)
SHAPE: Final = Shape(
    _attribute("nmi", NmiText(), "1", "The NMI without checksum"),
    _attribute(
        "oeTiming",
        Choice(("PRE", "POST")),
        "2",
        "Whether the limits were computed before the interval or after it",
    ),
    _attribute("oeObjectiveFunction", Text(255), "3", "Identifier of the objective function, free"),
    _attribute(
        "oeApplicationLevel",
        _LEVEL,
        "4",
        "Whether limits apply to the net flow or to controllable assets only",
    ),
    _attribute(
        "operatingEnvelopes",
        Items(
            Shape(
                _attribute("nmi", NmiText(), "5.1", "As the record's", required=False),
                _attribute("oeApplicationLevel", _LEVEL, "4", "As the record's", required=False),
                _attribute(
                    "intervals",
                    Items(_INTERVAL, 1, MAX_INTERVALS),
                    "5.2",
                    "Dispatch intervals",
                    "Intervals",
                ),
            )
        ),
        "5",
        "Limits by interval",
    ),
    _attribute(
        "submissionTimestamp",
        Instant(),
        "6",
        "When the record was made; the latest of a site and interval stands",
        "submissionDatetime",
        "submissionDateTime",
        required=False,
    ),
    _attribute(
        "tradingDate",
        Day(),
        "5.2",
        "Trading day of 288 intervals without times",
        required=False,
    ),
)
"""Describes the form for findings and for the JSON Schema; the reading is ``envelope``'s."""


def validate(
    data: bytes,
    feed: Feed | None = None,
    *,
    timing: Literal["PRE", "POST"] | None = None,
    message_id: str = "",
    progress: Progress | None = None,
) -> ValidationResult[Document]:
    """Read an envelope document and say what is wrong with it.

    Args:
        data: The exact bytes, a JSON array or NDJSON.
        feed: The feed's settings.
        timing: Reject sites of the other timing.
        message_id: Names the submission; by default a digest of its bytes.
        progress: Told how far the reading is.

    Returns:
        The document with both acknowledgements; None where either rejects it, because a document
        is read whole or not at all.
    """
    log = FindingLog("operating envelope", SECTION, SHAPE.sections())
    document: Document | None = None
    try:
        document, rows = parse_history(data, feed, progress)
    except DocumentFault as exc:
        _file(exc, log)
        _look_further(exc, data, timing, log)
    else:
        _warn(document.warnings, log)
        envelope_rest.check_repeats(rows, log)
        envelope_rest.check_saving(envelope_rest.times_of(rows), log)
        if timing is not None:
            wrong = int((document.timing != TIMINGS[timing]).sum())
            _check_timing(timing, wrong, document.site_count, log)
    return log.received(document, message_id or message_id_of(data))


def _file(rejection: DocumentFault, log: FindingLog) -> None:
    for fault in rejection.faults:
        if fault.code in _BUSINESS:
            envelope_rest.put_rule(log, fault.code, fault.path, fault.message, fault.value)
        else:
            log.add(fault.path, fault.code, fault.message, fault.value)
    if not rejection.more:
        return
    code, message = "document.further_faults", f"faults beyond the first {len(rejection.faults)}"
    if log.count:
        log.add("$", code, message, count=rejection.more)
    else:
        log.business(code, "$", SECTION, message, count=rejection.more)


def _look_further(
    rejection: DocumentFault, data: bytes, timing: str | None, log: FindingLog
) -> None:
    """What a rejected document would have been told besides, had its form been right."""
    rest = envelope_rest.read(data, SHAPE)
    _warn(rest.warnings, log)
    if not {fault.code for fault in rejection.faults} <= _LAST:
        envelope_rest.check_conflicts(rest.rows, log)
    envelope_rest.check_repeats(rest.rows, log)
    envelope_rest.check_saving(rest.times, log)
    if timing is not None:
        wrong = sum(found != timing for found in rest.timings.values())
        _check_timing(timing, wrong, len(rest.timings), log)


def _warn(warnings: tuple[str, ...], ledger: FindingLog) -> None:
    for text in warnings:
        match = _WARNING.fullmatch(text)
        if match is None:
            ledger.warn("$", text)
        else:
            ledger.warn(match[1], match[2], count=1 + int(match[3] or 0))


def _check_timing(timing: str, wrong: int, sites: int, log: FindingLog) -> None:
    if wrong:
        message = f"every record is {timing}"
        shown = f"{wrong} of {sites} sites"
        log.business("envelope.timing", "$", f"{SECTION} field 2", message, shown, count=wrong)
