"""The sender's decisions about oddities: which are looked for, and which reject a document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np

from oepnode.domain.documents.arrays import Indices, Ints
from oepnode.errors import Finding

Action: TypeAlias = Literal["off", "warn", "reject"]
PathOf: TypeAlias = Callable[[int], str]
"""Path of a record in its document, such as ``$.records[17]``, from its position."""

MAX_PLACES: Final = 20
"""Places that a check names; the others are counted."""


@dataclass(frozen=True, slots=True)
class Policy:
    """An action for each check, and its thresholds.

    Attributes:
        large_limit: Active limits larger than ``max_kw``.
        max_kw: Largest active limit of a site, kW.
        hole: Intervals that are absent between a site's first and last.
        gap: Intervals between the previous horizon and this one.
        shift: A horizon that starts earlier or later after the opening than expected.
        lead_min: Minutes from the opening to the first interval; None takes those of the previous
            document, and 0 where there is none.
        shift_min: Minutes from which a difference to ``lead_min`` is a shift.
        site_count: Sites that are many more or fewer than in the previous document.
        site_count_percent: Change of the number of sites, in percent, from which it is odd.
        median: Usual limits that are many times those of the previous document, or a fraction.
        median_ratio: Ratio of both medians from which it is odd.
        vanished: Sites that the previous document has and this one lacks.
        unassigned: Sites that the registry assigns to no aggregator in all or part of their span.
    """

    large_limit: Action = "warn"
    max_kw: int = 1000
    hole: Action = "warn"
    gap: Action = "warn"
    shift: Action = "warn"
    lead_min: int | None = None
    shift_min: int = 45
    site_count: Action = "warn"
    site_count_percent: int = 20
    median: Action = "warn"
    median_ratio: int = 10
    vanished: Action = "warn"
    unassigned: Action = "warn"


@dataclass(frozen=True, slots=True)
class Oddity:
    """A kind of oddity.

    Attributes:
        code: Code of its findings.
        setting: Field of `Policy` with its action.
        message: What is odd, and the fix.
    """

    code: str
    setting: str
    message: str

    def at_records(
        self, record: Ints, value_of: Callable[[int], str], path_of: PathOf
    ) -> list[Finding]:
        """A finding for each of the first records, and one for all others.

        Args:
            record: Positions of the records that are odd.
            value_of: Text for the record at a place of ``record``.
            path_of: Path of a record.
        """
        order: Indices = np.argsort(record, kind="stable")
        shown, rest = order[:MAX_PLACES].tolist(), order[MAX_PLACES:].tolist()
        findings = [self.finding(path_of(int(record[at])), value_of(at)) for at in shown]
        if rest:
            path = path_of(int(record[rest[0]]))
            findings.append(self.finding(path, f"{len(rest)} records from here on", len(rest)))
        return findings

    def finding(self, path: str, value: str, count: int = 1) -> Finding:
        """A finding of this kind."""
        section = f"setting plausibility.{self.setting}"
        return Finding(path, self.code, self.message, value, section, count=count)
