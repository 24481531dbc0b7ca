"""``oepnode boffer clear``: what Boffers deliver at a price.

Source: HLD §4.3 to §4.6.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
import typer
from rich.text import Text

from oepnode.cli.boffer.market_prices import read_prices
from oepnode.cli.boffer.offers import (
    AllowRejectedFlag,
    BofferFile,
    DateOption,
    IdOption,
    LevelOption,
    Offerer,
    SkipRejectedFlag,
    choice_of,
    counted,
    effective,
    energy,
    interval_end,
    offered_rows,
    require_schema_valid,
    rolled_from,
)
from oepnode.cli.common import output
from oepnode.cli.common.amounts import amount_of
from oepnode.cli.common.output import JsonFlag
from oepnode.domain.edge.boffers.selection import EffectiveDay
from oepnode.domain.edge.clearing.clear import MARKET_PRICE, PER_CENT, Cleared, clear
from oepnode.domain.edge.timeseries.energy import energy_wh
from oepnode.domain.nem.nem_time import PERIODS_PER_DAY
from oepnode.domain.nem.quantities import to_text
from oepnode.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

PeriodOption = Annotated[
    int | None, typer.Option("--period", min=1, max=PERIODS_PER_DAY, help="Only this period id.")
]

_COLUMNS: Final = ("unit", "level", "interval end", "period", "$/MWh", "cleared kW", "by")
_Result = tuple[Offerer, EffectiveDay, np.ndarray[Any, Any], np.ndarray[Any, Any], Cleared]


def clear_(
    file: BofferFile,
    price: Annotated[
        str | None, typer.Option("--price", help="Clearing price of all intervals, $/MWh.")
    ] = None,
    prices: Annotated[
        Path | None,
        typer.Option(
            "--prices",
            help="CSV with columns interval_end and price ($/MWh), or SETTLEMENTDATE and RRP as "
            "the market has them; up to 5 decimals.",
        ),
    ] = None,
    identity: IdOption = None,
    level: LevelOption = None,
    on: DateOption = None,
    period: PeriodOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Also write every row to this file, .csv or .parquet."),
    ] = None,
    skip_rejected: SkipRejectedFlag = False,
    allow_rejected: AllowRejectedFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """What Boffers deliver at a price: load and generation that clear, in kW.

    Of several Boffers for one trading day the last one counts. A fixed load goes before the bands,
    and nothing clears beyond maxAvailLoad and maxAvailGen. Boffers that the rules reject clear
    nothing: exit code 1.
    """
    if (price is None) == (prices is None):
        raise ConfigError("name either one --price or a file of --prices")
    flat = None if price is None else amount_of(price, "--price", MARKET_PRICE)
    by_interval = {} if prices is None else read_prices(prices)
    choice = choice_of(identity, level, on)
    offers = require_schema_valid(file, allow_rejected=allow_rejected, skip_rejected=skip_rejected)
    results = []
    for offerer, day, _ in effective(offers.days, choice):
        rows = offered_rows(day, period)
        at = _prices_of(day, rows, flat, by_interval)
        cleared = clear(
            day.prices[rows],
            day.avail[rows],
            at,
            day.max_avail_load[rows],
            day.max_avail_gen[rows],
            day.fixed_load[rows],
            per_cent=PER_CENT,
        )
        results.append((offerer, day, rows, at, cleared))
    if out is not None:
        _write_frame(_cleared_frame(results), out)
    if as_json:
        facts = [_cleared_facts(*result) for result in results]
        output.print_json({"transaction": offers.facts(), "offers": facts})
    else:
        _print_cleared(results)
        offers.say()


def _prices_of(
    day: EffectiveDay,
    rows: np.ndarray[Any, Any],
    flat: int | None,
    by_interval: dict[str, int],
) -> np.ndarray[Any, Any]:
    if flat is not None:
        return np.full(len(rows), flat, dtype=np.int64)
    ends = [interval_end(day.trading_date, row + 1) for row in rows.tolist()]
    missing = sum(end not in by_interval for end in ends)
    if missing:
        raise ConfigError(f"--prices has no price for {missing} of {len(ends)} intervals")
    return np.array([by_interval[end] for end in ends], dtype=np.int64)


_SOURCES: Final = {"fixedLoad": "fixed load", "bands": "bands", "nothing": "nothing offered"}


def _source(day: EffectiveDay, cleared: Cleared, row: int, place: int) -> str:
    """What a period's watts come from; a Boffer without prices may state nothing for it."""
    if cleared.is_fixed[place]:
        return "fixedLoad"
    return "bands" if day.has_prices[row] else "nothing"


