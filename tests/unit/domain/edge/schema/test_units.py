"""Integer units: exactly what was written, or a fault (Part C §3.3 field 5.2, §4.3)."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oepnode.domain.edge.schema.units import (
    KW,
    PRICE,
    Unit,
    UnitError,
    from_floats,
    from_typed,
    to_integer,
    to_text,
)


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("0", KW, 0),
        ("-0", KW, 0),
        ("-0.0", KW, 0),
        ("1", KW, 1000),
        ("1.5", KW, 1500),
        ("-0.001", KW, -1),
        ("0.1000", KW, 100),
        ("1e3", KW, 1_000_000),
        ("1.5E-3", PRICE, None),
        ("15E-2", PRICE, 15),
        ("2147483.647", KW, 2**31 - 1),
        ("-1000", PRICE, -100_000),
        ("15100.00", PRICE, 1_510_000),
        ("78.01", PRICE, 7801),
        ("0e999999999999999999999", KW, 0),
    ],
)
def test_numbers_are_read_exactly(text: str, unit: Unit, value: int | None) -> None:
    if value is None:
        with pytest.raises(UnitError):
            to_integer(text, unit)
    else:
        assert to_integer(text, unit) == value


@pytest.mark.parametrize(
    ("text", "unit", "code", "nearest"),
    [
        ("1.005", PRICE, "price.decimals", 100),
        ("78.019", PRICE, "price.decimals", 7802),
        ("0.0001", KW, "power.decimals", 0),
        ("1e-30", KW, "power.decimals", 0),
        ("1e-99999999999999999999", KW, "power.decimals", 0),
        ("2147483.648", KW, "power.range", 0),
        ("1e40", KW, "power.range", 0),
        ("1e99999999999999999999", KW, "power.range", 0),
        ("12345678901234567890", PRICE, "price.range", 0),
        ("1.0000000000000000000000000000000000000001", KW, "power.decimals", 1000),
        ("99999999999.0005", KW, "power.decimals", 0),
    ],
)
def test_other_numbers_are_faults(text: str, unit: Unit, code: str, nearest: int) -> None:
    with pytest.raises(UnitError) as raised:
        to_integer(text, unit)
    assert (raised.value.code, raised.value.nearest) == (code, nearest)


@pytest.mark.parametrize(
    ("text", "value"), [("+5", 5000), (" -5 ", -5000), (".5", 500), ("5.", 5000), ("1e2", 100_000)]
)
def test_what_a_person_types_is_read_exactly(text: str, value: int) -> None:
    assert from_typed(text, KW) == value


@pytest.mark.parametrize(
    "text", ["inf", "-inf", "Infinity", "nan", "", " ", "1_0", "٣", "0x5", "."]
)
def test_what_is_no_finite_number_is_no_amount(text: str) -> None:
    with pytest.raises(ValueError, match="not a number"):
        from_typed(text, KW)


def test_typed_numbers_have_the_bounds_of_their_unit() -> None:
    for text, code in (("1e999999999999", "price.range"), ("1.001", "price.decimals")):
        with pytest.raises(UnitError) as raised:
            from_typed(text, PRICE)
        assert raised.value.code == code


@given(st.integers(-(2**31) + 1, 2**31 - 1), st.sampled_from([KW, PRICE]))
def test_what_is_written_reads_back(value: int, unit: Unit) -> None:
    text = to_text(value, unit)
    assert to_integer(text, unit) == value
    assert Decimal(text) == Decimal(value).scaleb(-unit.places)
    assert not ("." in text and text.endswith("0"))


@given(st.integers(-(2**31) + 1, 2**31 - 1))
def test_a_float_column_of_whole_watts_is_exact(value: int) -> None:
    read = from_floats(np.array([value / 1000]), KW)
    assert (read.values[0], read.inexact[0], read.beyond[0]) == (value, False, False)


def test_a_float_column_tells_decimals_and_range() -> None:
    read = from_floats(np.array([1.0005, 3e6, np.nan, np.inf, -2.5]), KW)
    assert read.inexact.tolist() == [True, False, False, False, False]
    assert read.beyond.tolist() == [False, True, True, True, False]
    assert read.values.tolist() == [1000, 0, 0, 0, -2500]
