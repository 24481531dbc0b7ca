"""Cells of tables: figures stand right, and a colour never carries a meaning alone."""

from __future__ import annotations

from rich.text import Text

from oepnode.domain.nem.quantities import NO_LIMIT


def figure(text: str, style: str = "") -> Text:
    """A figure that is text already, such as ``+0.12``."""
    return Text(text, style=style, justify="right")


def kilo(amount: int | None, decimals: int = 2, style: str = "") -> Text:
    """W as kW, or Wh as kWh; a dash where there is none."""
    if amount is None or amount == NO_LIMIT:
        return figure("–", "dim")
    return figure(f"{amount / 1000:.{decimals}f}", style)


def counted(number: int, noun: str) -> str:
    """A number of things: ``1 minute``, ``2 minutes``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
