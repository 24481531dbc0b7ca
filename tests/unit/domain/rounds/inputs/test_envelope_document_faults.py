"""Bad input: every fault rule of the envelope document, by path, code and value.

Rules of the text as a whole (``json.*``, ``document.empty``) are in ``test_strict_json``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import oepnode.domain
from oepnode.domain.nem.nem_time import format_nem, parse_grid_instant
from oepnode.domain.nem.quantities import KINDS, WIDE_LIMIT, Feed
from oepnode.domain.rounds.inputs.envelope_document import parse_document
from tests.support.envelope_documents import (
    FORMS,
    NMI,
    OTHER_NMI,
    Raw,
    Writer,
    array,
    dump,
    interval,
    only,
    record,
    rejection,
    without,
)

EXPORT, IMPORT, REACTIVE_EXPORT, REACTIVE_IMPORT = KINDS
ELEMENT = ".operatingEnvelopes[0]"
INTERVAL = f"{ELEMENT}.intervals[0]"
CANONICAL = Feed()
TOKEN = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True)
class Case:
    """A record with one fault: path within the record, rule, and the displayed value."""

    name: str
    bad: Any
    path: str
    rule: str
    displayed: str | None = None
    feed: Feed = CANONICAL


def element(*intervals: Any, **changes: Any) -> dict[str, Any]:
    return record(operatingEnvelopes=[{"intervals": list(intervals) or [interval()]} | changes])


def duplicate_key(value: dict[str, Any], name: str) -> dict[str, Any]:
    """The object with one field written twice."""
    return value | {name: Raw(f'{dump(value[name])},"{name}":{dump(value[name])}')}


def limit(name: str, text: str) -> Any:
    return record(interval(**({IMPORT: 0} | {name: Raw(text)})))


PLAIN = record()
ONE = interval()
EDGE = Feed(profile="edge")
MAGNITUDE = Feed(import_sign="magnitude")

TYPES = [
    Case("record is a number", Raw("17"), "", "field.type", "17"),
    Case("record is null", None, "", "field.type", "null"),
    Case("record is a string", NMI, "", "field.type", "'[withheld]'"),
    Case("record is NaN", Raw("NaN"), "", "field.type", "NaN"),
    Case("record is true", True, "", "field.type", "true"),
    Case("element is null", record(operatingEnvelopes=[None]), ELEMENT, "field.type", "null"),
    Case("interval is a number", record(5), INTERVAL, "field.type", "5"),
    Case("interval is an array", record([ONE]), INTERVAL, "field.type", "an array of 1 elements"),
    Case("nmi is a number", record(nmi=Raw(NMI)), ".nmi", "field.type", "a number"),
    Case("nmi is null", record(nmi=None), ".nmi", "field.type", "null"),
    Case("nmi is an object", record(nmi={NMI: 1}), ".nmi", "field.type", "an object of 1 fields"),
    Case("oeTiming is a number", record(oeTiming=0), ".oeTiming", "field.type", "0"),
    Case("oeTiming is null", record(oeTiming=None), ".oeTiming", "field.type", "null"),
    Case(
        "oeObjectiveFunction is a number",
        record(oeObjectiveFunction=1.5),
        ".oeObjectiveFunction",
        "field.type",
        "1.5",
    ),
    Case(
        "oeApplicationLevel is false",
        record(oeApplicationLevel=False),
        ".oeApplicationLevel",
        "field.type",
        "false",
    ),
    Case(
        "operatingEnvelopes is an object",
        record(operatingEnvelopes={}),
        ".operatingEnvelopes",
        "field.type",
        "an object of 0 fields",
    ),
    Case(
        "operatingEnvelopes is null",
        record(operatingEnvelopes=None),
        ".operatingEnvelopes",
        "field.type",
        "null",
    ),
    Case(
        "submissionTimestamp is a number",
        record(submissionTimestamp=1763600000),
        ".submissionTimestamp",
        "field.type",
        "[withheld]",
    ),
    Case("tradingDate is a number", record(tradingDate=2026), ".tradingDate", "field.type", "2026"),
    Case(
        "inner nmi is a number", element(nmi=Raw(NMI)), f"{ELEMENT}.nmi", "field.type", "a number"
    ),
    Case(
        "inner level is a number",
        element(oeApplicationLevel=1),
        f"{ELEMENT}.oeApplicationLevel",
        "field.type",
        "1",
    ),
    Case(
        "intervals is a string", element(intervals="x"), f"{ELEMENT}.intervals", "field.type", "'x'"
    ),
    Case(
        "Intervals is null",
        record(operatingEnvelopes=[{"Intervals": None}]),
        f"{ELEMENT}.intervals",
        "field.type",
        "null",
    ),
    *(
        Case(f"{name} is {text}", limit(name, text), f"{INTERVAL}.{name}", "field.type", displayed)
        for name in KINDS
        for text, displayed in [
            ('"5"', "'5'"),
            (f'"{NMI}"', "'[withheld]'"),
            ("true", "true"),
            ("[]", "an array of 0 elements"),
            ("{}", "an object of 0 fields"),
        ]
    ),
    *(
        Case(
            f"{name} is null",
            limit(name, "null"),
            f"{INTERVAL}.{name}",
            "field.type",
            "null",
            EDGE,
        )
        for name in (EXPORT, IMPORT)
    ),
    *(
        Case(
            f"{name} is a number",
            record(interval(**{name: 1763600})),
            f"{INTERVAL}.{name}",
            "field.type",
            "1763600",
        )
        for name in ("diStartTime", "diEndTime")
    ),
    *(
        Case(
            f"{name} is {text}",
            limit(name, text),
            f"{INTERVAL}.{name}",
            "number.constant",
            text,
        )
        for name in KINDS
        for text in ("NaN", "Infinity", "-Infinity")
    ),
]

PRESENCE = [
    *(Case(f"no {name}", without(PLAIN, name), f".{name}", "field.missing", "") for name in PLAIN),
    Case(
        "no intervals",
        record(operatingEnvelopes=[{"nmi": NMI}]),
        f"{ELEMENT}.intervals",
        "field.missing",
        "",
    ),
    *(
        Case(
            f"no {name}",
            record(without(ONE, name)),
            f"{INTERVAL}.{name}",
            "field.missing",
            "",
            EDGE,
        )
        for name in (EXPORT, IMPORT)
    ),
    Case("no limit", record(without(ONE, EXPORT, IMPORT)), INTERVAL, "interval.no_limit", ""),
    Case(
        "four limits that are null",
        record(interval(**dict.fromkeys(KINDS))),
        INTERVAL,
        "interval.no_limit",
        "",
    ),
    Case(
        "no limit, imports as magnitudes",
        record(without(ONE, EXPORT) | {IMPORT: None}),
        INTERVAL,
        "interval.no_limit",
        "",
        MAGNITUDE,
    ),
    Case(
        "only reactive limits in profile edge",
        record(without(ONE, EXPORT) | {REACTIVE_EXPORT: 1, REACTIVE_IMPORT: -1}),
        f"{INTERVAL}.{EXPORT}",
        "field.missing",
        "",
        EDGE,
    ),
    Case("unknown in a record", record(extra=1), "", "field.unknown", "'extra'"),
    Case("unknown in an element", element(extra=1), ELEMENT, "field.unknown", "'extra'"),
    Case("unknown in an interval", record(interval(x=1)), INTERVAL, "field.unknown", "'x'"),
    Case("an NMI as a key", record(**{NMI: 1}), "", "field.unknown", "'[withheld]'"),
    Case("a terminal's escape as a key", record(**{"\x1b[2J": 1}), "", "field.unknown"),
    Case("another case of letters", record(OeTiming="PRE"), "", "field.unknown", "'OeTiming'"),
    Case("level of intervals above", record(intervals=[]), "", "field.unknown", "'intervals'"),
    Case("twice in a record", duplicate_key(PLAIN, "nmi"), "", "json.duplicate_key", "'nmi'"),
    Case(
        "twice in an element",
        record(operatingEnvelopes=[duplicate_key({"intervals": [ONE]}, "intervals")]),
        ELEMENT,
        "json.duplicate_key",
        "'intervals'",
    ),
    Case(
        "twice in an interval", record(duplicate_key(ONE, EXPORT)), INTERVAL, "json.duplicate_key"
    ),
    Case(
        "two spellings of submissionTimestamp",
        record(submissionTimestamp=None, submissionDateTime=None),
        "",
        "json.duplicate_key",
        "'submissionDateTime'",
    ),
    Case(
        "two spellings of intervals",
        element(Intervals=[]),
        ELEMENT,
        "json.duplicate_key",
        "'Intervals'",
    ),
    *(
        Case(
            f"two spellings of {name}",
            record(interval(**{other: None})),
            INTERVAL,
            "json.duplicate_key",
            f"'{other}'",
        )
        for name, other in (("diStartTime", "diStarttime"), ("diEndTime", "diEndtime"))
    ),
]

VALUES = [
    Case("oeTiming", record(oeTiming="pre"), ".oeTiming", "field.value", "'pre'"),
    Case(
        "oeApplicationLevel",
        record(oeApplicationLevel="FLEX"),
        ".oeApplicationLevel",
        "field.value",
        "'FLEX'",
    ),
    Case(
        "inner oeApplicationLevel",
        element(oeApplicationLevel=NMI),
        f"{ELEMENT}.oeApplicationLevel",
        "field.value",
        "'[withheld]'",
    ),
    *(
        Case(
            f"objective function of {name}",
            record(oeObjectiveFunction=text),
            ".oeObjectiveFunction",
            "field.value",
            displayed,
        )
        for name, text, displayed in [
            ("no characters", "", "0 characters"),
            ("256 bytes", "a" * 256, "256 characters"),
            ("129 characters of two bytes", "ü" * 128, "128 characters"),
            ("a line", f"{NMI}\n", ""),
            ("DEL", "\x7f", ""),
            ("a lone surrogate", "\udc80", ""),
        ]
    ),
    Case(
        "no element",
        record(operatingEnvelopes=[]),
        ".operatingEnvelopes",
        "array.length",
        "0 elements",
    ),
    Case(
        "no interval", element(intervals=[]), f"{ELEMENT}.intervals", "array.length", "0 elements"
    ),
    Case(
        "577 intervals",
        element(intervals=[5] * 577),
        f"{ELEMENT}.intervals",
        "array.length",
        "577 elements",
    ),
    Case("nmi of nine characters", record(nmi=NMI[:9]), ".nmi", "nmi.length", ""),
    Case("nmi of no characters", record(nmi=""), ".nmi", "nmi.length", ""),
    Case("nmi with O", record(nmi=NMI[:9] + "O"), ".nmi", "nmi.character", ""),
    Case("nmi in lower case", record(nmi="qaaavzzzzz"), ".nmi", "nmi.character", ""),
    Case("token in upper case", record(nmi=TOKEN.upper()), ".nmi", "token.character", ""),
    Case("token with a g", record(nmi=TOKEN[:-1] + "g"), ".nmi", "token.character", ""),
    Case("token of 31 digits", record(nmi=TOKEN[:-1]), ".nmi", "nmi.length", ""),
    Case("nmi with a wrong checksum", record(nmi=NMI + "7"), ".nmi", "nmi.checksum", ""),
    Case("inner nmi with I", element(nmi="I" + NMI[1:]), f"{ELEMENT}.nmi", "nmi.character", ""),
    Case("another nmi inside", element(nmi=OTHER_NMI), f"{ELEMENT}.nmi", "nmi.mismatch", ""),
    Case("another nmi + digit", element(nmi=OTHER_NMI + "8"), f"{ELEMENT}.nmi", "nmi.mismatch", ""),
    Case(
        "another level inside",
        element(oeApplicationLevel="Flex"),
        f"{ELEMENT}.oeApplicationLevel",
        "level.mismatch",
        "'Flex'",
    ),
]

LIMITS = [
    *(
        Case(f"{name} {text}", limit(name, text), f"{INTERVAL}.{name}", rule, displayed, feed)
        for name in (EXPORT, REACTIVE_EXPORT)
        for text, rule, displayed, feed in [
            ("1.0001", "limit.decimals", "1.0001", Feed()),
            ("1e-4", "limit.decimals", "1e-4", Feed()),
            ("1e-99999999999999999999", "limit.decimals", None, Feed()),
            ("2147483.648", "limit.range", "2147483.648", Feed()),
            ("1e999999999", "limit.range", "[withheld]", Feed()),
            ("1e99999999999999999999", "limit.range", "[withheld]", Feed()),
            (f"{NMI}.5", "limit.range", "[withheld].5", Feed()),
            ("-0.001", "limit.sign", "-0.001", Feed()),
            ("-0.001", "limit.sign", "-0.001", MAGNITUDE),
            ("99.991", "limit.decimals", "99.991", EDGE),
            ("100", "limit.range", "100", EDGE),
        ]
    ),
    *(
        Case(f"{name} {text}", limit(name, text), f"{INTERVAL}.{name}", rule, None, feed)
        for name in (IMPORT, REACTIVE_IMPORT)
        for text, rule, feed in [
            ("-1.0001", "limit.decimals", Feed()),
            ("-2147483.648", "limit.range", Feed()),
            ("-99.991", "limit.decimals", EDGE),
            ("-100", "limit.range", EDGE),
        ]
    ),
]


def at(**times: Any) -> Any:
    return record(without(ONE, "diStartTime", "diEndTime") | times)


TIMES = [
    *(
        Case(f"{name} {text}", at(**{name: text}), f"{INTERVAL}.{name}", "time.format", displayed)
        for name in ("diStartTime", "diEndTime")
        for text, displayed in [
            ("", "''"),
            ("10:05", "'10:05'"),
            ("2026-02-30T10:00:00+10:00", None),
            ("2026-11-20T10:00:00+15:00", None),
            ("2107-11-20T10:00:00+10:00", None),
            ("1970-01-01T00:00:00+10:00", None),
            (NMI, "'[withheld]'"),
        ]
    ),
    *(
        Case(f"{name} {text}", at(**{name: text}), f"{INTERVAL}.{name}", "time.grid", f"'{text}'")
        for name in ("diStartTime", "diEndTime")
        for text in (
            "2026-11-20T10:00:01+10:00",
            "2026-11-20T10:04:00+10:00",
            "2026-11-20T10:00:00.5+10:00",
        )
    ),
    Case(
        "submissionTimestamp",
        record(submissionTimestamp="2026-11-20"),
        ".submissionTimestamp",
        "time.format",
        "'2026-11-20'",
    ),
    Case(
        "submissionDatetime before the epoch",
        record(submissionDatetime="1969-12-31T23:59:59Z"),
        ".submissionTimestamp",
        "time.format",
    ),
    Case(
        "tradingDate",
        record(tradingDate="20.11.2026"),
        ".tradingDate",
        "time.format",
        "'20.11.2026'",
    ),
    Case(
        "tradingDate that nobody needs",
        record(tradingDate="2026-02-29"),
        ".tradingDate",
        "time.format",
    ),
    Case(
        "end before its start",
        record(interval(diEndTime="2026-11-20T09:55:00+10:00")),
        f"{INTERVAL}.diEndTime",
        "time.order",
        "'2026-11-20T09:55:00+10:00'",
    ),
    Case(
        "end at its start",
        record(interval(diEndTime="2026-11-20T00:00:00Z")),
        f"{INTERVAL}.diEndTime",
        "time.order",
    ),
    Case(
        "end ten minutes after its start",
        record(interval(diEndTime="2026-11-20T10:10:00+10:00")),
        f"{INTERVAL}.diEndTime",
        "time.length",
    ),
    Case("no times, no tradingDate", at(), INTERVAL, "time.missing", ""),
    Case(
        "no times, one interval",
        at() | {"tradingDate": "2026-11-20"},
        INTERVAL,
        "time.missing",
        "",
    ),
    Case("end at the epoch", at(diEndTime="1970-01-01T00:00:00Z"), INTERVAL, "time.format", ""),
]

CASES = [*TYPES, *PRESENCE, *VALUES, *LIMITS, *TIMES]


def name(case: Case) -> str:
    return f"{case.rule}: {case.name}"


@FORMS
@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_faulty_record_is_the_one_fault(write: Writer, case: Case) -> None:
    """Between two good records, of another site."""
    good = record(interval(activePowerImportLimit=0), nmi=OTHER_NMI)
    data = write(good, case.bad, good)
    error = rejection(parse_document, data, case.feed)
    fault = only(error)
    assert (fault.path, fault.code) == (f"$.records[1]{case.path}", case.rule)
    if case.displayed is not None:
        assert fault.value == case.displayed
    assert str(error).startswith("envelope document rejected: 1 fault; first: $.records[1]")


@FORMS
@pytest.mark.parametrize("case", CASES, ids=name)
def test_a_faulty_record_alone(write: Writer, case: Case) -> None:
    fault = only(rejection(parse_document, write(case.bad), case.feed))
    assert (fault.path, fault.code) == (f"$.records[0]{case.path}", case.rule)


def test_a_fault_deep_in_the_document_has_its_path() -> None:
    bad = interval(diEndTime="2026-11-20T10:06:00+10:00")
    second = {"intervals": [ONE] * 3 + [bad]}
    records = [*[PLAIN] * 16, PLAIN, record(operatingEnvelopes=[{"intervals": [ONE]}, second])]
    fault = only(rejection(parse_document, array(*records)))
    assert fault.path == "$.records[17].operatingEnvelopes[1].intervals[3].diEndTime"
    assert fault.code == "time.grid"


def test_all_faults_of_a_record_are_listed_in_order() -> None:
    bad = record(
        interval(activePowerExportLimit=-1, activePowerImportLimit=Raw("NaN"), diStartTime=5),
        interval(x=1),
        nmi="x",
        oeTiming="",
        oeObjectiveFunction="",
        oeApplicationLevel=None,
        submissionTimestamp="",
        tradingDate="",
    )
    bad["operatingEnvelopes"][0]["oeApplicationLevel"] = "flex"
    error = rejection(parse_document, array(bad))
    assert [(f.path.removeprefix("$.records[0]"), f.code) for f in error.faults] == [
        (".nmi", "nmi.length"),
        (".oeApplicationLevel", "field.type"),
        (".oeTiming", "field.value"),
        (".oeObjectiveFunction", "field.value"),
        (".submissionTimestamp", "time.format"),
        (".tradingDate", "time.format"),
        (f"{ELEMENT}.oeApplicationLevel", "field.value"),
        (f"{INTERVAL}.{EXPORT}", "limit.sign"),
        (f"{INTERVAL}.{IMPORT}", "number.constant"),
        (f"{INTERVAL}.diStartTime", "field.type"),
        (f"{ELEMENT}.intervals[1]", "field.unknown"),
    ]


# --- Rules that need more than one record or interval ---------------------------------------------


@FORMS
@pytest.mark.parametrize("feed", [Feed(), MAGNITUDE], ids=["canonical", "magnitude"])
@pytest.mark.parametrize("kind", [IMPORT, REACTIVE_IMPORT])
def test_import_sign_mixed(write: Writer, feed: Feed, kind: str) -> None:
    records = [
        record(interval(activePowerImportLimit=0), nmi=OTHER_NMI),
        record(interval(**({IMPORT: Raw("-0")} | {kind: -1}))),
        record(interval(**({IMPORT: 0} | {kind: 2})), interval(**({IMPORT: 0} | {kind: 3}))),
    ]
    error = rejection(parse_document, write(*records), feed)
    mixed = error.faults[-1]
    assert (mixed.path, mixed.code) == (f"$.records[2]{INTERVAL}.{kind}", "import_sign.mixed")
    where = f"positive here, negative at $.records[1]{INTERVAL}.{kind}"
    assert mixed.message == f"imports must have one sign: {where}"
    assert {f.code for f in error.faults} == {"limit.sign", "import_sign.mixed"}


@pytest.mark.parametrize(("feed", "value"), [(Feed(), 2), (MAGNITUDE, -2)])
def test_a_wrong_import_sign_alone_is_not_mixed(feed: Feed, value: int) -> None:
    bad = record(interval(activePowerImportLimit=value), interval(activePowerImportLimit=0))
    assert only(rejection(parse_document, array(bad), feed)).code == "limit.sign"


def submitted(text: str | None, **limits: Any) -> dict[str, Any]:
    return record(interval(**limits), submissionTimestamp=text)


T1, T2 = "2026-11-20T09:00:00+10:00", "2026-11-20T09:00:00.000001+10:00"


@FORMS
@pytest.mark.parametrize(
    ("first", "second", "rule"),
    [
        (None, None, "submission.missing"),
        (None, T1, "submission.missing"),
        (T1, None, "submission.missing"),
        (T1, T1, "submission.conflict"),
        (T1, "2026-11-19T23:00:00Z", "submission.conflict"),
    ],
)
def test_submission_missing_and_conflict(
    write: Writer, first: str | None, second: str | None, rule: str
) -> None:
    data = write(submitted(first), submitted(second, activePowerExportLimit=7))
    fault = only(rejection(parse_document, data))
    paths = {f"$.records[{number}]{INTERVAL}" for number in (0, 1)}
    assert fault.code == rule
    assert fault.path in paths
    assert fault.message.endswith(f"the other is {(paths - {fault.path}).pop()}")


def test_a_conflict_is_one_fault_of_each_interval() -> None:
    """Whatever the number of records in it, and if another record supersedes them all."""
    later = interval(diStartTime=None, diEndTime="2026-11-20T10:10:00+10:00")
    bad = [
        record(interval(activePowerExportLimit=n), later | {EXPORT: n}, submissionTimestamp=T1)
        for n in range(5)
    ]
    error = rejection(parse_document, array(*bad, record(submissionTimestamp=T2)))
    assert sorted(f.path[-3:] for f in error.faults) == ["[0]", "[1]"]
    assert {f.code for f in error.faults} == {"submission.conflict"}


def test_differing_limits_within_one_record_conflict() -> None:
    bad = record(interval(), interval(activePowerExportLimit=6), submissionTimestamp=T1)
    fault = only(rejection(parse_document, array(bad)))
    assert (fault.code, fault.path) == (
        "submission.conflict",
        f"$.records[0]{ELEMENT}.intervals[1]",
    )


@FORMS
@pytest.mark.parametrize("change", [{"oeTiming": "POST"}, {"oeObjectiveFunction": f"for {NMI}"}])
def test_site_meaning(write: Writer, change: dict[str, str]) -> None:
    other_day = interval(diStartTime="2026-11-21T10:00:00+10:00", diEndTime=None)
    fault = only(rejection(parse_document, write(record(), record(other_day, **change))))
    assert (fault.path, fault.code) == ("$.records[1]", "site.meaning")


@FORMS
def test_horizon_length(write: Writer) -> None:
    def day(text: str) -> Any:
        return at(diStartTime=text)

    first, last = day("2026-11-20T10:00:00+10:00"), day("2026-11-27T09:55:00+10:00")
    week = parse_document(write(*[first] * 125, last))
    assert week.interval_count == 2016
    data = write(day("2026-11-20T10:00:00+10:00"), day("2026-11-27T10:00:00+10:00"))
    fault = only(rejection(parse_document, data))
    assert (fault.path, fault.code) == ("$", "horizon.length")
    assert "2017 intervals" in fault.message


@FORMS
@pytest.mark.parametrize(
    ("rows", "last", "is_accepted"),
    [
        (2, "2026-11-20T12:35:00+10:00", True),  # 32 intervals
        (2, "2026-11-20T12:40:00+10:00", False),  # 33
        (3, "2026-11-20T12:40:00+10:00", True),
        (126, "2026-11-27T09:55:00+10:00", True),  # 2016 intervals = 16 × 126
        (125, "2026-11-27T09:55:00+10:00", False),
    ],
)
def test_horizon_sparse(write: Writer, rows: int, last: str, is_accepted: bool) -> None:
    """Repeats and superseded rows are rows of the document as given."""
    records = [*[record()] * (rows - 1), at(diStartTime=last)]
    if is_accepted:
        assert parse_document(write(*records)).site_count == 1
        return
    fault = only(rejection(parse_document, write(*records)))
    assert (fault.path, fault.code) == ("$", "horizon.sparse")
    assert fault.value == f"{rows} rows, 2026-11-20T10:00:00+10:00 to {later(last)}"


def later(text: str) -> str:
    return format_nem(parse_grid_instant(text).seconds + 300)


@pytest.mark.parametrize(("sites", "is_accepted"), [(16, True), (17, False)])
def test_horizon_sparse_counts_sites_by_nmi_and_level(sites: int, is_accepted: bool) -> None:
    """34 intervals: one row a site is too few of 17 sites, 18 rows of 16 sites are enough."""
    levels = [
        record(nmi=f"63058884{n // 2:02}", oeApplicationLevel=("NMI", "Flex")[n % 2])
        for n in range(sites)
    ]
    far = record(
        interval(diStartTime=None, diEndTime="2026-11-20T12:50:00+10:00"), nmi="6305888400"
    )
    more = [record(nmi="6305888400")] * (17 if sites == 16 else 18)
    data = array(*levels, far, *more)
    if is_accepted:
        assert parse_document(data).interval_count == 34
    else:
        assert only(rejection(parse_document, data)).code == "horizon.sparse"


def test_a_horizon_from_the_first_to_the_last_year() -> None:
    data = array(at(diStartTime="1970-01-01T00:00:00Z"), at(diEndTime="2105-12-31T23:55:00-14:00"))
    assert only(rejection(parse_document, data)).code == "horizon.length"


def test_a_trading_day_that_begins_before_the_epoch() -> None:
    """04:00 NEM time of 1 January 1970 is 18:00 UTC of the day before: 72 intervals too early."""
    untimed = without(ONE, "diStartTime", "diEndTime")
    bad = record(*[untimed] * 288, tradingDate="1970-01-01")
    error = rejection(parse_document, array(bad))
    assert {f.code for f in error.faults} == {"time.format"}
    assert len(error.faults) == 72
    assert error.faults[0].path == f"$.records[0]{INTERVAL}"


def test_every_rule_of_the_sources_is_tested() -> None:
    """A new rule needs a case here, in `test_strict_json` or in `test_registry_snapshot`."""
    domain = Path(oepnode.domain.__file__).parent
    modules = (
        "documents/strict_json",
        "documents/json_fields",
        "nem/nmi",
        "nem/tokens",
        "nem/quantities",
        "rounds/inputs/envelope_document",
        "rounds/inputs/envelope_reader",
        "rounds/inputs/horizons",
        "rounds/inputs/supersession",
    )
    text = "".join((domain / f"{module}.py").read_text("utf-8") for module in modules)
    families = "json|number|field|array|nmi|level|limit|interval|import_sign|time|submission|site"
    families += "|horizon|token"
    rules = set(re.findall(rf'"((?:{families}|document)\.[a-z_0-9]+)"', text))
    rules |= {f"{WIDE_LIMIT.family}.{name}" for name in ("decimals", "range")}
    elsewhere = {"json.utf8", "json.bom", "json.syntax", "json.trailing", "json.nesting"}
    elsewhere |= {"document.empty", "nmi.type"}
    of_documents = {
        "nmi.mixed",
        "import_sign.mixed",
        "submission.missing",
        "submission.conflict",
        "site.meaning",
    }
    of_documents |= {"horizon.length", "horizon.sparse"}
    assert rules == {case.rule for case in CASES} | of_documents | elsewhere


@FORMS
@pytest.mark.parametrize("pair", [(NMI, TOKEN), (TOKEN, NMI)])
def test_nmis_and_tokens_in_one_document(write: Writer, pair: tuple[str, str]) -> None:
    first, other = (record(nmi=name) for name in pair)
    fault = only(rejection(parse_document, write(first, first, other, first, other)))
    assert (fault.path, fault.code) == ("$.records[2].nmi", "nmi.mixed")
    assert not {*pair} & {*fault.message.split()}


def test_a_token_within_a_record_of_an_nmi() -> None:
    error = rejection(parse_document, array(element(nmi=TOKEN)))
    where = f"$.records[0]{ELEMENT}.nmi"
    assert [(f.path, f.code) for f in error.faults] == [
        (where, "nmi.mixed"),
        (where, "nmi.mismatch"),
    ]


def test_the_record_that_the_cases_are_made_of_is_good() -> None:
    assert parse_document(array(PLAIN, record(nmi=OTHER_NMI))).site_count == 2
    assert parse_document(array(limit(EXPORT, "5")), MAGNITUDE).site_count == 1


def test_a_faulty_set_of_keys_hides_no_other_fault() -> None:
    """Issue: every fault is listed; a missing or unknown field is one of several."""
    bad = without(interval(activePowerImportLimit=1.23456, diEndTime="soon"), KINDS[0])
    broken = without(record(interval(), bad, nmi="6305O00001", note=1), "oeTiming")
    broken["operatingEnvelopes"][0] |= {"nmi": None, "remark": ""}
    error = rejection(parse_document, array(broken), EDGE)
    second = "$.records[0].operatingEnvelopes[0].intervals[1]"
    assert [(fault.path, fault.code) for fault in error.faults] == [
        ("$.records[0]", "field.unknown"),
        ("$.records[0].oeTiming", "field.missing"),
        ("$.records[0].nmi", "nmi.character"),
        ("$.records[0].operatingEnvelopes[0]", "field.unknown"),
        (f"{second}.activePowerExportLimit", "field.missing"),
        (
            "$.records[0].operatingEnvelopes[0].intervals[1].activePowerImportLimit",
            "limit.decimals",
        ),
        (f"{second}.diEndTime", "time.format"),
    ]
