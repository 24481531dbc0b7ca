"""Any bytes give a document, a snapshot or a `DocumentFault`, as in the reference model.

Bytes and trees of small valid documents are damaged at random: nothing else than a fault may come
out, faults show no NMI, and the reference model accepts the same documents, with equal rows.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from oepnode.domain.nem.quantities import NO_LIMIT, Feed
from oepnode.domain.rounds.inputs.envelope_document import Document, parse_document
from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
from oepnode.errors import DocumentFault
from tests.reference.envelope import read_envelope
from tests.reference.json_reader import Rejected
from tests.reference.registry import read_registry
from tests.support.envelope_documents import (
    NMI,
    OTHER_NMI,
    SALT,
    START,
    aggregator,
    array,
    assignment,
    check_rejection,
    interval,
    ndjson,
    record,
    snapshot,
    without,
)

RECORDS: list[Any] = [
    record(
        interval(reactivePowerExportLimit=0.25, reactivePowerImportLimit=None),
        without(interval(diEndTime="2026-11-20T10:10:00+10:00"), "diStartTime"),
        submissionTimestamp="2026-11-20T09:00:00.5+10:00",
        tradingDate="2026-11-20",
    ),
    record(
        interval(activePowerExportLimit=1e-3, activePowerImportLimit=-0.0),
        nmi=NMI + "6",
        submissionDatetime="2026-11-20T09:30:00Z",
    ),
    record(nmi=OTHER_NMI, oeApplicationLevel="Flex", oeTiming="POST", oeObjectiveFunction="größer"),
]
SNAPSHOT: Any = snapshot(
    assignment(to="2026-11-20T10:05:00+10:00"),
    assignment(**{"from": "2026-11-20T10:05:00+10:00", "aggregator": "south"}),
    assignment(nmi=OTHER_NMI),
    aggregators=[aggregator("north"), aggregator("south", address="0x" + "aB" * 20)],
)
SOURCES = [array(*RECORDS), ndjson(*RECORDS), json.dumps(SNAPSHOT).encode()]
SECRETS = (NMI, OTHER_NMI, SALT.hex())
MANY = settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow])


def rows(document: Document) -> dict[tuple[str, int, int], tuple[int | None, ...]]:
    return {
        (
            document.nmi[site].decode(),
            int(document.level[site]),
            document.horizon_start + int(interval_index) * 300,
        ): tuple(None if limit == NO_LIMIT else limit for limit in limits)
        for site, interval_index, limits in zip(
            document.row_site, document.row_interval, document.limits.tolist(), strict=True
        )
    }


def judge_document(data: bytes, feed: Feed) -> None:
    try:
        expected = read_envelope(data, feed.profile, feed.import_sign)
    except Rejected:
        expected = None
    try:
        document = parse_document(data, feed)
    except DocumentFault as exc:
        check_rejection(exc, SECRETS)
        assert expected is None, exc
        event(f"rejected: {exc.faults[0].code}")
    else:
        assert expected is not None
        assert rows(document) == {
            (*site, start): limits
            for site, cells in expected.rows.items()
            for start, limits in cells.items()
        }
        event("accepted")


def judge_snapshot(data: bytes) -> None:
    try:
        expected = read_registry(data)
    except Rejected:
        expected = None
    try:
        parsed = parse_snapshot(data)
    except DocumentFault as exc:
        check_rejection(exc, SECRETS)
        assert expected is None, exc
        event(f"rejected: {exc.faults[0].code}")
    else:
        assert expected is not None
        assert parsed.salt_digest == expected.salt_digest
        assert [a.id for a in parsed.aggregators] == list(expected.aggregators)
        assigned = zip(parsed.nmi.tolist(), parsed.aggregator, parsed.start.tolist(), strict=True)
        assert sorted((n.decode(), parsed.aggregators[a].id, s) for n, a, s in assigned) == sorted(
            (a.nmi, a.aggregator, a.start) for a in expected.assignments
        )
        event("accepted")


# --- Bytes ----------------------------------------------------------------------------------------

Edit = tuple[str, int, int, bytes]
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "insert", "delete", "splice", "repeat"]),
        st.integers(0, 2**16),
        st.integers(0, 255),
        st.one_of(
            st.binary(max_size=6),
            st.sampled_from(
                [b"[", b"]", b"{", b"}", b",", b'"', b"\\", b"\n", b"\r\n", b"NaN", b"1e9", b"-"]
                + [b"0", b".", b"\xff", b"\xef\xbb\xbf", b"\\u0000", b"\\ud800", b"null", b"[" * 99]
            ),
        ),
    ),
    min_size=1,
    max_size=4,
)


def damaged(data: bytes, edits: list[Edit]) -> bytes:
    for kind, seed, size, piece in edits:
        at = seed % (len(data) + 1)
        if kind == "flip" and at < len(data):
            data = data[:at] + bytes([data[at] ^ (1 << size % 8)]) + data[at + 1 :]
        elif kind == "insert":
            data = data[:at] + piece + data[at:]
        elif kind == "delete":
            data = data[:at] + data[at + size % 20 :]
        elif kind == "splice":
            start = seed * 31 % (len(data) + 1)
            data = data[:at] + data[start : start + size] + data[at:]
        elif kind == "repeat":
            data = data[:at] + data[at : at + size % 40] * 3 + data[at:]
    return data


@MANY
@given(source=st.sampled_from(SOURCES), edits=EDITS, feed=st.builds(Feed))
def test_damaged_bytes(source: bytes, edits: list[Edit], feed: Feed) -> None:
    data = damaged(source, edits)
    judge_document(data, feed)
    judge_snapshot(data)


@MANY
@given(data=st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    judge_document(data, Feed())
    judge_snapshot(data)


@settings(deadline=None, max_examples=100)
@given(source=st.sampled_from(SOURCES), at=st.integers(0, 2**16))
def test_bytes_cut_anywhere(source: bytes, at: int) -> None:
    judge_document(source[: at % len(source)], Feed())
    judge_snapshot(source[: at % len(source)])


# --- Trees ----------------------------------------------------------------------------------------

TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [NMI, NMI + "6", OTHER_NMI, START, "2026-11-20T10:05:00", "2026-11-20", "1970-01-01"]
        + ["2026-11-21T10:05:00+11:00", "1970-01-01T00:00:00Z", "PRE", "POST", "NMI", "Flex"]
        + ["north", "south", "", "ab" * 32, "0x" + "ab" * 20, "\ud800", "\x00"]
    ),
)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**12), 10**12),
        st.floats(),
        st.integers(-99_990, 99_990).map(lambda n: n / 1000),
        TEXTS,
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=4,
)


def slots(tree: Any) -> list[tuple[Any, Any]]:
    """(container, key) of every value of a tree."""
    parsed: list[tuple[Any, Any]] = []
    keys: Any = ()
    if isinstance(tree, dict):
        keys = tree.keys()
    elif isinstance(tree, list):
        keys = range(len(tree))
    for key in keys:
        parsed += [(tree, key), *slots(tree[key])]
    return parsed


@st.composite
def damaged_trees(draw: st.DrawFn, source: Any) -> Any:
    tree = [copy.deepcopy(source)]
    for _ in range(draw(st.integers(1, 3))):
        spots = slots(tree)
        container, key = draw(st.sampled_from(spots))
        kind = draw(st.sampled_from(["replace", "transplant", "remove", "rename", "copy"]))
        if kind == "replace":
            container[key] = draw(VALUES)
        elif kind == "transplant":
            other, name = draw(st.sampled_from(spots))
            container[key] = copy.deepcopy(other[name])
        elif kind == "remove" and container is not tree:
            del container[key]
        elif kind == "rename" and isinstance(container, dict):
            names = st.one_of(TEXTS, st.sampled_from(["Intervals", "diStarttime", "address", "to"]))
            container[draw(names)] = container.pop(key)
        elif kind == "copy" and isinstance(container, list):
            container.append(copy.deepcopy(container[key]))
    return tree[0]


@MANY
@given(tree=damaged_trees(RECORDS), lines=st.booleans(), feed=st.builds(Feed))
def test_damaged_trees_of_documents(tree: Any, lines: bool, feed: Feed) -> None:
    if lines and isinstance(tree, list):
        data = "\n".join(json.dumps(item) for item in tree).encode()
    else:
        data = json.dumps(tree).encode()
    judge_document(data, feed)


@MANY
@given(tree=damaged_trees(SNAPSHOT))
def test_damaged_trees_of_snapshots(tree: Any) -> None:
    judge_snapshot(json.dumps(tree).encode())


def test_the_documents_that_are_damaged_are_good() -> None:
    for data in SOURCES[:2]:
        assert len(rows(parse_document(data))) == 3
    assert len(parse_snapshot(SOURCES[2]).nmi) == 3
