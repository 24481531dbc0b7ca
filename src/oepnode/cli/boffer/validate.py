"""``oepnode boffer validate``: Boffers against their form and the rules.

Source: Part C §3, HLD §4.6, §4.7.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from oepnode.cli.boffer.offers import BofferFile, cents_of, load_accepted, read, watts_of
from oepnode.cli.common import acknowledgements
from oepnode.cli.common.output import JsonFlag
from oepnode.domain.edge.boffers.rules import Capacity, Market
from oepnode.domain.edge.boffers.validate import Context
from oepnode.errors import ConfigError


def validate(
    file: BofferFile,
    step: Annotated[
        int | None,
        typer.Option(
            "--step",
            min=1,
            max=3,
            help="Also hold it to the rules of step 1 (visibility), 2 (self-dispatch) or 3 "
            "(scheduled).",
        ),
    ] = None,
    earlier: Annotated[
        Path | None,
        typer.Option("--earlier", help="Boffers accepted before, for prices at gate closure."),
    ] = None,
    floor: Annotated[
        str | None, typer.Option("--floor", help="The market's price floor, $/MWh.")
    ] = None,
    ceiling: Annotated[
        str | None, typer.Option("--ceiling", help="The market's price ceiling, $/MWh.")
    ] = None,
    most_load: Annotated[
        str | None, typer.Option("--most-load", help="Capacity to consume, kW, as -100.")
    ] = None,
    most_generation: Annotated[
        str | None, typer.Option("--most-generation", help="Capacity to generate, kW.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Check Boffers: their form (system acknowledgement) and all rules (transaction).

    Every fault is shown with its code, place and the section of its rule. Exit code 1 where either
    acknowledgement rejects.
    """
    market = _pair(floor, ceiling, "--floor", "--ceiling", cents_of)
    capacity = _pair(most_load, most_generation, "--most-load", "--most-generation", watts_of)
    context = Context(
        step=step,
        market=None if market is None else Market(*market),
        capacity=None if capacity is None else Capacity(*capacity),
        earlier=() if earlier is None else load_accepted(earlier),
    )
    acknowledgements.report(read(file, context), as_json=as_json)


def _pair(
    low: str | None,
    high: str | None,
    low_name: str,
    high_name: str,
    parse: Any,  # noqa: ANN401
) -> tuple[int, int] | None:
    if low is None and high is None:
        return None
    if low is None or high is None:
        raise ConfigError(f"{low_name} and {high_name} go together")
    found = parse(low, low_name), parse(high, high_name)
    if found[0] > found[1]:
        raise ConfigError(f"{low_name} is not above {high_name}")
    return found