def _by(day: EffectiveDay, cleared: Cleared, row: int, place: int) -> str:
    source = _SOURCES[_source(day, cleared, row, place)]
    return f"{source}, held to maxAvail" if cleared.is_bounded[place] else source


def _print_cleared(results: list[_Result]) -> None:
    rows: list[tuple[object, ...]] = []
    total = sum(len(result[2]) for result in results)
    for offerer, day, chosen, at, cleared in results:
        for place, row in enumerate(chosen.tolist()):
            if len(rows) == output.TABLE_ROWS:
                break
            rows.append(
                (
                    offerer.identity,
                    offerer.level,
                    interval_end(day.trading_date, row + 1),
                    row + 1,
                    Text(to_text(at[place], MARKET_PRICE), justify="right"),
                    output.kw(int(cleared.watts[place])),
                    _by(day, cleared, row, place) + _rolled(day, row),
                )
            )
    output.print_table(_COLUMNS, rows)
    if total > len(rows):
        output.say(f"… and {total - len(rows)} more intervals; --json and --out have all", "dim")
    for offerer, day, chosen, _, cleared in results[: output.TABLE_ROWS]:
        load, generation = _energies(cleared)
        intervals = counted(len(chosen), "interval")
        output.say(
            f"{offerer.identity} ({offerer.level}), {day.trading_date.isoformat()}: "
            f"{intervals}, load {energy(load)}, generation {energy(generation)}"
            + _origin(day, chosen),
            "bold",
        )


def _rolled(day: EffectiveDay, row: int) -> str:
    before = rolled_from(day, row)
    return f" (rolled forward from {before.isoformat()})" if before else ""


def _origin(day: EffectiveDay, rows: np.ndarray[Any, Any]) -> str:
    """From which trading day the numbers of a summary are, where not from its own."""
    count = int((day.days_back[rows] > 0).sum())
    before = rolled_from(day)
    if not count or before is None:
        return ""
    some = "" if count == len(rows) else f"{count} of them "
    return f"; {some}rolled forward from {before.isoformat()}"


def _energies(cleared: Cleared) -> tuple[int, int]:
    load, generation = np.minimum(cleared.watts, 0), np.maximum(cleared.watts, 0)
    return energy_wh(load), energy_wh(generation)


def _cleared_facts(
    offerer: Offerer,
    day: EffectiveDay,
    rows: np.ndarray[Any, Any],
    at: np.ndarray[Any, Any],
    cleared: Cleared,
) -> dict[str, Any]:
    load, generation = _energies(cleared)
    periods = [
        {
            "periodId": row + 1,
            "intervalEnd": interval_end(day.trading_date, row + 1),
            "price_millicents": int(at[place]),
            "watts": int(cleared.watts[place]),
            "by": _source(day, cleared, row, place),
            "heldToMaxAvail": bool(cleared.is_bounded[place]),
            "rolledForwardDays": int(day.days_back[row]),
        }
        for place, row in enumerate(rows.tolist())
    ]
    before = rolled_from(day)
    head = offerer.facts() | {
        "tradingDate": day.trading_date.isoformat(),
        "rolledForwardFrom": None if before is None else before.isoformat(),
    }
    return head | {"load_wh": load, "generation_wh": generation, "periods": periods}


def _cleared_frame(results: list[_Result]) -> pl.DataFrame:
    import polars as pl

    return pl.concat(
        pl.DataFrame(
            {
                "unit": [offerer.identity] * len(rows),
                "level": [offerer.level] * len(rows),
                "timing": [offerer.timing] * len(rows),
                "interval_end": [interval_end(day.trading_date, r + 1) for r in rows.tolist()],
                "period": rows + 1,
                "offered_for": [
                    (rolled_from(day, row) or day.trading_date).isoformat() for row in rows.tolist()
                ],
                "price_millicents": at,
                "cleared_w": cleared.watts,
                "is_fixed": cleared.is_fixed,
                "is_held_to_max_avail": cleared.is_bounded,
            }
        )
        for offerer, day, rows, at, cleared in results
    )


def _write_frame(frame: pl.DataFrame, out: Path) -> None:
    suffix = out.suffix.lower()
    if suffix not in {".csv", ".parquet"}:
        raise ConfigError(f"{out}: --out ends in .csv or .parquet")
    format_ = output.Format.CSV if suffix == ".csv" else output.Format.PARQUET
    output.write_frame(frame, format_, out)
