"""Sections 2 to 6: documents that are rejected and lie close to accepted ones."""

from __future__ import annotations

from tests.reference.vectors.accepted import (
    AS_OF,
    FLEX,
    NINE,
    TEN,
    aggregator,
    array,
    bare,
    more,
    one_of_day,
    reactive,
)
from tests.reference.vectors.changes import (
    ASSIGNMENT,
    ELEMENT,
    END,
    GOOD,
    GOOD_REGISTRY,
    INTERVAL,
    OBJECTIVE,
    RECORD,
    TOKEN,
    assigned,
    day_of,
    reg,
    swap,
    two,
)
from tests.reference.vectors.documents import nem, public_key

W = ("wide", "canonical")
SECOND = "$.records[1]"
ROW = ".operatingEnvelopes[0].intervals[0]"
TIMELESS = GOOD.replace("," + END, "")


def deep(levels: int) -> str:
    """An unknown field that makes an array of records that many levels deep."""
    return swap(END, END + ',"x":' + "[" * (levels - 6) + "]" * (levels - 6))


NEAR_ENVELOPES: tuple[tuple[str, str, str, str | bytes, str, str], ...] = (
    # Section 2.
    ("65 levels", *W, deep(65), "$", "json.nesting"),
    ("64 levels", *W, deep(64), INTERVAL, "field.unknown"),
    ("65 levels in a line", *W, GOOD + "\n" + deep(66)[1:-1] + "\n", SECOND, "json.nesting"),
    ("brackets in a string are no levels", *W, swap(END, END + f',"x":"{"[" * 99}"'), INTERVAL,
     "field.unknown"),
    ("form feed before the array", *W, f"\f[{GOOD}]", RECORD, "json.syntax"),
    ("no-break space before the array", *W, f"\u00a0[{GOOD}]", RECORD, "json.syntax"),
    ("no-break space after the array", *W, f"[{GOOD}]\u00a0", "$", "json.trailing"),
    ("line separator after the array", *W, f"[{GOOD}]\u2028", "$", "json.trailing"),
    ("form feed in a line of its own", *W, f"{GOOD}\n\f\n", SECOND, "json.syntax"),
    ("vertical tab inside a record", *W, swap(':"PRE"', ':\v"PRE"'), RECORD, "json.syntax"),
    ("records with a lone carriage return between", *W, f"{GOOD}\r{GOOD}\n", RECORD,
     "json.trailing"),
    ("records with U+2028 between", *W, f"{GOOD}\u2028{GOOD}\n", RECORD, "json.trailing"),
    ("records with U+0085 between", *W, f"{GOOD}\u0085{GOOD}\n", RECORD, "json.trailing"),
    ("a record on two lines", *W, GOOD.replace(",", ",\n", 1), RECORD, "json.syntax"),
    ("two arrays", *W, f"[{GOOD}][{GOOD}]", "$", "json.trailing"),
    ("byte order mark before a line", *W, f"{GOOD}\n\ufeff{GOOD}\n", SECOND, "json.syntax"),
    ("a number with a plus sign", *W, swap("1.5", "+1.5"), RECORD, "json.syntax"),
    ("a number that ends with its point", *W, swap("1.5", "1."), RECORD, "json.syntax"),
    ("a number that begins with its point", *W, swap("1.5", ".5"), RECORD, "json.syntax"),
    ("a limit in single quotes", *W, swap("1.5", "'1.5'"), RECORD, "json.syntax"),
    ("a comment", *W, swap("1.5", "1.5/**/"), RECORD, "json.syntax"),
    ("an escape that JSON lacks", *W, swap(OBJECTIVE, '"\\x41"'), RECORD, "json.syntax"),
    ("a literal in capitals", *W, swap("-2,", "NULL,"), RECORD, "json.syntax"),
    ("NaN in the place of a text", *W, swap('"6305888444"', "NaN"), RECORD + ".nmi", "field.type"),
    ("surrogates in the wrong order", *W, swap(OBJECTIVE, '"\\ude00\\ud83d"'),
     RECORD + ".oeObjectiveFunction", "field.value"),
    ("null in a mandatory field", *W, swap(OBJECTIVE, "null"), RECORD + ".oeObjectiveFunction",
     "field.type"),
    ("elements that are no array", *W, swap('[{"intervals":', '{"intervals":').replace(
        "]}]}", "]}}"), RECORD + ".operatingEnvelopes", "field.type"),
    # Section 3.
    ("the year 2106", *W, swap(nem(10, 5), "2106-01-01T00:00:00+10:00"), INTERVAL + ".diEndTime",
     "time.format"),
    ("the year 1969 as written, later as an instant", *W,
     swap(nem(10, 5), "1969-12-31T23:55:00-14:00"), INTERVAL + ".diEndTime", "time.format"),
    ("trading date of 1969", *W, array(more(',"tradingDate":"1969-12-31"')),
     RECORD + ".tradingDate", "time.format"),
    ("trading date of 2106", *W, array(more(',"tradingDate":"2106-01-01"')),
     RECORD + ".tradingDate", "time.format"),
    ("trading date that does not exist", *W, array(more(',"tradingDate":"2026-02-29"')),
     RECORD + ".tradingDate", "time.format"),
    ("trading date with a time", *W, array(more(',"tradingDate":"2026-11-20T00:00:00"')),
     RECORD + ".tradingDate", "time.format"),
    ("trading date with a line feed", *W, array(more(',"tradingDate":"2026-11-20\\n"')),
     RECORD + ".tradingDate", "time.format"),
    ("trading day that begins before the epoch", *W, day_of(288, ',"tradingDate":"1970-01-01"'),
     INTERVAL, "time.format"),
    # Section 5.
    ("287 intervals without times", *W, day_of(287, ',"tradingDate":"2026-11-20"'), INTERVAL,
     "time.missing"),
    ("289 intervals without times", *W, day_of(289, ',"tradingDate":"2026-11-20"'), INTERVAL,
     "time.missing"),
    ("one interval without a time and a trading date", *W,
     array(more(',"tradingDate":"2026-11-20"', TIMELESS)), INTERVAL, "time.missing"),
    ("a day by position with one interval off the grid", *W,
     one_of_day('"diEndTime":"2026-11-21T04:06:00+10:00"'), INTERVAL + ".diEndTime", "time.grid"),
    ("edge: reactive limit of 100 kVAr", "edge", "canonical", reactive("100", "-1"),
     INTERVAL + ".reactivePowerExportLimit", "limit.range"),
    ("edge: reactive limit of three decimals", "edge", "canonical", reactive("1", "-0.005"),
     INTERVAL + ".reactivePowerImportLimit", "limit.decimals"),
    ("positive reactive import", *W, reactive("1", "1").replace("-1,", "0,"),
     INTERVAL + ".reactivePowerImportLimit", "limit.sign"),
    ("two decimals too many in a limit out of range", *W, swap("1.5", "12345678901.00001"),
     INTERVAL + ".activePowerExportLimit", "limit.decimals"),
    ("rows that differ, one of them with a submission time", *W,
     array(GOOD, more(NINE).replace('1.5', '1.6')), SECOND + ROW, "submission.missing"),
    ("three rows that differ, the first without a submission time", *W,
     array(GOOD, more(NINE).replace('1.5', '1.6'), more(TEN).replace('1.5', '1.7')),
     "$.records[2]" + ROW, "submission.missing"),
    ("equal rows without a submission time, and one that differs", *W,
     array(GOOD, more(NINE).replace('1.5', '1.6'), GOOD), "$.records[2]" + ROW,
     "submission.missing"),
    ("rows that differ in an absent and a zero limit", *W, two("-2,", "0,").replace(
        "-2,", "null,"), SECOND + ROW, "submission.missing"),
    ("conflict of two rows that a later one supersedes", *W,
     array(more(NINE), more(TEN).replace('1.5', '1.7'), more(NINE).replace('1.5', '1.6')),
     "$.records[2]" + ROW, "submission.conflict"),
    ("conflict at one instant in two spellings", *W,
     array(more(NINE), more(NINE.replace('09:00:00+10', '10:00:00+11')).replace('1.5', '1.6')),
     SECOND + ROW, "submission.conflict"),
    ("another objective function in a superseded record", *W,
     array(more(TEN), more(NINE).replace('Maximise', 'Minimise')), SECOND, "site.meaning"),
    ("two levels over 17 intervals", *W,
     array(GOOD, FLEX.replace(nem(10, 5), nem(11, 25))),
     "$", "horizon.sparse"),
)  # fmt: skip

