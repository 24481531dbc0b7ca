"""A document compared with the one before it, and with itself."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from oepnode.domain.rounds.inputs.comparison import (
    Comparison,
    Supersession,
    changed_limits,
    compare,
    horizon_steps,
    is_comparable,
    superseded_within,
)
from oepnode.domain.rounds.inputs.envelope_document import parse_document, parse_history
from tests.support.envelope_documents import array, record
from tests.support.sites import even, nmi_of, span, summary, written

CELLS = st.dictionaries(
    st.tuples(st.integers(0, 4), st.integers(0, 9)), st.integers(0, 3), min_size=1, max_size=30
)


def document(cells: dict[tuple[int, int], int]) -> bytes:
    sites: dict[int, list[Any]] = {}
    for (site, at), kw in cells.items():
        sites.setdefault(site, []).extend(span([at], kw))
    return written(sites)


def test_new_and_vanished_sites_and_what_is_superseded() -> None:
    before = summary(written({1: span(range(6)), 2: span(range(6)), 3: span(range(6))}))
    after = summary(written({2: span(range(3, 9)), 3: span(range(5, 9)), 4: span(range(3, 9))}))
    assert compare(after, before) == Comparison(
        sites_before=3,
        new_sites=1,
        vanished_sites=1,
        superseded=3 + 1,
    )
    assert horizon_steps(after, before) == (3, 0)


def test_horizons_with_a_gap_between_supersede_nothing() -> None:
    before, after = summary(even([1, 2])), summary(written({1: span(range(8, 12))}))
    assert horizon_steps(after, before) == (0, 2)
    assert compare(after, before).superseded == 0


def test_levels_of_one_nmi_are_different_sites() -> None:
    before = summary(even([1]))
    after = summary(array(record(*span(range(6)), nmi=nmi_of(1), oeApplicationLevel="Flex")))
    assert compare(after, before).new_sites == 1


@given(old=CELLS, new=CELLS)
def test_changed_limits_are_those_of_a_plain_loop(
    old: dict[tuple[int, int], int], new: dict[tuple[int, int], int]
) -> None:
    changed = sum(old[cell] != new[cell] for cell in old.keys() & new.keys())
    documents = parse_document(document(new)), parse_document(document(old))
    assert changed_limits(*documents) == changed


@given(old=CELLS, new=CELLS)
def test_superseded_intervals_are_those_within_both_spans(
    old: dict[tuple[int, int], int], new: dict[tuple[int, int], int]
) -> None:
    def reach(cells: dict[tuple[int, int], int]) -> set[tuple[int, int]]:
        return {
            (site, at)
            for site in {site for site, _ in cells}
            for at in range(
                min(at for own, at in cells if own == site),
                max(at for own, at in cells if own == site) + 1,
            )
        }

    found = compare(summary(document(new)), summary(document(old)))
    assert found.superseded == len(reach(old) & reach(new))


def test_rows_that_are_superseded_within_a_document() -> None:
    def submitted(minute: int, *rows: Any) -> Any:
        return record(*rows, submissionTimestamp=f"2026-11-20T09:{minute:02}:00+10:00")

    data = array(
        submitted(0, *span(range(6), 5)),
        submitted(1, *span(range(3), 5), *span([3], 4)),
        submitted(2, *span([3], 3), *span([5], 1)),
    )
    _, rows = parse_history(data)
    assert superseded_within(rows) == Supersession(rows=6, changed_intervals=2)


def test_a_document_of_tokens_is_not_comparable_with_one_of_nmis() -> None:
    tokens = summary(array(record(nmi="0123456789abcdef" * 2)))
    assert not is_comparable(tokens, summary(even([1])))
    assert is_comparable(tokens, tokens)
