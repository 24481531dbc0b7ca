"""Pictures of envelopes, and of telemetry within them.

Source: Part C §4, §6.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from oepnode.adapters.plots.envelope import Measured, envelope_band, headroom_map
from oepnode.adapters.plots.figure import check, save
from oepnode.client.edge.assessments import Assessment
from oepnode.client.edge.envelopes import LoadedEnvelopes
from oepnode.client.files import FileName
from oepnode.client.limits import LEVEL_NAMES
from oepnode.client.values import counted, parse_nmi
from oepnode.domain.edge.envelopes.table import EXPORT, IMPORT
from oepnode.domain.edge.telemetry.assessment import EnvelopeConformance
from oepnode.domain.edge.telemetry.conformance import trace
from oepnode.domain.edge.timeseries.tolerance import Tolerance
from oepnode.domain.nem.nem_time import INTERVAL_S, format_nem
from oepnode.errors import ConfigError


def require_picture(path: FileName) -> None:
    """Reject a picture that could not be written, before any work.

    Raises:
        ConfigError: If the file is not .svg or .png, or pictures cannot be drawn.
    """
    check(Path(path))


def draw_envelope(envelopes: LoadedEnvelopes, path: FileName) -> None:
    """Draw the limits of the first site.

    Raises:
        ConfigError: If the file is not .svg or .png, or cannot be written.
    """
    table = envelopes.table
    level = LEVEL_NAMES[table.levels[0]]
    figure = envelope_band(
        f"Operating envelope of NMI {table.nmis[0].decode()}",
        f"level {level}, {table.interval_count} dispatch intervals",
        table.horizon_start,
        table.limits[0, EXPORT],
        table.limits[0, IMPORT],
    )
    save(figure, Path(path))


def draw_headroom(assessment: Assessment, path: FileName) -> None:
    """Draw the headroom of every NMI that was measured, interval by interval.

    Raises:
        ConfigError: If none was measured, or the file cannot be written.
    """
    result = _measured(assessment)[0]
    sites = np.flatnonzero(result.measured)
    figure = headroom_map(
        "Headroom to the operating envelope",
        f"{_start(result)}, {counted(len(sites), 'NMI')}",
        result.envelopes.horizon_start,
        [result.envelopes.nmis[site].decode() for site in sites.tolist()],
        result.headroom_w[sites],
    )
    save(figure, Path(path))


def draw_band(assessment: Assessment, path: FileName, nmi: str | None = None) -> None:
    """Draw one NMI's flow within its envelope.

    Args:
        assessment: The assessment.
        path: The picture.
        nmi: The NMI; by default the one with the most intervals in breach.

    Raises:
        ConfigError: If it is not an NMI or was not measured, or the file cannot be written.
    """
    chosen = None if nmi is None else parse_nmi(nmi, "nmi")
    result, site = _site_of(_measured(assessment), chosen)
    table = result.envelopes
    name, level = table.nmis[site].decode(), int(table.levels[site])
    tolerance, rows = assessment.tolerance, assessment.telemetry.rows
    minutes = trace(table, name, rows, level, tolerance, assessment.defaults)
    upper, lower = (table.limits[site, kind].copy() for kind in (EXPORT, IMPORT))
    interval = (minutes.minute - table.horizon_start - 1) // INTERVAL_S
    upper[interval], lower[interval] = minutes.export_w, minutes.import_w
    flow = "active power" if level == 0 else "controlled generation and load"
    figure = envelope_band(
        f"NMI {name}: {flow} and operating envelope",
        f"{_start(result)}, {counted(len(minutes.minute), 'minute')}, "
        f"{int(minutes.is_breach.sum())} in breach; tolerance {_tolerated(tolerance)}",
        table.horizon_start,
        upper,
        lower,
        Measured(minutes.minute, minutes.flow_w, minutes.is_breach, f"{flow}, 1 minute"),
    )
    save(figure, Path(path))


def _measured(assessment: Assessment) -> list[EnvelopeConformance]:
    measured = [result for result in assessment.results if result.measured.any()]
    if not measured:
        raise ConfigError("no picture: no NMI with an envelope was measured")
    return measured


def _site_of(
    measured: Sequence[EnvelopeConformance], nmi: str | None
) -> tuple[EnvelopeConformance, int]:
    """The level and site of an NMI, or of the one with the most intervals in breach."""
    if nmi is None:
        result = max(measured, key=lambda level: int(level.breach_intervals.max(initial=0)))
        candidates = np.where(result.measured, result.breach_intervals, -1)
        return result, int(candidates.argmax())
    for result in measured:
        sites = np.flatnonzero((result.envelopes.nmis == nmi.encode()) & result.measured)
        if len(sites):
            return result, int(sites[0])
    raise ConfigError("no picture: that NMI has no envelope here, or was not measured")


def _tolerated(tolerance: Tolerance) -> str:
    watts = [f"{tolerance.watts} W"] * bool(tolerance.watts or not tolerance.permille)
    share = [f"{tolerance.permille / 10:g} %"] * bool(tolerance.permille)
    return " or ".join(watts + share)


def _start(result: EnvelopeConformance) -> str:
    return f"from {format_nem(result.envelopes.horizon_start)[:16].replace('T', ' ')}"
