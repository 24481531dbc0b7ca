"""Pictures of envelopes: the band of a site, and the heat map of many."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from oepnode.adapters.plots import envelope
from oepnode.adapters.plots.figure import save
from oepnode.domain.edge.telemetry.assessment import NO_HEADROOM
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.errors import ConfigError

START = 1_795_111_200


@pytest.fixture
def band() -> object:
    export = np.array([5000, NO_LIMIT, 4000], dtype=np.int32)
    minute = START + 60 * np.array([1, 3, 2, 11])
    measured = envelope.Measured(
        minute, np.array([1000, 6000, 2000, -500]), np.array([False, True, False, False])
    )
    return envelope.envelope_band("Title", "small", START, export, -export // 2, measured)


def test_a_band_has_gaps_a_flow_and_marked_breaches(band: object, tmp_path: Path) -> None:
    axes = band.axes[0]  # type: ignore[attr-defined]
    lines = {line.get_label(): line for line in axes.get_lines()}
    upper = lines["export limit"].get_ydata()
    assert np.isnan(upper[2:4]).all()
    assert upper[[0, 1, 4, 5]].tolist() == [5, 5, 4, 4]
    flow = lines["active power, 1 minute"]
    assert flow.get_xdata()[:3].tolist() == [START + 60, START + 120, START + 180]
    assert np.isnan(flow.get_ydata()[3]), "a gap in time is a gap in the line"
    marks = lines["breach (1 min)"]
    assert (marks.get_xdata().tolist(), marks.get_ydata().tolist()) == ([START + 180], [6.0])
    low, high = axes.get_ylim()
    assert low < -0.5
    assert high > 6
    save(band, tmp_path / "b.svg")  # type: ignore[arg-type]
    assert b"Title" in (tmp_path / "b.svg").read_bytes()
    with pytest.raises(ConfigError, match="not writable"):
        save(band, tmp_path / "no" / "b.svg")  # type: ignore[arg-type]


def test_a_heat_map_shows_the_sites_with_the_least_headroom_first() -> None:
    count = envelope.MOST_ROWS + 5
    headroom = np.full((count, 12), 3000, dtype=np.int32)
    headroom[7, 3], headroom[9, 4] = -200, 100
    headroom[3] = NO_HEADROOM
    labels = [f"site {index}" for index in range(count)]
    figure = envelope.headroom_map("Title", "small", START, labels, headroom)
    axes = figure.axes[0]
    drawn = [label.get_text() for label in axes.get_yticklabels()]
    assert drawn[:2] == ["site 7", "site 9"]
    assert len(drawn) == envelope.MOST_ROWS
    assert "site 3" not in drawn
    dots = axes.get_lines()[0]
    assert (np.asarray(dots.get_xdata()).tolist(), np.asarray(dots.get_ydata()).tolist()) == (
        [START + 3 * 300 + 150],
        [0.5],
    )
    texts = [text.get_text() for text in axes.texts]
    assert any(f"the {envelope.MOST_ROWS} with the least" in text for text in texts)


def test_a_heat_map_names_the_order_of_its_rows_and_has_round_ticks() -> None:
    headroom = np.array([[3210, 5870], [-1490, 6130]], dtype=np.int32)
    figure = envelope.headroom_map("Title", "small", START, ["a", "b"], headroom)
    axes, bar = figure.axes
    assert any("least headroom on top" in text.get_text() for text in axes.texts)
    ticks = [label.get_text() for label in bar.get_yticklabels()]
    assert ticks == ["−1", "−0.5", "0", "2", "4"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "a"]
    tiny = envelope.headroom_map("Title", "small", START, ["a"], headroom[:1] // 100)
    assert [label.get_text() for label in tiny.axes[1].get_yticklabels()] == ["0", "0.05", "0.1"]
    assert not any("on top" in text.get_text() for text in tiny.axes[0].texts)


def test_a_heat_map_without_limits_is_drawn_too() -> None:
    headroom = np.full((2, 3), NO_HEADROOM, dtype=np.int32)
    figure = envelope.headroom_map("Title", "small", START, ["a", "b"], headroom)
    assert any("grey" in text.get_text() for text in figure.axes[0].texts)
