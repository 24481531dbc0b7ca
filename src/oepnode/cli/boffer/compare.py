"""``oepnode boffer compare``: what changed between two files of Boffers.

Source: HLD §4.1 (gate closure), §4.7.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from oepnode.cli.boffer.offers import (
    AllowRejectedFlag,
    Choice,
    IdOption,
    LevelOption,
    Offers,
    OwnDateOption,
    SkipRejectedFlag,
    choice_of,
    counted,
    energy,
    offerer_of,
    require_schema_valid,
)
from oepnode.cli.common import output
from oepnode.cli.common.output import JsonFlag
from oepnode.domain.edge.boffers import comparison as offer_change
from oepnode.domain.edge.boffers.comparison import OfferChange
from oepnode.domain.edge.boffers.gate_closure import is_rebid
from oepnode.domain.edge.boffers.model import BofferDay
from oepnode.errors import ConfigError, EvidenceError


def compare(
    before: Annotated[Path, typer.Argument(metavar="BEFORE", help="The earlier Boffers.")],
    after: Annotated[Path, typer.Argument(metavar="AFTER", help="The later Boffers.")],
    identity: IdOption = None,
    level: LevelOption = None,
    on: OwnDateOption = None,
    skip_rejected: SkipRejectedFlag = False,
    allow_rejected: AllowRejectedFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """What changed between two files: prices, and load and generation on offer.

    Compares a re-bid with the Boffer before it, a constrained offer with the original, or POST
    with PRE. A DUID's price that changes after gate closure gives exit code 1, and so do Boffers
    that the rules reject.
    """
    choice = choice_of(identity, level, on)
    files = [
        require_schema_valid(file, allow_rejected=allow_rejected, skip_rejected=skip_rejected)
        for file in (before, after)
    ]
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
        verb = "changes" if len(late) == 1 else "change"
        raise EvidenceError(
            f"{counted(len(late), 'Boffer')} {verb} prices after gate closure, 12:30 NEM time on "
            "the day before (HLD §4.1); not a fault in step 2"
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
    return is_rebid(day.submitted_us, day.trading_date)


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
            verb = "is" if count == 1 else "are"
            output.note(f"{counted(count, 'Boffer')} {verb} in the {name} file only")


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
