from __future__ import annotations

import numpy as np
import pytest

from oepnode.domain.edge.timeseries.energy import energy_wh, rounded_wh


@pytest.mark.parametrize(
    ("watts", "wh"), [(0, 0), (6, 1), (5, 0), (2000, 167), (1000, 83), (18, 2), (34_182, 2849)]
)
def test_energy_is_rounded_alike_both_ways(watts: int, wh: int) -> None:
    assert energy_wh(np.array([watts])) == wh
    assert energy_wh(np.array([-watts])) == -wh
    assert energy_wh(np.array([], dtype=np.int64)) == 0
    assert rounded_wh(np.array([[watts], [-watts]])).tolist() == [[wh], [-wh]]
