"""Submissions as the input of a command: reading, and printing both acknowledgements."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from oepnode.adapters import parquet_files
from oepnode.cli import output
from oepnode.cli.exits import EVIDENCE, printable
from oepnode.domain.edge.acknowledgement import Acknowledgement, Finding, Received
from oepnode.domain.power import Feed
from oepnode.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

T = TypeVar("T")

DayOption = Annotated[
    str | None,
    typer.Option(
        "--day",
        help="Trading day (yyyy-mm-dd) that must be covered whole: gaps at its ends count too.",
    ),
]

_MOST_BYTES: Final = 1 << 32
_MOST_SHOWN: Final = 40
_MARKS: Final = {True: ("✓", "green"), False: ("✗", "bold red")}


def day_of(text: str | None) -> date | None:
    """The day of `DayOption`.

    Raises:
        ConfigError: If it is none.
    """
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as exc:
        raise ConfigError(f"--day is yyyy-mm-dd, received {text!r}") from exc


# --- reading -------------------------------------------------------------------------------------


def read_telemetry(
    file: Path, day: date | None = None, feed: Feed | None = None
) -> Received[pl.DataFrame]:
    """Telemetry of NMIs or of a DUID, from JSON, NDJSON or Parquet."""
    from oepnode.domain.edge import telemetry

    if parquet_files.is_parquet(file):
        rows = parquet_files.read_rows(file)
        return telemetry.validate_frame(rows, feed=feed, day=day, message_id=file.name)
    return telemetry.validate(read_json(file, "telemetry"), feed=feed, day=day)


def read_forecast(file: Path, day: date | None = None) -> Received[pl.DataFrame]:
    """Uncontrolled forecasts, from JSON, NDJSON or Parquet."""
    from oepnode.domain.edge import forecast

    if parquet_files.is_parquet(file):
        rows = parquet_files.read_rows(file)
        return forecast.validate_frame(rows, day=day, message_id=file.name)
    return forecast.validate(read_json(file, "forecast"), day=day)


def read_dispatch(file: Path) -> Received[pl.DataFrame]:
    """Dispatch instructions, from JSON, NDJSON or Parquet."""
    from oepnode.domain.edge import dispatch

    if parquet_files.is_parquet(file):
        return dispatch.validate_frame(parquet_files.read_rows(file), message_id=file.name)
    return dispatch.validate(read_json(file, "dispatch instructions"))


def read_json(file: Path, what: str) -> bytes:
    """A JSON document's bytes.

    Raises:
        ConfigError: If it cannot be read.
    """
    return output.read_file(file, what, _MOST_BYTES)


def usable(received: Received[T], file: Path) -> T:
    """What was read, for a command that works with it; its faults are told on stderr.

    A submission whose form is right but whose business rules are broken can still be looked into:
    gaps and doubled measurements are part of a report.

    Raises:
        DocumentFault: If the form is refused.
    """
    if received.value is None:
        received.raise_if_refused()
        raise AssertionError
    if not received.transaction.accepted:
        output.note(
            f"{file.name}: the transaction would be rejected: {received.transaction.message}; "
            "the report goes on with what is there (see the command validate)"
        )
    return received.value


# --- printing ------------------------------------------------------------------------------------


def print_received(received: Received[Any], file: Path, *, as_json: bool, facts: str = "") -> None:
    """Print both acknowledgements, and leave with exit code 1 where one is a refusal.

    Args:
        received: From one of the ``validate`` functions.
        file: What was read, for the first line.
        as_json: Whether to print JSON.
        facts: What was read in a few words, such as ``1440 rows``.

    Raises:
        typer.Exit: With code 1 where the submission is not accepted.
    """
    if as_json:
        output.print_json({"file": file.name, "accepted": received.accepted} | received.as_json())
    else:
        told = f": {facts}" if facts else ""
        output.say(f"{received.what} {file.name}{told}", "bold")
        for answer in (received.system, received.transaction):
            _print_answer(answer)
        _print_findings("warnings", received.system.warnings, received.system.warning_counts)
    if not received.accepted:
        raise typer.Exit(EVIDENCE)


def _print_answer(answer: Acknowledgement) -> None:
    mark, style = _MARKS[answer.accepted]
    output.say(f"{mark} {answer.kind} acknowledgement: {answer.code}, {answer.message}", style)
    _print_findings("faults", answer.findings, answer.counts)


def _print_findings(
    what: str,
    findings: Iterable[Finding],
    counts: Any,  # noqa: ANN401 - Mapping[str, int]
) -> None:
    found = list(findings)
    if not found:
        return
    style = "yellow" if what == "warnings" else "red"
    table = Table("code", "place", "rule", what, "found", box=None, pad_edge=False)
    table.header_style = "bold"
    for finding in found[:_MOST_SHOWN]:
        cells = (finding.code, finding.path, finding.rule, finding.message, finding.value)
        first, *rest = (Text(printable(cell)) for cell in cells)
        first.stylize(style)
        table.add_row(first, *rest)
    console = Console(highlight=False) if _is_terminal() else Console(width=240, highlight=False)
    console.print(table)
    total = sum(counts.values())
    if total > min(len(found), _MOST_SHOWN):
        told = ", ".join(f"{code} {count}" for code, count in counts.items())
        output.say(f"{total} {what} in all: {told}", style)


def _is_terminal() -> bool:
    return Console().is_terminal
