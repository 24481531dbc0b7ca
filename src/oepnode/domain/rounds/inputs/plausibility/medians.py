"""Usual limits that are many times, or a fraction, of those of the previous document."""

from __future__ import annotations

from typing import Final

from oepnode.domain.nem.quantities import kw_text
from oepnode.domain.rounds.inputs.document_summary import Summary
from oepnode.domain.rounds.inputs.plausibility.policy import Oddity
from oepnode.errors import Finding

_ODDITY: Final = Oddity(
    "limit.median",
    "median",
    "the median limit differs much from the previous document's; check the unit (kW) and the "
    "computation, or raise plausibility.median_ratio",
)
_KINDS: Final = ("export", "import")


def find_changed_medians(document: Summary, previous: Summary, ratio: int) -> list[Finding]:
    """Find medians of active limits that are ``ratio`` times the previous ones, or a ``ratio``-th.

    A median of 0 W counts as 1 W.
    """
    findings = []
    for kind, new, old in zip(_KINDS, document.medians, previous.medians, strict=True):
        if new is None or old is None:
            continue
        smaller, larger = sorted((new, old))
        if larger >= ratio * max(smaller, 1):
            value = f"{kind} {kw_text(new)} kW, before {kw_text(old)} kW"
            findings.append(_ODDITY.finding("$", value))
    return findings
