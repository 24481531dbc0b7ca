"""The register's rows on operating envelopes: Part C §6."""

from __future__ import annotations

from typing import Any, Final

from oepnode.domain.edge.envelopes import pre_post, table
from oepnode.domain.edge.envelopes.validate import validate
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.inputs.envelope_document import parse_history
from tests.support.envelope_documents import (
    END,
    NMI,
    OTHER_NMI,
    START,
    Raw,
    array,
    interval,
    record,
)
from tests.support.rule_register.row import REJECTED, TRANSACTION, WARNING, Check, Rule

Record = dict[str, Any]

_SECTION: Final = "Part C §6.3"
_RECORD: Final = "$.records[0]"
_LIMITS: Final = f"{_RECORD}.operatingEnvelopes[0]"
_ROW: Final = f"{_LIMITS}.intervals[0]"
NEXT_END: Final = "2026-11-20T10:10:00+10:00"
EARLY: Final = "2026-11-20T09:00:00+10:00"
LATE: Final = "2026-11-20T09:30:00+10:00"


def envelopes(**settings: Any) -> Check:
    """Validates records as a JSON array."""
    return lambda records: validate(array(*records), **settings)


def raw(data: bytes) -> Any:
    """Validates bytes."""
    return validate(data)


def compared(documents: tuple[list[Record], list[Record]]) -> Any:
    """Compare two documents as PRE and POST."""
    pre, post = (table.from_document(*parse_history(array(*result))) for result in documents)
    return pre_post.compare(pre, post)


def one(**changes: Any) -> list[Record]:
    return [record(**changes)]


def limits(**changes: Any) -> list[Record]:
    """An envelope of one interval, which is changed."""
    return [record(interval(**changes))]


def elements(*inner: Record) -> list[Record]:
    return [record(operatingEnvelopes=list(inner))]


def times(count: int, *, day: str | None = "2026-11-20") -> list[Record]:
    """Intervals without times."""
    bare = interval(diStartTime=None, diEndTime=None)
    return [record(*[bare] * count, tradingDate=day)]


def series(count: int, **changes: Any) -> list[Record]:
    """Intervals one after the other, from 10:00 on."""
    starts = (600 + 5 * n for n in range(count))
    return [
        record(
            *(
                interval(
                    diStartTime=f"2026-11-{20 + n // 1440}T{n // 60 % 24:02}:{n % 60:02}:00+10:00",
                    diEndTime=None,
                    **changes,
                )
                for n in starts
            )
        )
    ]


def twice(first: str | None, second: str | None) -> list[Record]:
    """One interval in two submissions that differ."""
    other = interval(activePowerExportLimit=1)
    return [record(submissionTimestamp=first), record(other, submissionTimestamp=second)]


OCTOBER, APRIL = "2026-10-04", "2027-04-04"
"""Days on which daylight saving begins and ends: 02:00 is followed by 03:00, 03:00 by 02:00."""


def hours(day: str, *result: int, last: int = 5) -> list[Record]:
    """An envelope of whole hours, in this order, the last one with a limit of its own."""
    starts = [
        (index, hour, minute) for index, hour in enumerate(result) for minute in range(0, 60, 5)
    ]
    return [
        record(
            *(
                interval(
                    diStartTime=f"{day}T{hour:02}:{minute:02}:00+10:00",
                    diEndTime=None,
                    activePowerExportLimit=last if index == len(result) - 1 else 5,
                )
                for index, hour, minute in starts
            )
        )
    ]


def ending(document: list[Record], index: int, end: str) -> list[Record]:
    """The same, with an interval that has its end."""
    intervals = document[0]["operatingEnvelopes"][0]["intervals"]
    intervals[index] = intervals[index] | {"diEndTime": end}
    return document


LATER: Final = interval(diStartTime=END, diEndTime=NEXT_END)
_EDGE: Final = envelopes(feed=Feed(profile="edge"))
_MAGNITUDE: Final = envelopes(feed=Feed(import_sign="magnitude"))
_FURTHER: Final = {
    "diStartTime": "2026-11-27T10:00:00+10:00",
    "diEndTime": "2026-11-27T10:05:00+10:00",
}

