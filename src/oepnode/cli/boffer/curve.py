"""``oepnode boffer curve``: the supply curve of one period, as a table and a picture.

Source: HLD §4.6, Appendix D.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.text import Text

from oepnode.adapters.plots import figure as plots
from oepnode.cli.boffer import pictures
from oepnode.cli.boffer.offers import (
    AllowRejectedFlag,
    BofferFile,
    DateOption,
    IdOption,
    LevelOption,
    Offerer,
    SkipRejectedFlag,
    cents_of,
    choice_of,
    interval_end,
    offered_rows,
    only_one,
    require_schema_valid,
    rolled_from,
)
from oepnode.cli.common import output
from oepnode.cli.common.output import JsonFlag
from oepnode.domain.edge.boffers.bands import BANDS, accumulate
from oepnode.domain.edge.boffers.selection import EffectiveDay
from oepnode.domain.edge.clearing import supply_curve as curves
from oepnode.domain.nem.nem_time import PERIODS_PER_DAY
from oepnode.domain.nem.quantities import NO_LIMIT, PRICE, to_text

PlotOption = Annotated[
    Path | None,
    typer.Option("--plot", help="Draw the supply curve into this file, .svg or .png."),
]


def curve(
    file: BofferFile,
    period: Annotated[
        int,
        typer.Option("--period", min=1, max=PERIODS_PER_DAY, help="The period id; 1 ends 04:05."),
    ] = 1,
    identity: IdOption = None,
    level: LevelOption = None,
    on: DateOption = None,
    price: Annotated[
        list[str] | None,
        typer.Option("--price", help="Mark what clears at this price, $/MWh; may be repeated."),
    ] = None,
    plot: PlotOption = None,
    skip_rejected: SkipRejectedFlag = False,
    allow_rejected: AllowRejectedFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """The supply curve of one period: what the Boffer delivers at every price.

    A Boffer that the rules reject has none: exit code 1.
    """
    if plot is not None:
        plots.check(plot)
    marks = tuple(cents_of(text, "--price") for text in price or ())
    choice = choice_of(identity, level, on)
    offers = require_schema_valid(file, allow_rejected=allow_rejected, skip_rejected=skip_rejected)
    offerer, day, _ = only_one(offers.days, choice)
    row = int(offered_rows(day, period)[0])
    steps = pictures.curve_of(day, row)
    if plot is not None:
        picture = pictures.curve_picture(offerer, day, row, marks)
        pictures.draw(picture, plot, is_rejected=offers.is_rejected)
    if as_json:
        told = _curve_facts(offerer, day, row, steps, marks)
        output.print_json({"transaction": offers.facts()} | told)
        return
    output.say(pictures.headline(offerer, day, row), "bold")
    _print_bands(day, row)
    rows = [(step.range_text(), output.kw(step.watts)) for step in steps]
    output.print_table(("clearing price", "cleared kW"), rows)
    for cents in marks:
        quantity = curves.kilowatts(curves.quantity_at(steps, cents))
        output.say(f"at {curves.dollars(cents)}: {quantity} kW", "green")
    offers.say()
    if plot is not None:
        output.say(f"picture in {plot}", "dim", err=True)


def _print_bands(day: EffectiveDay, row: int) -> None:
    """Price, quantity and accumulated quantity of each band, as the tables of the HLD."""
    sums = accumulate(day.avail[row])
    rows = [
        (
            band + 1,
            "load" if band < BANDS // 2 else "generation",
            Text(to_text(day.prices[row, band], PRICE), justify="right"),
            output.kw(int(day.avail[row, band])),
            output.kw(int(sums[band])),
        )
        for band in range(BANDS)
        if day.avail[row, band] or sums[band]
    ]
    output.print_table(("band", "side", "$/MWh", "kW", "accumulated kW"), rows)
    facts = {name: curves.kilowatts(watts) + " kW" for name, watts in pictures.bounds_of(day, row)}
    if day.fixed_load[row] != NO_LIMIT:
        facts["fixedLoad"] = f"{curves.kilowatts(int(day.fixed_load[row]))} kW, before the bands"
    if facts:
        output.print_facts(facts)


def _curve_facts(
    offerer: Offerer,
    day: EffectiveDay,
    row: int,
    steps: tuple[curves.PriceStep, ...],
    marks: tuple[int, ...],
) -> dict[str, Any]:
    def given(values: np.ndarray[Any, Any]) -> int | None:
        return None if values[row] == NO_LIMIT else int(values[row])

    return offerer.facts() | {
        "tradingDate": day.trading_date.isoformat(),
        "periodId": row + 1,
        "intervalEnd": interval_end(day.trading_date, row + 1),
        "offeredFor": (rolled_from(day, row) or day.trading_date).isoformat(),
        "rolledForwardDays": int(day.days_back[row]),
        "prices_cents": day.prices[row].tolist() if day.has_prices[row] else None,
        "bandAvail_w": day.avail[row].tolist(),
        "accumulated_w": accumulate(day.avail[row]).tolist(),
        "maxAvailLoad_w": given(day.max_avail_load),
        "maxAvailGen_w": given(day.max_avail_gen),
        "fixedLoad_w": given(day.fixed_load),
        "steps": [
            {
                "low_cents": step.low,
                "lowIncluded": step.is_low_included,
                "high_cents": step.high,
                "highIncluded": step.is_high_included,
                "watts": step.watts,
            }
            for step in steps
        ],
        "cleared": [{"price_cents": c, "watts": curves.quantity_at(steps, c)} for c in marks],
    }
