"""Figures: their format, the optional extra, and axes of time."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from oepnode.adapters.plots import envelope
from oepnode.adapters.plots.figure import check
from oepnode.errors import ConfigError

START = 1_795_111_200


def test_without_matplotlib_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError, match=r"oepnode\[plot\]"):
        check(tmp_path / "x.svg")


@pytest.mark.parametrize("name", ["x.pdf", "x", "x.svg.gz"])
def test_other_kinds_of_pictures_are_rejected(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"\.svg or \.png"):
        check(tmp_path / name)


@pytest.mark.parametrize(
    ("intervals", "ticks"), [(6, 7), (12, 13), (288, 13), (576, 13), (2016, 7)]
)
def test_the_time_axis_has_round_hours_in_nem_time(intervals: int, ticks: int) -> None:
    limits = np.full(intervals, 1000, dtype=np.int32)
    figure = envelope.envelope_band("Title", "small", START, limits, -limits)
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert len(labels) in {ticks - 1, ticks, ticks + 1}
    assert labels[0].split("\n")[1] in {"2026-11-20", "2026-11-21"}
