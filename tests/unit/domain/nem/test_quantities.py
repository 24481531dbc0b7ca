"""Quantities as integers: limits by profile and sign (rules-v1 section 5), and other units.

Source: Part C §3.3 field 5.2, §4.3.
"""

from __future__ import annotations

from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oepnode.domain.nem.quantities import (
    KINDS,
    KW,
    NO_LIMIT,
    PRICE,
    Feed,
    QuantityError,
    Unit,
    canonical_limit,
    from_floats,
    from_typed,
    parse_limit,
    to_integer,
    to_text,
)
from tests.reference.limits import watts as reference_watts

WIDE, EDGE = Feed(), Feed(profile="edge")
MAGNITUDE = Feed(import_sign="magnitude")
MOST = 2**31 - 1
EXPORTS, IMPORTS = (0, 2), (1, 3)


def rule(text: str, feed: Feed) -> str:
    with pytest.raises(QuantityError) as rejected:
        parse_limit(text, feed)
    return rejected.value.code


@pytest.mark.parametrize(
    ("text", "watts"),
    [
        ("5", 5000),
        ("1.5", 1500),
        ("-1.5", -1500),
        ("1.5000", 1500),
        ("0.001", 1),
        ("1e-3", 1),
        ("1E-3", 1),
        ("15e-1", 1500),
        ("0.15e+1", 1500),
        ("10e2", 1_000_000),
        ("1e0", 1000),
        ("2147483.647", MOST),
        ("-2147483.647", -MOST),
        ("2147483647e-3", MOST),
        ("0.00000000002147483647e17", MOST),
        ("1" + "0" * 400 + "e-400", 1000),
        ("0." + "0" * 400 + "1e401", 1000),
        ("1." + "0" * 5000, 1000),
    ],
)
def test_decimals_are_those_of_the_value_not_of_its_spelling(text: str, watts: int) -> None:
    assert parse_limit(text, WIDE) == watts


@pytest.mark.parametrize("feed", [WIDE, EDGE], ids=["wide", "edge"])
@pytest.mark.parametrize(
    "text",
    [
        "0",
        "-0",
        "0.0",
        "-0.0000000",
        "0e5",
        "0E-999",
        "-0e999999999999999999",
        "0e9999999999999999999999",
        "-0.00e-9999999999999999999999",
    ],
)
def test_zero_is_zero_in_every_spelling(text: str, feed: Feed) -> None:
    assert parse_limit(text, feed) == 0
    for kind in range(4):
        assert canonical_limit(parse_limit(text, feed), kind, feed) == 0
        assert canonical_limit(0, kind, MAGNITUDE) == 0


@pytest.mark.parametrize(
    "text",
    [
        "0.0001",
        "-1.0001",
        "1e-4",
        "15e-5",
        "2147483.6471",
        "1e-999999999999999999",
        "1e-9999999999999999999999",
        "0.5e-99999999999999999999",
        "0." + "0" * 10_000 + "1",
    ],
)
def test_wide_has_at_most_3_decimals(text: str) -> None:
    assert rule(text, WIDE) == "limit.decimals"


@pytest.mark.parametrize(
    "text",
    [
        "2147483.648",
        "-2147483.648",
        "2147483.65",
        "1e7",
        "-1e10",
        "1e999999999",
        "1e999999999999999999",
        "-1e9999999999999999999999",
        "9" * 100_000,
    ],
)
def test_wide_has_at_most_int32_watts_without_the_lowest(text: str) -> None:
    assert rule(text, WIDE) == "limit.range"
    assert NO_LIMIT == -MOST - 1


@pytest.mark.parametrize(
    ("text", "watts"), [("99.99", 99_990), ("-99.99", -99_990), ("9999e-2", 99_990), ("0.01", 10)]
)
def test_edge_reads_decimal_4_2(text: str, watts: int) -> None:
    assert parse_limit(text, EDGE) == watts


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("100", "limit.range"),
        ("-100.00", "limit.range"),
        ("1e2", "limit.range"),
        ("99.991", "limit.decimals"),
        ("0.001", "limit.decimals"),
        ("1.005", "limit.decimals"),
    ],
)
def test_edge_is_strict(text: str, broken: str) -> None:
    assert rule(text, EDGE) == broken


def test_messages_name_the_bounds_of_the_profile() -> None:
    with pytest.raises(QuantityError, match=r"99\.99 kW"):
        parse_limit("100", EDGE)
    with pytest.raises(QuantityError, match="at most 2 decimals"):
        parse_limit("0.001", EDGE)
    with pytest.raises(QuantityError, match=r"2147483\.647 kW"):
        parse_limit("1e99", WIDE)
    with pytest.raises(QuantityError, match="at most 3 decimals"):
        parse_limit("0.0001", WIDE)


@pytest.mark.parametrize("kind", EXPORTS, ids=[KINDS[k] for k in EXPORTS])
@pytest.mark.parametrize("feed", [WIDE, MAGNITUDE], ids=["canonical", "magnitude"])
def test_exports_are_not_negative(kind: int, feed: Feed) -> None:
    assert canonical_limit(MOST, kind, feed) == MOST
    with pytest.raises(QuantityError, match="export") as rejected:
        canonical_limit(-1, kind, feed)
    assert rejected.value.code == "limit.sign"


