"""What is still taken as conforming or good: the options and their value."""

from __future__ import annotations

from typing import Annotated

import typer

from oepnode.domain.edge.conformance import Tolerance

ToleranceWOption = Annotated[
    int, typer.Option("--tolerance-w", min=0, help="Watts that are still taken as conforming.")
]
TolerancePercentOption = Annotated[
    float,
    typer.Option(
        "--tolerance-percent",
        min=0,
        max=100,
        help="Percent, to one decimal; the larger of the two counts.",
    ),
]


def tolerance_of(watts: int, percent: float, minutes: int = 1) -> Tolerance:
    """A tolerance from the options; percent to one decimal."""
    return Tolerance(watts=watts, permille=round(percent * 10), minutes=minutes)
