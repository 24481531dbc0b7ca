from __future__ import annotations

import pytest

from oepnode.domain.edge.envelopes.pre_post import compare
from oepnode.domain.edge.envelopes.table import EXPORT, IMPORT
from oepnode.domain.nem.nem_time import period_start, trading_period
from oepnode.errors import DocumentFault
from tests.support.telemetry_columns import START, A, B, C, envelopes, record


def test_room_is_the_excess_of_post_over_pre_in_both_directions() -> None:
    pre = envelopes(record(A, [(5, -5), (5, -5)]))
    post = envelopes(record(A, [(6.2, -4), (5, -7)], timing="POST"))
    comparison = compare(pre, post)
    assert comparison.difference_w[0].tolist() == [[1200, 0], [-1000, 2000]]
    assert comparison.room_w[0].tolist() == [[1200, 0], [0, 2000]]
    assert comparison.excess_w[0].tolist() == [[0, 0], [1000, 0]]
    assert comparison.daily_wh(comparison.room_w)[0, :, 0].tolist() == [100, 167]
    assert comparison.is_compared.all()


def test_a_constant_kilowatt_more_is_24_kwh_a_day() -> None:
    day, _ = trading_period(START)
    first = (period_start(day, 1) - START) // 300
    pre = envelopes(record(A, [(5, -5)] * 288, first=first))
    post = envelopes(record(A, [(6, -5)] * 288, first=first, timing="POST"))
    comparison = compare(pre, post)
    assert comparison.days == (day,)
    assert comparison.daily_wh(comparison.room_w)[0, EXPORT].tolist() == [24_000]
    assert comparison.daily_wh(comparison.room_w)[0, IMPORT].tolist() == [0]


def test_energy_is_reported_by_trading_day() -> None:
    day, period = trading_period(START)
    rest = 288 - period + 1
    comparison = compare(
        envelopes(record(A, [(5, -5)] * (rest + 12))),
        envelopes(record(A, [(6, -5)] * (rest + 12), timing="POST")),
    )
    assert len(comparison.days) == 2
    assert comparison.days[0] == day
    assert comparison.daily_wh(comparison.room_w)[0, EXPORT].tolist() == [rest * 1000 // 12, 1000]


def test_only_common_sites_and_intervals_are_compared_and_the_others_counted() -> None:
    pre = envelopes(record(A, [(5, -5)] * 2), record(B, [(5, -5)]))
    post = envelopes(
        record(A, [(6, -6)], first=1, timing="POST"),
        record(A, [(6, -6)], first=2, timing="POST"),
        record(C, [(6, -6)], first=1, timing="POST"),
        record(A, [(1, -1)], level="Flex", first=1, timing="POST"),
    )
    comparison = compare(pre, post)
    assert comparison.nmis.tolist() == [A.encode()]
    assert (comparison.pre_only, comparison.post_only) == (1, 2)
    assert comparison.horizon_start == START + 300
    assert comparison.difference_w.tolist() == [[[1000], [1000]]]
    assert (comparison.pre_only_intervals.tolist(), comparison.post_only_intervals.tolist()) == (
        [1],
        [1],
    )


def test_intervals_that_one_side_lacks_are_counted_in_and_beyond_the_common_horizon() -> None:
    pre = envelopes(record(A, [(5, -5)] * 3))
    post = envelopes(
        record(A, [(6, -6)] * 2, timing="POST"), record(A, [(6, -6)], first=3, timing="POST")
    )
    comparison = compare(pre, post)
    assert comparison.is_compared.tolist() == [[[True, True, False]] * 2]
    assert (comparison.pre_only_intervals.tolist(), comparison.post_only_intervals.tolist()) == (
        [1],
        [1],
    )
    whole = compare(pre, envelopes(record(A, [(6, -6)] * 3, timing="POST")))
    assert (whole.pre_only_intervals.tolist(), whole.post_only_intervals.tolist()) == ([0], [0])


def test_where_one_side_has_no_limit_nothing_is_compared() -> None:
    pre = envelopes(record(A, [(5, -5)]), record(B, [(5, -5)] * 2))
    post = envelopes(*(record(n, [(6, -6)] * 2, timing="POST") for n in (A, B)))
    comparison = compare(pre, post)
    assert comparison.is_compared[0].tolist() == [[True, False]] * 2
    assert comparison.difference_w[0].tolist() == [[1000, 0]] * 2


@pytest.mark.parametrize("which", [0, 1])
def test_the_timing_must_be_what_it_is_compared_as_part_c_6_3_field_2(which: int) -> None:
    pre, post = record(A, [(5, -5)]), record(A, [(5, -5)], timing="POST")
    both = [pre, pre] if which else [post, post]
    with pytest.raises(DocumentFault) as caught:
        compare(envelopes(both[0]), envelopes(both[1]))
    assert [fault.code for fault in caught.value.faults] == ["timing.mismatch"]


def test_nothing_in_common_is_rejected() -> None:
    with pytest.raises(DocumentFault) as caught:
        compare(
            envelopes(record(A, [(5, -5)])),
            envelopes(record(B, [(5, -5)], first=1, timing="POST")),
        )
    assert {f.code for f in caught.value.faults} == {"horizon.disjoint", "site.disjoint"}
