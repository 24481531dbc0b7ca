"""A broken rule of a day of a Boffer.

Source: HLD §4, Part C §3.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a day of a Boffer breaks, before its path in the document is known.

    Attributes:
        code: Stable name.
        section: Document and section of the rule.
        message: The rule, and how to satisfy it.
        row: Index into the day's periods; None for the day.
        band: 1 to 20; None for the row.
        value: The offending value.
        field: The offending field; by default ``bandAvail`` where a band is given.
    """

    code: str
    section: str
    message: str
    row: int | None = None
    band: int | None = None
    value: str = ""
    field: str = ""
