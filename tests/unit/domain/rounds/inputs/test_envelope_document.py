"""The envelope document (rules-v1 section 5): every row of its tables, and the table of columns."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oepnode.domain.nem.nem_time import format_nem, parse_trading_date, period_start
from oepnode.domain.nem.quantities import KINDS, NO_LIMIT, Feed
from oepnode.domain.rounds.inputs.envelope_document import Document, parse_document
from tests.generators import strategies
from tests.generators.cases import Case
from tests.generators.json_text import Style, write_document
from tests.reference.envelope import read_envelope
from tests.support.envelope_documents import (
    END,
    FORMS,
    NMI,
    OTHER_NMI,
    START,
    START_S,
    Raw,
    Writer,
    array,
    interval,
    ndjson,
    record,
    without,
)

Row = tuple[str, int, int, tuple[int | None, ...]]


def rows(document: Document) -> list[Row]:
    """(NMI, level, interval start, limits) in the document's order."""
    return [
        (
            document.nmi[site].decode(),
            int(document.level[site]),
            document.horizon_start + int(interval_index) * 300,
            tuple(None if value == NO_LIMIT else value for value in limits),
        )
        for site, interval_index, limits in zip(
            document.row_site, document.row_interval, document.limits.tolist(), strict=True
        )
    ]


def one(changed: Any, feed: Feed | None = None) -> Row:
    """The one row of a document of one record with one interval."""
    document = parse_document(array(changed), feed)
    (row,) = rows(document)
    assert (document.horizon_start, document.interval_count) == (row[2], 1)
    assert document.horizon_end == row[2] + 300
    return row


PLAIN = (NMI, 0, START_S, (5000, -2500, None, None))
UNTIMED = without(interval(), "diStartTime", "diEndTime")


# --- Fields of a record ---------------------------------------------------------------------------


@FORMS
def test_one_record_is_one_row(write: Writer) -> None:
    document = parse_document(write(record()))
    assert rows(document) == [PLAIN]
    assert (document.site_count, document.records) == (1, 1)
    assert (document.timing.tolist(), document.objective) == ([0], ("Maximise service",))
    assert document.warnings == ()


def test_columns_have_the_types_that_are_promised() -> None:
    document = parse_document(array(record(), record(nmi=OTHER_NMI)))
    assert document.nmi.dtype == np.dtype("S10")
    assert document.level.dtype == document.timing.dtype == np.uint8
    assert document.row_site.dtype == document.row_interval.dtype == np.int32
    assert document.limits.dtype == np.int32
    assert document.limits.shape == (2, 4)


def test_the_checksum_of_an_nmi_is_dropped_everywhere() -> None:
    changed = record(nmi=NMI + "6")
    changed["operatingEnvelopes"][0]["nmi"] = NMI
    assert one(changed) == PLAIN
    changed = record()
    changed["operatingEnvelopes"][0]["nmi"] = NMI + "6"
    assert one(changed) == PLAIN


@pytest.mark.parametrize(("timing", "code"), [("PRE", 0), ("POST", 1)])
@pytest.mark.parametrize(("level", "number"), [("NMI", 0), ("Flex", 1)])
def test_timing_and_level(timing: str, code: int, level: str, number: int) -> None:
    document = parse_document(array(record(oeTiming=timing, oeApplicationLevel=level)))
    assert (document.timing.tolist(), document.level.tolist()) == ([code], [number])


@pytest.mark.parametrize(
    "text", ["x", "a" * 255, "ü" * 127, "😀" * 63, "Ziel: größte", " ", "\u0085"]
)
def test_an_objective_function_of_1_to_255_bytes(text: str) -> None:
    for changed in (record(oeObjectiveFunction=text), record(oeObjectiveFunction=Raw(f'"{text}"'))):
        assert parse_document(array(changed)).objective == (text,)


@pytest.mark.parametrize(
    "name", ["submissionTimestamp", "submissionDatetime", "submissionDateTime"]
)
@pytest.mark.parametrize("value", [None, "2026-11-20T09:59:59.123456+10:00"])
def test_the_submission_time_in_every_spelling_or_absent(name: str, value: str | None) -> None:
    assert one(record(**{name: value})) == PLAIN


@pytest.mark.parametrize("value", [None, "2026-11-20", "2028-02-29"])
def test_a_trading_date_that_is_not_needed_has_no_effect(value: str | None) -> None:
    assert one(record(tradingDate=value)) == PLAIN


