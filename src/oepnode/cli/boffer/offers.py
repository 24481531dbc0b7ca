"""What the ``boffer`` commands share: reading Boffers, choosing among them, options in kW and $.

Leaves out the envelopes (``envelope_input``). Source: Part C §3.3, HLD §4.7.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer

from oepnode.adapters.storage import parquet as parquet_files
from oepnode.cli.common import output
from oepnode.cli.common.amounts import amount_of
from oepnode.domain.edge.boffers import validate as boffer_check
from oepnode.domain.edge.boffers.model import BofferDay, Boffers
from oepnode.domain.edge.boffers.selection import (
    NOT_OFFERED,
    EffectiveDay,
    ExpiredRollForward,
    Lodged,
    effective_day,
    expired_roll_forward,
)
from oepnode.domain.edge.boffers.validate import AcknowledgedBoffer, Context
from oepnode.domain.edge.schema.json_writer import nem_text
from oepnode.domain.edge.validation.acknowledgement import Acknowledgement, ValidationResult
from oepnode.domain.nem.nem_time import INTERVAL_S, format_nem, parse_trading_date, period_start
from oepnode.domain.nem.quantities import KW, PRICE
from oepnode.domain.rounds.inputs.supersession import NO_SUBMISSION
from oepnode.errors import ConfigError, EvidenceError

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
        "forward; none older. Default: every date in the file.",
    ),
]
OwnDateOption = Annotated[
    str | None,
    typer.Option(
        "--date", help="Only Boffers of this trading date, yyyy-mm-dd; none rolls forward."
    ),
]
AllowRejectedFlag = Annotated[
    bool,
    typer.Option(
        "--allow-rejected",
        help="Take Boffers that the rules reject as if they were accepted, to look into them; the "
        "output marks them as rejected. One that came last then counts instead of the accepted "
        "one before it: --skip-rejected leaves it out.",
    ),
]
SkipRejectedFlag = Annotated[
    bool,
    typer.Option(
        "--skip-rejected",
        help="Acknowledge each Boffer of the file by itself: one that is rejected counts nowhere "
        "and is named, the latest accepted one wins (HLD §4.7).",
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


def read(file: Path, context: Context | None = None) -> ValidationResult[Boffers]:
    """Read and check a file of Boffers.

    Raises:
        ConfigError: If the file is not readable.
    """
    if parquet_files.is_parquet(file):
        rows = parquet_files.read_rows(file)
        return boffer_check.validate_frame(rows, context, message_id=file.name)
    data = output.read_file(file, "file of Boffers", MOST_BYTES)
    return boffer_check.validate(data, context)


def read_each(file: Path) -> tuple[AcknowledgedBoffer, ...]:
    """Read a file of Boffers, and acknowledge them one by one.

    Raises:
        ConfigError: If the file is not readable.
        DocumentFault: If it holds no records, or rows of the wrong form.
    """
    if parquet_files.is_parquet(file):
        return boffer_check.validate_frame_each(parquet_files.read_rows(file))
    return boffer_check.validate_each(output.read_file(file, "file of Boffers", MOST_BYTES))


@dataclass(frozen=True)
class Offers:
    """Boffers that a command works with, and what the rules say of them.

    Attributes:
        name: What they are, for messages.
        days: The Boffers.
        answer: Their transaction acknowledgement.
        skipped: Boffers of the file that are rejected and count nowhere.
    """

    name: str
    days: tuple[BofferDay, ...]
    answer: Acknowledgement
    skipped: tuple[AcknowledgedBoffer, ...] = ()

    @property
    def is_rejected(self) -> bool:
        """Whether the rules reject them."""
        return not self.answer.accepted

    def facts(self) -> dict[str, Any]:
        """What the rules say, for a JSON report."""
        return {
            "code": self.answer.code,
            "message": self.answer.message,
            "counts": dict(self.answer.counts),
            "skipped": [_skipped_facts(answer) for answer in self.skipped],
        }

    def say(self) -> None:
        """Lines in the output, where the rules reject them, or some of them."""
        for answer in self.skipped[: output.TABLE_ROWS]:
            output.say(f"! {self.name}: {_named(answer)}; it counts nowhere", "bold yellow")
        if len(self.skipped) > output.TABLE_ROWS:
            more = len(self.skipped) - output.TABLE_ROWS
            output.say(f"! {self.name}: and {more} more rejected; --json has all", "bold yellow")
        if self.is_rejected:
            text = (
                f"! {self.name}: rejected by the rules ({self.answer.message}), used all the same"
            )
            output.say(text, "bold yellow")


def require_schema_valid(
    file: Path, *, allow_rejected: bool = False, skip_rejected: bool = False
) -> Offers:
    """The Boffers of a file that both acknowledgements accept.

    Args:
        file: Boffers in any form.
        allow_rejected: Take those that break business rules as well.
        skip_rejected: Acknowledge them one by one, and leave out those that are rejected.

    Raises:
        DocumentFault: If the form or the rules reject them, with every fault.
        EvidenceError: If each of them is rejected.
        ConfigError: If both are asked for.
    """
    if skip_rejected and allow_rejected:
        raise ConfigError("--skip-rejected leaves out what --allow-rejected takes: choose one")
    if skip_rejected:
        return _accepted(file)
    return apply_rejection_policy(read(file), file.name, allow_rejected=allow_rejected)


def _accepted(file: Path) -> Offers:
    """The Boffers of a file that are accepted, each acknowledged by itself."""
    answers = read_each(file)
    skipped = tuple(answer for answer in answers if not answer.received.accepted)
    if len(skipped) == len(answers):
        raise EvidenceError(f"{file.name}: no Boffer is accepted; {_named(skipped[0])}")
    values = [answer.received.value for answer in answers if answer.received.accepted]
    days = tuple(day for value in values if value is not None for day in value.days)
    answer = Acknowledgement("transaction", file.name, accepted=True)
    return Offers(file.name, days, answer, skipped)


def _named(answer: AcknowledgedBoffer) -> str:
    """A rejected Boffer: where it stands, whose it is, and why."""
    whose = ""
    if answer.first is not None:
        whose = f" ({answer.first.identity}, submitted {_submitted(answer.first)})"
    return f"{answer.path}{whose} is rejected, {answer.message}"


def _skipped_facts(answer: AcknowledgedBoffer) -> dict[str, Any]:
    first, received = answer.first, answer.received
    counts = {**received.system.counts, **received.transaction.counts}
    whose = {} if first is None else offerer_of(first).facts()
    submitted = {} if first is None else {"submissionDateTime": _submitted(first)}
    told = {"path": answer.path, "message": answer.message, "counts": counts}
    return whose | submitted | told


def _submitted(day: BofferDay) -> str:
    is_known = day.submitted_us != NO_SUBMISSION
    return nem_text(day.submitted_us) if is_known else "at no known time"


def apply_rejection_policy(
    received: ValidationResult[Boffers], name: str, *, allow_rejected: bool
) -> Offers:
    """Boffers with what the rules say of them.

    Raises:
        DocumentFault: If the form rejects them, or the rules do and that is not asked for.
    """
    days = () if received.value is None else received.value.days
    if received.system.accepted and not received.transaction.accepted and not allow_rejected:
        output.note(
            f"{name}: {received.transaction.message}; nothing is worked out or written "
            "(--skip-rejected goes on without what is rejected, --allow-rejected with it)"
        )
    if not received.system.accepted or not allow_rejected:
        received.raise_if_rejected()
    return Offers(name, days, received.transaction)


def load_accepted(file: Path) -> tuple[BofferDay, ...]:
    """Boffers that the user says were accepted; rules that they break are a note.

    Raises:
        DocumentFault: If the form is rejected.
    """
    found = require_schema_valid(file, allow_rejected=True)
    if found.is_rejected:
        output.note(f"{file.name}: {found.answer.message}; 'oepnode boffer validate' says where")
    return found.days


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
            note_lapsed(offerer, expired_roll_forward(lodged, on))
            found = effective_day(lodged, on)
            if found is not None:
                is_empty = False
                yield offerer, found, mine
    if is_empty:
        raise ConfigError(
            "no Boffer of the file counts on this --date, and none of the day before rolls forward"
        )


def note_lapsed(offerer: Offerer, found: ExpiredRollForward | None) -> None:
    """Say which day's Boffer was missing, where an older one does not stand in for it."""
    if found is None:
        return
    verb = "has" if found.periods == 1 else "have"
    output.note(
        f"{offerer.identity} ({offerer.level}): {counted(found.periods, 'period')} of "
        f"{found.trading_date.isoformat()} {verb} no Boffer: there is none of {found.missing} to "
        f"roll forward, and that of {found.newest} is too old (HLD §4.4, §4.5)"
    )


