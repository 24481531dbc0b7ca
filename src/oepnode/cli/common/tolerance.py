"""What is still taken as conforming or good: the options and their value."""

from __future__ import annotations

import math
from typing import Annotated, Final

import typer

from oepnode.domain.edge.timeseries.tolerance import Tolerance

_MOST_W: Final = 2**31 - 1
_FUZZ: Final = 1e-9
"""How far from a whole per mille ten times a percentage may be: binary fractions."""


def _to_one_decimal(percent: float) -> float:
    permille = percent * 10
    if not math.isfinite(percent) or abs(permille - round(permille)) > _FUZZ:
        raise typer.BadParameter("a percentage has at most one decimal, as 2.5")
    return percent


ToleranceWOption = Annotated[
    int,
    typer.Option(
        "--tolerance-w", min=0, max=_MOST_W, help="Watts that are still taken as conforming."
    ),
]
TolerancePercentOption = Annotated[
    float,
    typer.Option(
        "--tolerance-percent",
        min=0,
        max=100,
        callback=_to_one_decimal,
        help="Percent, to one decimal; the larger of the two counts.",
    ),
]
TargetToleranceWOption = Annotated[
    int,
    typer.Option("--target-tolerance-w", min=0, max=_MOST_W, help="The same for dispatch targets."),
]
TargetTolerancePercentOption = Annotated[
    float,
    typer.Option(
        "--target-tolerance-percent",
        min=0,
        max=100,
        callback=_to_one_decimal,
        help="The same for dispatch targets.",
    ),
]


def tolerance_of(watts: int, percent: float, minutes: int = 1, missing: int = 0) -> Tolerance:
    """A tolerance from the options; percent to one decimal."""
    permille = round(percent * 10)
    return Tolerance(watts=watts, permille=permille, minutes=minutes, missing=missing)