@pytest.mark.parametrize("inner", [{}, {"nmi": None, "oeApplicationLevel": None}, {"nmi": NMI}])
@pytest.mark.parametrize("name", ["intervals", "Intervals"])
def test_an_element_in_both_spellings(inner: dict[str, Any], name: str) -> None:
    changed = record(operatingEnvelopes=[{name: [interval()], "oeApplicationLevel": "NMI"} | inner])
    assert one(changed) == PLAIN


# --- Limits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [2, 3])
def test_reactive_limits_may_be_absent_or_null(kind: int) -> None:
    assert one(record(interval(**{KINDS[kind]: None}))) == PLAIN
    value = 1.25 if kind == 2 else -1.25
    limits = one(record(interval(**{KINDS[kind]: value})))[3]
    assert limits[:2] == (5000, -2500)
    assert limits[kind] == int(value * 1000)
    assert limits[5 - kind] is None


def test_import_sign_magnitude_negates_active_and_reactive_imports() -> None:
    changed = interval(
        activePowerImportLimit=Raw("2.500"),
        reactivePowerImportLimit=Raw("25e-2"),
        reactivePowerExportLimit=1,
    )
    row = one(record(changed), Feed(import_sign="magnitude"))
    assert row[3] == (5000, -2500, 1000, -250)


@pytest.mark.parametrize("text", ["0", "-0", "0.000", "-0e9", "0e99999999999999999999"])
@pytest.mark.parametrize("sign", ["canonical", "magnitude"])
def test_minus_zero_is_zero_and_has_no_sign(text: str, sign: Any) -> None:
    zeros = interval(**dict.fromkeys(KINDS, Raw(text)))
    assert one(record(zeros), Feed(import_sign=sign))[3] == (0, 0, 0, 0)
    value = 3 if sign == "magnitude" else -3
    with_imports = record(
        zeros, interval(activePowerImportLimit=value, diStartTime=END, diEndTime=None)
    )
    assert len(rows(parse_document(array(with_imports), Feed(import_sign=sign)))) == 2


def test_the_bounds_of_int32_are_limits() -> None:
    limit = Raw("2147483.647"), Raw("-2147483.647")
    changed = interval(activePowerExportLimit=limit[0], activePowerImportLimit=limit[1])
    assert one(record(changed))[3] == (2**31 - 1, -(2**31) + 1, None, None)


def test_one_spelling_of_a_number_is_read_by_its_kind() -> None:
    """Numbers are remembered by their text, for exports apart from imports."""
    changed = interval(activePowerExportLimit=2, activePowerImportLimit=0)
    again = interval(activePowerExportLimit=0, activePowerImportLimit=2)
    feed = Feed(import_sign="magnitude")
    assert one(record(changed | {"reactivePowerImportLimit": 2}), feed)[3] == (2000, 0, None, -2000)
    assert one(record(again | {"reactivePowerExportLimit": 2}), feed)[3] == (0, -2000, 2000, None)


# --- Times ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "times",
    [
        {"diStartTime": START, "diEndTime": END},
        {"diStarttime": START, "diEndtime": END},
        {"diStartTime": START, "diEndtime": END},
        {"diStartTime": START},
        {"diStartTime": START, "diEndTime": None},
        {"diEndTime": END},
        {"diStartTime": None, "diEndtime": END},
        {"diStartTime": "2026-11-20T00:00:00Z", "diEndTime": "2026-11-20T11:05:00+11:00"},
        {"diStartTime": "2026-11-20T10:00:00.000000"},
        {"diEndTime": "2026-11-19T19:05:00-05:00"},
    ],
)
def test_one_time_is_enough_and_offsets_convert(times: dict[str, Any]) -> None:
    assert one(record(UNTIMED | times)) == PLAIN


def test_odd_offsets_are_warned_of_once_each() -> None:
    changed = record(
        interval(diStartTime="2026-11-20T10:00:00", diEndTime="2026-11-20T11:05:00+11:00"),
        interval(diStartTime="2026-11-20T10:00:00", diEndTime=None),
        submissionTimestamp="2026-11-20T09:00:00",
    )
    first, second = parse_document(array(changed, record())).warnings
    assert first.startswith("$.records[0].submissionTimestamp: timestamp without an offset")
    assert first.endswith("(and 2 more)")
    assert second.startswith(
        "$.records[0].operatingEnvelopes[0].intervals[0].diEndTime: offset +11"
    )
    assert "more" not in second


