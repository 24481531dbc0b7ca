"""``oepnode boffer clear``: quantities that Boffers deliver at a price.

Source: HLD §4.3 to §4.6.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.text import Text

from oepnode.cli.boffer import shared
from oepnode.cli.common import output
from oepnode.cli.common.cells import energy, more
from oepnode.cli.common.edge_options import TableOutOption
from oepnode.cli.common.output import JsonFlag
from oepnode.client.edge.boffers.clearing import ClearedBoffers, ClearedOffer, clear_boffers
from oepnode.client.edge.boffers.prices import load_prices
from oepnode.client.edge.tables import TABLE_SUFFIXES, require_suffix, write_table
from oepnode.client.values import counted, market_price_text, parse_amount
from oepnode.domain.edge.clearing.clear import MARKET_PRICE
from oepnode.errors import ConfigError

PriceOption = Annotated[
    str | None, typer.Option("--price", help="Clearing price of all intervals, $/MWh.")
]
PricesOption = Annotated[
    Path | None,
    typer.Option(
        "--prices",
        help="CSV with columns interval_end and price ($/MWh), or SETTLEMENTDATE and RRP as the "
        "market has them; up to 5 decimals.",
    ),
]

_COLUMNS: Final = ("unit", "level", "interval end", "period", "$/MWh", "cleared kW", "by")
_SOURCES: Final = {
    "bands": "bands",
    "fixed_load": "fixed load",
    "nothing": "nothing offered",
}


def clear_(
    file: shared.BofferFile,
    price: PriceOption = None,
    prices: PricesOption = None,
    duid: shared.DuidOption = None,
    nmi: shared.NmiOption = None,
    level: shared.LevelOption = None,
    date: shared.DateOption = None,
    period: shared.PeriodOption = None,
    out: TableOutOption = None,
    skip_rejected: shared.SkipRejectedFlag = False,
    allow_rejected: shared.AllowRejectedFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Clear Boffers at a price: load and generation that they deliver, in kW.

    Of several Boffers for one trading day the last one counts. A fixed load goes before the bands,
    and nothing clears beyond maxAvailLoad and maxAvailGen. Boffers that the rules reject clear
    nothing: exit code 1.
    """
    at_price = _price(price, prices)
    choice = shared.choice_of(duid, nmi, level, date)
    if out is not None:
        require_suffix(out, *TABLE_SUFFIXES)
    boffers = shared.load(file, allow_rejected=allow_rejected, skip_rejected=skip_rejected)
    cleared = clear_boffers(boffers, at_price, choice=choice, period=period)
    output.print_notes(cleared.notes)
    if out is not None:
        write_table(out, cleared.frame())
    if as_json:
        output.print_json(cleared.report())
    else:
        _print(cleared)
        shared.print_rejected(boffers)


def _price(price: str | None, prices: Path | None) -> int | dict[str, int]:
    if price is not None and prices is None:
        return parse_amount(price, "--price", MARKET_PRICE)
    if prices is not None and price is None:
        return load_prices(prices)
    raise ConfigError("name either one --price or a file of --prices")


def _print(cleared: ClearedBoffers) -> None:
    rows = [_cells(*row) for row in islice(_rows(cleared), output.TABLE_ROWS)]
    output.print_table(_COLUMNS, rows)
    total = sum(offer.periods.height for offer in cleared.offers)
    more(total, len(rows), "interval", "--json and --out print all")
    for offer in cleared.offers[: output.TABLE_ROWS]:
        output.say(_summary(offer), "bold")


def _rows(cleared: ClearedBoffers) -> Iterator[tuple[ClearedOffer, dict[str, Any]]]:
    return ((offer, row) for offer in cleared.offers for row in offer.periods.iter_rows(named=True))


def _cells(offer: ClearedOffer, row: dict[str, Any]) -> tuple[object, ...]:
    source = _SOURCES[row["cleared_by"]]
    limited = ", limited by maxAvail" if row["is_limited_by_max_avail"] else ""
    is_rolled = row["rolled_forward_days"] > 0
    rolled = f" (rolled forward from {row['offered_for']})" if is_rolled else ""
    return (
        offer.identity,
        offer.level,
        row["interval_end"],
        row["period"],
        Text(market_price_text(row["price_millicents"]), justify="right"),
        output.kw(row["cleared_w"]),
        source + limited + rolled,
    )


def _summary(offer: ClearedOffer) -> str:
    rolled, origin = offer.periods.filter(offer.periods["rolled_forward_days"] > 0), ""
    if rolled.height:
        some = "" if rolled.height == offer.periods.height else f"{rolled.height} of them "
        origin = f"; {some}rolled forward from {rolled['offered_for'][0]}"
    return (
        f"{offer.identity} ({offer.level}), {offer.trading_date.isoformat()}: "
        f"{counted(offer.periods.height, 'interval')}, load {energy(offer.load_wh)}, generation "
        f"{energy(offer.generation_wh)}{origin}"
    )
