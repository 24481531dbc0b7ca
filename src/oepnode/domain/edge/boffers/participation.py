"""The three steps of taking part in dispatch. Source: HLD §4.1 (the table of steps), §4.3 to §4.5.

Each step exists at two summation levels, NMI (connection points, native load included) and Flex
(controllable assets only): the six scenarios of the trial.
"""

from __future__ import annotations

from enum import IntEnum


class ParticipationStep(IntEnum):
    """How far an aggregator takes part in dispatch (HLD §4.1)."""

    VISIBILITY = 1
    SELF_DISPATCH = 2
    SCHEDULED = 3