_FIELDS: Final = (
    Rule(f"{_SECTION} field 1", "nmi.length", f"{_RECORD}.nmi", envelopes(), one(nmi=NMI[:9]),
         one()),
    Rule(f"{_SECTION} field 1", "nmi.character", f"{_RECORD}.nmi", envelopes(),
         one(nmi="63058884I4"), one(nmi="6305888414")),
    Rule(f"{_SECTION} field 1", "nmi.checksum", f"{_RECORD}.nmi", envelopes(), one(nmi=NMI + "5"),
         one(nmi=NMI + "6")),
    Rule(f"{_SECTION} field 1", "token.character", f"{_RECORD}.nmi", envelopes(),
         one(nmi="0" * 31 + "g"), one(nmi="0" * 31 + "f"), case="a token"),
    Rule(f"{_SECTION} field 1", "nmi.mixed", "$.records[1].nmi", envelopes(),
         [record(), record(nmi="0" * 32)], [record(), record(nmi="2001985732")],
         case="a token beside an NMI"),
    Rule(f"{_SECTION} field 2", "field.value", f"{_RECORD}.oeTiming", envelopes(),
         one(oeTiming="NOW"), one(oeTiming="POST")),
    Rule(f"{_SECTION} field 2", "envelope.timing", "$", envelopes(timing="POST"), one(),
         one(oeTiming="POST"), TRANSACTION),
    Rule(f"{_SECTION} field 3", "field.value", f"{_RECORD}.oeObjectiveFunction", envelopes(),
         one(oeObjectiveFunction=""), one(oeObjectiveFunction="1")),
    Rule(f"{_SECTION} field 4", "field.value", f"{_RECORD}.oeApplicationLevel", envelopes(),
         one(oeApplicationLevel="DUID"), one(oeApplicationLevel="Flex")),
    Rule(f"{_SECTION} field 4", "level.mismatch", f"{_LIMITS}.oeApplicationLevel", envelopes(),
         elements({"oeApplicationLevel": "Flex", "intervals": [interval()]}),
         elements({"oeApplicationLevel": "NMI", "intervals": [interval()]}), TRANSACTION),
    Rule(f"{_SECTION} fields 2 and 3", "site.meaning", "$.records[1]", envelopes(),
         [record(), record(LATER, oeObjectiveFunction="Equal")],
         [record(), record(LATER, oeObjectiveFunction="Equal", oeApplicationLevel="Flex")],
         TRANSACTION,
         case="one objective function"),
    Rule(f"{_SECTION} fields 2 and 3", "site.meaning", "$.records[1]", envelopes(),
         [record(), record(LATER, oeTiming="POST")],
         [record(), record(LATER, nmi=OTHER_NMI, oeTiming="POST")],
         TRANSACTION, case="one timing"),
    Rule(f"{_SECTION} field 5", "array.length", f"{_RECORD}.operatingEnvelopes", envelopes(),
         one(operatingEnvelopes=[]), one()),
    Rule(f"{_SECTION} field 5.1", "nmi.mismatch", f"{_LIMITS}.nmi", envelopes(),
         elements({"nmi": OTHER_NMI, "intervals": [interval()]}),
         elements({"nmi": NMI, "intervals": [interval()]}), TRANSACTION),
    Rule(f"{_SECTION} field 5.1", "nmi.length", f"{_LIMITS}.nmi", envelopes(),
         elements({"nmi": NMI[:9], "intervals": [interval()]}),
         elements({"nmi": NMI, "intervals": [interval()]}), case="the inner one"),
    Rule(f"{_SECTION} field 5.2", "array.length", f"{_LIMITS}.intervals", envelopes(),
         elements({"intervals": []}), elements({"intervals": [interval()]}), case="none"),
    Rule(f"{_SECTION} field 5.2", "array.length", f"{_LIMITS}.intervals", envelopes(),
         series(577), series(576), case="577"),
    Rule(f"{_SECTION} field 5.2", "time.missing", _ROW, envelopes(), times(287), times(288),
         TRANSACTION, count=100, also={"document.further_faults": 187}, case="287 of 288"),
    Rule(f"{_SECTION} field 5.2", "time.missing", _ROW, envelopes(), times(1), limits(),
         TRANSACTION, case="one"),
    Rule(f"{_SECTION} field 5.2", "horizon.length", "$", envelopes(),
         [record(interval(), interval(**_FURTHER))], series(2), TRANSACTION),
    Rule(f"{_SECTION} field 5.2", "horizon.sparse", "$", envelopes(),
         [record(interval(), interval(diStartTime="2026-11-21T10:00:00+10:00", diEndTime=None))],
         series(2), TRANSACTION),
    Rule(f"{_SECTION} field 5.2.1", "limit.sign", f"{_ROW}.activePowerExportLimit", envelopes(),
         limits(activePowerExportLimit=Raw("-0.001")), limits(activePowerExportLimit=Raw("-0")),
         TRANSACTION),
    Rule(f"{_SECTION} field 5.2.1", "limit.decimals", f"{_ROW}.activePowerExportLimit", _EDGE,
         limits(activePowerExportLimit=Raw("5.001")), limits(activePowerExportLimit=Raw("5.01")),
         case="Decimal(4,2)"),
    Rule(f"{_SECTION} field 5.2.1", "limit.range", f"{_ROW}.activePowerExportLimit", _EDGE,
         limits(activePowerExportLimit=100), limits(activePowerExportLimit=99.99),
         case="Decimal(4,2)"),
    Rule(f"{_SECTION} field 5.2.1", "limit.decimals", f"{_ROW}.activePowerExportLimit",
         envelopes(), limits(activePowerExportLimit=Raw("5.0001")),
         limits(activePowerExportLimit=Raw("5.001"))),
    Rule(f"{_SECTION} field 5.2.1", "limit.range", f"{_ROW}.activePowerExportLimit", envelopes(),
         limits(activePowerExportLimit=Raw("2147483.648")),
         limits(activePowerExportLimit=Raw("2147483.647"))),
    Rule(f"{_SECTION} field 5.2.1", "number.constant", f"{_ROW}.activePowerExportLimit",
         envelopes(), limits(activePowerExportLimit=Raw("NaN")), limits()),
    Rule(f"{_SECTION} field 5.2.2", "limit.sign", f"{_ROW}.activePowerImportLimit", envelopes(),
         limits(activePowerImportLimit=Raw("0.001")), limits(activePowerImportLimit=0),
         TRANSACTION, case="load is negative"),
    Rule(f"{_SECTION} field 5.2.2", "limit.sign", f"{_ROW}.activePowerImportLimit", _MAGNITUDE,
         limits(activePowerImportLimit=-2.5), limits(activePowerImportLimit=2.5), TRANSACTION,
         case="magnitudes"),
    Rule(f"{_SECTION} field 5.2.2", "import_sign.mixed",
         f"{_LIMITS}.intervals[1].activePowerImportLimit", envelopes(),
         [record(interval(), LATER | {"activePowerImportLimit": 2.5})],
         [record(interval(), LATER)], TRANSACTION, also={"limit.sign": 1}),
    Rule(f"{_SECTION} field 5.2.2", "limit.decimals", f"{_ROW}.activePowerImportLimit", _EDGE,
         limits(activePowerImportLimit=Raw("-5.001")),
         limits(activePowerImportLimit=Raw("-5.01")), case="Decimal(4,2)"),
    Rule(f"{_SECTION} field 5.2.2", "limit.range", f"{_ROW}.activePowerImportLimit", _EDGE,
         limits(activePowerImportLimit=-100), limits(activePowerImportLimit=-99.99),
         case="Decimal(4,2)"),
    Rule(f"{_SECTION} field 5.2.2", "limit.decimals", f"{_ROW}.activePowerImportLimit",
         envelopes(), limits(activePowerImportLimit=Raw("-5.0001")),
         limits(activePowerImportLimit=Raw("-5.001"))),
    Rule(f"{_SECTION} field 5.2.3", "time.format", f"{_ROW}.diStartTime", envelopes(),
         limits(diStartTime="10:00"), limits()),
    Rule(f"{_SECTION} field 5.2.3", "time.grid", f"{_ROW}.diStartTime", envelopes(),
         limits(diStartTime="2026-11-20T10:01:00+10:00", diEndTime=None), limits(diEndTime=None)),
    Rule(f"{_SECTION} field 5.2.3", "time.no_offset", f"{_ROW}.diStartTime", envelopes(),
         limits(diStartTime=START[:19], diEndTime=None), limits(diEndTime=None), WARNING),
    Rule(f"{_SECTION} field 5.2.3", "time.daylight_saving_offset", f"{_ROW}.diStartTime",
         envelopes(), limits(diStartTime="2026-11-20T11:00:00+11:00"), limits(), WARNING),
    Rule(f"{_SECTION} field 5.2.4", "time.format", f"{_ROW}.diEndTime", envelopes(),
         limits(diEndTime="10:05"), limits()),
    Rule(f"{_SECTION} field 5.2.4", "time.grid", f"{_ROW}.diEndTime", envelopes(),
         limits(diEndTime="2026-11-20T10:04:00+10:00", diStartTime=None),
         limits(diStartTime=None)),
    Rule(f"{_SECTION} field 5.2.4", "time.order", f"{_ROW}.diEndTime", envelopes(),
         limits(diEndTime=START), limits(diEndTime=END), TRANSACTION),
    Rule(f"{_SECTION} field 5.2.4", "time.length", f"{_ROW}.diEndTime", envelopes(),
         limits(diEndTime=NEXT_END), limits(diEndTime=END), TRANSACTION),
    Rule(f"{_SECTION} field 6", "time.format", f"{_RECORD}.submissionTimestamp", envelopes(),
         one(submissionTimestamp="now"), one(submissionTimestamp=None)),
    Rule(f"{_SECTION} field 6", "submission.missing", "$.records[1].operatingEnvelopes[0]"
         ".intervals[0]", envelopes(), twice(None, None), twice(EARLY, LATE), TRANSACTION),
    Rule(f"{_SECTION} field 6", "submission.conflict", "$.records[1].operatingEnvelopes[0]"
         ".intervals[0]", envelopes(), twice(EARLY, EARLY), twice(EARLY, LATE),
         TRANSACTION),
    Rule(f"{_SECTION} field 6", "submission.duplicate", "$.records[1].operatingEnvelopes[0]"
         ".intervals[0]", envelopes(), [*one(), *one()], [*one(), record(LATER)], WARNING),
    Rule(_SECTION, "field.unknown", _RECORD, envelopes(), one(note="x"), one()),
    Rule(_SECTION, "document.further_faults", "$", envelopes(),
         series(101, activePowerExportLimit=-1), series(101), TRANSACTION,
         also={"limit.sign": 100}),
    Rule("RFC 8259", "json.syntax", "$.records[0]", raw, b"[{]", array(record()),
         case="an envelope"),
    Rule(f"{_SECTION} field 2", "timing.mismatch", "$.pre", compared,
         (one(oeTiming="POST"), one(oeTiming="POST")), (one(), one(oeTiming="POST")), REJECTED),
)  # fmt: skip

