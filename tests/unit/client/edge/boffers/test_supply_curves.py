"""Supply curves of Boffers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from oepnode.client.answers import to_json
from oepnode.client.edge.boffers.load import SeveralBoffersError
from oepnode.client.edge.boffers.pictures import draw_supply_curve, headline
from oepnode.client.edge.boffers.selection import BofferChoice
from oepnode.client.edge.boffers.supply_curves import supply_curve
from oepnode.errors import ConfigError
from tests.support.loaded_boffers import DAY, NEXT, loaded, unit


def test_a_supply_curve_has_steps_bands_and_marks(tmp_path: Path) -> None:
    curve = supply_curve(loaded(unit(max_avail_gen=80_000)), 288, prices=(100,))
    report = curve.report()
    assert [step.cleared_w for step in report.steps] == [-60_000, 0, 10_000, 80_000]
    assert (report.accumulated_w[0], report.max_avail_gen_w) == (-60_000, 80_000)
    assert (report.max_avail_load_w, report.fixed_load_w) == (None, None)
    assert report.cleared[0].cleared_w == -60_000
    assert to_json(report)["trading_date"] == "2026-11-20"
    assert headline(curve) == (
        "UNIT1 (NMI level), Trading day 2026-11-20, period 288, ending 04:00 NEM time"
    )
    draw_supply_curve(curve, str(tmp_path / "c.svg"))
    assert "Supply curve of UNIT1" in (tmp_path / "c.svg").read_text()


def test_prices_of_a_supply_curve_are_integers() -> None:
    assert supply_curve(loaded(unit()), prices=[np.int64(5)]).prices == (5,)  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="a price must be an integer of 10⁻²"):
        supply_curve(loaded(unit()), prices=["x"])  # type: ignore[list-item]


def test_a_supply_curve_is_of_one_boffer() -> None:
    with pytest.raises(SeveralBoffersError, match="trading dates: 2"):
        supply_curve(loaded(unit(), unit(on=NEXT)))
    rolled = supply_curve(loaded(unit()), choice=BofferChoice(date=NEXT)).report()
    assert (rolled.offered_for, rolled.rolled_forward_days) == (DAY, 1)
