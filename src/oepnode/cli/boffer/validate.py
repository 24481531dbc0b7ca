"""``oepnode boffer validate``: Boffers against their form and the rules.

Source: Part C §3, HLD §4.6, §4.7.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oepnode.cli.boffer.shared import BofferFile
from oepnode.cli.common import acknowledgements, output
from oepnode.cli.common.output import JsonFlag
from oepnode.client import Capacity, Context, Market
from oepnode.client.edge.boffers.load import load_accepted, validate_boffers
from oepnode.client.values import parse_amount
from oepnode.domain.nem.quantities import KW, PRICE, Unit
from oepnode.errors import ConfigError

StepOption = Annotated[
    int | None,
    typer.Option(
        "--step",
        min=1,
        max=3,
        help="Also check the rules of step 1 (visibility), 2 (self-dispatch) or 3 (scheduled).",
    ),
]
EarlierOption = Annotated[
    Path | None,
    typer.Option("--earlier", help="Boffers accepted before, for prices at gate closure."),
]
FloorOption = Annotated[
    str | None, typer.Option("--floor", help="The market's price floor, $/MWh.")
]
CeilingOption = Annotated[
    str | None, typer.Option("--ceiling", help="The market's price ceiling, $/MWh.")
]
MostLoadOption = Annotated[
    str | None, typer.Option("--most-load", help="Capacity to consume, kW, as -100.")
]
MostGenerationOption = Annotated[
    str | None, typer.Option("--most-generation", help="Capacity to generate, kW.")
]


def validate(
    file: BofferFile,
    step: StepOption = None,
    earlier: EarlierOption = None,
    floor: FloorOption = None,
    ceiling: CeilingOption = None,
    most_load: MostLoadOption = None,
    most_generation: MostGenerationOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Validate Boffers: their form (system acknowledgement) and all rules (transaction).

    Every fault is reported with its code, location and the section of its rule. Exit code 1 where
    either acknowledgement rejects.
    """
    market = _pair(floor, ceiling, "--floor", "--ceiling", PRICE)
    capacity = _pair(most_load, most_generation, "--most-load", "--most-generation", KW)
    before = None if earlier is None else load_accepted(earlier)
    if before is not None and before.is_rejected:
        reason = before.transaction.message
        output.note(f"{before.name}: {reason}; 'oepnode boffer validate' shows the locations")
    context = Context(
        step=step,
        market=None if market is None else Market(*market),
        capacity=None if capacity is None else Capacity(*capacity),
        earlier=() if before is None else before.days,
    )
    acknowledgements.report(validate_boffers(file, context), as_json=as_json)


def _pair(
    low: str | None, high: str | None, low_name: str, high_name: str, unit: Unit
) -> tuple[int, int] | None:
    if low is None and high is None:
        return None
    if low is None or high is None:
        raise ConfigError(f"{low_name} and {high_name} go together")
    pair = parse_amount(low, low_name, unit), parse_amount(high, high_name, unit)
    if pair[0] > pair[1]:
        raise ConfigError(f"{low_name} {low} must not be above {high_name} {high}")
    return pair
