"""Writing what commands print: tables, JSON, CSV and Parquet.

Guarantees: stdout holds results only, stderr the rest; JSON is one value; a table is never cut to
the terminal's width when it is not written to one. Amounts are integer W and var, times NEM time.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Final

import typer
from msgspec import Struct
from msgspec.structs import asdict
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from oepnode.cli.common import exits
from oepnode.cli.common.exits import printable
from oepnode.client.answers import to_json
from oepnode.client.files import writing
from oepnode.client.limits import kw_text
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

TABLE_ROWS: Final = 60
"""Rows of limits that a table shows; the other formats write all."""

MOST_ROWS: Final = 20
"""Rows of a report's table, where --rows does not say."""

_WIDE: Final = 240
_ROOT_SHOWN: Final = 12


class Format(StrEnum):
    """Form of the limits."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


JsonFlag = Annotated[bool, typer.Option("--json", help="Print the facts as JSON.")]
RowsOption = Annotated[
    int, typer.Option("--rows", min=0, help="Maximum table rows; --json prints all rows.")
]
FormatOption = Annotated[
    Format | None, typer.Option("--format", help="Also write the limits, in this format.")
]
LimitsFile = Annotated[
    Path | None, typer.Option("--out", help="File for the limits; default is stdout.")
]


# --- facts ---------------------------------------------------------------------------------------


def print_json(value: object) -> None:
    """Print a value, such as a report of ``oepnode.client``, to stdout as JSON."""
    typer.echo(json.dumps(to_json(value), indent=2))
    exits.note_answer()


def print_report(report: Struct, as_json: bool) -> None:
    """Print a report as JSON, or one name and value per line."""
    facts = asdict(report)
    if as_json:
        print_json(facts)
    else:
        print_facts({name.replace("_", " "): value for name, value in facts.items()})


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table to stdout; `Text` cells keep their style, and numbers are right-aligned."""
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(_cell(cell) for cell in row))
    _console(sys.stdout).print(table)


def kw(watts: int | None) -> Text:
    """A quantity in kW, coloured by its side: load blue, generation yellow."""
    if watts is None or watts == NO_LIMIT:
        return Text("–", style="dim", justify="right")
    style = "blue" if watts < 0 else "yellow" if watts > 0 else ""
    return Text(kw_text(watts), style=style, justify="right")


def _cell(cell: object) -> Text:
    if isinstance(cell, Text):
        return cell
    is_number = isinstance(cell, int | float) and not isinstance(cell, bool)
    return Text(printable(str(cell)), justify="right" if is_number else None)


def print_facts(facts: Mapping[str, object]) -> None:
    """Print names and values, one pair a line, to stdout."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in facts.items():
        table.add_row(Text(name, style="dim"), Text(printable(_words(value))))
    _console(sys.stdout).print(table)


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_words(one)}" for name, one in value.items()) or "–"
    if isinstance(value, list | tuple):
        return ", ".join(map(_words, value)) or "–"
    return "–" if value is None else str(value)


def say(text: str, style: str = "", *, err: bool = False) -> None:
    """Print one line."""
    _console(sys.stderr if err else sys.stdout).print(Text(printable(text), style=style))


def note(text: str) -> None:
    """Print one line to stderr, as a remark on the result."""
    say(f"note: {text}", "yellow", err=True)


def print_notes(notes: Iterable[str]) -> None:
    """Print each note to stderr."""
    for text in notes:
        note(text)


def print_checks(
    checks: Mapping[str, str], failed: str | None = None, *, err: bool = False
) -> None:
    """Print each check with a tick, up to the one that failed, and that with a cross."""
    for name, meaning in checks.items():
        good = name != failed
        say(f"{'✓' if good else '✗'} {name}: {meaning}", "green" if good else "bold red", err=err)
        if not good:
            return


# --- limits --------------------------------------------------------------------------------------


def short_root(root: str | None) -> str:
    """The first digits of a root, for a table."""
    return f"{root[:_ROOT_SHOWN]}…" if root else "–"


@contextmanager
def progress_bars() -> Iterator[Callable[[str, int, int], None]]:
    """A progress callback (stage, done, total) that draws a bar a stage on a terminal's stderr."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bars:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield show


def check_destination(format_: Format | None, out: Path | None, *, as_json: bool) -> None:
    """Reject a combination of options that would mix two things on stdout.

    Raises:
        ConfigError: With the way out.
    """
    if format_ is None and out is not None:
        raise ConfigError("--out needs --format: table, json, csv or parquet")
    if format_ is Format.PARQUET and out is None:
        raise ConfigError("parquet is not for a terminal: name a file with --out")
    if format_ is not None and out is None and as_json:
        raise ConfigError("--json and --format both write to stdout: name a file with --out")


def write_frame(frame: pl.DataFrame, format_: Format, out: Path | None) -> None:
    """Write rows to a file or, without one, to stdout.

    Raises:
        ConfigError: If the file cannot be written.
    """
    if out is None:
        _write_text(frame, format_, sys.stdout)
        return
    with writing(out) as file:
        if format_ is Format.PARQUET:
            frame.write_parquet(file)
        else:
            text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
            _write_text(frame, format_, text)
            text.detach()


def _write_text(frame: pl.DataFrame, format_: Format, file: IO[str]) -> None:
    if format_ is Format.TABLE:
        _write_table(frame, file)
    elif format_ is Format.CSV:
        file.write(frame.write_csv())
    else:
        file.write(frame.write_json() + "\n")


def _write_table(frame: pl.DataFrame, file: IO[str]) -> None:
    console = _console(file)
    table = Table(*frame.columns, box=None, pad_edge=False, header_style="bold")
    for row in frame.head(TABLE_ROWS).iter_rows():
        table.add_row(*("–" if cell is None else str(cell) for cell in row))
    console.print(table)
    if frame.height > TABLE_ROWS:
        console.print(f"… and {frame.height - TABLE_ROWS} more rows; --format csv writes all")


def _console(file: IO[str]) -> Console:
    if file.isatty():
        return Console(file=file, highlight=False)
    return Console(file=file, highlight=False, width=_WIDE, color_system=None)