def test_positions_of_a_trading_day() -> None:
    limits = [interval(activePowerExportLimit=n) for n in range(288)]
    untimed = [without(item, "diStartTime", "diEndTime") for item in limits]
    document = parse_document(array(record(*untimed, tradingDate="2026-11-20")))
    first = period_start(parse_trading_date("2026-11-20"), 1)
    assert format_nem(first) == "2026-11-20T04:00:00+10:00"
    assert (document.horizon_start, document.interval_count) == (first, 288)
    assert document.row_interval.tolist() == list(range(288))
    assert document.limits[:, 0].tolist() == [n * 1000 for n in range(288)]


def test_the_position_counts_in_the_entire_array() -> None:
    """Decided per interval: a timed interval may be anywhere among untimed ones."""
    untimed: list[Any] = [UNTIMED] * 288
    untimed[0] = UNTIMED | {"diEndTime": "2026-11-21T04:05:00+10:00", "activePowerExportLimit": 9}
    untimed[100] = UNTIMED | {"activePowerExportLimit": 8, "diStartTime": None, "diEndTime": None}
    document = parse_document(array(record(*untimed, tradingDate="2026-11-20")))
    assert document.interval_count == 288
    exports = dict(zip(document.row_interval.tolist(), document.limits[:, 0].tolist(), strict=True))
    assert (exports[287], exports[99], exports[98], 0 in exports) == (9000, 8000, 5000, True)
    first = period_start(parse_trading_date("2026-11-20"), 2)
    assert document.horizon_start == first


def grid(count: int) -> list[dict[str, Any]]:
    return [UNTIMED | {"diStartTime": format_nem(START_S + n * 300)} for n in range(count)]


@FORMS
def test_576_intervals_of_an_array(write: Writer) -> None:
    """48 hours; 577 are rejected, but two arrays may have more together."""
    document = parse_document(write(record(*grid(576))))
    assert (document.interval_count, len(document.row_site)) == (576, 576)
    intervals = grid(700)
    elements = [{"intervals": intervals[:400]}, {"intervals": intervals[400:]}]
    document = parse_document(write(record(operatingEnvelopes=elements)))
    assert (document.interval_count, len(document.row_site)) == (700, 700)


def test_the_horizon_is_from_the_earliest_to_the_latest_row_of_any_site() -> None:
    late = interval(diStartTime=None, diEndTime="2026-11-21T10:00:00+10:00")
    document = parse_document(array(record(late), *[record(nmi=OTHER_NMI)] * 35))
    assert (document.horizon_start, document.interval_count) == (START_S, 288)
    assert document.horizon_end == START_S + 86400
    assert rows(document) == [(OTHER_NMI, *PLAIN[1:]), (NMI, 0, START_S + 86100, PLAIN[3])]


@pytest.mark.parametrize(
    ("names", "limits"),
    [
        (("activePowerImportLimit",), (5000, None, None, None)),
        (("activePowerExportLimit",), (None, -2500, None, None)),
        (("activePowerExportLimit", "activePowerImportLimit"), (None, None, 1000, None)),
    ],
)
@pytest.mark.parametrize("is_null", [False, True])
def test_any_limit_may_be_absent_or_null_in_profile_wide(
    names: tuple[str, ...], limits: tuple[int | None, ...], is_null: bool
) -> None:
    full = interval(reactivePowerExportLimit=1 if len(names) == 2 else None)
    bare = full | dict.fromkeys(names) if is_null else without(full, *names)
    assert one(record(bare))[3] == limits


def test_a_row_without_a_limit_that_an_earlier_one_has_supersedes_it() -> None:
    early, late = "2026-11-20T09:00:00+10:00", "2026-11-20T09:30:00+10:00"
    newer = record(interval(activePowerImportLimit=None), submissionTimestamp=late)
    records = [record(submissionTimestamp=early), newer]
    for order in (records, records[::-1]):
        assert rows(parse_document(array(*order))) == [(*PLAIN[:3], (5000, None, None, None))]


def test_the_first_and_the_last_possible_interval() -> None:
    first = record(UNTIMED | {"diStartTime": "1970-01-01T00:00:00Z"})
    assert one(first)[2] == 0
    last = record(UNTIMED | {"diEndTime": "2105-12-31T23:55:00-14:00"})
    assert format_nem(one(last)[2] + 300) == "2106-01-01T23:55:00+10:00"


# --- Sites and rows -------------------------------------------------------------------------------


