"""``oepnode boffer curve``: the supply curve of one period, as a table and a picture.

Source: HLD §4.6, Appendix D.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final

import typer

from oepnode.cli.boffer import shared
from oepnode.cli.common import output
from oepnode.cli.common.cells import figure
from oepnode.cli.common.edge_options import PlotOption
from oepnode.cli.common.output import JsonFlag
from oepnode.client.edge.boffers.pictures import bounds_of, draw_supply_curve, headline
from oepnode.client.edge.boffers.supply_curves import CurveReport, SupplyCurve, supply_curve
from oepnode.client.edge.pictures import require_picture
from oepnode.client.limits import kw_text
from oepnode.client.values import band_price_text, dollars, parse_amount
from oepnode.domain.nem.nem_time import PERIODS_PER_DAY
from oepnode.domain.nem.quantities import PRICE

CurvePeriodOption = Annotated[
    int,
    typer.Option("--period", min=1, max=PERIODS_PER_DAY, help="The period id; 1 ends 04:05."),
]
MarkOption = Annotated[
    list[str] | None,
    typer.Option("--price", help="Mark what clears at this price, $/MWh; may be repeated."),
]

_BANDS: Final = ("band", "side", "$/MWh", "kW", "accumulated kW")


def curve(
    file: shared.BofferFile,
    period: CurvePeriodOption = 1,
    duid: shared.DuidOption = None,
    nmi: shared.NmiOption = None,
    level: shared.LevelOption = None,
    date: shared.DateOption = None,
    price: MarkOption = None,
    plot: PlotOption = None,
    skip_rejected: shared.SkipRejectedFlag = False,
    allow_rejected: shared.AllowRejectedFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Show the supply curve of one period: the quantity the Boffer delivers at every price.

    A Boffer that the rules reject has no curve: exit code 1.
    """
    if plot is not None:
        require_picture(plot)
    marks = [parse_amount(text, "--price", PRICE) for text in price or ()]
    choice = shared.choice_of(duid, nmi, level, date)
    boffers = shared.load(file, allow_rejected=allow_rejected, skip_rejected=skip_rejected)
    result = supply_curve(boffers, period, choice=choice, prices=marks)
    output.print_notes(result.notes)
    if plot is not None:
        draw_supply_curve(result, plot)
    if as_json:
        output.print_json(result.report())
        return
    _print(result, result.report())
    shared.print_rejected(boffers)
    if plot is not None:
        output.say(f"picture in {plot}", "dim", err=True)


def _print(curve: SupplyCurve, report: CurveReport) -> None:
    output.say(headline(curve), "bold")
    output.print_table(_BANDS, _band_rows(report))
    facts = {name: f"{kw_text(watts)} kW" for name, watts in bounds_of(curve)}
    if report.fixed_load_w is not None:
        facts["fixedLoad"] = f"{kw_text(report.fixed_load_w)} kW, before the bands"
    if facts:
        output.print_facts(facts)
    steps = ((step.range_text(), output.kw(step.watts)) for step in curve.steps)
    output.print_table(("clearing price", "cleared kW"), steps)
    for mark in report.cleared:
        output.say(f"at {dollars(mark.price_cents)}: {kw_text(mark.cleared_w)} kW", "green")


def _band_rows(report: CurveReport) -> Iterator[tuple[object, ...]]:
    """Price, quantity and accumulated quantity of each band, as the tables of the HLD."""
    count = len(report.band_avail_w)
    prices = report.prices_cents or (0,) * count
    for band, watts in enumerate(report.band_avail_w):
        total = report.accumulated_w[band]
        if watts or total:
            yield (
                band + 1,
                "load" if band < count // 2 else "generation",
                figure(band_price_text(prices[band])),
                output.kw(watts),
                output.kw(total),
            )
