"""The picture of a supply curve, as in HLD Appendix D.

Cleared quantity (upwards generation, downwards load) over the price. Prices from the floor to the
ceiling do not fit one scale, so the prices of the steps have equal distances, and the picture says
so. A full dot belongs to its step, an open one does not: at its band's price load is still on, and
generation is already on.

Source: HLD Appendix D (supply chart), §4.2.4, §4.2.5.

Example:
    >>> picture = CurvePicture("Boffer", "period 1", steps, -100_000, 1_510_000)  # doctest: +SKIP
    >>> save(draw(picture), Path("curve.svg"))                              # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from oepnode.adapters.plots.figure import (
    BLUE,
    GREEN,
    GRID,
    INK,
    MUTED,
    ORANGE,
    VERMILION,
    new_figure,
    style,
)
from oepnode.domain.edge.clearing.supply_curve import PriceStep, dollars, quantity_at
from oepnode.domain.nem.quantities import kw_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH_IN: Final = 8.0
_STEP_IN: Final = 0.62
"""Minimum width of a step; a curve of many steps makes a wider picture."""
_HEIGHT_IN: Final = 4.6
_NAME_GAP: Final = 0.085
"""Minimum distance of two names right of the axes, as a share of their height."""
_MARGIN: Final = 0.16
"""Space above and below the curve for labels, as a share of its height."""

_GENERATION: Final = ORANGE
_LOAD: Final = BLUE
_MANY: Final = 9
"""Number of steps from which labels are smaller and prices are turned, so that none overlap."""
_BEHIND: Final = {"boxstyle": "square,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.8}


@dataclass(frozen=True)
class CurvePicture:
    """Content of the picture.

    Attributes:
        title: First line.
        subtitle: Second line.
        steps: The curve.
        low_price: Lowest band price, cents per MWh; None for a Boffer without prices.
        high_price: Highest band price, likewise.
        before: The curve as offered, if ``steps`` were constrained to an envelope.
        bounds: Horizontal lines as (name, watts), such as ``("maxAvailGen", 80_000)``.
        limits: The envelope's limits, likewise.
        prices: Prices to mark, in cents.
        remark: A line below the axes, such as that a fixed load applies.
    """

    title: str
    subtitle: str
    steps: tuple[PriceStep, ...]
    low_price: int | None
    high_price: int | None
    before: tuple[PriceStep, ...] = ()
    bounds: tuple[tuple[str, int], ...] = ()
    limits: tuple[tuple[str, int], ...] = ()
    prices: tuple[int, ...] = ()
    remark: str = ""


def draw(picture: CurvePicture) -> Figure:
    """Draw a supply curve; the caller saves it."""
    with style():
        scale = _Scale(picture)
        width_in = max(_WIDTH_IN, _STEP_IN * (scale.right + 1))
        figure, axes = new_figure(width_in, _HEIGHT_IN)
        _lines(axes, picture, scale)
        if picture.before:
            _curve(axes, picture.before, scale, is_main=False)
        _curve(axes, picture.steps, scale, is_main=True)
        _labels(axes, picture, scale)
        _marks(axes, picture, scale)
        _frame(axes, picture, scale)
    return figure


class _Scale:
    """Prices at equal distances, and the range of quantities."""

    def __init__(self, picture: CurvePicture) -> None:
        both = (*picture.steps, *picture.before)
        self.breaks = sorted({step.high for step in both if step.high is not None})
        self.right = float(len(self.breaks) + 1)
        self.is_dense = len(self.breaks) >= _MANY
        named = (*picture.bounds, *picture.limits)
        watts = [0, *(step.watts for step in both), *(value for _, value in named)]
        low, high = min(watts) / 1000, max(watts) / 1000
        height = (high - low) or 1.0
        self.low = low - _MARGIN * height if low < 0 else -_MARGIN * height / 2
        self.high = high + _MARGIN * height
        self.height = self.high - self.low

    def position(self, price: int) -> float:
        """Position of a price on the axis: at its break, or midway between its neighbours."""
        if price in self.breaks:
            return self.breaks.index(price) + 1.0
        return sum(price > other for other in self.breaks) + 0.5

    def ends(self, step: PriceStep) -> tuple[float, float]:
        """Left and right end of a step."""
        left = 0.0 if step.low is None else self.position(step.low)
        return left, self.right if step.high is None else self.position(step.high)


def _curve(axes: Axes, steps: Sequence[PriceStep], scale: _Scale, *, is_main: bool) -> None:
    for step in steps:
        left, right = scale.ends(step)
        level = step.watts / 1000
        if not is_main:
            axes.plot([left, right], [level] * 2, color=MUTED, lw=1.4, ls=(0, (4, 2)))
            continue
        colour = _colour(step.watts)
        axes.fill_between([left, right], 0, level, color=colour, alpha=0.16, lw=0)
        axes.plot([left, right], [level] * 2, color=colour, lw=2.6, solid_capstyle="butt", zorder=4)
        _dot(axes, left, level, step.low, is_full=step.is_low_included, colour=colour)
        _dot(axes, right, level, step.high, is_full=step.is_high_included, colour=colour)
    for below, above in pairwise(steps):
        at = scale.position(above.low if above.low is not None else 0)
        ends = [below.watts / 1000, above.watts / 1000]
        axes.plot([at, at], ends, color=MUTED, lw=0.8, ls=":", zorder=2)


def _dot(
    axes: Axes, at: float, level: float, price: int | None, *, is_full: bool, colour: str
) -> None:
    if price is None:
        return
    face = colour if is_full else "white"
    axes.plot([at], [level], "o", ms=5.5, mfc=face, mec=colour, mew=1.4, zorder=7, clip_on=False)


def _colour(watts: int) -> str:
    if watts == 0:
        return INK
    return _GENERATION if watts > 0 else _LOAD


def _labels(axes: Axes, picture: CurvePicture, scale: _Scale) -> None:
    """Label each step outside its line, or on the side away from the offered curve."""
    unit = "" if scale.is_dense else " kW"
    for step in picture.steps:
        offered = quantity_at(picture.before, _price_in(step)) if picture.before else step.watts
        is_above = step.watts >= 0 if offered == step.watts else offered < step.watts
        text = f"{_signed(step.watts)}{unit}"
        _label(axes, scale, step, text, INK, "bold", is_above=is_above)
    for step in picture.before:
        if quantity_at(picture.steps, _price_in(step)) != step.watts:
            text = f"offered {_signed(step.watts)}{unit}"
            is_above = step.watts >= 0
            _label(axes, scale, step, text, MUTED, "normal", is_above=is_above)


def _price_in(step: PriceStep) -> int:
    """A price at which a step clears."""
    if step.low is not None:
        return step.low if step.is_low_included else step.low + 1
    if step.high is not None:
        return step.high if step.is_high_included else step.high - 1
    return 0


def _label(
    axes: Axes,
    scale: _Scale,
    step: PriceStep,
    text: str,
    colour: str,
    weight: str,
    *,
    is_above: bool,
) -> None:
    left, right = scale.ends(step)
    axes.annotate(
        text,
        ((left + right) / 2, step.watts / 1000),
        xytext=(0, 6 if is_above else -6),
        textcoords="offset points",
        ha="center",
        va="bottom" if is_above else "top",
        color=colour,
        fontweight=weight,
        fontsize=7 if scale.is_dense else 9,
        bbox=_BEHIND,
        zorder=6,
    )


def _lines(axes: Axes, picture: CurvePicture, scale: _Scale) -> None:
    axes.axhline(0, color=INK, lw=1.0, zorder=3)
    rows = [
        *((watts, name, MUTED, (0, (6, 3))) for name, watts in picture.bounds),
        *((watts, name, VERMILION, (0, (1, 1.2))) for name, watts in picture.limits),
    ]
    lowest = -1.0
    for watts, name, colour, pattern in sorted(rows):
        axes.axhline(watts / 1000, color=colour, lw=1.2, ls=pattern, zorder=1)
        lowest = max((watts / 1000 - scale.low) / scale.height, lowest + _NAME_GAP)
        axes.annotate(
            f"{name}\n{_signed(watts)} kW",
            (1, lowest),
            xycoords="axes fraction",
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            ha="left",
            fontsize=8,
            color=colour,
            annotation_clip=False,
        )


def _marks(axes: Axes, picture: CurvePicture, scale: _Scale) -> None:
    for number, price in enumerate(picture.prices):
        at, watts = scale.position(price), quantity_at(picture.steps, price)
        is_left = at < scale.right / 2
        axes.axvline(at, color=GREEN, lw=1.2, ls="-.", zorder=3)
        axes.plot([at], [watts / 1000], "D", ms=6, color=GREEN, zorder=8)
        axes.annotate(
            f"at {_price(price)}: {_signed(watts)} kW",
            (at, 1),
            xycoords=("data", "axes fraction"),
            xytext=(4 if is_left else -4, -3 - 12 * number),
            textcoords="offset points",
            va="top",
            ha="left" if is_left else "right",
            fontsize=8,
            color=GREEN,
            bbox=_BEHIND,
            zorder=8,
        )


def _frame(axes: Axes, picture: CurvePicture, scale: _Scale) -> None:
    axes.set_xlim(0, scale.right)
    axes.set_ylim(scale.low, scale.high)
    ticks = [(float(number), price) for number, price in enumerate(scale.breaks, 1)]
    low, high = picture.low_price, picture.high_price
    if low is not None and (not scale.breaks or low < scale.breaks[0]):
        ticks.insert(0, (0.0, low))
    if high is not None and (not scale.breaks or high > scale.breaks[-1]):
        ticks.append((scale.right, high))
    axes.set_xticks([at for at, _ in ticks], [_price(price) for _, price in ticks])
    if scale.is_dense:
        for label in axes.get_xticklabels():
            label.set(rotation=35, ha="right", rotation_mode="anchor")
    axes.grid(axis="y", color=GRID, lw=0.6)
    axes.set_xlabel(
        "Clearing price, $/MWh (equal distances, not to scale)   ● included   ○ not included"
    )
    axes.set_ylabel("Cleared, kW (load −, generation +)")
    axes.set_title(picture.title, pad=22)
    axes.annotate(
        picture.subtitle,
        (0, 1),
        xycoords="axes fraction",
        xytext=(0, 8),
        textcoords="offset points",
        color=MUTED,
        va="bottom",
    )
    if picture.remark:
        figure = axes.figure
        figure.supxlabel(picture.remark, fontsize=8, color=MUTED, x=0.01, ha="left")


def _price(cents: int) -> str:
    return dollars(cents).replace("-", "−")


def _signed(watts: int) -> str:
    text = kw_text(watts).replace("-", "−")
    return f"+{text}" if watts > 0 else text
