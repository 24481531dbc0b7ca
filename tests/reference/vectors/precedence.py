"""Section 14: the round in force in each interval."""

from __future__ import annotations

from tests.reference.nem_time import STEP
from tests.reference.precedence import round_in_force
from tests.reference.vectors.common import Json

FIRST = 1_795_132_800
CASES = (
    ("one round", ((7, 0, 4),)),
    ("rolling horizons", ((1, 0, 6), (2, 3, 6), (3, 6, 6))),
    ("a higher round inside a lower one", ((1, 0, 8), (2, 2, 3))),
    ("a lower round inside a higher one", ((5, 2, 3), (9, 0, 8))),
    ("the same horizon", ((3, 0, 4), (4, 0, 4))),
    ("a gap", ((1, 0, 2), (2, 5, 2))),
    ("an earlier horizon with a higher number", ((1, 4, 4), (2, 0, 6))),
    ("three deep", ((1, 0, 12), (3, 2, 8), (2, 4, 2), (4, 9, 1))),
)


def precedence_vectors() -> Json:
    """Final rounds with their horizons, and the round in force in each interval; null without."""
    cases = []
    for name, horizons in CASES:
        final = [(number, FIRST + at * STEP, count) for number, at, count in horizons]
        last = max(at + count for _, at, count in horizons)
        starts = [FIRST + at * STEP for at in range(-1, last + 1)]
        cases.append(
            {
                "name": name,
                "final": [
                    {"round": number, "horizonStart": start, "intervalCount": count}
                    for number, start, count in final
                ],
                "inForce": [[start, round_in_force(final, start)] for start in starts],
            }
        )
    return {"section": "14", "cases": cases}
