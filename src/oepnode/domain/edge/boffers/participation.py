"""The trial's six scenarios: three steps of taking part in dispatch, at two summation levels.

Source: HLD §4.1 (the table of steps), §4.3 to §4.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class ParticipationStep(IntEnum):
    """How far an aggregator takes part in dispatch (HLD §4.1)."""

    VISIBILITY = 1
    SELF_DISPATCH = 2
    SCHEDULED = 3


@dataclass(frozen=True, slots=True)
class Scenario:
    """A step at a summation level.

    Attributes:
        step: How far the aggregator takes part.
        level: ``NMI`` (connection points, native load included) or ``Flex`` (controllable only).
    """

    step: ParticipationStep
    level: str

    @property
    def may_price(self) -> bool:
        """Whether quantities are offered in price bands."""
        return self.step is not ParticipationStep.SELF_DISPATCH

    @property
    def may_fix(self) -> bool:
        """Whether quantities are offered as fixed load."""
        return self.step is not ParticipationStep.VISIBILITY

    @property
    def must_respond(self) -> bool:
        """Whether the dispatch target has to be met."""
        return self.step is not ParticipationStep.VISIBILITY

    @property
    def sets_price(self) -> bool:
        """Whether the offer takes part in setting the price; the trial's sets none in the NEM."""
        return self.step is ParticipationStep.SCHEDULED

    @property
    def has_gate_closure(self) -> bool:
        """Whether prices are frozen at gate closure."""
        return self.step is not ParticipationStep.SELF_DISPATCH

    @property
    def holds_native_load(self) -> bool:
        """Whether the quantity includes load and generation that nobody controls."""
        return self.level == "NMI"


SCENARIOS: Final = tuple(
    Scenario(step, level) for step in ParticipationStep for level in ("NMI", "Flex")
)
"""The six scenarios of the trial (HLD §4.1)."""
