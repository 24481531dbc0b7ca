"""Bands: accumulation, and the most that they deliver (HLD §4.6)."""

from __future__ import annotations

import numpy as np
import pytest

from oepnode.domain.edge.boffers.bands import (
    AccumulationError,
    accumulate,
    differences,
    dispatchable,
    increments,
)
from tests.support.boffers import avail, in_kw, one, prices

D3, D3_PRICES = {3: -60, 13: 10, 19: 70}, prices({13: 1.1})


def test_dispatchable_ignores_bands_under_a_fixed_load() -> None:
    low, high = dispatchable(avail(D3), one(-60), one(80), one(-5))
    assert (in_kw(low), in_kw(high)) == ([-5], [0])


def test_accumulated_quantities_that_shrink_are_rejected() -> None:
    sums = accumulate(avail(D3))
    sums[0, 19] -= 1
    with pytest.raises(AccumulationError, match="shrink"):
        increments(sums)
    assert differences(sums)[0, 19] == -1


def test_accumulating_works_on_any_leading_shape() -> None:
    deep = np.stack([avail(D3, 2), avail(D3, 2)])
    assert (accumulate(deep)[1, 1] == accumulate(avail(D3))[0]).all()
    assert (increments(accumulate(deep)) == deep).all()
