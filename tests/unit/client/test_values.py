"""Values as people type and read them."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from oepnode.client.values import (
    band_price_text,
    dollars,
    integer_price,
    market_price_text,
    parse_amount,
    parse_date,
    parse_instant,
    parse_nmi,
)
from oepnode.domain.nem.quantities import KW, PRICE
from oepnode.errors import ConfigError


def test_amounts_are_read_exactly() -> None:
    assert parse_amount("-2.5", "--x", KW) == -2500
    assert parse_amount("+.01", "--x", PRICE) == 1
    assert (band_price_text(110), market_price_text(100_001)) == ("1.1", "1.00001")
    assert dollars(-100_000) == "-$1,000.00"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("inf", "--x must be a number of kW"),
        ("5.0001", "--x: at most 3 decimals"),
        ("1e400", "--x: at"),
    ],
)
def test_other_amounts_are_rejected_with_their_name(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_amount(text, "--x", KW)


def test_a_price_is_any_integer_in_range_but_no_truth_value() -> None:
    price = integer_price(np.int64(5), PRICE)
    assert (price, type(price)) == (5, int)
    for value in (True, 5.0, "5", None, PRICE.most + 1, -(2**70)):
        with pytest.raises(
            ConfigError, match="a price must be an integer of 10⁻² \\$/MWh, at most"
        ):
            integer_price(value, PRICE)


def test_dates_and_instants() -> None:
    assert parse_date("2026-11-20", "--date") == date(2026, 11, 20)
    assert parse_instant("1970-01-01T10:00:00+10:00", "--submitted") == 0
    with pytest.raises(ConfigError, match="--date must be yyyy-mm-dd, received 'today'"):
        parse_date("today", "--date")
    with pytest.raises(ConfigError, match="--submitted: "):
        parse_instant("now", "--submitted")


def test_an_nmi_is_not_repeated_in_a_message() -> None:
    assert parse_nmi("6305000001", "--nmi") == "6305000001"
    assert parse_nmi("63050000016", "--nmi") == "6305000001"
    with pytest.raises(ConfigError, match="--nmi: character 10 is 'O'") as caught:
        parse_nmi("630500000O", "--nmi")
    assert "630500000O" not in str(caught.value)
