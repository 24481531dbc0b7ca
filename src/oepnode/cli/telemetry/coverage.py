"""Whose telemetry is expected, so that leaving a site out does not make it conform.

A bundle holds the sites of one aggregator, and limits from ``aggregator verify`` do as well: all of
them are expected. A document may be that of a whole network: there a portfolio says which are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from msgspec import Struct

from oepnode.cli.common.cells import counted
from oepnode.cli.common.envelope_input import Source
from oepnode.cli.common.portfolio import read_portfolio
from oepnode.domain.edge.envelopes.table import EnvelopeTable
from oepnode.domain.edge.telemetry.assessment import EnvelopeConformance

PortfolioOption = Annotated[
    Path | None,
    typer.Option(
        "--portfolio",
        help="File with the NMIs that must have been measured, one a line. Default: all of a "
        "bundle or a limits file, none of a document.",
    ),
]


class Coverage(Struct, frozen=True):
    """Which NMIs must have been measured.

    Attributes:
        held_by: ``bundle``, ``limits`` or ``portfolio``; empty where nobody says.
        ours: Those of them that have an envelope.
        absent: How many of the portfolio have none.
    """

    held_by: str
    ours: frozenset[str]
    absent: int = 0


class MissingTelemetry(Struct, frozen=True):
    """What came of it.

    Attributes:
        coverage: What was asked.
        nmis: NMIs with a limit that were expected; where nobody says, all that have one.
        names: Those of them without telemetry, in order.
        intervals: Intervals with a limit at measured NMIs that were expected and not judged.
    """

    coverage: Coverage
    nmis: int
    names: tuple[str, ...]
    intervals: int

    def told(self) -> str:
        """What is incomplete, for the verdict; empty where nothing is or nobody says."""
        parts = []
        if self.coverage.held_by and self.names:
            parts.append(f"{len(self.names)} of {counted(self.nmis, 'NMI')} not measured")
        if self.intervals:
            parts.append(f"{counted(self.intervals, 'interval')} of measured NMIs not judged whole")
        if self.coverage.absent:
            parts.append(f"{counted(self.coverage.absent, 'NMI')} without an envelope")
        return ", ".join(parts)

    def of_document(self) -> str:
        """What is not measured of a document of which nobody says whose NMIs are ours."""
        if self.coverage.held_by or not self.names:
            return ""
        return (
            f"{len(self.names)} of {counted(self.nmis, 'NMI')} of the document not measured "
            "(--portfolio says which must be)"
        )

    def facts(self) -> dict[str, Any]:
        """The same for JSON; of a document without a portfolio the number only."""
        held_by = self.coverage.held_by
        return {
            "held_by": held_by or None,
            "nmis": self.nmis,
            "unmeasured_nmis": len(self.names),
            "unmeasured": list(self.names) if held_by else None,
            "lacking_intervals": self.intervals,
            "nmis_without_envelope": self.coverage.absent,
        }


def coverage_of(source: Source, envelopes: EnvelopeTable, portfolio: Path | None) -> Coverage:
    """Which NMIs must have been measured.

    A portfolio narrows limits and documents; a bundle's sites are all its aggregator's, and it can
    only add to them.

    Raises:
        ConfigError: If the portfolio is not readable, with the line that is no NMI.
    """
    everything = frozenset(name.decode() for name in envelopes.nmis.tolist())
    wanted = None if portfolio is None else read_portfolio(portfolio)
    absent = 0 if wanted is None else len(wanted - everything)
    if source.kind == "bundle":
        return Coverage("bundle", everything, absent)
    if wanted is not None:
        return Coverage("portfolio", everything & wanted, absent)
    return Coverage("limits", everything) if source.kind == "limits" else Coverage("", frozenset())


def unmeasured(reports: list[EnvelopeConformance], coverage: Coverage) -> MissingTelemetry:
    """What was expected and not measured; an NMI at two levels counts once."""
    wanted, missing = set[str](), set[str]()
    for report in reports:
        is_wanted = report.in_portfolio if coverage.held_by else np.ones_like(report.in_portfolio)
        wanted |= _names(report, report.has_limit.any(axis=1) & is_wanted)
        missing |= _names(report, report.unmeasured & is_wanted)
    lacking = sum(int(found.lacking_intervals[found.measured].sum()) for found in reports)
    return MissingTelemetry(coverage, len(wanted), tuple(sorted(missing)), lacking)


def _names(report: EnvelopeConformance, chosen: npt.NDArray[np.bool_]) -> set[str]:
    return {name.decode() for name in report.envelopes.nmis[chosen].tolist()}
