"""POST envelopes compared with PRE envelopes."""

from __future__ import annotations

from datetime import date

import pytest
from msgspec import UNSET

from oepnode.client.edge.envelope_comparison import compare_envelopes
from oepnode.client.edge.envelopes import load_envelopes
from oepnode.errors import DocumentFault
from tests.support.telemetry_columns import A, B, record
from tests.unit.client.edge.conftest import Write

FIVE = [(5, -5)] * 2


def test_room_and_excess_are_reported_separately(write: Write) -> None:
    pre = load_envelopes(write("pre.json", record(A, FIVE), record(B, FIVE)))
    post = load_envelopes(write("post.json", record(A, [(6.2, -4), (5, -5)], timing="POST")))
    comparison = compare_envelopes(pre, post)
    total = comparison.total
    assert (total.sites, total.intervals, total.only_in_pre) == (1, 2, 1)
    assert (total.export_room_wh, total.import_room_wh) == (100, 0)
    assert (total.export_excess_wh, total.import_excess_wh) == (0, 83)
    (site,) = comparison.sites
    assert (site.nmi, site.level, site.largest_room_w) == (A, "NMI", 1200)
    assert site.difference_w == ((1200, 0), (-1000, 0))


def test_a_site_has_a_line_a_trading_day_and_its_differences_once(write: Write) -> None:
    two_days = [(5, -5)] * 300
    pre = load_envelopes(write("pre.json", record(A, two_days)))
    post = load_envelopes(write("post.json", record(A, two_days, timing="POST")))
    first, second = compare_envelopes(pre, post).sites
    assert first.day < second.day
    assert first.day >= date(2026, 11, 18)
    assert first.intervals + second.intervals == 300
    assert first.intervals_only_in_pre == 0
    assert second.difference_w is UNSET


def test_the_wrong_timing_is_rejected(write: Write) -> None:
    pre = load_envelopes(write("pre.json", record(A, FIVE)))
    with pytest.raises(DocumentFault):
        compare_envelopes(pre, pre)
