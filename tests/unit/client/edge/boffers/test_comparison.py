"""Differences between the Boffers of two files."""

from __future__ import annotations

import polars as pl
import pytest

from oepnode.client.edge.boffers.comparison import compare_boffers
from oepnode.client.edge.boffers.selection import BofferChoice
from oepnode.errors import ConfigError, EvidenceError
from tests.support.boffers import prices
from tests.support.loaded_boffers import D3_PRICES, NEXT, loaded, unit


def test_changes_of_prices_and_quantities_are_reported() -> None:
    repriced, smaller = unit(bands=prices({13: 1.2})), unit()
    smaller.avail[:, 18] = 60_000
    before = loaded(unit(), name="a.json")
    (late,) = compare_boffers(before, loaded(repriced)).offers
    assert late.repriced_bands == tuple(
        band + 1 for band in range(20) if prices({13: 1.2})[band] != D3_PRICES[band]
    )
    assert late.is_changed_after_gate_closure
    with pytest.raises(EvidenceError, match="1 Boffer changes prices after gate closure"):
        compare_boffers(before, loaded(repriced)).require_gate_closure()
    comparison = compare_boffers(before, loaded(smaller, unit("UNIT2")))
    (change,) = comparison.offers
    assert (change.repriced_bands, change.is_changed_after_gate_closure) == ((), False)
    assert change.generation_change_wh == -10_000 * 24
    assert (change.changed_periods, comparison.only_after) == (288, 1)
    assert change.periods["generation_before_w"].to_list()[:1] == [80_000]
    assert isinstance(change.periods, pl.DataFrame)
    assert comparison.changed_after_gate_closure == 0
    comparison.require_gate_closure()


def test_files_without_a_common_boffer_are_not_compared() -> None:
    with pytest.raises(ConfigError, match=r"a\.json and the later b\.json have .* in common"):
        compare_boffers(loaded(unit(), name="a.json"), loaded(unit("UNIT2")))
    with pytest.raises(ConfigError, match="in common"):
        compare_boffers(loaded(unit()), loaded(unit()), choice=BofferChoice(date=NEXT))
