"""Envelopes of several rounds as one table (rules-v1 section 14)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from oepnode.domain.edge.envelopes.rounds import combine
from oepnode.domain.edge.envelopes.table import EnvelopeTable, from_bundle
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.domain.rounds.precedence import RoundHorizon, spans_in_force
from tests.support.round_world import COUNT, FLEX, START, verified

PLAIN = from_bundle(verified("A1"), verified("A1").nmis)


def shifted(intervals: int, limit: int, sites: slice = slice(None)) -> EnvelopeTable:
    """The table some intervals later, with one limit everywhere."""
    kept = np.arange(PLAIN.site_count)[sites]
    return replace(
        PLAIN,
        nmis=PLAIN.nmis[kept],
        levels=PLAIN.levels[kept],
        timings=np.ones(len(kept), dtype=np.uint8),
        objectives=("later",) * len(kept),
        horizon_start=START + 300 * intervals,
        limits=np.full((len(kept), 4, COUNT), limit, dtype=np.int32),
        submitted_us=PLAIN.submitted_us[kept],
    )


def combined(tables: dict[int, EnvelopeTable]) -> EnvelopeTable:
    horizons = [RoundHorizon(n, t.horizon_start, t.interval_count) for n, t in tables.items()]
    return combine(tables, spans_in_force(horizons))


def limits_of(table: EnvelopeTable, nmi: str, level: int = 0) -> list[int]:
    at = (table.nmis == nmi.encode()) & (table.levels == level)
    (site,) = np.flatnonzero(at)
    return [int(limit) for limit in table.limits[site, 0]]


def test_one_round_is_itself() -> None:
    table = combined({3: PLAIN})
    order = np.lexsort((PLAIN.levels, PLAIN.nmis))
    assert table.nmis.tolist() == PLAIN.nmis[order].tolist()
    assert np.array_equal(table.limits, PLAIN.limits[order])


def test_the_higher_round_counts_where_both_cover() -> None:
    table = combined({4: shifted(2, 77), 3: PLAIN})
    assert (table.horizon_start, table.interval_count) == (START, COUNT + 2)
    old = limits_of(combined({3: PLAIN}), FLEX)
    assert limits_of(table, FLEX) == old[:2] + [77] * COUNT
    assert limits_of(table, FLEX, level=1)[2:] == [77] * COUNT


def test_a_lower_round_comes_back_after_a_shorter_higher_one() -> None:
    short = shifted(2, 77)
    short = replace(short, limits=short.limits[:, :, :2], submitted_us=short.submitted_us[:, :2])
    old = limits_of(combined({3: PLAIN}), FLEX)
    assert limits_of(combined({3: PLAIN, 4: short}), FLEX) == [*old[:2], 77, 77, *old[4:]]


def test_a_site_that_the_higher_round_lacks_has_no_limit_there() -> None:
    table = combined({3: PLAIN, 4: shifted(2, 77, slice(1, None))})
    missing, level = PLAIN.nmis[0].decode(), int(PLAIN.levels[0])
    assert limits_of(table, missing, level)[2:] == [NO_LIMIT] * COUNT
    (site,) = np.flatnonzero((table.nmis == PLAIN.nmis[0]) & (table.levels == level))
    assert table.objectives[site] == "Maximise service"
    assert table.objectives.count("later") == PLAIN.site_count - 1


def test_a_round_in_force_without_a_table_leaves_no_limits() -> None:
    spans = spans_in_force([RoundHorizon(3, START, COUNT), RoundHorizon(5, START + 600, 2)])
    table = combine({3: PLAIN}, spans)
    old = limits_of(combined({3: PLAIN}), FLEX)
    assert limits_of(table, FLEX) == [*old[:2], NO_LIMIT, NO_LIMIT, *old[4:]]