@pytest.mark.parametrize("kind", IMPORTS, ids=[KINDS[k] for k in IMPORTS])
def test_imports_are_not_positive_or_written_as_magnitudes(kind: int) -> None:
    assert canonical_limit(-MOST, kind, WIDE) == -MOST
    assert canonical_limit(MOST, kind, MAGNITUDE) == -MOST
    for watts, feed in ((1, WIDE), (-1, MAGNITUDE)):
        with pytest.raises(QuantityError, match="import_sign=magnitude") as rejected:
            canonical_limit(watts, kind, feed)
        assert rejected.value.code == "limit.sign"


def judged(value: Decimal, feed: Feed) -> int | str:
    """Watts or the rule, by exact decimal arithmetic."""
    with localcontext(prec=200):
        most, unit = (
            (Decimal("99.99"), Decimal("0.01"))
            if feed.profile == "edge"
            else (Decimal("2147483.647"), Decimal("0.001"))
        )
        if value % unit:
            return "limit.decimals"
        return "limit.range" if abs(value) > most else int(value * 1000)


NUMBERS = st.builds(
    lambda sign, whole, decimals, exponent: (
        sign + str(whole) + (f".{decimals}" if decimals else "") + exponent
    ),
    st.sampled_from(["", "-"]),
    st.one_of(st.integers(0, 200), st.integers(2_147_480, 2_147_490), st.integers(0, 10**15)),
    st.text("0123456789", max_size=8),
    st.one_of(st.just(""), st.builds("{}{}".format, st.sampled_from("eE"), st.integers(-25, 25))),
)


@given(text=NUMBERS, feed=st.sampled_from([WIDE, EDGE]))
def test_any_number_is_read_as_by_exact_decimals(text: str, feed: Feed) -> None:
    expected = judged(Decimal(text), feed)
    if isinstance(expected, int):
        assert parse_limit(text, feed) == expected
    else:
        assert rule(text, feed) == expected


@given(
    text=NUMBERS,
    kind=st.integers(0, 3),
    feed=st.builds(
        Feed, st.sampled_from(["wide", "edge"]), st.sampled_from(["canonical", "magnitude"])
    ),
)
def test_any_number_is_read_as_by_the_reference_model(text: str, kind: int, feed: Feed) -> None:
    expected = reference_watts(text, KINDS[kind], feed.profile, feed.import_sign)
    try:
        actual: int | str = canonical_limit(parse_limit(text, feed), kind, feed)
    except QuantityError as exc:
        actual = exc.code
    assert (actual if isinstance(actual, int) else "rejected") == (
        expected if isinstance(expected, int) else "rejected"
    )


@given(watts=st.integers(-MOST, MOST), zeros=st.integers(0, 5), shift=st.integers(-6, 6))
def test_every_int32_is_read_back_from_every_spelling(watts: int, zeros: int, shift: int) -> None:
    number = f"{watts}{'0' * zeros}e{shift - 3 - zeros}"
    scaled = parse_limit(f"{watts}{'0' * zeros}e{-3 - zeros}", WIDE)
    assert scaled == watts
    if watts and -MOST <= watts * 10**shift <= MOST and shift >= 0:
        assert parse_limit(number, WIDE) == watts * 10**shift


# --- other quantities ----------------------------------------------------------------------------


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
        with pytest.raises(QuantityError):
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
    with pytest.raises(QuantityError) as raised:
        to_integer(text, unit)
    assert (raised.value.code, raised.value.nearest) == (code, nearest)


@pytest.mark.parametrize(
    ("text", "value"), [("+5", 5000), (" -5 ", -5000), (".5", 500), ("5.", 5000), ("1e2", 100_000)]
)
def test_typed_numbers_are_read_exactly(text: str, value: int) -> None:
    assert from_typed(text, KW) == value


@pytest.mark.parametrize(
    "text", ["inf", "-inf", "Infinity", "nan", "", " ", "1_0", "٣", "0x5", "."]
)
def test_text_without_a_finite_number_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="not a number"):
        from_typed(text, KW)


def test_typed_numbers_have_the_bounds_of_their_unit() -> None:
    for text, code in (("1e999999999999", "price.range"), ("1.001", "price.decimals")):
        with pytest.raises(QuantityError) as raised:
            from_typed(text, PRICE)
        assert raised.value.code == code


@given(st.integers(-(2**31) + 1, 2**31 - 1), st.sampled_from([KW, PRICE]))
def test_a_quantity_that_is_written_reads_back(value: int, unit: Unit) -> None:
    text = to_text(value, unit)
    assert to_integer(text, unit) == value
    assert Decimal(text) == Decimal(value).scaleb(-unit.places)
    assert not ("." in text and text.endswith("0"))


@given(st.integers(-(2**31) + 1, 2**31 - 1))
def test_a_float_column_of_whole_watts_is_exact(value: int) -> None:
    read = from_floats(np.array([value / 1000]), KW)
    assert (read.values[0], read.inexact[0], read.beyond[0]) == (value, False, False)


def test_a_float_column_reports_decimals_and_range() -> None:
    read = from_floats(np.array([1.0005, 3e6, np.nan, np.inf, -2.5]), KW)
    assert read.inexact.tolist() == [True, False, False, False, False]
    assert read.beyond.tolist() == [False, True, True, True, False]
    assert read.values.tolist() == [1000, 0, 0, 0, -2500]