def test_two_application_levels_are_two_sites_with_their_own_meaning() -> None:
    flex = record(
        interval(activePowerExportLimit=1),
        oeApplicationLevel="Flex",
        oeTiming="POST",
        oeObjectiveFunction="other",
    )
    document = parse_document(array(flex, record(nmi=OTHER_NMI), record()))
    assert [(n.decode(), int(v)) for n, v in zip(document.nmi, document.level, strict=True)] == [
        (OTHER_NMI, 0),
        (NMI, 0),
        (NMI, 1),
    ]
    assert document.timing.tolist() == [0, 0, 1]
    assert document.objective == ("Maximise service", "Maximise service", "other")
    assert [row[3][0] for row in rows(document)] == [5000, 5000, 1000]


def submitted(text: str | None, export: int) -> dict[str, Any]:
    return record(interval(activePowerExportLimit=export), submissionTimestamp=text)


T1, T2, T3 = (f"2026-11-20T09:00:00.00000{n}+10:00" for n in (1, 2, 3))


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([submitted(T1, 1), submitted(T2, 2)], 2000),
        ([submitted(T2, 2), submitted(T1, 1)], 2000),
        ([submitted(T2, 2), submitted("2026-11-20T00:00:00Z", 1), submitted(T1, 3)], 1000),
        ([submitted(T1, 1), submitted(T1, 1)], 1000),
        ([submitted(None, 1), submitted(None, 1)], 1000),
        ([submitted(None, 1), submitted(T1, 1)], 1000),
        ([submitted(T1, 1), submitted(T2, 2), submitted(T2, 2), submitted(T1, 1)], 2000),
        ([submitted(T3, 1), submitted(T2, 2), submitted(T1, 1)], 1000),
        ([submitted("1970-01-01T00:00:00Z", 1), submitted(T1, 2)], 2000),
    ],
)
def test_the_latest_submission_counts(records: list[Any], expected: int) -> None:
    for write in (array, ndjson):
        document = parse_document(write(*records))
        assert [row[3][0] for row in rows(document)] == [expected]
        assert document.records == len(records)


def test_supersession_is_per_interval_and_per_level() -> None:
    later = UNTIMED | {"diStartTime": END, "activePowerExportLimit": 3}
    records = [
        record(interval(), later, submissionTimestamp=T1),
        submitted(T2, 1),
        record(interval(activePowerExportLimit=2), oeApplicationLevel="Flex"),
    ]
    document = parse_document(array(*records))
    assert [(row[1], row[2] - START_S, row[3][0]) for row in rows(document)] == [
        (0, 0, 1000),
        (0, 300, 3000),
        (1, 0, 2000),
    ]


def test_a_limit_that_the_later_submission_lacks_is_gone() -> None:
    with_reactive = record(interval(reactivePowerExportLimit=1), submissionTimestamp=T1)
    assert rows(parse_document(array(with_reactive, record(submissionTimestamp=T2)))) == [PLAIN]


# --- Any document ---------------------------------------------------------------------------------


def assert_same(one: Document, two: Document) -> None:
    assert rows(one) == rows(two)
    assert one.horizon_start == two.horizon_start
    assert (one.interval_count, one.objective) == (two.interval_count, two.objective)
    for name in ("nmi", "level", "timing", "row_site", "row_interval", "limits"):
        assert np.array_equal(getattr(one, name), getattr(two, name))


@settings(deadline=None, max_examples=60)
@given(case=strategies.rounds(), style=strategies.styles(), seed=st.integers(0, 2**32))
def test_order_and_form_of_records_never_change_the_document(
    case: Case, style: Style, seed: int
) -> None:
    rnd = random.Random(seed)
    feed = Feed(case.profile, case.import_sign)
    document = parse_document(case.envelope, feed)
    shuffled = rnd.sample(case.records, len(case.records))
    again = parse_document(write_document(shuffled, style, rnd), feed)
    assert_same(document, again)
    assert document.records == again.records == len(case.records)


@settings(deadline=None, max_examples=60)
@given(case=strategies.rounds())
def test_rows_are_those_of_the_reference_model_in_order(case: Case) -> None:
    document = parse_document(case.envelope, Feed(case.profile, case.import_sign))
    read = read_envelope(case.envelope, case.profile, case.import_sign)
    assert rows(document) == [
        (nmi, level, start, read.rows[nmi, level][start])
        for nmi, level in sorted(read.rows)
        for start in sorted(read.rows[nmi, level])
    ]
    assert (document.horizon_start, document.interval_count) == (read.start, read.count)
