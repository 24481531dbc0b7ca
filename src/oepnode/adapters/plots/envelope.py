"""Pictures of envelopes: the band of a site with its telemetry, and a portfolio's headroom.

Source of the amounts: ``domain.edge.published`` and ``domain.edge.conformance``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from oepnode.adapters.plots import figure as plots
from oepnode.domain.edge.telemetry.assessment import NO_HEADROOM
from oepnode.domain.nem.nem_time import INTERVAL_S, format_nem
from oepnode.domain.nem.quantities import NO_LIMIT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MOST_ROWS: Final = 40
"""Sites that a heat map shows: those with the least headroom."""

_LEAST_SPAN: Final = 0.1
"""Least span of the colours on each side, kW."""

_UNKNOWN: Final = "#c4c4c4"

_HOUR_S: Final = 3600
_NEM_S: Final = 36_000


@dataclass(frozen=True)
class Measured:
    """Telemetry to draw over a band.

    Attributes:
        minute: UTC seconds.
        flow_w: One flow per minute.
        is_breach: Which are beyond a limit by more than the tolerance.
        label: What the flow is, such as ``active power``.
    """

    minute: Int64
    flow_w: Int64
    is_breach: npt.NDArray[np.bool_]
    label: str = "active power, 1 minute"


def envelope_band(
    title: str,
    subtitle: str,
    horizon_start: int,
    export_w: Int32,
    import_w: Int32,
    measured: Measured | None = None,
) -> Figure:
    """The band between import and export limit over time, and the flow in it.

    Args:
        title: First line.
        subtitle: Second line, in small print.
        horizon_start: UTC seconds.
        export_w: Per interval, `power.NO_LIMIT` where none is published.
        import_w: The same.
        measured: The flow, or None.
    """
    figure, axes = plots.new_figure(9.6, 4.4)
    with plots.style():
        edges = horizon_start + INTERVAL_S * np.arange(len(export_w) + 1)
        upper, lower = _kilowatts(export_w), _kilowatts(import_w)
        x = np.repeat(edges, 2)[1:-1].astype(np.float64)
        top, bottom = np.repeat(upper, 2), np.repeat(lower, 2)
        axes.fill_between(x, bottom, top, color=plots.PALE, lw=0, label="operating envelope")
        axes.plot(x, top, color=plots.BLUE, lw=1.3, label="export limit")
        axes.plot(x, bottom, color=plots.GREEN, lw=1.3, label="import limit")
        axes.axhline(0, color=plots.MUTED, lw=0.6)
        if measured is not None:
            _draw_flow(axes, measured)
        _title(axes, title, subtitle)
        axes.set_ylabel("← load        kW        generation →")
        axes.set_ylim(*_range(axes))
        axes.grid(axis="y", color=plots.GRID, lw=0.6)
        _time_axis(axes, int(edges[0]), int(edges[-1]))
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=5, handlelength=1.8)
    return figure


def _draw_flow(axes: Axes, measured: Measured) -> None:
    order = np.argsort(measured.minute, kind="stable")
    minute = measured.minute[order]
    flow = measured.flow_w[order] / 1000
    breach = measured.is_breach[order]
    gaps = np.flatnonzero(np.diff(minute) > 60) + 1
    axes.plot(
        np.insert(minute.astype(np.float64), gaps, np.nan),
        np.insert(flow, gaps, np.nan),
        color=plots.INK,
        lw=0.8,
        label=measured.label,
    )
    if breach.any():
        axes.plot(
            minute[breach],
            flow[breach],
            ls="",
            marker="x",
            ms=5,
            mew=1.4,
            color=plots.VERMILION,
            label=f"breach ({int(breach.sum())} min)",
            zorder=5,
        )


def headroom_map(
    title: str,
    subtitle: str,
    horizon_start: int,
    labels: Sequence[str],
    headroom_w: Int32,
) -> Figure:
    """Headroom per site and interval as colours: how far from a limit, or how far beyond.

    The sites with the least headroom stand on top; beyond `MOST_ROWS` sites only those are shown,
    and the subtitle says so.

    Args:
        title: First line.
        subtitle: Second line.
        horizon_start: UTC seconds.
        labels: Per site.
        headroom_w: Shape (sites, intervals), `NO_HEADROOM` where nothing was judged.
    """
    least = np.where(headroom_w == NO_HEADROOM, NO_HEADROOM, headroom_w).min(axis=1)
    order = np.argsort(least, kind="stable")[:MOST_ROWS]
    shown = headroom_w[order]
    if len(order) < len(headroom_w):
        subtitle = f"{subtitle}, the {len(order)} with the least headroom, least on top"
    elif len(order) > 1:
        subtitle = f"{subtitle}, least headroom on top"
    if (shown < 0).any():
        subtitle = f"{subtitle}; dots: beyond a limit"
    if (shown == NO_HEADROOM).any():
        subtitle = f"{subtitle}; grey: not judged"
    rows = len(order)
    row_in = 0.16 if rows > 12 else 0.26
    figure, axes = plots.new_figure(9.6, 1.75 + row_in * rows)
    with plots.style():
        values = np.ma.masked_where(shown == NO_HEADROOM, shown / 1000)
        edges = horizon_start + INTERVAL_S * np.arange(shown.shape[1] + 1)
        mesh = axes.pcolormesh(
            edges.astype(np.float64),
            np.arange(rows + 1),
            values,
            cmap=_colours(),
            norm=_norm(values),
            rasterized=True,
        )
        axes.set_facecolor(_UNKNOWN)
        _mark_breaches(axes, shown, edges)
        axes.set_ylim(rows, 0)
        axes.set_yticks(np.arange(rows) + 0.5, [labels[i] for i in order])
        axes.tick_params(axis="y", length=0, labelsize=7 if rows > 12 else 8)
        for label in axes.get_yticklabels():
            label.set_fontfamily("DejaVu Sans Mono")
        _title(axes, title, subtitle)
        _time_axis(axes, int(edges[0]), int(edges[-1]))
        axes.spines[:].set_visible(False)
        _colour_bar(figure, axes, mesh, rows)
    return figure


def _colour_bar(figure: Figure, axes: Axes, mesh: Any, rows: int) -> None:  # noqa: ANN401
    low, high = mesh.norm.vmin, mesh.norm.vmax
    bar = figure.colorbar(mesh, ax=axes, extend="max", pad=0.012, aspect=max(12, rows / 1.6))
    bar.outline.set_visible(False)
    ticks = [0.0, *_round_ticks(high)]
    if low < -_LEAST_SPAN:
        ticks = [-tick for tick in reversed(_round_ticks(-low))] + ticks
    bar.set_ticks(ticks, labels=[f"{tick:g}".replace("-", "−") for tick in ticks])
    bar.minorticks_off()
    bar.set_label("least distance to a limit, kW\n(below 0: beyond it)")


def _round_ticks(most: float) -> list[float]:
    """One to four round numbers above 0, up to the most."""
    steps = (step * 10.0**power for power in range(-2, 7) for step in (1, 2, 5))
    step = next((step for step in steps if most < 5 * step), most)
    return [round(step * (place + 1), 2) for place in range(int(most / step + 1e-9))]


def _mark_breaches(axes: Axes, shown: Int32, edges: Int64) -> None:
    """A dot on each cell beyond a limit, so that colour is not the only sign."""
    row, interval = np.nonzero(shown < 0)
    if len(row):
        axes.plot(
            edges[interval] + INTERVAL_S / 2,
            row + 0.5,
            ls="",
            marker="o",
            ms=2.4,
            mew=0,
            color=plots.INK,
        )


def _colours() -> Any:  # noqa: ANN401 - a colour map of matplotlib's
    """Ample headroom is pale, none is dark blue, beyond the limit is red."""
    from matplotlib.colors import LinearSegmentedColormap

    beyond = [(0.0, "#c40000"), (0.25, "#ff4d00"), (0.5, "#ffb74d")]
    inside = [(0.5, "#1f5fa0"), (0.6, "#4f97c8"), (0.75, "#a9d0e5"), (1.0, "#f2f7fb")]
    return LinearSegmentedColormap.from_list("headroom", beyond + inside, N=512)


def _norm(values: Any) -> Any:  # noqa: ANN401 - a masked array in, a norm of matplotlib's out
    """Zero in the middle; the upper end is what three quarters of the cells stay below."""
    from matplotlib.colors import TwoSlopeNorm

    known = values.compressed()
    low = min(float(known.min()) if len(known) else 0.0, -_LEAST_SPAN)
    high = max(float(np.quantile(known, 0.75)) if len(known) else 0.0, _LEAST_SPAN)
    return TwoSlopeNorm(0, low, high)


def _kilowatts(limits_w: Int32) -> Floats:
    return np.where(limits_w == NO_LIMIT, np.nan, limits_w / 1000)


def _range(axes: Axes) -> tuple[float, float]:
    low, high = axes.dataLim.intervaly
    room = 0.06 * max(high - low, 1.0)
    return float(min(low, 0) - room), float(max(high, 0) + room)


def _title(axes: Axes, title: str, subtitle: str) -> None:
    axes.set_title(title, pad=22)
    axes.annotate(
        f"{subtitle}; NEM time",
        (0, 1),
        (0, 7),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=8.5,
        color=plots.MUTED,
    )


def _time_axis(axes: Axes, start: int, end: int) -> None:
    """Hours in NEM time; the date stands where a day begins."""
    span = end - start
    step = next((s for s in (300, 900, 1800, 3600, 7200, 10_800) if span <= 13 * s), 4 * _HOUR_S)
    step = step if span <= 60 * _HOUR_S else 24 * _HOUR_S
    first = -(-(start + _NEM_S) // step) * step - _NEM_S
    ticks = list(range(first, end + 1, step))
    labels = [format_nem(tick)[11:16] for tick in ticks]
    for place, tick in enumerate(ticks):
        if place == 0 or format_nem(tick)[:10] != format_nem(ticks[place - 1])[:10]:
            labels[place] += "\n" + format_nem(tick)[:10]
    axes.set_xlim(start, end)
    axes.set_xticks(ticks, labels)
