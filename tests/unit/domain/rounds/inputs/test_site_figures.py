"""Figures of sites, checked against a plain loop over the rows of random documents."""

from __future__ import annotations

from statistics import median_low
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.domain.rounds.inputs.envelope_document import parse_history
from oepnode.domain.rounds.inputs.site_figures import (
    SiteFigures,
    figures_of_document,
    joined,
)
from tests.support.envelope_documents import START_S, array, record
from tests.support.sites import even, figures_of, nmi_of, span

KW = st.none() | st.integers(0, 20)
ROW = st.tuples(st.integers(0, 3), st.booleans(), st.integers(0, 11), KW, KW)
ROWS = st.lists(ROW, min_size=1, max_size=40, unique_by=lambda row: row[:3]).filter(
    lambda rows: all(row[3] is not None or row[4] is not None for row in rows)
)


def document(rows: list[tuple[int, bool, int, Any, Any]]) -> bytes:
    records = []
    for site, is_flex, at, export, import_ in rows:
        (only,) = span([at], export, None if import_ is None else -import_)
        level = "Flex" if is_flex else "NMI"
        records.append(record(only, nmi=nmi_of(site), oeApplicationLevel=level))
    return array(*records)


@given(rows=ROWS)
def test_figures_are_those_of_a_plain_loop(rows: list[tuple[int, bool, int, Any, Any]]) -> None:
    figures = figures_of(document(rows))
    keys = sorted({(nmi_of(site), int(is_flex)) for site, is_flex, *_ in rows})
    assert list(zip(map(bytes.decode, figures.nmi), figures.level.tolist(), strict=True)) == keys
    for position, (nmi, level) in enumerate(keys):
        own = [
            (number, row)
            for number, row in enumerate(rows)
            if (nmi_of(row[0]), int(row[1])) == (nmi, level)
        ]
        times = [START_S + 300 * row[2] for _, row in own]
        limits = [[row[kind] * 1000 for _, row in own if row[kind] is not None] for kind in (3, 4)]
        assert figures.record[position] == min(number for number, _ in own)
        assert (figures.first[position], figures.last[position]) == (min(times), max(times))
        assert figures.covered[position] == len(own)
        assert figures.missing[position] == (max(times) - min(times)) // 300 + 1 - len(own)
        assert figures.peak[position] == max(limits[0] + limits[1])
        assert figures.median[position].tolist() == [
            median_low(values) if values else NO_LIMIT for values in limits
        ]


@given(rows=ROWS)
def test_blocks_of_sites_join_to_the_figures_of_the_whole(
    rows: list[tuple[int, bool, int, Any, Any]],
) -> None:
    whole = figures_of(document(rows))
    parts = [whole_of(whole, np.arange(len(whole)) % 2 == side) for side in (1, 0)]
    again = joined([part for part in parts if len(part)])
    for name in SiteFigures.__dataclass_fields__:
        assert (getattr(again, name) == getattr(whole, name)).all()


def whole_of(figures: SiteFigures, kept: Any) -> SiteFigures:
    return SiteFigures(*(getattr(figures, name)[kept] for name in SiteFigures.__dataclass_fields__))


def test_superseded_rows_have_no_figures() -> None:
    late = "2026-11-20T09:00:00+10:00"
    early = "2026-11-20T08:00:00+10:00"
    data = array(
        record(*span([0], export_kw=7000), nmi=nmi_of(1), submissionTimestamp=early),
        record(*span([0], export_kw=5), nmi=nmi_of(1), submissionTimestamp=late),
    )
    figures = figures_of_document(*parse_history(data))
    assert (figures.peak.tolist(), figures.record.tolist()) == ([5000], [0])


def test_its_repr_shows_no_nmi() -> None:
    assert nmi_of(1)[:6] not in repr(figures_of(even([1, 2])))
