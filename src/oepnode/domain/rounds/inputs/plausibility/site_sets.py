"""Sites that are many more or fewer than before, that vanished, or that nobody aggregates."""

from __future__ import annotations

from typing import Final

import numpy as np

from oepnode.domain.rounds.inputs.assigned_spans import Assigned
from oepnode.domain.rounds.inputs.comparison import Comparison
from oepnode.domain.rounds.inputs.document_summary import Summary
from oepnode.domain.rounds.inputs.plausibility.policy import Oddity, PathOf
from oepnode.domain.rounds.inputs.site_figures import SiteFigures
from oepnode.errors import Finding

_COUNT: Final = Oddity(
    "site.count",
    "site_count",
    "the number of sites differs much from the previous document's; check that the export is "
    "complete and of one network, or raise plausibility.site_count_percent",
)
_VANISHED: Final = Oddity(
    "site.vanished",
    "vanished",
    "sites of the previous document are absent; from the end of their horizon on no limit is "
    "published for them: add them, unless they were abolished",
)
_UNASSIGNED: Final = Oddity(
    "site.unassigned",
    "unassigned",
    "the registry assigns no aggregator to the site for all of its intervals; nobody receives the "
    "limits of the others: assign it in the registry, or leave it out",
)


def find_changed_count(document: Summary, previous: Summary, percent: int) -> list[Finding]:
    """Find a number of sites that is ``percent`` or more off the previous document's."""
    now, before = len(document.keys), len(previous.keys)
    change = abs(now - before)
    if not change or change * 100 < percent * before:
        return []
    return [_COUNT.finding("$", f"{now} sites, before {before}")]


def find_vanished(comparison: Comparison) -> list[Finding]:
    """Find sites that only the previous document has."""
    gone = comparison.vanished_sites
    if not gone:
        return []
    return [_VANISHED.finding("$", f"{gone} of {comparison.sites_before} sites", gone)]


def find_unassigned(figures: SiteFigures, assigned: Assigned, path_of: PathOf) -> list[Finding]:
    """Find sites without an aggregator in all or part of their span."""
    needed, held = figures.span, assigned.intervals_of(figures)
    lacking = np.flatnonzero(held < needed)

    def value_of(at: int) -> str:
        site = lacking[at]
        return f"assigned in {int(held[site])} of {int(needed[site])} intervals"

    return _UNASSIGNED.at_records(figures.record[lacking], value_of, path_of)