def rolled_from(day: EffectiveDay, row: int | None = None) -> date | None:
    """The trading day whose Boffer rolled forward, for a row or any; None where none did."""
    days = day.days_back if row is None else day.days_back[row : row + 1]
    back = int(days.max(initial=0))
    return day.trading_date - timedelta(days=back) if back else None


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


def offered_rows(day: EffectiveDay, period: int | None) -> np.ndarray[Any, Any]:
    """The rows of a day that are offered, of a period or of all.

    Raises:
        ConfigError: If there are none.
    """
    rows = np.flatnonzero(day.source != NOT_OFFERED)
    rows = rows if period is None else rows[rows == period - 1]
    if not len(rows):
        raise ConfigError(f"no Boffer covers period {period} of this trading date")
    return rows


# --- amounts and times ---------------------------------------------------------------------------


def cents_of(text: str, name: str) -> int:
    """A price in $/MWh as cents.

    Raises:
        ConfigError: If it is none.
    """
    return amount_of(text, name, PRICE)


def watts_of(text: str, name: str) -> int:
    """A quantity in kW as watts.

    Raises:
        ConfigError: If it is none.
    """
    return amount_of(text, name, KW)


def interval_end(on: date, period: int) -> str:
    """When a period ends, NEM time."""
    return format_nem(period_start(on, period) + INTERVAL_S)


def energy(wh: int) -> str:
    """Energy in kWh as text."""
    return f"{wh / 1000:,.3f} kWh"


def counted(count: int, noun: str) -> str:
    """A number of things, such as ``1 interval`` or ``2 intervals``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
