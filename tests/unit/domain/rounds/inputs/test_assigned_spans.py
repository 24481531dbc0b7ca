"""Sites that have an aggregator, by a registry snapshot or a list."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.nem.tokens import SiteIdKind
from oepnode.domain.rounds.inputs.assigned_spans import (
    AssignedBySnapshot,
    AssignedList,
    parse_site_list,
)
from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
from oepnode.errors import DocumentFault
from tests.support.envelope_documents import START_S, array, assignment, dump, record, snapshot
from tests.support.sites import even, figures_of, nmi_of, span, written

SPANS = st.lists(st.tuples(st.integers(0, 3), st.integers(-3, 12), st.integers(1, 9)), max_size=8)


def disjoint(spans: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Those of the spans that overlap no earlier one of the same site."""
    kept: list[tuple[int, int, int]] = []
    for site, start, length in spans:
        others = [(s, e) for own, s, e in kept if own == site]
        if all(start >= end or start + length <= first for first, end in others):
            kept.append((site, start, start + length))
    return kept


def assigned(spans: list[tuple[int, int, int]]) -> AssignedBySnapshot:
    items: list[Any] = [
        assignment(
            nmi=nmi_of(site),
            **{"from": format_nem(START_S + 300 * start), "to": format_nem(START_S + 300 * end)},
        )
        for site, start, end in spans
    ]
    return AssignedBySnapshot(parse_snapshot(dump(snapshot(*items)).encode()))


@given(spans=SPANS.map(disjoint))
def test_intervals_with_an_aggregator_are_counted_as_in_a_plain_loop(
    spans: list[tuple[int, int, int]],
) -> None:
    first = {0: 0, 1: 2, 2: 5}
    figures = figures_of(written({site: span(range(at, 9)) for site, at in first.items()}))
    expected = [
        sum(any(own == site and s <= n < e for own, s, e in spans) for n in range(at, 9))
        for site, at in first.items()
    ]
    assert assigned(spans).intervals_of(figures).tolist() == expected


def test_both_levels_of_an_nmi_have_its_aggregator() -> None:
    rows = span(range(6))
    figures = figures_of(
        array(
            record(*rows, nmi=nmi_of(1)),
            record(*rows, nmi=nmi_of(1), oeApplicationLevel="Flex"),
            record(*rows, nmi=nmi_of(2)),
        )
    )
    assert assigned([(1, 0, 4)]).intervals_of(figures).tolist() == [4, 4, 0]


def test_a_list_assigns_at_all_times() -> None:
    figures = figures_of(even([1, 2, 3]))
    listed = AssignedList(np.array([nmi_of(3), nmi_of(1)], dtype="S10"))
    assert listed.intervals_of(figures).tolist() == [6, 0, 6]


@pytest.mark.parametrize(
    "text",
    [
        b"nmi\n6305800001\n6305800003\n",
        b"\xef\xbb\xbf6305800001\r\n\r\n6305800003",
        b'"6305800001",north\n6305800003,south,2026\n',
    ],
    ids=["header", "mark and CRLF", "columns"],
)
def test_a_list_is_read_line_by_line(text: bytes) -> None:
    figures = figures_of(even([1, 2, 3]))
    listed = parse_site_list(text)
    assert listed.site_id_kind is SiteIdKind.NMI
    assert listed.intervals_of(figures).tolist() == [6, 0, 6]


def test_a_line_without_an_identifier_is_named_and_not_quoted() -> None:
    with pytest.raises(DocumentFault) as raised:
        parse_site_list(b"6305800001\n630580000\nnmi\n")
    faults = [(fault.path, fault.code) for fault in raised.value.faults]
    assert faults == [("$.rows[1]", "nmi.length"), ("$.rows[2]", "nmi.length")]
    assert "63058" not in str(raised.value)


def test_a_list_of_both_kinds_is_rejected() -> None:
    with pytest.raises(DocumentFault, match=r"nmi\.mixed"):
        parse_site_list(b"6305800001\n" + b"0123456789abcdef" * 2)


def test_an_empty_list_assigns_nothing() -> None:
    assert parse_site_list(b"").site_id_kind is None
    assert parse_site_list(b"").intervals_of(figures_of(even([1]))).tolist() == [0]
