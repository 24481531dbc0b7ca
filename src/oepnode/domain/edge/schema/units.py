"""Integer units: kilowatts, kilowatt-hours and prices as text or columns to integers, and back.

Guarantees: a number is exactly what was written, or a fault; no float stands between text and
integer. Power is W (kW × 1000), energy Wh, prices are cents of a dollar per MWh. Source: Part C
§3.3 field 5.2 (multiples of 0.01), §4.3 and §6.3 (kW, kWh); three decimals of a kW are what the
envelope documents allow as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from oepnode.domain.nem.quantities import NO_LIMIT

NONE: Final = NO_LIMIT
"""Stands in integer columns where a document gives no value."""

_INT32: Final = 2**31 - 1
_TYPED: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_TOO_FAR: Final = 15
"""Numbers of more digits before the point are out of every range."""

_FUZZ: Final = 1e-6
"""How far from a whole unit a float column may be, in units: rounding of binary fractions."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of the documents and its integer counterpart.

    Attributes:
        family: First part of the codes of its faults, such as ``price``.
        name: As the documents write it.
        places: Decimals that a value may have; the integer is the value × 10^places.
        most: Largest absolute integer.
    """

    family: str
    name: str
    places: int
    most: int = _INT32

    @property
    def step(self) -> str:
        """The smallest difference of two values, as text."""
        return f"0.{'1'.rjust(self.places, '0')}"


KW: Final = Unit("power", "kW", 3)
KVAR: Final = Unit("power", "kVAr", 3)
KWH: Final = Unit("energy", "kWh", 3)
PRICE: Final = Unit("price", "$/MWh", 2)


class UnitError(ValueError):
    """A number is not a value of its unit.

    Attributes:
        code: Stable name of the fault.
        nearest: The integer to go on with while the rest of the document is checked.
    """

    def __init__(self, code: str, message: str, nearest: int) -> None:
        super().__init__(message)
        self.code = code
        self.nearest = nearest


def from_typed(text: str, unit: Unit) -> int:
    """Read a number that a person typed: as in JSON, also with ``+``, blanks or a bare point.

    Raises:
        UnitError: If it has too many decimals, or is out of range.
        ValueError: If it is no finite number.
    """
    plain = text.strip()
    if _TYPED.fullmatch(plain) is None:
        raise ValueError("not a number")
    return to_integer(plain.removeprefix("+"), unit)


@lru_cache(maxsize=1 << 16)
def to_integer(text: str, unit: Unit) -> int:
    """Read a JSON number as an integer of a unit, exactly.

    Raises:
        UnitError: If it has too many decimals, or is out of range.
    """
    whole, _, fraction = text.partition(".")
    if len(fraction) <= unit.places and len(whole) <= _TOO_FAR and _is_plain(whole, fraction):
        found = int(whole + fraction.ljust(unit.places, "0"))
    else:
        found = _from_decimal(text, unit)
    if abs(found) > unit.most:
        raise UnitError(f"{unit.family}.range", _range(unit), 0)
    return found


def _is_plain(whole: str, fraction: str) -> bool:
    return whole.lstrip("-").isdecimal() and (not fraction or fraction.isdecimal())


def _from_decimal(text: str, unit: Unit) -> int:
    try:
        value = Decimal(text)
    except InvalidOperation as exc:
        # An exponent that no Decimal holds: nothing, or too far out on one side or the other.
        if not text.lower().partition("e")[0].strip("-0."):
            return 0
        raise _undecimal(text, unit) from exc
    if value.is_zero():
        return 0
    if value.adjusted() > _TOO_FAR:
        raise UnitError(f"{unit.family}.range", _range(unit), 0)
    if value.adjusted() < -_TOO_FAR:
        raise _decimals(unit, 0)
    nearest = int(value.scaleb(unit.places).to_integral_value(ROUND_HALF_EVEN))
    if _places(value) > unit.places:
        raise _decimals(unit, nearest if abs(nearest) <= unit.most else 0)
    return nearest


def _places(value: Decimal) -> int:
    """Decimals that are not trailing zeros; exact for any number of digits."""
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 - JSON numbers are finite
    trailing = next(i for i, digit in enumerate(reversed(digits)) if digit)
    return -(exponent + trailing)


def _undecimal(text: str, unit: Unit) -> UnitError:
    is_small = text.lower().partition("e")[2].startswith("-")
    return _decimals(unit, 0) if is_small else UnitError(f"{unit.family}.range", _range(unit), 0)


def _decimals(unit: Unit, nearest: int) -> UnitError:
    message = f"at most {unit.places} decimals of {unit.name} (multiples of {unit.step})"
    return UnitError(f"{unit.family}.decimals", message, nearest)


def _range(unit: Unit) -> str:
    return f"at most {to_text(unit.most, unit)} {unit.name} either way"


def to_text(value: int, unit: Unit) -> str:
    """Write an integer of a unit as the shortest JSON number that reads back as it."""
    whole, rest = divmod(abs(int(value)), 10**unit.places)
    sign = "-" if value < 0 else ""
    if not rest:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{str(rest).rjust(unit.places, '0').rstrip('0')}"


@dataclass(frozen=True)
class Column:
    """A column read from floats.

    Attributes:
        values: int64; 0 where not finite or out of range.
        inexact: Where a value has more decimals than the unit.
        beyond: Where a value is not finite or out of range.
    """

    values: npt.NDArray[np.int64]
    inexact: npt.NDArray[np.bool_]
    beyond: npt.NDArray[np.bool_]


def from_floats(values: npt.NDArray[np.float64], unit: Unit) -> Column:
    """Read a column of floats, as Parquet files hold them, as integers of a unit."""
    scaled = values * float(10**unit.places)
    beyond = ~(np.abs(scaled) <= unit.most)
    rounded = np.rint(np.where(beyond, 0.0, scaled))
    inexact = ~beyond & (np.abs(scaled - rounded) > _FUZZ * np.maximum(1.0, np.abs(values)))
    return Column(rounded.astype(np.int64), inexact, beyond)
