"""``oepnode boffer``: bi-directional offers, checked, cleared, drawn, held to envelopes, compared.

Prints NMIs and DUIDs: the files are the user's own. Source: HLD §4.6, §4.7, Appendix D; Part C §3,
§6.3.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np
import typer
from rich.text import Text

from oepnode.cli import acknowledgements, boffer_envelopes, output
from oepnode.cli.boffer_input import (
    BofferFile,
    Choice,
    DateOption,
    EvenIfRefusedFlag,
    IdOption,
    LevelOption,
    Offerer,
    Offers,
    OwnDateOption,
    cents_of,
    choice_of,
    effective,
    energy,
    interval_end,
    offerer_of,
    only_one,
    read,
    rolled_from,
    stated,
    usable,
    watts_of,
)
from oepnode.cli.output import JsonFlag
from oepnode.domain.edge import curve as curves
from oepnode.domain.edge import gate, offer_change
from oepnode.domain.edge.boffer import BofferDay
from oepnode.domain.edge.boffer_check import Context
from oepnode.domain.edge.boffer_rules import Capacity, Market
from oepnode.domain.edge.clearing import BANDS, Cleared, accumulate, clear
from oepnode.domain.edge.constrain import energy_wh
from oepnode.domain.edge.gate import NOT_OFFERED, EffectiveDay
from oepnode.domain.edge.offer_change import OfferChange
from oepnode.domain.edge.units import PRICE, to_text
from oepnode.domain.nem_time import PERIODS_PER_DAY, parse_grid_instant, trading_period
from oepnode.domain.power import NO_LIMIT
from oepnode.errors import ConfigError, EvidenceError

if TYPE_CHECKING:
    import polars as pl

app = typer.Typer(
    no_args_is_help=True,
    help="Bi-directional offers: check them against the rules, clear them at a price, draw their "
    "supply curve, hold them to operating envelopes, compare two of them.",
)

PlotOption = Annotated[
    Path | None,
    typer.Option("--plot", help="Draw the supply curve into this file, .svg or .png."),
]
PeriodOption = Annotated[
    int | None, typer.Option("--period", min=1, max=PERIODS_PER_DAY, help="Only this period id.")
]

# --- validate ------------------------------------------------------------------------------------


@app.command()
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
    acknowledgement refuses.
    """
    market = _pair(floor, ceiling, "--floor", "--ceiling", cents_of)
    capacity = _pair(most_load, most_generation, "--most-load", "--most-generation", watts_of)
    context = Context(
        step=step,
        market=None if market is None else Market(*market),
        capacity=None if capacity is None else Capacity(*capacity),
        earlier=() if earlier is None else stated(earlier),
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


# --- clear ---------------------------------------------------------------------------------------

_CLEAR_COLUMNS: Final = ("unit", "level", "interval end", "period", "$/MWh", "cleared kW", "by")


@app.command("clear")
def clear_(
    file: BofferFile,
    price: Annotated[
        str | None, typer.Option("--price", help="Clearing price of all intervals, $/MWh.")
    ] = None,
    prices: Annotated[
        Path | None,
        typer.Option(
            "--prices", help="CSV with columns interval_end (NEM time) and price ($/MWh)."
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
    even_if_refused: EvenIfRefusedFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """What Boffers deliver at a price: load and generation that clear, in kW.

    Of several Boffers for one trading day the last one counts. A fixed load goes before the bands,
    and nothing clears beyond maxAvailLoad and maxAvailGen. Boffers that the rules refuse clear
    nothing: exit code 1.
    """
    if (price is None) == (prices is None):
        raise ConfigError("name either one --price or a file of --prices")
    flat = None if price is None else cents_of(price, "--price")
    by_interval = {} if prices is None else _read_prices(prices)
    choice = choice_of(identity, level, on)
    offers = usable(file, even_if_refused=even_if_refused)
    results = []
    for offerer, day, _ in effective(offers.days, choice):
        rows = _offered(day, period)
        cents = _prices_of(day, rows, flat, by_interval)
        cleared = clear(
            day.prices[rows],
            day.avail[rows],
            cents,
            day.max_avail_load[rows],
            day.max_avail_gen[rows],
            day.fixed_load[rows],
        )
        results.append((offerer, day, rows, cents, cleared))
    if out is not None:
        _write_frame(_cleared_frame(results), out)
    if as_json:
        facts = [_cleared_facts(*result) for result in results]
        output.print_json({"transaction": offers.facts(), "offers": facts})
    else:
        _print_cleared(results)
        offers.say()


_Result = tuple[Offerer, EffectiveDay, np.ndarray[Any, Any], np.ndarray[Any, Any], Cleared]


def _offered(day: EffectiveDay, period: int | None) -> np.ndarray[Any, Any]:
    rows = np.flatnonzero(day.source != NOT_OFFERED)
    rows = rows if period is None else rows[rows == period - 1]
    if not len(rows):
        raise ConfigError(f"no Boffer covers period {period} of this trading date")
    return rows


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


def _read_prices(file: Path) -> dict[str, int]:
    import polars as pl

    try:
        frame = pl.read_csv(file, infer_schema=False).select("interval_end", "price")
    except (pl.exceptions.PolarsError, OSError) as exc:
        raise ConfigError(f"{file}: not CSV with columns interval_end and price") from exc
    found: dict[str, int] = {}
    for number, (end, price) in enumerate(frame.iter_rows(), 2):
        place = f"{file}, line {number}"
        try:
            instant = parse_grid_instant(end or "")
        except ValueError as exc:
            raise ConfigError(f"{place}: {exc}") from exc
        on, after = trading_period(instant.seconds - 1)
        name = interval_end(on, after)
        if name in found:
            raise ConfigError(f"{place}: a second price for one interval")
        found[name] = cents_of(price or "", place)
    return found


def _by(cleared: Cleared, row: int) -> str:
    source = "fixed load" if cleared.is_fixed[row] else "bands"
    return f"{source}, held to maxAvail" if cleared.is_bounded[row] else source


def _print_cleared(results: list[_Result]) -> None:
    rows: list[tuple[object, ...]] = []
    total = sum(len(result[2]) for result in results)
    for offerer, day, chosen, cents, cleared in results:
        for place, row in enumerate(chosen.tolist()):
            if len(rows) == output.TABLE_ROWS:
                break
            rows.append(
                (
                    offerer.identity,
                    offerer.level,
                    interval_end(day.trading_date, row + 1),
                    row + 1,
                    Text(to_text(cents[place], PRICE), justify="right"),
                    output.kw(int(cleared.watts[place])),
                    _by(cleared, place) + _rolled(day, row),
                )
            )
    output.print_table(_CLEAR_COLUMNS, rows)
    if total > len(rows):
        output.say(f"… and {total - len(rows)} more intervals; --json and --out have all", "dim")
    for offerer, day, chosen, _, cleared in results[: output.TABLE_ROWS]:
        load, generation = _energies(cleared)
        output.say(
            f"{offerer.identity} ({offerer.level}), {day.trading_date.isoformat()}: "
            f"{len(chosen)} intervals, load {energy(load)}, generation {energy(generation)}"
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
    cents: np.ndarray[Any, Any],
    cleared: Cleared,
) -> dict[str, Any]:
    load, generation = _energies(cleared)
    periods = [
        {
            "periodId": row + 1,
            "intervalEnd": interval_end(day.trading_date, row + 1),
            "price_cents": int(cents[place]),
            "watts": int(cleared.watts[place]),
            "by": "fixedLoad" if cleared.is_fixed[place] else "bands",
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
                "price_cents": cents,
                "cleared_w": cleared.watts,
                "is_fixed": cleared.is_fixed,
                "is_held_to_max_avail": cleared.is_bounded,
            }
        )
        for offerer, day, rows, cents, cleared in results
    )


def _write_frame(frame: pl.DataFrame, out: Path) -> None:
    suffix = out.suffix.lower()
    if suffix not in {".csv", ".parquet"}:
        raise ConfigError(f"{out}: --out ends in .csv or .parquet")
    format_ = output.Format.CSV if suffix == ".csv" else output.Format.PARQUET
    output.write_frame(frame, format_, out)


# --- curve ---------------------------------------------------------------------------------------


@app.command()
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
    even_if_refused: EvenIfRefusedFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """The supply curve of one period: what the Boffer delivers at every price.

    A Boffer that the rules refuse has none: exit code 1.
    """
    if plot is not None:
        _check_plot(plot)
    marks = tuple(cents_of(text, "--price") for text in price or ())
    choice = choice_of(identity, level, on)
    offers = usable(file, even_if_refused=even_if_refused)
    offerer, day, _ = only_one(offers.days, choice)
    row = int(_offered(day, period)[0])
    steps = boffer_envelopes.curve_of(day, row)
    if plot is not None:
        picture = boffer_envelopes.curve_picture(offerer, day, row, marks)
        boffer_envelopes.draw(picture, plot, is_refused=offers.is_refused)
    if as_json:
        told = _curve_facts(offerer, day, row, steps, marks)
        output.print_json({"transaction": offers.facts()} | told)
        return
    output.say(boffer_envelopes.headline(offerer, day, row), "bold")
    _print_bands(day, row)
    rows = [(step.range_text(), output.kw(step.watts)) for step in steps]
    output.print_table(("clearing price", "cleared kW"), rows)
    for cents in marks:
        quantity = curves.kilowatts(curves.quantity_at(steps, cents))
        output.say(f"at {curves.dollars(cents)}: {quantity} kW", "green")
    offers.say()
    if plot is not None:
        output.say(f"picture in {plot}", "dim", err=True)


def _check_plot(file: Path) -> None:
    from oepnode.adapters import plots

    plots.check(file)


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
    facts = {
        name: curves.kilowatts(watts) + " kW"
        for name, watts in boffer_envelopes.bounds_of(day, row)
    }
    if day.fixed_load[row] != NO_LIMIT:
        facts["fixedLoad"] = f"{curves.kilowatts(int(day.fixed_load[row]))} kW, before the bands"
    if facts:
        output.print_facts(facts)


def _curve_facts(
    offerer: Offerer,
    day: EffectiveDay,
    row: int,
    steps: tuple[curves.Step, ...],
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
        "prices_cents": day.prices[row].tolist(),
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


# --- constrain -----------------------------------------------------------------------------------

app.command("constrain")(boffer_envelopes.constrain)

# --- compare -------------------------------------------------------------------------------------


@app.command()
def compare(
    before: Annotated[Path, typer.Argument(metavar="BEFORE", help="The earlier Boffers.")],
    after: Annotated[Path, typer.Argument(metavar="AFTER", help="The later Boffers.")],
    identity: IdOption = None,
    level: LevelOption = None,
    on: OwnDateOption = None,
    even_if_refused: EvenIfRefusedFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """What changed between two files: prices, and load and generation on offer.

    Compares a re-bid with the Boffer before it, a constrained offer with the original, or POST
    with PRE. A DUID's price that changes after gate closure gives exit code 1, and so do Boffers
    that the rules refuse.
    """
    choice = choice_of(identity, level, on)
    files = [usable(file, even_if_refused=even_if_refused) for file in (before, after)]
    sides = [_chosen(offers, choice) for offers in files]
    common = [key for key in sides[0] if key in sides[1]]
    if not common:
        raise ConfigError("the files have no Boffer of one unit, level and trading date in common")
    pairs = [(sides[0][key], sides[1][key]) for key in common]
    alone = (len(sides[0]) - len(common), len(sides[1]) - len(common))
    changes = [(a, b, offer_change.compare(a, b)) for a, b in pairs]
    late = [b for a, b, c in changes if c.bands and b.kind == "DUID" and _is_late(b)]
    if as_json:
        facts = [_change_facts(b, c, is_late=b in late) for _, b, c in changes]
        answers = dict(zip(("before", "after"), (offers.facts() for offers in files), strict=True))
        told = {"offers": facts, "onlyBefore": alone[0], "onlyAfter": alone[1]}
        output.print_json({"transaction": answers} | told)
    else:
        _print_changes(changes, late, alone)
        for offers in files:
            offers.say()
    if late:
        raise EvidenceError(
            f"{len(late)} Boffers change prices after gate closure, 12:30 NEM time on the day "
            "before (HLD §4.1); not a fault in step 2"
        )


def _chosen(offers: Offers, choice: Choice) -> dict[tuple[str, str, str, date], BofferDay]:
    """The Boffers of a file that are meant; the last one of a date counts."""
    return {
        (day.kind, day.identity, day.level, day.trading_date): day
        for day in offers.days
        if choice.identity in {None, day.identity}
        and choice.level in {None, day.level}
        and choice.on in {None, day.trading_date}
    }


def _is_late(day: BofferDay) -> bool:
    return gate.is_rebid(day.submitted_us, day.trading_date)


def _print_changes(
    changes: list[tuple[BofferDay, BofferDay, OfferChange]],
    late: list[BofferDay],
    alone: tuple[int, int],
) -> None:
    rows = []
    for _, day, change in changes[: output.TABLE_ROWS]:
        bands = ", ".join(map(str, change.bands)) or "none"
        style = "bold red" if day in late else "yellow" if change.bands else "green"
        rows.append(
            (
                day.identity,
                day.level,
                day.trading_date.isoformat(),
                len(change.periods),
                Text(bands, style=style),
                int((change.quantities > 0).sum()),
                Text(energy(change.load_wh), justify="right"),
                Text(energy(change.generation_wh), justify="right"),
            )
        )
    columns = ("unit", "level", "date", "periods", "prices changed in bands", "periods changed")
    output.print_table((*columns, "load", "generation"), rows)
    if len(changes) > len(rows):
        output.say(f"… and {len(changes) - len(rows)} more; --json has all", "dim")
    for count, name in zip(alone, ("earlier", "later"), strict=True):
        if count:
            output.note(f"{count} Boffers are in the {name} file only")


def _change_facts(day: BofferDay, change: OfferChange, *, is_late: bool) -> dict[str, Any]:
    return offerer_of(day).facts() | {
        "tradingDate": day.trading_date.isoformat(),
        "pricesChangedInBands": list(change.bands),
        "changedAfterGateClosure": is_late,
        "loadChange_wh": change.load_wh,
        "generationChange_wh": change.generation_wh,
        "periodsOnlyBefore": change.only_before,
        "periodsOnlyAfter": change.only_after,
        "periods": [
            {
                "periodId": period,
                "loadBefore_w": int(change.load[0, place]),
                "loadAfter_w": int(change.load[1, place]),
                "generationBefore_w": int(change.generation[0, place]),
                "generationAfter_w": int(change.generation[1, place]),
                "quantitiesChanged": int(change.quantities[place]),
            }
            for place, period in enumerate(change.periods.tolist())
        ],
    }