NEAR_ENVELOPES_OF_TWO_RULES: list[
    tuple[str, str, str, str | bytes, str, tuple[str, ...]]
] = [
    ("imports of both signs", *W, two("-2,", "2,"), SECOND + ROW + ".activePowerImportLimit",
     ("limit.sign", "import_sign.mixed")),
    ("imports of both signs, as magnitudes", "wide", "magnitude", two("-2,", "2,"),
     INTERVAL + ".activePowerImportLimit", ("limit.sign", "import_sign.mixed")),
    ("active and reactive imports of different signs", *W, reactive("1", "1"),
     INTERVAL + ".reactivePowerImportLimit", ("limit.sign", "import_sign.mixed")),
    ("a token inside a record of an NMI", *W,
     swap('{"intervals"', f'{{"nmi":"{TOKEN}","intervals"'), ELEMENT + ".nmi",
     ("nmi.mismatch", "nmi.mixed")),
]  # fmt: skip


NEAR_REGISTRIES: tuple[tuple[str, str | bytes, str, str], ...] = (
    ("form feed before it", "\f" + GOOD_REGISTRY, "$", "json.syntax"),
    ("no-break space after it", GOOD_REGISTRY + "\u00a0", "$", "json.trailing"),
    ("byte order mark before it", "\ufeff" + GOOD_REGISTRY, "$", "json.bom"),
    ("not UTF-8", GOOD_REGISTRY.encode().replace(b"Aggregator north", b"\xff"), "$", "json.utf8"),
    ("65 levels", reg('"asOf"', f'"x": {"[" * 64}{"]" * 64}, "asOf"'), "$", "json.nesting"),
    ("asOf without seconds", reg(AS_OF, '"asOf": "2026-11-20T04:00"'), "$.asOf",
     "time.format"),
    ("null asOf", reg(AS_OF, '"asOf": null'), "$.asOf", "field.type"),
    ("null arrays", bare("null", "[]"), "$.aggregators", "field.type"),
    ("id of 65 characters", bare(
        array(aggregator('z' * 65, 'x', 'north')), "[]"), "$.aggregators[0].id",
     "field.value"),
    ("id with a blank", bare(array(aggregator('a b', 'x', 'north')), "[]"),
     "$.aggregators[0].id", "field.value"),
    ("id that ends with a line feed", bare(
        array(aggregator('ab\\n', 'x', 'north')), "[]"), "$.aggregators[0].id",
     "field.value"),
    ("name of 201 bytes", bare(
        array(aggregator('a', 'é' * 100 + 'x', 'north')), "[]"),
     "$.aggregators[0].name", "field.value"),
    ("name with a control character", bare(
        array(aggregator('a', 'x\\u0007', 'north')), "[]"),
     "$.aggregators[0].name", "field.value"),
    ("address with 0X", reg(f'"{public_key("idle")}"',
     f'"{public_key("idle")}", "address": "0X{"ab" * 20}"'), "$.aggregators[2].address",
     "field.value"),
    ("another case of an aggregator's id", assigned(("6305888444", "North", nem(4, 0), None)),
     ASSIGNMENT + ".aggregator", "assignment.aggregator"),
    ("empty id in an assignment", assigned(("6305888444", "", nem(4, 0), None)),
     ASSIGNMENT + ".aggregator", "assignment.aggregator"),
    ("overlap by one interval", assigned(
        ("6305888444", "south", nem(10, 0), None), ("6305888444", "north", nem(4, 0), nem(10, 5))),
     "$.assignments[1]", "assignment.overlap"),
    ("overlap of an open assignment and a later one of the same aggregator", assigned(
        ("6305888444", "north", nem(4, 0), None), ("6305888444", "north", nem(10, 0), nem(11, 0))),
     "$.assignments[1]", "assignment.overlap"),
)  # fmt: skip
