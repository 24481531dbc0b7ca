"""The registry snapshot (rules-v1 section 6): holders of NMIs over time, and rejections."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import oepnode.domain
from oepnode.domain.nem.nem_time import format_nem, parse_grid_instant
from oepnode.domain.nem.tokens import SiteIdKind
from oepnode.domain.rounds.inputs.assignments import NO_AGGREGATOR, OPEN_END
from oepnode.domain.rounds.inputs.registry_snapshot import (
    Aggregator,
    Snapshot,
    parse_snapshot,
    snapshot_json,
)
from oepnode.errors import DocumentFault, Finding
from tests.support.envelope_documents import (
    END,
    NMI,
    OTHER_NMI,
    SALT,
    START,
    START_S,
    Raw,
    aggregator,
    assignment,
    dump,
    only,
    rejection,
    snapshot,
    without,
)

TOKEN = "0123456789abcdef0123456789abcdef"


def parse(tree: Any) -> Snapshot:
    return parse_snapshot(dump(tree).encode())


def fault(tree: Any) -> Finding:
    return only(rejection(parse_snapshot, dump(tree).encode()))


def faults(tree: Any) -> list[tuple[str, str]]:
    error = rejection(parse_snapshot, dump(tree).encode())
    return [(fault.path, fault.code) for fault in error.faults]


def holder_of(parsed: Snapshot, nmi: str, start: int) -> str | None:
    """Id of the holder of one NMI at one interval start."""
    names = np.array([nmi], dtype="S10")
    (holder,) = parsed.holders(names, np.zeros(1, np.int32), np.array([start], np.int64))
    return None if holder == NO_AGGREGATOR else parsed.aggregators[holder].id


def span(
    start: int | None, end: int | None, nmi: str = NMI, aggregator_id: str = "north"
) -> dict[str, Any]:
    """An assignment in intervals since `START_S`."""
    times = [None if n is None else format_nem(START_S + n * 300) for n in (start, end)]
    return {"nmi": nmi, "aggregator": aggregator_id, "from": times[0], "to": times[1]}


# --- Reading --------------------------------------------------------------------------------------


def test_a_snapshot_as_values() -> None:
    parsed = parse(
        snapshot(
            assignment(nmi=OTHER_NMI + "8", aggregator="south", to=END),
            without(assignment(), "to"),
            aggregators=[
                aggregator("north", address="0x" + "aB" * 20),
                aggregator("south", name="Süd", publicKey="AB" * 32, address=None),
            ],
            asOf="2026-11-20T04:00:01.5+10:00",
        )
    )
    north = Aggregator("north", "Aggregator north", sha256(b"north").digest(), b"\xab" * 20)
    assert parsed.aggregators == (north, Aggregator("south", "Süd", b"\xab" * 32))
    assert parsed.as_of == START_S - 6 * 3600 + 1
    assert parsed.salt_digest == sha256(SALT).digest()
    assert parsed.nmi.tolist() == [OTHER_NMI.encode(), NMI.encode()]
    assert parsed.aggregator.tolist() == [1, 0]
    assert parsed.start.tolist() == [START_S, START_S]
    assert parsed.end.tolist() == [START_S + 300, OPEN_END]
    assert parsed.warnings == ()


def test_both_arrays_may_be_empty() -> None:
    parsed = parse(snapshot(aggregators=[]))
    assert parsed.aggregators == ()
    assert holder_of(parsed, NMI, START_S) is None
    assert holder_of(parse(snapshot()), NMI, START_S) is None


@pytest.mark.parametrize("identity", ["a", "A" * 64, "0", "a.b_c:d-e", "9-"])
def test_an_id_of_the_characters_that_are_allowed(identity: str) -> None:
    assert parse(snapshot(aggregators=[aggregator(identity)])).aggregators[0].id == identity


def test_ids_differ_by_case() -> None:
    parsed = parse(snapshot(aggregators=[aggregator("a"), aggregator("A")]))
    assert [a.id for a in parsed.aggregators] == ["a", "A"]


def test_warnings_are_counted_by_kind() -> None:
    naive, shifted = START.removesuffix("+10:00"), "2026-11-20T11:05:00+11:00"
    parsed = parse(
        snapshot(
            *(assignment(nmi=f"630588800{n}", **{"from": naive, "to": shifted}) for n in range(4)),
            asOf=naive,
        )
    )
    first, second = parsed.warnings
    assert first.startswith("$.asOf: timestamp without an offset")
    assert first.endswith("(and 4 more)")
    assert second.startswith("$.assignments[0].to: offset +11:00")
    assert second.endswith("(and 3 more)")


def test_a_written_value_reads_back() -> None:
    aggregators = [Aggregator("n", "North", b"\x01" * 32, b"\x02" * 20), Aggregator("s", "S", SALT)]
    tree = snapshot_json(
        START,
        sha256(SALT).digest(),
        aggregators,
        [(NMI, "n", START, END), (NMI, "s", END, None)],
        SALT[::-1],
    )
    assert tree["nonce"] == SALT[::-1].hex()
    parsed = parse(tree)
    assert list(parsed.aggregators) == aggregators
    assert (holder_of(parsed, NMI, START_S), holder_of(parsed, NMI, START_S + 300)) == ("n", "s")


# --- Holders of NMIs ------------------------------------------------------------------------------


def test_an_assignment_covers_from_its_start_until_before_its_end() -> None:
    parsed = parse(snapshot(span(0, 2), span(2, 3, aggregator_id="south"), span(5, None)))
    holders = [holder_of(parsed, NMI, START_S + n * 300) for n in range(-1, 7)]
    assert holders == [None, "north", "north", "south", None, None, "north", "north"]
    assert holder_of(parsed, OTHER_NMI, START_S) is None
    assert holder_of(parsed, NMI, 2**33) == "north"


def test_from_the_epoch_to_the_last_year() -> None:
    parsed = parse(
        snapshot(
            assignment(**{"from": "1970-01-01T00:00:00Z", "to": "1970-01-01T00:05:00Z"}),
            assignment(**{"from": "2105-12-31T23:55:00-14:00"}),
        )
    )
    last = parse_grid_instant("2105-12-31T23:55:00-14:00").seconds
    assert [holder_of(parsed, NMI, start) for start in (0, 300, last - 300)] == [
        "north",
        None,
        None,
    ]
    assert format_nem(last) == "2106-01-01T23:55:00+10:00"
    assert holder_of(parsed, NMI, last) == "north"


SPANS = st.lists(
    st.tuples(
        st.sampled_from(["6305888444", "6305888445", "QAAAVZZZZZ", "0000000000"]),
        st.sampled_from(["north", "south"]),
        st.integers(0, 12),
        st.one_of(st.none(), st.integers(1, 6)),
    ),
    max_size=12,
)
QUERIED = ("0000000000", "6305888443", "6305888444", "6305888445", "QAAAVZZZZZ", "ZZZZZZZZZZ")


@given(spans=SPANS)
def test_holders_are_those_of_a_plain_search_or_the_overlap_is_rejected(
    spans: list[tuple[str, str, int, int | None]],
) -> None:
    known = [
        (
            nmi,
            aggregator_id,
            START_S + first * 300,
            OPEN_END if n is None else START_S + (first + n) * 300,
        )
        for nmi, aggregator_id, first, n in spans
    ]
    tree = snapshot(
        *(
            span(first, None if n is None else first + n, nmi, aggregator_id)
            for nmi, aggregator_id, first, n in spans
        )
    )

    def clashes(index: int) -> bool:
        nmi, _, start, end = known[index]
        return any(
            other[0] == nmi and start < other[3] and other[2] < end
            for number, other in enumerate(known)
            if number != index
        )

    if any(clashes(number) for number in range(len(known))):
        listed = rejection(parse_snapshot, dump(tree).encode()).faults
        assert {fault.code for fault in listed} == {"assignment.overlap"}
        named = {int(n) for fault in listed for n in re.findall(r"\d+", fault.path + fault.message)}
        assert named == {number for number in range(len(known)) if clashes(number)}
        return
    parsed = parse(tree)
    row_nmi = np.repeat(np.arange(len(QUERIED)), 20)
    start = START_S + np.tile(np.arange(-1, 19), len(QUERIED)).astype(np.int64) * 300
    holders = parsed.holders(np.array(QUERIED, dtype="S10"), row_nmi, start)
    assert holders.dtype == np.int32
    for code, at, holder in zip(row_nmi, start, holders, strict=True):
        expected = [
            aggregator_id
            for nmi, aggregator_id, a, b in known
            if nmi == QUERIED[code] and a <= at < b
        ]
        named_ids = [] if holder == NO_AGGREGATOR else [parsed.aggregators[holder].id]
        assert named_ids == expected


# --- Rejections -----------------------------------------------------------------------------------


def with_aggregator(**changes: Any) -> dict[str, Any]:
    return snapshot(aggregators=[aggregator("south"), aggregator("north", **changes)])


def with_assignment(**changes: Any) -> dict[str, Any]:
    return snapshot(assignment(nmi=OTHER_NMI), assignment(**changes))


AGGREGATOR, ASSIGNMENT = "$.aggregators[1]", "$.assignments[1]"
KEY = SALT.hex()

CASES: list[tuple[str, Any, str, str, str | None]] = [
    ("null", None, "$", "field.type", "null"),
    ("an array", [], "$", "field.type", "an array of 0 elements"),
    *(
        (f"no {name}", without(snapshot(), name), f"$.{name}", "field.missing", "")
        for name in snapshot()
    ),
    ("a salt", snapshot(salt=KEY), "$", "field.unknown", "'salt'"),
    ("a salt as a key", snapshot(**{KEY: 1}), "$", "field.unknown", "'[withheld]'"),
    ("asOf is a number", snapshot(asOf=5), "$.asOf", "field.type", "5"),
    ("asOf is no time", snapshot(asOf="now"), "$.asOf", "time.format", "'now'"),
    ("asOf is null", snapshot(asOf=None), "$.asOf", "field.type", "null"),
    ("aggregators", snapshot(aggregators={}), "$.aggregators", "field.type", None),
    ("assignments", snapshot(assignments=None), "$.assignments", "field.type", "null"),
    *(
        (
            f"saltDigest {value!r}",
            snapshot(saltDigest=value),
            "$.saltDigest",
            "field.value",
            displayed,
        )
        for value, displayed in [
            (None, "null"),
            (5, "5"),
            ("", "0 characters"),
            (KEY + "0", "65 characters"),
            ("0x" + KEY, "66 characters"),
            (KEY[:63] + "g", "64 characters"),
            (KEY[:62] + "\n", "63 characters"),
        ]
    ),
    *(
        (f"publicKey {value!r}", with_aggregator(publicKey=value), f"{AGGREGATOR}.publicKey", r, s)
        for value, r, s in [
            (KEY[:-2], "field.value", "62 characters"),
            ("é" * 64, "field.value", "64 characters"),
            ([KEY], "field.value", "an array of 1 elements"),
        ]
    ),
    *(
        (f"id {value!r}", with_aggregator(id=value), f"{AGGREGATOR}.id", rule, displayed)
        for value, rule, displayed in [
            (5, "field.type", "5"),
            (None, "field.type", "null"),
            ("", "field.value", "0 characters"),
            ("a" * 65, "field.value", "65 characters"),
            ("-a", "field.value", "2 characters"),
            (".a", "field.value", "2 characters"),
            ("a b", "field.value", "3 characters"),
            ("ä", "field.value", "1 characters"),
            ("a\n", "field.value", ""),
        ]
    ),
    *(
        (f"name {value!r}", with_aggregator(name=value), f"{AGGREGATOR}.name", rule, None)
        for value, rule in [
            (None, "field.type"),
            ("", "field.value"),
            ("ü" * 101, "field.value"),
            ("a\x1b[31m", "field.value"),
        ]
    ),
    *(
        (f"address {v!r}", with_aggregator(address=v), f"{AGGREGATOR}.address", "field.value", None)
        for v in [5, "", "ab" * 20, "0X" + "ab" * 20, "0x" + "ab" * 19, "0x" + "ag" * 20]
    ),
    ("an aggregator is null", snapshot(aggregators=[None]), "$.aggregators[0]", "field.type", None),
    (
        "no id",
        snapshot(aggregators=[without(aggregator(), "id")]),
        "$.aggregators[0].id",
        "field.missing",
        "",
    ),
    ("aggregator's extra", with_aggregator(keys=[]), AGGREGATOR, "field.unknown", "'keys'"),
    (
        "id twice",
        snapshot(aggregators=[aggregator("a"), aggregator("a", publicKey=KEY)]),
        f"{AGGREGATOR}.id",
        "aggregator.duplicate",
        "",
    ),
    (
        "publicKey twice, in another case",
        snapshot(
            aggregators=[aggregator("a", publicKey=KEY), aggregator("b", publicKey=KEY.upper())]
        ),
        f"{AGGREGATOR}.publicKey",
        "aggregator.duplicate",
        "",
    ),
    ("an assignment is text", snapshot(NMI), "$.assignments[0]", "field.type", "'[withheld]'"),
    ("assignment's extra", with_assignment(till=END), ASSIGNMENT, "field.unknown", "'till'"),
    (
        "no from",
        snapshot(assignment(nmi=OTHER_NMI), without(assignment(), "from")),
        f"{ASSIGNMENT}.from",
        "field.missing",
        "",
    ),
    (
        "nmi is a number",
        with_assignment(nmi=Raw(NMI)),
        f"{ASSIGNMENT}.nmi",
        "field.type",
        "a number",
    ),
    ("nmi is short", with_assignment(nmi=NMI[1:]), f"{ASSIGNMENT}.nmi", "nmi.length", ""),
    ("nmi with I", with_assignment(nmi="I" + NMI[1:]), f"{ASSIGNMENT}.nmi", "nmi.character", ""),
    (
        "token in upper case",
        with_assignment(nmi=TOKEN.upper()),
        f"{ASSIGNMENT}.nmi",
        "token.character",
        "",
    ),
    ("nmi's checksum", with_assignment(nmi=NMI + "5"), f"{ASSIGNMENT}.nmi", "nmi.checksum", ""),
    *(
        (
            f"{v!r}",
            with_assignment(aggregator=v),
            f"{ASSIGNMENT}.aggregator",
            "assignment.aggregator",
            s,
        )
        for v, s in [
            ("east", "another name"),
            ("North", "another name"),
            ("", "another name"),
            (None, "null"),
            (0, "0"),
            (NMI, "another name"),
        ]
    ),
    *(
        (f"{name} {value!r}", with_assignment(**{name: value}), f"{ASSIGNMENT}.{name}", rule, None)
        for name in ("from", "to")
        for value, rule in [
            (5, "field.type"),
            ("", "time.format"),
            ("2026-11-31T10:00:00+10:00", "time.format"),
            ("1970-01-01T09:55:00+10:00", "time.format"),
            ("2026-11-20T10:00:01+10:00", "time.grid"),
            ("2026-11-20T10:04:00+10:00", "time.grid"),
        ]
    ),
    ("from is null", with_assignment(**{"from": None}), f"{ASSIGNMENT}.from", "field.type", "null"),
    ("to is from", with_assignment(to=START), f"{ASSIGNMENT}.to", "time.order", f"'{START}'"),
    (
        "to before from",
        with_assignment(to="2026-11-19T23:55:00Z"),
        f"{ASSIGNMENT}.to",
        "time.order",
        "'2026-11-19T23:55:00Z'",
    ),
    (
        "key twice",
        snapshot(Raw(dump(assignment())[:-1] + f',"nmi":"{NMI}"}}')),
        "$.assignments[0]",
        "json.duplicate_key",
        "'nmi'",
    ),
    (
        "key twice at the top",
        Raw(dump(snapshot())[:-1] + ',"asOf":"2026-11-20T04:00:00+10:00"}'),
        "$",
        "json.duplicate_key",
        None,
    ),
]


@pytest.mark.parametrize(
    ("tree", "path", "rule", "displayed"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_one_fault(tree: Any, path: str, rule: str, displayed: str | None) -> None:
    only_fault = fault(tree)
    assert (only_fault.path, only_fault.code) == (path, rule)
    if displayed is not None:
        assert only_fault.value == displayed


def test_every_rule_of_the_source_is_tested() -> None:
    text = (Path(oepnode.domain.__file__).parent / "rounds/inputs/registry_snapshot.py").read_text(
        "utf-8"
    )
    rules = set(re.findall(r'"((?:json|field|time|nmi|aggregator|assignment)\.[a-z_0-9]+)"', text))
    assert rules - {"assignment.overlap"} <= {case[3] for case in CASES}
    assert "assignment.overlap" in rules


@pytest.mark.parametrize("pair", [(NMI, TOKEN), (TOKEN, NMI)])
def test_nmis_and_tokens_in_one_snapshot(pair: tuple[str, str]) -> None:
    spans = [span(0, 2, pair[0]), span(2, 4, pair[1]), span(5, 6, pair[0]), span(7, 8, pair[1])]
    assert faults(snapshot(assignments=spans)) == [("$.assignments[1].nmi", "nmi.mixed")]


def test_a_snapshot_of_tokens() -> None:
    parsed = parse(snapshot(assignments=[span(0, 2, TOKEN), span(2, None, TOKEN, "south")]))
    assert parsed.site_id_kind is SiteIdKind.TOKEN
    held = parsed.holders(
        np.array([TOKEN.encode()]), np.zeros(2, np.int32), np.array([START_S, START_S + 600])
    )
    assert [parsed.aggregators[code].id for code in held] == ["north", "south"]
    assert parse(snapshot(assignments=[span(0, 2)])).site_id_kind is SiteIdKind.NMI
    assert parse(snapshot(assignments=[])).site_id_kind is None


@pytest.mark.parametrize(
    ("spans", "listed"),
    [
        ([(0, 2), (1, 3)], {1: 0}),
        ([(1, 3), (0, 2)], {1: 0}),
        ([(0, 2), (0, 2)], {1: 0}),
        ([(0, None), (5, None)], {1: 0}),
        ([(5, 6), (0, None)], {1: 0}),
        ([(0, None), (1, 2), (3, 4), (5, None)], {1: 0, 2: 0, 3: 0}),
        ([(0, 9), (1, 2), (8, 12), (11, 13)], {1: 0, 2: 0, 3: 2}),
    ],
)
def test_assignment_overlap(spans: list[tuple[int, int | None]], listed: dict[int, int]) -> None:
    """Assignments of one aggregator overlap too; each is named with the one that it overlaps."""
    assignments = [span(first, end) for first, end in spans]
    error = rejection(parse_snapshot, dump(snapshot(*assignments)).encode())
    assert {f.path: f.message for f in error.faults} == {
        f"$.assignments[{index}]": f"overlaps $.assignments[{other}] of the same NMI"
        for index, other in listed.items()
    }
    assert {f.code for f in error.faults} == {"assignment.overlap"}


def test_overlap_is_of_nmis_without_their_checksum() -> None:
    error = rejection(parse_snapshot, dump(snapshot(span(0, 2), span(1, 3, NMI + "6"))).encode())
    assert only(error).code == "assignment.overlap"


def test_touching_assignments_and_those_of_other_nmis_do_not_overlap() -> None:
    parse(snapshot(span(0, 2), span(2, 4), span(4, None), span(0, None, OTHER_NMI)))


def test_a_faulty_aggregator_makes_no_fault_of_its_assignments() -> None:
    tree = snapshot(assignment(), aggregators=[aggregator("north", publicKey="x", name="")])
    assert faults(tree) == [
        ("$.aggregators[0].name", "field.value"),
        ("$.aggregators[0].publicKey", "field.value"),
    ]
    tree["aggregators"] = [{"id": "north"}, None, {"id": []}, aggregator("north")]
    assert [rule for _, rule in faults(tree)] == [
        "field.missing",
        "field.missing",
        "field.type",
        "field.missing",
        "field.missing",
        "field.type",
        "aggregator.duplicate",
    ]


def test_all_faults_of_a_snapshot_are_listed() -> None:
    tree = {
        "asOf": None,
        "saltDigest": "",
        "aggregators": [aggregator("!", name="", publicKey="", address="")],
        "assignments": [assignment(nmi="", aggregator="", to="")],
    }
    assert faults(tree) == [
        ("$.asOf", "field.type"),
        ("$.saltDigest", "field.value"),
        ("$.aggregators[0].id", "field.value"),
        ("$.aggregators[0].name", "field.value"),
        ("$.aggregators[0].publicKey", "field.value"),
        ("$.aggregators[0].address", "field.value"),
        ("$.assignments[0].nmi", "nmi.length"),
        ("$.assignments[0].aggregator", "assignment.aggregator"),
        ("$.assignments[0].to", "time.format"),
    ]


def test_the_rejection_names_the_snapshot() -> None:
    with pytest.raises(DocumentFault, match=r"^registry snapshot rejected: 1 fault; first: \$: "):
        parse_snapshot(b"[]")
