"""Clearing prices from files."""

from __future__ import annotations

from pathlib import Path

import pytest

from oepnode.client.edge.boffers.prices import load_prices
from oepnode.errors import ConfigError

END = "2026-11-20T04:05:00+10:00"


@pytest.mark.parametrize(
    "text",
    [
        f"interval_end,price\n{END},1.00001\n",
        "SETTLEMENTDATE,RRP,REGIONID\n2026/11/20 04:05:00,1.00001,VIC1\n",
        "RRP,settlementdate\n1.00001,2026/11/20 04:05:00\n",
    ],
)
def test_a_price_is_exact_and_named_by_its_interval(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.csv").write_text(text)
    assert load_prices(str(tmp_path / "p.csv")) == {END: 100_001}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not CSV with columns"),
        ("a,b\n1,2\n", "the columns must be either interval_end and price, or SETTLEMENTDATE"),
        (f"interval_end,price,region\n{END},1,a\n{END},1,b\n", r"several regions \(column region"),
        (f"interval_end,price\n{END},1\n{END},1\n", "line 3: a second price for one interval"),
        (f"interval_end,price\n{END},x\n", "line 2: the price must be a number of "),
        ("interval_end,price\ntoday,1\n", "line 2: .*received 'today'"),
        ("interval_end,price\n2026/11/20 04:06:00,1\n", "line 2: "),
    ],
)
def test_a_line_that_is_no_price_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(ConfigError, match=rf"p\.csv.*{message}"):
        load_prices(tmp_path / "p.csv")


def test_an_absent_file_is_not_a_wrong_one() -> None:
    with pytest.raises(ConfigError, match=r"absent\.csv: file of prices not readable: No such"):
        load_prices("absent.csv")
