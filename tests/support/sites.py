"""Small envelope documents by site and interval, and their figures and summaries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.rounds.inputs.document_summary import Summary, summary_of
from oepnode.domain.rounds.inputs.envelope_document import parse_history
from oepnode.domain.rounds.inputs.site_figures import SiteFigures, figures_of_document
from tests.support.envelope_documents import START_S, array, interval, record

HOUR = 3600


def nmi_of(number: int) -> str:
    return f"63058{number:05}"


def span(
    intervals: Iterable[int], export_kw: float | None = 5, import_kw: float | None = -2.5
) -> list[dict[str, Any]]:
    """Intervals by their place after `START_S`, with the same limits."""
    return [
        interval(
            activePowerExportLimit=export_kw,
            activePowerImportLimit=import_kw,
            diStartTime=format_nem(START_S + 300 * at),
            diEndTime=None,
        )
        for at in intervals
    ]


def written(sites: Mapping[int, Sequence[dict[str, Any]]]) -> bytes:
    """A document with a record for each site's number, in that order."""
    return array(*(record(*rows, nmi=nmi_of(number)) for number, rows in sites.items()))


def even(sites: Iterable[int], length: int = 6, **limits: Any) -> bytes:
    """A document in which all sites have the same intervals and limits."""
    return written({number: span(range(length), **limits) for number in sites})


def figures_of(data: bytes) -> SiteFigures:
    return figures_of_document(*parse_history(data))


def summary(data: bytes, opened_at: int | None = START_S) -> Summary:
    return summary_of(figures_of(data), opened_at)
