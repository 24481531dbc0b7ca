"""Tolerances: ranges of their amounts."""

import pytest

from oepnode.domain.edge.timeseries.tolerance import Tolerance
from oepnode.errors import ConfigError


@pytest.mark.parametrize(
    "wrong", [{"watts": -1}, {"permille": 1001}, {"permille": -1}, {"minutes": 0}, {"minutes": 6}]
)
def test_a_tolerance_out_of_range_is_rejected(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="tolerance"):
        Tolerance(**wrong)
