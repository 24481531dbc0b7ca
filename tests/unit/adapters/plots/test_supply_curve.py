"""The supply curve's picture: same bytes for the same curve, and the document's numbers in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from oepnode.adapters.plots import figure
from oepnode.adapters.plots.supply_curve import CurvePicture, draw
from oepnode.domain.edge.clearing.supply_curve import supply_curve
from oepnode.errors import ConfigError
from tests.support.boffers import avail, prices

PRICES = prices({13: 1.1})
D3 = CurvePicture(
    title="Boffer",
    subtitle="period 1",
    steps=supply_curve(PRICES, avail({3: -60, 13: 10, 19: 70})[0], -60_000, 80_000),
    low_price=int(PRICES.min()),
    high_price=int(PRICES.max()),
    bounds=(("maxAvailGen", 80_000), ("maxAvailLoad", -60_000)),
)


def svg(picture: CurvePicture, path: Path) -> str:
    figure.save(draw(picture), path)
    return path.read_text()


def test_hld_d3_supply_chart_shows_quantities_prices_and_bounds(tmp_path: Path) -> None:
    text = svg(D3, tmp_path / "curve.svg")
    for drawn in ("−60 kW", "0 kW", "+10 kW", "+80 kW", "$1.10", "$1,500.00", "maxAvailGen"):
        assert f">{drawn}" in text or drawn in text
    for price in ("−$1,000.00", "$15,100.00"):
        assert price in text, "the ends of the market's range"


def test_the_same_curve_gives_the_same_bytes(tmp_path: Path) -> None:
    assert svg(D3, tmp_path / "a.svg") == svg(D3, tmp_path / "b.svg")


def test_offered_and_marked_quantities_are_named(tmp_path: Path) -> None:
    held = supply_curve(PRICES, avail({3: -40, 13: 10, 19: 25})[0])
    picture = replace(
        D3, steps=held, before=D3.steps, limits=(("export limit", 35_000),), prices=(105,)
    )
    text = svg(picture, tmp_path / "curve.svg")
    for drawn in ("offered −60 kW", "offered +80 kW", "export limit", "at $1.05: 0 kW"):
        assert drawn in text


def test_a_curve_of_twenty_steps_and_one_of_no_step(tmp_path: Path) -> None:
    row = np.array([-1000] * 10 + [1000] * 10)
    many = supply_curve(np.arange(20) * 100, row)
    assert len(many) == 21
    flat = supply_curve(PRICES, np.zeros(20, dtype=np.int64), fixed=-5000)
    for number, steps in enumerate((many, flat)):
        path = tmp_path / f"{number}.png"
        figure.save(draw(replace(D3, steps=steps, bounds=(), remark="fixed")), path)
        assert path.read_bytes().startswith(b"\x89PNG")


def test_a_file_that_is_not_a_picture_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.svg or \.png"):
        figure.save(draw(D3), tmp_path / "curve.pdf")
