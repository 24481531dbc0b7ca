"""Pictures of envelopes: a site's band with its telemetry, and a portfolio's headroom.

Leaves out the amounts: limits come from `oepnode.domain.edge.envelopes`, headroom from
`oepnode.domain.edge.telemetry`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from oepnode.adapters.plots.figure import (
    BLUE,
    GREEN,
    GRID,
    INK,
    MUTED,
    PALE,
    VERMILION,
    new_figure,
    style,
)
from oepnode.domain.documents.arrays import Bools, Floats, Int32s, Int64s
from oepnode.domain.edge.telemetry.assessment import NO_HEADROOM
from oepnode.domain.nem.nem_time import INTERVAL_S, format_nem
from oepnode.domain.nem.quantities import NO_LIMIT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


MOST_ROWS: Final = 40
"""Maximum number of sites in a heat map: those with the least headroom."""

_LEAST_SPAN: Final = 0.1
"""Minimum span of the colours on each side, kW."""

_MANY_ROWS: Final = 12
"""Number of rows above which rows and labels are smaller."""

_UNKNOWN: Final = "#c4c4c4"

_HOUR_S: Final = 3600
_NEM_S: Final = 36_000


@dataclass(frozen=True)
class Measured:
    """Telemetry to draw over a band.

    Attributes:
        minute: UTC seconds.
        flow_w: One flow per minute.
        is_breach: Whether each flow exceeds a limit by more than the tolerance.
        label: Name of the flow, such as ``active power``.
    """

    minute: Int64s
    flow_w: Int64s
    is_breach: Bools
    label: str = "active power, 1 minute"


def envelope_band(
    title: str,
    subtitle: str,
    horizon_start: int,
    export_w: Int32s,
    import_w: Int32s,
    measured: Measured | None = None,
) -> Figure:
    """Draw the band between import and export limit over time, and the flow in it.

    Args:
        title: First line.
        subtitle: Second line, in small print.
        horizon_start: UTC seconds.
        export_w: Limit per interval, `NO_LIMIT` where no limit is published.
        import_w: The same.
        measured: The flow, or None.
    """
    figure, axes = new_figure(9.6, 4.4)
    with style():
        edges = horizon_start + INTERVAL_S * np.arange(len(export_w) + 1)
        upper, lower = _kilowatts(export_w), _kilowatts(import_w)
        x = np.repeat(edges, 2)[1:-1].astype(np.float64)
        top, bottom = np.repeat(upper, 2), np.repeat(lower, 2)
        axes.fill_between(x, bottom, top, color=PALE, lw=0, label="operating envelope")
        axes.plot(x, top, color=BLUE, lw=1.3, label="export limit")
        axes.plot(x, bottom, color=GREEN, lw=1.3, label="import limit")
        axes.axhline(0, color=MUTED, lw=0.6)
        if measured is not None:
            _draw_flow(axes, measured)
        _title(axes, title, subtitle)
        axes.set_ylabel("← load        kW        generation →")
        axes.set_ylim(*_range(axes))
        axes.grid(axis="y", color=GRID, lw=0.6)
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
        color=INK,
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
            color=VERMILION,
            label=f"breach ({int(breach.sum())} min)",
            zorder=5,
        )


def headroom_map(
    title: str,
    subtitle: str,
    horizon_start: int,
    labels: Sequence[str],
    headroom_w: Int32s,
) -> Figure:
    """Draw headroom per site and interval as colours: distance to a limit, below 0 beyond it.

    The sites with the least headroom are on top; of more than `MOST_ROWS` sites only those are
    drawn, and the subtitle says so.

    Args:
        title: First line.
        subtitle: Second line.
        horizon_start: UTC seconds.
        labels: One per site.
        headroom_w: Shape (sites, intervals), `NO_HEADROOM` where nothing was judged.
    """
    order = np.argsort(headroom_w.min(axis=1), kind="stable")[:MOST_ROWS]
    drawn, rows = headroom_w[order], len(order)
    edges = horizon_start + INTERVAL_S * np.arange(drawn.shape[1] + 1)
    figure, axes = new_figure(9.6, 1.75 + (0.16 if rows > _MANY_ROWS else 0.26) * rows)
    with style():
        mesh = _draw_cells(axes, drawn, edges)
        _mark_breaches(axes, drawn, edges)
        _label_rows(axes, [labels[i] for i in order])
        _title(axes, title, subtitle + _legend(drawn, len(headroom_w)))
        _time_axis(axes, int(edges[0]), int(edges[-1]))
        axes.spines[:].set_visible(False)
        _colour_bar(figure, axes, mesh, rows)
    return figure


def _legend(drawn: Int32s, sites: int) -> str:
    """The end of the subtitle: order of the rows, and meaning of dots and grey cells."""
    text = ""
    if len(drawn) < sites:
        text = f", the {len(drawn)} with the least headroom, least on top"
    elif len(drawn) > 1:
        text = ", least headroom on top"
    if (drawn < 0).any():
        text += "; dots: beyond a limit"
    if (drawn == NO_HEADROOM).any():
        text += "; grey: not judged"
    return text


def _draw_cells(axes: Axes, drawn: Int32s, edges: Int64s) -> Any:  # noqa: ANN401 - matplotlib's mesh
    values = np.ma.masked_where(drawn == NO_HEADROOM, drawn / 1000)
    axes.set_facecolor(_UNKNOWN)
    axes.set_ylim(len(drawn), 0)
    return axes.pcolormesh(
        edges.astype(np.float64),
        np.arange(len(drawn) + 1),
        values,
        cmap=_colours(),
        norm=_norm(values),
        rasterized=True,
    )


def _label_rows(axes: Axes, labels: Sequence[str]) -> None:
    axes.set_yticks(np.arange(len(labels)) + 0.5, labels)
    axes.tick_params(axis="y", length=0, labelsize=7 if len(labels) > _MANY_ROWS else 8)
    for label in axes.get_yticklabels():
        label.set_fontfamily("DejaVu Sans Mono")


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
    """One to four round numbers above 0, up to ``most``."""
    steps = (step * 10.0**power for power in range(-2, 7) for step in (1, 2, 5))
    step = next((step for step in steps if most < 5 * step), most)
    return [round(step * number, 2) for number in range(1, int(most / step + 1e-9) + 1)]


def _mark_breaches(axes: Axes, drawn: Int32s, edges: Int64s) -> None:
    """A dot on each cell beyond a limit, so that colour is not the only sign."""
    row, interval = np.nonzero(drawn < 0)
    if len(row):
        axes.plot(
            edges[interval] + INTERVAL_S / 2,
            row + 0.5,
            ls="",
            marker="o",
            ms=2.4,
            mew=0,
            color=INK,
        )


def _colours() -> Any:  # noqa: ANN401 - a colour map of matplotlib's
    """Pale for ample headroom, dark blue for zero, red beyond the limit."""
    from matplotlib.colors import LinearSegmentedColormap

    beyond = [(0.0, "#c40000"), (0.25, "#ff4d00"), (0.5, "#ffb74d")]
    inside = [(0.5, "#1f5fa0"), (0.6, "#4f97c8"), (0.75, "#a9d0e5"), (1.0, "#f2f7fb")]
    return LinearSegmentedColormap.from_list("headroom", beyond + inside, N=512)


def _norm(values: Any) -> Any:  # noqa: ANN401 - a masked array in, a norm of matplotlib's out
    """Zero in the middle; the upper end is the third quartile of the cells."""
    from matplotlib.colors import TwoSlopeNorm

    known = values.compressed()
    low = min(float(known.min()) if len(known) else 0.0, -_LEAST_SPAN)
    high = max(float(np.quantile(known, 0.75)) if len(known) else 0.0, _LEAST_SPAN)
    return TwoSlopeNorm(0, low, high)


def _kilowatts(limits_w: Int32s) -> Floats:
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
        color=MUTED,
    )


def _time_axis(axes: Axes, start: int, end: int) -> None:
    """Hours in NEM time, with the date at the beginning of each day."""
    span = end - start
    step = next((s for s in (300, 900, 1800, 3600, 7200, 10_800) if span <= 13 * s), 4 * _HOUR_S)
    step = step if span <= 60 * _HOUR_S else 24 * _HOUR_S
    first = -(-(start + _NEM_S) // step) * step - _NEM_S
    ticks = list(range(first, end + 1, step))
    labels = [format_nem(tick)[11:16] for tick in ticks]
    for index, tick in enumerate(ticks):
        if index == 0 or format_nem(tick)[:10] != format_nem(ticks[index - 1])[:10]:
            labels[index] += "\n" + format_nem(tick)[:10]
    axes.set_xlim(start, end)
    axes.set_xticks(ticks, labels)
