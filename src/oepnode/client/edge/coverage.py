"""NMIs that must have been measured, so that leaving a site out does not make it conform.

A bundle holds the sites of one aggregator, and so do the limits of a verified one: all of them
are expected. A document may be that of a complete network: there a portfolio names the NMIs.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import numpy as np

from oepnode.client.answers import PrivateStruct
from oepnode.client.edge.envelopes import LoadedEnvelopes
from oepnode.domain.documents.arrays import Bools
from oepnode.domain.edge.telemetry.assessment import EnvelopeConformance


class ExpectedNmis(PrivateStruct, frozen=True):
    """The NMIs that must have been measured.

    Attributes:
        expected_by: ``bundle``, ``limits`` or ``portfolio``; None where they are not known.
        expected: Those of them that have an envelope.
        without_envelope: Number of NMIs of the portfolio that have no envelope.
    """

    expected_by: str | None
    expected: frozenset[str]
    without_envelope: int = 0


class CoverageReport(PrivateStruct, frozen=True):
    """Telemetry that is missing.

    Attributes:
        expected_by: As in `ExpectedNmis`.
        nmis: NMIs with a limit that were expected; where they are not known, all with one.
        unmeasured_nmis: Number of them without telemetry.
        unmeasured: Their names in order; None where it is not known which are expected.
        lacking_intervals: Intervals with a limit at measured NMIs that were not measured fully.
        nmis_without_envelope: As in `ExpectedNmis`.
    """

    expected_by: str | None
    nmis: int
    unmeasured_nmis: int
    unmeasured: tuple[str, ...] | None
    lacking_intervals: int
    nmis_without_envelope: int


def expected_nmis(
    envelopes: LoadedEnvelopes, portfolio: AbstractSet[str] | None = None
) -> ExpectedNmis:
    """The NMIs that must have been measured.

    A portfolio narrows limits and documents; a bundle's sites are all its aggregator's, and a
    portfolio can only add to them.
    """
    published = frozenset(name.decode() for name in envelopes.table.nmis.tolist())
    absent = 0 if portfolio is None else len(portfolio - published)
    if envelopes.kind == "bundle":
        return ExpectedNmis("bundle", published, absent)
    if portfolio is not None:
        return ExpectedNmis("portfolio", published & portfolio, absent)
    if envelopes.kind == "limits":
        return ExpectedNmis("limits", published)
    return ExpectedNmis(None, frozenset())


def missing_telemetry(
    levels: Sequence[EnvelopeConformance], coverage: ExpectedNmis
) -> CoverageReport:
    """Telemetry that was expected and is missing; an NMI at two levels counts once."""
    expected, missing = set[str](), set[str]()
    for level in levels:
        is_expected = (
            level.in_portfolio if coverage.expected_by else np.ones_like(level.in_portfolio)
        )
        expected |= _names(level, level.has_limit.any(axis=1) & is_expected)
        missing |= _names(level, level.unmeasured & is_expected)
    return CoverageReport(
        expected_by=coverage.expected_by,
        nmis=len(expected),
        unmeasured_nmis=len(missing),
        unmeasured=tuple(sorted(missing)) if coverage.expected_by else None,
        lacking_intervals=sum(int(lv.lacking_intervals[lv.measured].sum()) for lv in levels),
        nmis_without_envelope=coverage.without_envelope,
    )


def _names(level: EnvelopeConformance, sites: Bools) -> set[str]:
    return {name.decode() for name in level.envelopes.nmis[sites].tolist()}
