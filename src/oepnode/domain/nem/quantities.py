"""Quantities in integer units: power, energy and prices as text or columns to integers, and back.

Guarantees: a number is read exactly or rejected; no float is between text and integer. Power is W
(kW × 1000), energy Wh, prices are cents of a dollar per MWh. A limit is integer W or var in int32
without −2³¹, which means "no limit published"; canonical are export ≥ 0 and import ≤ 0.

Source: Part C §3.3 field 5.2 (multiples of 0.01), §4.3 and §6.3 (Decimal(4,2), kW, kWh), rules-v1
section 5.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import lru_cache
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from oepnode.domain.nem.choices import require_choice
from oepnode.errors import ConfigError

NO_LIMIT: Final = -(2**31)
"""The integer of a quantity that is not given, and of a limit that is not published."""

KINDS: Final = (
    "activePowerExportLimit",
    "activePowerImportLimit",
    "reactivePowerExportLimit",
    "reactivePowerImportLimit",
)
"""The kinds of limit in bit order (rules-v1 section 9)."""

IMPORT_KINDS: Final = frozenset({1, 3})

_INT32: Final = 2**31 - 1
_TYPED: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
_FAR: Final = 15

_FUZZ: Final = 1e-6
"""How far from a whole unit a float column may be, in units: rounding of binary fractions."""


# --- units ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """A unit of the documents and its integer counterpart; compared by identity, which is fast.

    Attributes:
        family: First part of the codes of its faults, such as ``price``.
        name: As the documents write it.
        places: The integer is the value × 10^places.
        most: Largest absolute integer.
        decimals: Decimals that a value may have, at most ``places``.
        far: Numbers of more digits before the point are out of range, whatever their decimals.
        source: Reason for the bounds, for messages.
    """

    family: str
    name: str
    places: int
    decimals: int
    most: int = _INT32
    far: int = _FAR
    source: str = ""

    @property
    def step(self) -> str:
        """The smallest difference of two values, as text."""
        return f"0.{'1'.rjust(self.decimals, '0')}"

    @property
    def grid(self) -> int:
        """The smallest difference of two integers."""
        return int(10 ** (self.places - self.decimals))


KW: Final = Unit("power", "kW", 3, 3)
KVAR: Final = Unit("power", "kVAr", 3, 3)
KWH: Final = Unit("energy", "kWh", 3, 3)
PRICE: Final = Unit("price", "$/MWh", 2, 2)
WIDE_LIMIT: Final = Unit("limit", "kW", 3, 3, far=10, source="int32 watts")
EDGE_LIMIT: Final = Unit(
    "limit", "kW", 3, 2, most=99_990, far=10, source="profile edge, Part C Decimal(4,2)"
)


class QuantityError(ValueError):
    """A number is not a value of its unit.

    Attributes:
        code: Stable name of the fault, such as ``power.decimals`` or ``limit.sign``.
        nearest: The integer to continue with while the rest of the document is checked.
    """

    def __init__(self, code: str, message: str, nearest: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.nearest = nearest


# --- text ----------------------------------------------------------------------------------------


def from_typed(text: str, unit: Unit) -> int:
    """Read a number that a person typed: as in JSON, also with ``+``, blanks or a bare point.

    Raises:
        QuantityError: If it has too many decimals, or is out of range.
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
        QuantityError: If it has too many decimals, or is out of range.
    """
    whole, _, fraction = text.partition(".")
    if len(fraction) <= unit.decimals and len(whole) <= _FAR and _is_plain(whole, fraction):
        value = int(whole + fraction.ljust(unit.places, "0"))
    else:
        value = _from_decimal(text, unit)
    if abs(value) > unit.most:
        raise _out_of_range(unit)
    return value


def _is_plain(whole: str, fraction: str) -> bool:
    return whole.lstrip("-").isdecimal() and (not fraction or fraction.isdecimal())


def _from_decimal(text: str, unit: Unit) -> int:
    try:
        value = Decimal(text)
    except InvalidOperation as exc:
        # An exponent that no Decimal holds: zero, or too far out on one side or the other.
        mantissa, _, exponent = text.lower().partition("e")
        if not mantissa.strip("-0."):
            return 0
        raise (
            _too_many_decimals(unit) if exponent.startswith("-") else _out_of_range(unit)
        ) from exc
    if value.is_zero():
        return 0
    is_exact = _decimals(value) <= unit.decimals
    if value.adjusted() >= unit.far:
        raise _out_of_range(unit) if is_exact else _too_many_decimals(unit)
    if value.adjusted() < -_FAR:
        raise _too_many_decimals(unit)
    nearest = int(value.scaleb(unit.places).to_integral_value(ROUND_HALF_EVEN))
    if not is_exact:
        raise _too_many_decimals(unit, nearest if abs(nearest) <= unit.most else 0)
    return nearest


def _decimals(value: Decimal) -> int:
    """Decimals that are not trailing zeros; exact for any number of digits."""
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 - JSON numbers are finite
    trailing = next(i for i, digit in enumerate(reversed(digits)) if digit)
    return -(exponent + trailing)


def _too_many_decimals(unit: Unit, nearest: int = 0) -> QuantityError:
    message = f"at most {unit.decimals} decimals of {unit.name} (multiples of {unit.step})"
    return QuantityError(f"{unit.family}.decimals", message, nearest)


def _out_of_range(unit: Unit) -> QuantityError:
    source = f" ({unit.source})" if unit.source else ""
    message = f"at most {to_text(unit.most, unit)} {unit.name} in magnitude{source}"
    return QuantityError(f"{unit.family}.range", message)


def to_text(value: int, unit: Unit) -> str:
    """Write an integer of a unit as the shortest JSON number that reads back as it."""
    whole, rest = divmod(abs(int(value)), 10**unit.places)
    sign = "-" if value < 0 else ""
    if not rest:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{str(rest).rjust(unit.places, '0').rstrip('0')}"


def kw_text(watts: int) -> str:
    """Write a quantity in kW, exact, without trailing zeros."""
    return to_text(watts, KW)


# --- columns -------------------------------------------------------------------------------------


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


# --- limits --------------------------------------------------------------------------------------

Profile = Literal["wide", "edge"]
ImportSign = Literal["canonical", "magnitude"]


@dataclass(frozen=True, slots=True)
class Feed:
    """The agreement of sender and operators about the documents of a feed.

    Attributes:
        profile: ``wide`` (3 decimals, int32 watts) or ``edge`` (Part C's Decimal(4,2), strict).
        import_sign: ``canonical`` (import ≤ 0) or ``magnitude`` (import written ≥ 0).

    Raises:
        ConfigError: For another word.
    """

    profile: Profile = "wide"
    import_sign: ImportSign = "canonical"

    def __post_init__(self) -> None:
        require_choice("profile", self.profile, Profile)
        require_choice("import_sign", self.import_sign, ImportSign)


def parse_limit(text: str, feed: Feed) -> int:
    """Read a JSON number of kW as integer watts, sign as written.

    Raises:
        QuantityError: If it has too many decimals or is out of the profile's range.
    """
    return to_integer(text, EDGE_LIMIT if feed.profile == "edge" else WIDE_LIMIT)


def canonical_limit(watts: int, kind: int, feed: Feed) -> int:
    """Bring a limit to the canonical sign of its kind.

    Args:
        watts: As written, W or var.
        kind: Index into `KINDS`.
        feed: The feed's settings.

    Raises:
        QuantityError: ``limit.sign``, if the sign does not fit the kind and the feed.
    """
    if kind not in IMPORT_KINDS:
        if watts < 0:
            raise QuantityError("limit.sign", "an export limit must not be negative")
        return watts
    if feed.import_sign == "magnitude":
        if watts < 0:
            message = "an import limit must not be negative with import_sign=magnitude"
            raise QuantityError("limit.sign", message)
        return -watts
    if watts > 0:
        message = (
            "an import limit must not be positive (a feed that writes imports as magnitudes has "
            "the setting import_sign=magnitude)"
        )
        raise QuantityError("limit.sign", message)
    return watts


@dataclass(frozen=True, slots=True)
class DefaultLimits:
    """The limits that apply where none is published, W; None where no default is stated.

    Raises:
        ConfigError: If a limit has the other sign, or does not fit 32 bits.
    """

    export_w: int | None = None
    import_w: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= (self.export_w or 0) <= _INT32 or not -_INT32 <= (self.import_w or 0) <= 0:
            raise ConfigError(
                "a default export limit must not be negative, a default import limit not positive; "
                f"received {self.export_w} W and {self.import_w} W"
            )
