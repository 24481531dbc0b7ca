"""Cells of tables: figures are aligned right, and a colour never carries a meaning alone."""

from __future__ import annotations

from rich.text import Text

from oepnode.cli.common import output
from oepnode.client.values import counted
from oepnode.domain.nem.quantities import NO_LIMIT


def figure(text: str, style: str = "") -> Text:
    """A figure that is text already, such as ``+0.12``."""
    return Text(text, style=style, justify="right")


def kilo(amount: float | None, decimals: int = 2, *, is_signed: bool = False) -> Text:
    """Return W as kW, or Wh as kWh; a dash for a missing amount."""
    if amount is None or amount == NO_LIMIT:
        return figure("–", "dim")
    return figure(f"{amount / 1000:{'+' if is_signed else ''}.{decimals}f}")


def energy(wh: int, decimals: int = 3) -> str:
    """Energy in kWh as text."""
    return f"{wh / 1000:,.{decimals}f} kWh"


def more(total: int, listed: int, noun: str, rest: str = "--json prints all") -> None:
    """Print how many things a table leaves out, if any."""
    if total > listed:
        output.say(f"… and {counted(total - listed, f'more {noun}')}; {rest}", "dim")
