"""A broken rule of a day of a Boffer.

Source: HLD §4, Part C §3.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a day of a Boffer breaks, before the document's places are known.

    Attributes:
        code: Stable name.
        section: Document and section of the rule.
        message: What the rule wants.
        row: Index into the day's periods; None speaks of the whole day.
        band: 1 to 20; None speaks of the whole row.
        value: What was found.
        field: Field that is meant; by default ``bandAvail`` where a band is given.
    """

    code: str
    section: str
    message: str
    row: int | None = None
    band: int | None = None
    value: str = ""
    field: str = ""
