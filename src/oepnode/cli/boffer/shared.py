"""Options of the ``boffer`` commands, and their lines on rejected Boffers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from oepnode.cli.common import output
from oepnode.cli.common.edge_options import date_of, nmi_of
from oepnode.client import Level
from oepnode.client.edge.boffers.load import LoadedBoffers, RulesRejectedError, load_boffers
from oepnode.client.edge.boffers.selection import BofferChoice
from oepnode.domain.nem.nem_time import PERIODS_PER_DAY
from oepnode.errors import ConfigError

BofferFile = Annotated[
    Path,
    typer.Argument(metavar="BOFFER", help="Boffers as JSON, NDJSON or Parquet; latest last."),
]
DuidOption = Annotated[str | None, typer.Option("--duid", help="Only this DUID.")]
NmiOption = Annotated[str | None, typer.Option("--nmi", help="Only this NMI.")]
LevelOption = Annotated[
    Level | None, typer.Option("--level", help="Only this summation level: NMI or Flex.")
]
DateOption = Annotated[
    str | None,
    typer.Option(
        "--date",
        help="Trading date, yyyy-mm-dd. One without a Boffer takes that of the day before, rolled "
        "forward, and no older one. Default: every date in the file.",
    ),
]
OwnDateOption = Annotated[
    str | None,
    typer.Option(
        "--date", help="Only Boffers of this trading date, yyyy-mm-dd; none rolls forward."
    ),
]
PeriodOption = Annotated[
    int | None, typer.Option("--period", min=1, max=PERIODS_PER_DAY, help="Only this period id.")
]
AllowRejectedFlag = Annotated[
    bool,
    typer.Option(
        "--allow-rejected",
        help="Use Boffers that the rules reject as if they were accepted; the output marks them as "
        "rejected. One that came last then counts instead of the accepted one before it: "
        "--skip-rejected leaves it out.",
    ),
]
SkipRejectedFlag = Annotated[
    bool,
    typer.Option(
        "--skip-rejected",
        help="Acknowledge each Boffer of the file separately: one that is rejected counts nowhere "
        "and is named, the latest accepted one wins (HLD §4.7).",
    ),
]

_NOT_USED: Final = (
    "nothing is computed or written (--skip-rejected goes on without what is rejected, "
    "--allow-rejected with it)"
)


def choice_of(
    duid: str | None, nmi: str | None, level: Level | None, date: str | None
) -> BofferChoice:
    """The Boffers that the options choose.

    Raises:
        ConfigError: For an NMI or a date that is not one.
    """
    return BofferChoice(duid, nmi_of(nmi), level, date_of(date))


@contextmanager
def rejection_note(consequence: str = _NOT_USED) -> Iterator[None]:
    """Print what follows and the options that go on, where the rules reject Boffers."""
    try:
        yield
    except RulesRejectedError as exc:
        output.note(f"{exc.name}: {exc.reason}; {consequence}")
        raise


def load(path: Path, *, allow_rejected: bool, skip_rejected: bool) -> LoadedBoffers:
    """Load Boffers; errors as in `load_boffers`.

    Raises:
        ConfigError: If both options are given.
    """
    if allow_rejected and skip_rejected:
        raise ConfigError("--skip-rejected leaves out what --allow-rejected uses: choose one")
    with rejection_note():
        return load_boffers(path, allow_rejected=allow_rejected, skip_rejected=skip_rejected)


def print_rejected(boffers: LoadedBoffers) -> None:
    """Print that the rules reject the Boffers, or some of them, if they do."""
    for skipped in boffers.skipped[: output.TABLE_ROWS]:
        text = f"! {boffers.name}: {skipped.sentence}; it counts nowhere"
        output.say(text, "bold yellow")
    rest = len(boffers.skipped) - output.TABLE_ROWS
    if rest > 0:
        text = f"! {boffers.name}: and {rest} more rejected; --json prints all"
        output.say(text, "bold yellow")
    if boffers.is_rejected:
        reason = boffers.transaction.message
        text = f"! {boffers.name}: rejected by the rules ({reason}), used all the same"
        output.say(text, "bold yellow")
