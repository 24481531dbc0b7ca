"""Results as JSON: structs and frames become plain values."""

from __future__ import annotations

import json
from datetime import date

import polars as pl
import pytest
from msgspec import UNSET, Struct, UnsetType

from oepnode.client.answers import PrivateStruct, to_json


class Result(Struct, frozen=True):
    day: date
    rows: pl.DataFrame
    extra: int | UnsetType = UNSET


def test_frames_become_rows_and_unset_fields_are_left_out() -> None:
    rows = pl.DataFrame({"nmi": ["a", "b"], "watts": [1, None]})
    value = to_json(Result(date(2026, 11, 20), rows))
    assert value == {
        "day": "2026-11-20",
        "rows": [{"nmi": "a", "watts": 1}, {"nmi": "b", "watts": None}],
    }
    assert json.loads(json.dumps(value)) == value


def test_nested_columns_become_objects_and_arrays() -> None:
    rows = pl.DataFrame({"counts": [{"a": 1}], "each": [[{"b": 2}]]})
    assert to_json(rows) == [{"counts": {"a": 1}, "each": [{"b": 2}]}]


def test_a_private_struct_shows_no_field() -> None:
    class Site(PrivateStruct, frozen=True, kw_only=True):
        nmi: str

    assert repr(Site(nmi="6305000001")) == str(Site(nmi="6305000001")) == "Site(…)"
    assert to_json(Site(nmi="6305000001")) == {"nmi": "6305000001"}


def test_anything_else_is_an_error() -> None:
    with pytest.raises(NotImplementedError, match="object"):
        to_json(object())
