"""Boffers as rows of Parquet read back as the days that were written."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oepnode.domain.edge.boffers.frame import from_frame, to_frame
from oepnode.domain.edge.boffers.model import BofferDay
from tests.generators.boffers import boffer_days


@given(st.lists(boffer_days(), min_size=1, max_size=3))
def test_rows_of_parquet_read_back(days: list[BofferDay]) -> None:
    file = BytesIO()
    to_frame(days).write_parquet(file)
    file.seek(0)
    found = from_frame(pl.read_parquet(file)).days
    rows = {(day.identity, *row) for day in days for row in _rows(day)}
    assert {(day.identity, *row) for day in found for row in _rows(day)} == rows


def _rows(day: BofferDay) -> list[tuple[Any, ...]]:
    prices = day.prices.tolist() if day.has_prices else ()
    head = (day.level, day.timing, day.submitted_us, day.accumulated, *prices)
    single = (day.max_avail_load, day.max_avail_gen, day.fixed_load)
    columns = (day.periods, *single, day.states_bands)
    each = zip(*(c.tolist() for c in columns), map(tuple, day.avail.tolist()), strict=True)
    return [(*head, *row) for row in each]


def test_a_frame_of_other_columns_is_rejected() -> None:
    with pytest.raises(ValueError, match="columns"):
        from_frame(pl.DataFrame({"nmi": ["x"]}))
