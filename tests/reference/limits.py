"""Limits from numbers as written to watts (section 5)."""

from __future__ import annotations

from decimal import Decimal

KINDS = (
    "activePowerExportLimit",
    "activePowerImportLimit",
    "reactivePowerExportLimit",
    "reactivePowerImportLimit",
)

Limits = tuple[int | None, int | None, int | None, int | None]


def _exponent(text: str) -> int:
    """The exponent as an integer; far out of any range where Python refuses so many digits."""
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-").lstrip("0") or "0"
    return sign * (int(digits) if len(digits) < 1000 else 10**1000)


def watts(text: str, kind: str, profile: str, import_sign: str) -> int | str:
    """Watts (or var) of a number as written, or the rule that it breaks."""
    mantissa, _, exponent = text.lower().partition("e")
    whole, _, decimals = mantissa.lstrip("-").partition(".")
    digits = (whole + decimals).lstrip("0")
    power = _exponent(exponent) - len(decimals)
    while digits.endswith("0"):
        digits, power = digits[:-1], power + 1
    if digits == "":
        return 0
    negative = text.startswith("-")
    if power < (-2 if profile == "edge" else -3):
        return "limit.decimals"
    if len(digits) + power > 7:
        return "limit.range"
    value = int(Decimal(digits).scaleb(power + 3))
    if value > (99_990 if profile == "edge" else 2**31 - 1):
        return "limit.range"
    value = -value if negative else value
    if "Export" in kind:
        return value if value > 0 else "limit.sign"
    if import_sign == "magnitude":
        return -value if value > 0 else "limit.sign"
    return value if value < 0 else "limit.sign"
