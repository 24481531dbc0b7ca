"""Pictures of telemetry within its envelope: one NMI's day, and headroom of all.

Source: Part C §4, §6.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from oepnode.adapters.plots import envelope as plot_envelope
from oepnode.adapters.plots import figure as plots
from oepnode.cli.common import output
from oepnode.cli.common.cells import counted
from oepnode.domain.edge.telemetry.assessment import EnvelopeConformance
from oepnode.domain.edge.timeseries.tolerance import Tolerance
from oepnode.domain.nem.nem_time import INTERVAL_S, format_nem
from oepnode.domain.nem.quantities import DefaultLimits
from oepnode.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl


class Pictures(Struct, frozen=True):
    """Which pictures are wanted.

    Attributes:
        band: File for one NMI's flow within its envelope.
        heat: File for the headroom of all.
        nmi: The NMI of the band; by default the one with the most intervals in breach.
    """

    band: Path | None
    heat: Path | None
    nmi: str | None


def draw(
    pictures: Pictures,
    telemetry: pl.DataFrame,
    reports: list[EnvelopeConformance],
    tolerance: Tolerance,
    defaults: DefaultLimits,
) -> None:
    """Draw the pictures that are wanted, and say where they are.

    Raises:
        ConfigError: If there is nothing to draw.
    """
    if pictures.band is None and pictures.heat is None:
        return
    measured = [report for report in reports if report.measured.any()]
    if not measured:
        raise ConfigError("no picture: none of the NMIs with an envelope was measured")
    if pictures.heat is not None:
        report = measured[0]
        sites = np.flatnonzero(report.measured)
        figure = plot_envelope.headroom_map(
            "Headroom to the operating envelope",
            f"{_date(report)}, {counted(len(sites), 'NMI')}",
            report.envelopes.horizon_start,
            [report.envelopes.nmis[site].decode() for site in sites.tolist()],
            report.headroom_w[sites],
        )
        plots.save(figure, pictures.heat)
        output.say(f"picture in {pictures.heat}", "green", err=True)
    if pictures.band is not None:
        _draw_band(pictures, telemetry, measured, tolerance, defaults)


def _draw_band(
    pictures: Pictures,
    telemetry: pl.DataFrame,
    measured: list[EnvelopeConformance],
    tolerance: Tolerance,
    defaults: DefaultLimits,
) -> None:
    from oepnode.domain.edge.telemetry.conformance import trace

    assert pictures.band is not None  # noqa: S101 - said by the caller
    report, site = _site_of(measured, pictures.nmi)
    envelopes = report.envelopes
    name, level = envelopes.nmis[site].decode(), int(envelopes.levels[site])
    found = trace(envelopes, name, telemetry, level, tolerance, defaults)
    upper, lower = (envelopes.limits[site, kind].copy() for kind in (0, 1))
    interval = (found.minute - envelopes.horizon_start - 1) // INTERVAL_S
    upper[interval], lower[interval] = found.export_w, found.import_w
    flow = "active power" if level == 0 else "controlled generation and load"
    allowed = " or ".join(
        [f"{tolerance.watts} W"] * bool(tolerance.watts or not tolerance.permille)
        + [f"{tolerance.permille / 10:g} %"] * bool(tolerance.permille)
    )
    minutes = int(found.is_breach.sum())
    figure = plot_envelope.envelope_band(
        f"NMI {name}: {flow} and operating envelope",
        f"{_date(report)}, {counted(len(found.minute), 'minute')}, {minutes} in breach; "
        f"tolerance {allowed}",
        envelopes.horizon_start,
        upper,
        lower,
        plot_envelope.Measured(found.minute, found.flow_w, found.is_breach, f"{flow}, 1 minute"),
    )
    plots.save(figure, pictures.band)
    output.say(f"picture in {pictures.band}", "green", err=True)


def _site_of(
    measured: list[EnvelopeConformance], nmi: str | None
) -> tuple[EnvelopeConformance, int]:
    """The NMI asked for, or the one with the most intervals in breach."""
    if nmi is None:
        report = max(measured, key=lambda found: int(found.breach_intervals.max(initial=0)))
        candidates = np.where(report.measured, report.breach_intervals, -1)
        return report, int(candidates.argmax())
    for report in measured:
        places = np.flatnonzero((report.envelopes.nmis == nmi.encode()) & report.measured)
        if len(places):
            return report, int(places[0])
    raise ConfigError("--nmi: that NMI has no envelope here, or was not measured")


def _date(report: EnvelopeConformance) -> str:
    return f"from {format_nem(report.envelopes.horizon_start)[:16].replace('T', ' ')}"
