"""Amounts, dates and identifiers as people type and read them.

Guarantees: a number is read exactly, or rejected with its decimals or range; no message repeats an
NMI. Source: Part C §3.3 field 5.2, §4.3 (decimals of prices and of kW).
"""

from __future__ import annotations

import datetime as dt
import operator
from typing import Any, Final

from oepnode.domain.edge.clearing import supply_curve
from oepnode.domain.edge.clearing.clear import MARKET_PRICE
from oepnode.domain.nem import nem_time
from oepnode.domain.nem import nmi as nmis
from oepnode.domain.nem.quantities import PRICE, QuantityError, Unit, from_typed, to_text
from oepnode.errors import ConfigError

_SUPERSCRIPT: Final = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def integer_price(value: Any, unit: Unit) -> int:  # noqa: ANN401 - checked here
    """A price that is an integer of its unit's smallest step, as Python's own int.

    Raises:
        ConfigError: If it is not an integer, or out of range.
    """
    try:
        price = operator.index(value)
    except TypeError:
        price = None
    if price is None or isinstance(value, bool) or abs(price) > unit.most:
        places = str(unit.places).translate(_SUPERSCRIPT)
        raise ConfigError(
            f"a price must be an integer of 10⁻{places} {unit.name}, at most ±{unit.most}, "
            f"received {value!r}"
        )
    return price


def parse_amount(text: str, name: str, unit: Unit) -> int:
    """Parse a number of a unit, such as ``-2.5`` kW, as an integer.

    Args:
        text: As typed.
        name: Where it was typed, for messages.
        unit: Its unit.

    Raises:
        ConfigError: If it is not finite, has too many decimals, or is out of range.
    """
    try:
        return from_typed(text, unit)
    except QuantityError as exc:
        raise ConfigError(f"{name}: {exc}") from exc
    except ValueError as exc:
        raise ConfigError(f"{name} must be a number of {unit.name}, received {text!r}") from exc


def parse_date(text: str, name: str) -> dt.date:
    """Parse a trading date, yyyy-mm-dd.

    Raises:
        ConfigError: If it is not one.
    """
    try:
        return nem_time.parse_trading_date(text)
    except ValueError as exc:
        raise ConfigError(f"{name} must be yyyy-mm-dd, received {text!r}: {exc}") from exc


def parse_instant(text: str, name: str) -> int:
    """Parse a timestamp as microseconds since the epoch.

    Raises:
        ConfigError: If it is not one.
    """
    try:
        return nem_time.parse_timestamp(text).total_micros
    except ValueError as exc:
        raise ConfigError(f"{name}: {exc}") from exc


def parse_nmi(text: str, name: str) -> str:
    """Parse an NMI, with or without its checksum; it is returned without.

    Raises:
        ConfigError: If it is not one.
    """
    try:
        return nmis.parse(text)
    except nmis.NmiError as exc:
        raise ConfigError(f"{name}: {exc}") from exc


def band_price_text(cents: int) -> str:
    """A price of a band as a number of $/MWh."""
    return to_text(cents, PRICE)


def market_price_text(millicents: int) -> str:
    """A clearing price as a number of $/MWh."""
    return to_text(millicents, MARKET_PRICE)


def counted(number: int, noun: str) -> str:
    """A number of things: ``1 minute``, ``2 minutes``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def dollars(cents: int) -> str:
    """A price with its sign, such as ``-$1,000.00``."""
    return supply_curve.dollars(cents)