_NEM_TIME: Final = "Part C §1.2 (NEM time)"
_TWELFTH: Final = f"{_LIMITS}.intervals[12]"
_SAVING: Final = {"time.daylight_saving_hour": 1}

_HOURS: Final = (
    Rule(_NEM_TIME, "time.daylight_saving_hour", _TWELFTH, envelopes(),
         hours(OCTOBER, 1, 3), hours(OCTOBER, 1, 2, 3), WARNING, case="an envelope in October"),
    Rule(_NEM_TIME, "time.daylight_saving_hour", f"{_LIMITS}.intervals[24]", envelopes(),
         hours(APRIL, 1, 2, 2), hours(APRIL, 1, 2, 3), WARNING,
         also={"submission.duplicate": 12}, case="an envelope in April"),
    Rule(f"{_SECTION} field 6", "submission.missing", f"{_LIMITS}.intervals[24]", envelopes(),
         hours(APRIL, 1, 2, 2, last=4), hours(APRIL, 1, 2, 3, last=4), TRANSACTION, count=12,
         also=_SAVING, case="as daylight saving ends"),
    Rule(f"{_SECTION} field 5.2.4", "time.length", f"{_LIMITS}.intervals[11].diEndTime",
         envelopes(), ending(hours(OCTOBER, 1, 3), 11, f"{OCTOBER}T03:00:00+10:00"),
         ending(hours(OCTOBER, 1, 2, 3), 11, f"{OCTOBER}T02:00:00+10:00"), TRANSACTION,
         also=_SAVING, case="as daylight saving begins"),
    Rule(f"{_SECTION} field 5.2.4", "time.order", f"{_LIMITS}.intervals[11].diEndTime",
         envelopes(), ending(hours(APRIL, 2, 2), 11, f"{APRIL}T02:00:00+10:00"),
         ending(hours(APRIL, 2, 3), 11, f"{APRIL}T03:00:00+10:00"), TRANSACTION,
         also=_SAVING | {"submission.duplicate": 11}, case="as daylight saving ends"),
)  # fmt: skip

RULES: Final = (*_FIELDS, *_HOURS)
"""Every row on operating envelopes."""
