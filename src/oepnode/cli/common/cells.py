"""Cells of tables: figures are aligned right, and a colour never carries a meaning alone."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from oepnode.cli.common import output
from oepnode.domain.nem.quantities import NO_LIMIT


def figure(text: str, style: str = "") -> Text:
    """A figure that is text already, such as ``+0.12``."""
    return Text(text, style=style, justify="right")


def kilo(amount: int | None, decimals: int = 2, style: str = "") -> Text:
    """W as kW, or Wh as kWh; a dash where there is none."""
    if amount is None or amount == NO_LIMIT:
        return figure("–", "dim")
    return figure(f"{amount / 1000:.{decimals}f}", style)


def energy(wh: int) -> str:
    """Energy in kWh as text."""
    return f"{wh / 1000:,.3f} kWh"


def counted(number: int, noun: str) -> str:
    """A number of things: ``1 minute``, ``2 minutes``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def more(total: int, listed: int, noun: str, rest: str = "--json prints all") -> None:
    """Print how many things a table leaves out, if any."""
    if total > listed:
        output.say(f"… and {counted(total - listed, f'more {noun}')}; {rest}", "dim")


def print_notes(notes: Iterable[str]) -> None:
    """Print each note to stderr."""
    for note in notes:
        output.note(note)
