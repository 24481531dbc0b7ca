"""Writing what commands print: tables, JSON, CSV and Parquet.

Guarantees: stdout holds results only, stderr the rest; JSON is one value; a table is never cut to
the terminal's width when it is not written to one. Amounts are integer W and var, times NEM time.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Final

import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from oepnode.cli.common import exits
from oepnode.cli.common.exits import printable
from oepnode.domain.nem.nem_time import INTERVAL_S, format_nem
from oepnode.domain.nem.quantities import KW, NO_LIMIT, to_text
from oepnode.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

TABLE_ROWS: Final = 60
"""Rows of limits that a table shows; the other formats write all."""

MOST_ROWS: Final = 20
"""Rows of a report's table, where --rows does not say."""

LEVEL_NAMES: Final = ("NMI", "Flex")
TIMING_NAMES: Final = ("PRE", "POST")
_WIDE: Final = 240
_KIND_COLUMNS: Final = (
    "active_export_w",
    "active_import_w",
    "reactive_export_var",
    "reactive_import_var",
)


class Format(StrEnum):
    """How limits are written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


JsonFlag = Annotated[bool, typer.Option("--json", help="Print the facts as JSON.")]
RowsOption = Annotated[
    int, typer.Option("--rows", min=0, help="Most rows of the table; --json has all.")
]
FormatOption = Annotated[
    Format | None, typer.Option("--format", help="Also write the limits, in this format.")
]
LimitsFile = Annotated[
    Path | None, typer.Option("--out", help="File for the limits; default is stdout.")
]


# --- facts ---------------------------------------------------------------------------------------


def print_json(value: object) -> None:
    """Print a JSON value to stdout."""
    typer.echo(json.dumps(value, indent=2))
    exits.note_answer()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table to stdout; cells that are `Text` keep their style, and numbers stand right."""
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(_cell(cell) for cell in row))
    _console(sys.stdout).print(table)


def kw(watts: int | None) -> Text:
    """A quantity in kW, with the colour of its side: load blue, generation yellow."""
    if watts is None or watts == NO_LIMIT:
        return Text("–", style="dim", justify="right")
    style = "blue" if watts < 0 else "yellow" if watts > 0 else ""
    return Text(to_text(watts, KW), style=style, justify="right")


def _cell(cell: object) -> Text:
    if isinstance(cell, Text):
        return cell
    is_number = isinstance(cell, int | float) and not isinstance(cell, bool)
    return Text(printable(str(cell)), justify="right" if is_number else None)


def print_facts(facts: Mapping[str, object]) -> None:
    """Print names and values, one pair a line, to stdout."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in facts.items():
        table.add_row(Text(name, style="dim"), Text(printable(str(value))))
    _console(sys.stdout).print(table)


def say(text: str, style: str = "", *, err: bool = False) -> None:
    """Print one line."""
    _console(sys.stderr if err else sys.stdout).print(Text(printable(text), style=style))


def note(text: str) -> None:
    """Print one line to stderr, as something to know beside the result."""
    say(f"note: {text}", "yellow", err=True)


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


def limits_frame(
    nmis: Sequence[str],
    levels: npt.NDArray[np.uint8],
    limits: npt.NDArray[np.int32],
    horizon_start: int,
) -> pl.DataFrame:
    """A row for each site and interval that has at least one limit, in order of site and time.

    Args:
        nmis: One per site.
        levels: One per site.
        limits: Shape (sites, 4, intervals).
        horizon_start: UTC seconds.

    Returns:
        Columns nmi, level, interval_start, interval_end (NEM time) and one for each kind of limit,
        null where none is published.
    """
    import polars as pl

    site, interval = np.nonzero((limits != NO_LIMIT).any(axis=1))
    instants = [format_nem(horizon_start + INTERVAL_S * i) for i in range(limits.shape[2] + 1)]
    times = pl.Series(instants)
    frame = pl.DataFrame(
        {
            "nmi": pl.Series(list(nmis)).gather(site),
            "level": pl.Series(LEVEL_NAMES).gather(levels[site]),
            "interval_start": times.gather(interval),
            "interval_end": times.gather(interval + 1),
        }
    )
    values = limits[site, :, interval]
    return frame.with_columns(
        pl.Series(name, values[:, kind]).replace(NO_LIMIT, None)
        for kind, name in enumerate(_KIND_COLUMNS)
    )


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
    """Write rows to a file or, where there is none, to stdout.

    Raises:
        ConfigError: If the file cannot be written.
    """
    if out is None:
        _write_text(frame, format_, sys.stdout)
        return
    try:
        if format_ is Format.PARQUET:
            frame.write_parquet(out)
        else:
            with out.open("w", encoding="utf-8", newline="") as file:
                _write_text(frame, format_, file)
    except OSError as exc:
        raise ConfigError(f"{out}: not writable: {exc.strerror}") from exc


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


# --- files ---------------------------------------------------------------------------------------


def read_file(path: Path, what: str, limit: int) -> bytes:
    """Read a file that a user named.

    Args:
        path: The file.
        what: What it should be, for messages.
        limit: Most bytes read.

    Raises:
        ConfigError: If it cannot be read or is larger.
    """
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as exc:
        raise ConfigError(f"{path}: {what} not readable: {exc.strerror}") from exc
    if len(data) > limit:
        raise ConfigError(f"{path}: larger than any {what}")
    return data


def write_file(path: Path, data: bytes) -> None:
    """Write a file that a user named.

    Raises:
        ConfigError: If it cannot be written.
    """
    try:
        path.write_bytes(data)
    except OSError as exc:
        raise ConfigError(f"{path}: not writable: {exc.strerror}") from exc


def hexed(value: bytes) -> str:
    """An address, hash or transaction as ``0x`` and hex digits."""
    return "0x" + value.hex()


def _console(file: IO[str]) -> Console:
    if file.isatty():
        return Console(file=file, highlight=False)
    return Console(file=file, highlight=False, width=_WIDE, color_system=None)
