"""``oepnode boffer compare``: changes between two files of Boffers.

Source: HLD §4.1 (gate closure), §4.7.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer
from rich.text import Text

from oepnode.cli.boffer import shared
from oepnode.cli.common import output
from oepnode.cli.common.cells import energy, figure, more
from oepnode.cli.common.output import JsonFlag
from oepnode.client.edge.boffers.comparison import BofferChange, BofferComparison, compare_boffers
from oepnode.client.values import counted

BeforeFile = Annotated[Path, typer.Argument(metavar="BEFORE", help="The earlier Boffers.")]
AfterFile = Annotated[Path, typer.Argument(metavar="AFTER", help="The later Boffers.")]

_COLUMNS: Final = (
    "unit",
    "level",
    "date",
    "periods",
    "prices changed in bands",
    "periods changed",
    "load",
    "generation",
)


def compare(
    before: BeforeFile,
    after: AfterFile,
    duid: shared.DuidOption = None,
    nmi: shared.NmiOption = None,
    level: shared.LevelOption = None,
    date: shared.OwnDateOption = None,
    skip_rejected: shared.SkipRejectedFlag = False,
    allow_rejected: shared.AllowRejectedFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Compare two files of Boffers: prices, and load and generation on offer.

    Compares a re-bid with the Boffer before it, a constrained offer with the original, or POST
    with PRE. A DUID's price that changes after gate closure gives exit code 1, and so do Boffers
    that the rules reject.
    """
    choice = shared.choice_of(duid, nmi, level, date)
    earlier, later = (
        shared.load(file, allow_rejected=allow_rejected, skip_rejected=skip_rejected)
        for file in (before, after)
    )
    comparison = compare_boffers(earlier, later, choice=choice)
    if as_json:
        output.print_json(comparison)
    else:
        _print(comparison)
        for boffers in (earlier, later):
            shared.print_rejected(boffers)
    comparison.require_gate_closure()


def _print(comparison: BofferComparison) -> None:
    changes = comparison.offers
    output.print_table(_COLUMNS, map(_cells, changes[: output.TABLE_ROWS]))
    more(len(changes), output.TABLE_ROWS, "Boffer")
    alone = {"earlier": comparison.only_before, "later": comparison.only_after}
    for name, count in alone.items():
        if count:
            verb = "is" if count == 1 else "are"
            output.note(f"{counted(count, 'Boffer')} {verb} in the {name} file only")


def _cells(change: BofferChange) -> tuple[object, ...]:
    bands = ", ".join(map(str, change.repriced_bands)) or "none"
    style = "yellow" if change.repriced_bands else "green"
    if change.is_changed_after_gate_closure:
        style = "bold red"
    return (
        change.identity,
        change.level,
        change.trading_date.isoformat(),
        change.periods.height,
        Text(bands, style=style),
        change.changed_periods,
        figure(energy(change.load_change_wh)),
        figure(energy(change.generation_change_wh)),
    )
