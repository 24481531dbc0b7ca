"""Telemetry checked against the envelopes that were applied and against dispatch targets.

Guarantees: missing telemetry does not conform: a verdict is True only where everything that must
have been measured was, False where anything is in breach or off its target, and None otherwise.

Source: Part C §4, HLD §4.3 to §4.5.

Example:
    >>> assessment = assess_telemetry(telemetry, envelopes)               # doctest: +SKIP
    >>> assessment.conforms, assessment.intervals                         # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from msgspec import UNSET, UnsetType

from oepnode.client.answers import PrivateStruct
from oepnode.client.edge.coverage import (
    CoverageReport,
    ExpectedNmis,
    expected_nmis,
    missing_telemetry,
)
from oepnode.client.edge.envelopes import LoadedEnvelopes
from oepnode.client.edge.levels import STATED, LevelAssessment, assess_level, interval_rows
from oepnode.client.edge.submissions import Submission
from oepnode.client.edge.targets import TargetAssessment, Targets, check_targets
from oepnode.domain.documents.arrays import Int64s
from oepnode.domain.edge.telemetry.assessment import EnvelopeConformance
from oepnode.domain.edge.telemetry.conformance import ConformanceChecker
from oepnode.domain.edge.timeseries.tolerance import Tolerance
from oepnode.domain.nem.quantities import DefaultLimits
from oepnode.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

_UNJUDGED: Final = ("duplicates", "conflicting", "unlimited")
"""Counts of minutes that are not checked against a limit."""


class AssessmentReport(PrivateStruct, frozen=True, kw_only=True):
    """An assessment as JSON; attributes as in `Assessment`."""

    telemetry: str
    envelope: str | UnsetType = UNSET
    coverage: CoverageReport | UnsetType = UNSET
    levels: tuple[LevelAssessment, ...] | UnsetType = UNSET
    dispatch: TargetAssessment | UnsetType = UNSET
    conforms: bool | None


@dataclass(frozen=True, repr=False)
class Assessment:
    """Result of checking telemetry against envelopes, targets or both. Its repr shows no NMI.

    Attributes:
        telemetry: The telemetry.
        envelopes: The envelopes, if it was checked against any.
        results: Per application level that has envelopes.
        coverage: Telemetry that is missing; None without envelopes.
        targets: Result of the dispatch targets, if any.
        tolerance: Tolerance beyond a limit.
        defaults: Limits where none is published.
        notes: Sentences on anything unusual.
    """

    telemetry: Submission
    envelopes: LoadedEnvelopes | None
    results: tuple[EnvelopeConformance, ...]
    coverage: CoverageReport | None
    targets: TargetAssessment | None
    tolerance: Tolerance = field(default_factory=Tolerance)
    defaults: DefaultLimits = field(default_factory=DefaultLimits)
    notes: tuple[str, ...] = ()

    @property
    def conforms(self) -> bool | None:
        """The verdict; None where something was not judged."""
        verdicts = [] if self.envelopes is None else [_all_levels(self.results)]
        verdicts += [] if self.targets is None else [self.targets.conforms]
        return False if False in verdicts else None if None in verdicts else True

    @property
    def is_judged(self) -> bool:
        """Whether anything was checked against an envelope."""
        return any(result.judged.any() for result in self.results)

    @cached_property
    def levels(self) -> tuple[LevelAssessment, ...]:
        """Numbers and rows per application level."""
        return tuple(assess_level(result) for result in self.results)

    @cached_property
    def intervals(self) -> pl.DataFrame:
        """A row for each NMI, level and interval that was judged; columns as `levels.COLUMNS`."""
        import polars as pl

        if not self.results:
            raise ConfigError("intervals of NMIs are checked against envelopes, and none are given")
        return pl.concat([interval_rows(result) for result in self.results])

    @property
    def left_out_minutes(self) -> dict[str, int]:
        """Minutes not judged, missing, and per name of `levels.STATED`; each minute once."""
        missing = _minutes(self.results, lambda result: result.missing)
        counts = {"not_judged": _not_judged(self.results), "missing": missing}
        return counts | {name: _count(self.results, name) for name in STATED}

    def report(self) -> AssessmentReport:
        """The assessment as it is encoded in JSON."""
        return AssessmentReport(
            telemetry=self.telemetry.name,
            envelope=UNSET if self.envelopes is None else self.envelopes.text,
            coverage=UNSET if self.coverage is None else self.coverage,
            levels=UNSET if self.envelopes is None else self.levels,
            dispatch=UNSET if self.targets is None else self.targets,
            conforms=self.conforms,
        )


def assess_telemetry(
    telemetry: Submission,
    envelopes: LoadedEnvelopes | None = None,
    *,
    tolerance: Tolerance | None = None,
    defaults: DefaultLimits | None = None,
    portfolio: AbstractSet[str] | None = None,
    targets: Targets | None = None,
) -> Assessment:
    """Check telemetry against envelopes, dispatch targets, or both.

    Args:
        telemetry: Of NMIs, or of one DUID where there are targets only.
        envelopes: The envelopes that were applied.
        tolerance: Tolerance beyond a limit.
        defaults: Limits where none is published.
        portfolio: NMIs that must have been measured.
        targets: Dispatch targets of the unit.

    Raises:
        ConfigError: If there is nothing to check against, or telemetry of a DUID meets envelopes.
        DocumentFault: If the targets are of another DUID than the telemetry.
    """
    if envelopes is None and targets is None:
        raise ConfigError("telemetry is checked against envelopes, dispatch targets or both")
    tolerance, defaults = tolerance or Tolerance(), defaults or DefaultLimits()
    notes: list[str] = [*telemetry.notes]
    results: tuple[EnvelopeConformance, ...] = ()
    coverage = None
    if envelopes is not None:
        notes += envelopes.notes
        expected = expected_nmis(envelopes, portfolio)
        results = _check_envelopes(telemetry, envelopes, tolerance, defaults, expected)
        coverage = missing_telemetry(results, expected)
    target_result = None
    if targets is not None:
        notes += targets.dispatch.notes
        target_result, unit_notes = check_targets(telemetry, targets)
        notes += unit_notes
    return Assessment(
        telemetry, envelopes, results, coverage, target_result, tolerance, defaults, tuple(notes)
    )


# --- envelopes -----------------------------------------------------------------------------------


def _check_envelopes(
    telemetry: Submission,
    envelopes: LoadedEnvelopes,
    tolerance: Tolerance,
    defaults: DefaultLimits,
    coverage: ExpectedNmis,
) -> tuple[EnvelopeConformance, ...]:
    if telemetry.duid is not None:
        raise ConfigError(
            f"{telemetry.name}: envelopes are of NMIs, and this is telemetry of a DUID"
        )
    results = []
    for level in np.unique(envelopes.table.levels).tolist():
        check = ConformanceChecker(envelopes.table, level, tolerance, defaults, coverage.expected)
        check.add(telemetry.rows)
        results.append(check.report())
    return tuple(results)


def _all_levels(results: Sequence[EnvelopeConformance]) -> bool | None:
    """Whether no level has a breach; None where nothing was judged, or not everything."""
    verdicts = {result.conforms for result in results}
    if False in verdicts:
        return False
    is_complete = all(result.is_complete for result in results)
    return True if True in verdicts and is_complete else None


def _not_judged(results: Sequence[EnvelopeConformance]) -> int:
    """Minutes received that were checked against no limit at any level, copies left out.

    A copy at an NMI without an envelope is not looked into.
    """
    judged = _minutes(
        results,
        lambda result: result.counts["readings"] - sum(result.counts[name] for name in _UNJUDGED),
    )
    rows = max((result.rows for result in results), default=0)
    return rows - judged - _count(results, "duplicates")


def _count(results: Sequence[EnvelopeConformance], name: str) -> int:
    return _minutes(results, lambda result: result.counts[name])


def _minutes(
    results: Iterable[EnvelopeConformance],
    column: Callable[[EnvelopeConformance], Int64s],
) -> int:
    """Sum over NMIs, each with the most of its levels: a minute counts once."""
    most: dict[bytes, int] = {}
    for result in results:
        for nmi, count in zip(result.envelopes.nmis.tolist(), column(result).tolist(), strict=True):
            most[nmi] = max(most.get(nmi, 0), count)
    return sum(most.values())
