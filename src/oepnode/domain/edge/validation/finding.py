"""What is found wrong, or odd: in a day of a Boffer, and in a submission.

Values only. Who gathers them, and what they do to the answer, is in ``acknowledgement``; which of
them follow from others is in ``follow``. Source: Part C §3.2 and §6.2 ("Submission
Acknowledgement": code and response message).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong, or odd, in a submission.

    Attributes:
        code: Stable name, such as ``period.duplicate``.
        path: Place, such as ``$.records[0].energyBids[0].prices[3]`` or ``$.rows[17].minute``.
        rule: Document and section of the rule.
        message: What the rule wants.
        value: What was found, shortened; withheld where it could be an NMI.
        times: How many of the counted findings this one stands for, its own place being the first.
        follows: Code of the finding in the same place that this one follows from; empty if none.
    """

    code: str
    path: str
    rule: str
    message: str
    value: str = ""
    count: int = 1
    caused_by: str = ""

    @property
    def text(self) -> str:
        """The message, and what the finding follows from."""
        return f"{self.message} [follows from {self.caused_by}]" if self.caused_by else self.message

    def as_json(self) -> dict[str, Any]:
        """The finding as a JSON object."""
        return {
            "code": self.code,
            "path": self.path,
            "rule": self.rule,
            "message": self.message,
            "value": self.value,
            "count": self.count,
            "caused_by": self.caused_by,
        }


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a day of a Boffer breaks, before the document's places are known.

    Attributes:
        code: Stable name.
        rule: Document and section of the rule.
        message: What the rule wants.
        row: Index into the day's periods; None speaks of the whole day.
        band: 1 to 20; None speaks of the whole row.
        value: What was found.
        field: Field that is meant; by default ``bandAvail`` where a band is given.
    """

    code: str
    rule: str
    message: str
    row: int | None = None
    band: int | None = None
    value: str = ""
    field: str = ""
