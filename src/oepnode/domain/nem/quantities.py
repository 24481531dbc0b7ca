"""Power limits: kilowatts as text to integer watts, by profile and sign.

Canonical: export ≥ 0, import ≤ 0, integer W or var in int32 without −2³¹, which means "no limit
published". Source: Part C §6.3 (Decimal(4,2), kW), rules-v1 section 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final, Literal

NO_LIMIT: Final = -(2**31)
"""Stands where no limit is published, in tables and in site entries."""

KINDS: Final = (
    "activePowerExportLimit",
    "activePowerImportLimit",
    "reactivePowerExportLimit",
    "reactivePowerImportLimit",
)
"""The kinds of limit in bit order (rules-v1 section 9)."""

IMPORT_KINDS: Final = frozenset({1, 3})
_MAX_WATTS: Final = 2**31 - 1
_MAX_EDGE_WATTS: Final = 99_990


@dataclass(frozen=True, slots=True)
class Feed:
    """What sender and operators agreed about the documents of a feed.

    Attributes:
        profile: ``wide`` (3 decimals, int32 watts) or ``edge`` (Part C's Decimal(4,2), strict).
        import_sign: ``canonical`` (import ≤ 0) or ``magnitude`` (import written ≥ 0).
    """

    profile: Literal["wide", "edge"] = "wide"
    import_sign: Literal["canonical", "magnitude"] = "canonical"


class LimitError(ValueError):
    """A number is no limit; ``rule`` says which rule it breaks."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


def parse_milli(text: str, feed: Feed) -> int:
    """Read a JSON number of kW as integer watts, sign as written.

    Raises:
        LimitError: If it has too many decimals or is out of the profile's range.
    """
    value = _decimal(text)
    if value.is_zero():
        return 0
    if value.adjusted() > 9:
        raise LimitError("limit.range", _range_message(feed))
    decimals = 2 if feed.profile == "edge" else 3
    if _decimals(value) > decimals:
        raise LimitError("limit.decimals", f"at most {decimals} decimals of a kW")
    watts = int(value.scaleb(3))
    most = _MAX_EDGE_WATTS if feed.profile == "edge" else _MAX_WATTS
    if abs(watts) > most:
        raise LimitError("limit.range", _range_message(feed))
    return watts


def canonical_limit(watts: int, kind: int, feed: Feed) -> int:
    """Bring a limit to the canonical sign of its kind.

    Args:
        watts: As written, W or var.
        kind: Index into `KINDS`.
        feed: The feed's settings.

    Raises:
        LimitError: If the sign is not the one that the kind and the feed ask for.
    """
    if kind not in IMPORT_KINDS:
        if watts < 0:
            raise LimitError("limit.sign", "an export limit is not negative")
        return watts
    if feed.import_sign == "magnitude":
        if watts < 0:
            raise LimitError("limit.sign", "with import_sign=magnitude imports are not negative")
        return -watts
    if watts > 0:
        raise LimitError(
            "limit.sign", "an import limit is not positive (see the setting import_sign=magnitude)"
        )
    return watts


def _decimal(text: str) -> Decimal:
    """The number; one whose exponent no `Decimal` can hold is replaced by one as far out."""
    try:
        return Decimal(text)
    except InvalidOperation:
        mantissa, _, exponent = text.lower().partition("e")
        if not mantissa.strip("-0."):
            return Decimal(0)
        return Decimal("1e-99") if exponent.startswith("-") else Decimal("1e99")


def _decimals(value: Decimal) -> int:
    """Decimals of a value other than zero, whose trailing zeros do not count."""
    digits, exponent = value.as_tuple().digits, value.as_tuple().exponent
    assert isinstance(exponent, int)  # noqa: S101 - JSON numbers are finite
    trailing = next(place for place, digit in enumerate(reversed(digits)) if digit)
    return -(exponent + trailing)


def _range_message(feed: Feed) -> str:
    if feed.profile == "edge":
        return "at most 99.99 kW (profile edge, Part C Decimal(4,2))"
    return "at most 2147483.647 kW (int32 watts)"
