"""What the ``boffer`` commands share: reading Boffers, choosing among them, options in kW and $.

Leaves out the envelopes (``envelope_input``). Source: Part C §3.3, HLD §4.7.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Final

import typer

from oepnode.adapters import parquet_files
from oepnode.cli import output
from oepnode.domain.edge import boffer_check, gate
from oepnode.domain.edge.acknowledgement import Received
from oepnode.domain.edge.boffer import BofferDay, Boffers
from oepnode.domain.edge.boffer_check import Context
from oepnode.domain.edge.gate import EffectiveDay, Lodged
from oepnode.domain.edge.units import KW, PRICE, Unit, UnitError, to_integer
from oepnode.domain.nem_time import INTERVAL_S, format_nem, parse_trading_date, period_start
from oepnode.errors import ConfigError

BofferFile = Annotated[
    Path,
    typer.Argument(metavar="BOFFER", help="Boffers as JSON, NDJSON or Parquet; latest last."),
]
IdOption = Annotated[str | None, typer.Option("--id", help="Only this DUID or NMI.")]
LevelOption = Annotated[
    str | None, typer.Option("--level", help="Only this summation level: NMI or Flex.")
]
DateOption = Annotated[
    str | None,
    typer.Option(
        "--date",
        help="Trading date, yyyy-mm-dd. One without a Boffer takes the day before's, rolled "
        "forward. Default: every date in the file.",
    ),
]

MOST_BYTES: Final = 1 << 33


@dataclass(frozen=True, slots=True, order=True)
class Offerer:
    """Whose Boffer: what may not be mixed."""

    kind: str
    identity: str
    level: str
    timing: str

    def facts(self) -> dict[str, str]:
        """The fields of a JSON report."""
        name = "nmi" if self.kind == "NMI" else "duid"
        return {name: self.identity, "level": self.level, "timing": self.timing}


@dataclass(frozen=True)
class Choice:
    """Which Boffers of a file a command is about; None is all."""

    identity: str | None = None
    level: str | None = None
    on: date | None = None


def read(file: Path, context: Context | None = None) -> Received[Boffers]:
    """Read and check a file of Boffers.

    Raises:
        ConfigError: If the file is not readable.
    """
    if parquet_files.is_parquet(file):
        rows = parquet_files.read_rows(file)
        return boffer_check.validate_frame(rows, context, message_id=file.name)
    data = output.read_file(file, "file of Boffers", MOST_BYTES)
    return boffer_check.validate(data, context)


def usable(file: Path) -> tuple[BofferDay, ...]:
    """The Boffers of a file whose form is right; broken business rules are a note.

    Raises:
        DocumentFault: If the form is refused.
    """
    received = read(file)
    if received.value is None:
        received.raise_if_refused()
        return ()
    if not received.transaction.accepted:
        output.note(
            f"{file.name}: {received.transaction.message}; 'oepnode boffer validate' says where"
        )
    return received.value.days


def choice_of(identity: str | None, level: str | None, on: str | None) -> Choice:
    """The options as values.

    Raises:
        ConfigError: For a level or date that is none.
    """
    if level not in {None, "NMI", "Flex"}:
        raise ConfigError(f"--level is NMI or Flex, received {level!r}")
    try:
        return Choice(identity, level, None if on is None else parse_trading_date(on))
    except ValueError as exc:
        raise ConfigError(f"--date: {exc}") from exc


def by_offerer(days: Sequence[BofferDay], choice: Choice) -> dict[Offerer, list[BofferDay]]:
    """The Boffers of each offerer, in the order of the file; dates are not chosen yet.

    Raises:
        ConfigError: If none is left.
    """
    found: dict[Offerer, list[BofferDay]] = defaultdict(list)
    for day in days:
        is_wanted = choice.identity in {None, day.identity} and choice.level in {None, day.level}
        if is_wanted:
            found[offerer_of(day)].append(day)
    if not found:
        raise ConfigError("no Boffer of the file is of this --id and --level")
    return dict(found)


def offerer_of(day: BofferDay) -> Offerer:
    """Whose Boffer a day is."""
    return Offerer(day.kind, day.identity, day.level, day.timing)


def effective(
    days: Sequence[BofferDay], choice: Choice
) -> Iterator[tuple[Offerer, EffectiveDay, list[BofferDay]]]:
    """What counts of each offerer on each trading date, with the Boffers that it is from.

    A file's Boffers count as acknowledged in its order, so that the last one wins.

    Raises:
        ConfigError: If nothing counts on the date asked for.
    """
    is_empty = True
    for offerer, mine in by_offerer(days, choice).items():
        lodged = [Lodged(day, number) for number, day in enumerate(mine)]
        dates = {day.trading_date for day in mine} if choice.on is None else {choice.on}
        for on in sorted(dates):
            found = gate.effective_day(lodged, on)
            if found is not None:
                is_empty = False
                yield offerer, found, mine
    if is_empty:
        raise ConfigError("no Boffer of the file counts on this --date, not even an earlier one")


def only_one(
    days: Sequence[BofferDay], choice: Choice
) -> tuple[Offerer, EffectiveDay, list[BofferDay]]:
    """The one offerer and trading date that is left.

    Raises:
        ConfigError: If there are more.
    """
    found = list(effective(days, choice))
    if len(found) > 1:
        offerers, dates = {item[0] for item in found}, {item[1].trading_date for item in found}
        raise ConfigError(
            f"the file has several Boffers (units: {len(offerers)}, trading dates: {len(dates)}): "
            "choose one with --id, --level and --date"
        )
    return found[0]


# --- amounts and times ---------------------------------------------------------------------------


def cents_of(text: str, name: str) -> int:
    """A price in $/MWh as cents.

    Raises:
        ConfigError: If it is none.
    """
    return _amount(text, name, PRICE)


def watts_of(text: str, name: str) -> int:
    """A quantity in kW as watts.

    Raises:
        ConfigError: If it is none.
    """
    return _amount(text, name, KW)


def _amount(text: str, name: str, unit: Unit) -> int:
    try:
        float(text)
        return to_integer(text.strip().removeprefix("+"), unit)
    except UnitError as exc:
        raise ConfigError(f"{name}: {exc}") from exc
    except ValueError as exc:
        raise ConfigError(f"{name} is a number of {unit.name}, received {text!r}") from exc


def interval_end(on: date, period: int) -> str:
    """When a period ends, NEM time."""
    return format_nem(period_start(on, period) + INTERVAL_S)


def energy(wh: int) -> str:
    """Energy in kWh as text."""
    return f"{wh / 1000:,.3f} kWh"
