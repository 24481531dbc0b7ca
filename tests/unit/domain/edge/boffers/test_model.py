"""Days of Boffers made from plain values."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from oepnode.domain.edge.boffers.model import make_day

DAY = date(2026, 11, 20)


def test_hld_4_6_4_no_quantity_is_made_without_a_price() -> None:
    with pytest.raises(ValueError, match="price/quantity pair"):
        make_day("UNIT1", DAY, None, [-1, *[0] * 19])


@pytest.mark.parametrize("bad", [{"avail": [0] * 19}, {"prices": range(19)}, {"periods": [1, 2]}])
def test_shapes_that_do_not_fit_are_rejected(bad: dict[str, Any]) -> None:
    given_values: dict[str, Any] = {"prices": range(20), "avail": [0] * 20} | bad
    with pytest.raises(ValueError, match="20"):
        make_day("UNIT1", DAY, **given_values)
