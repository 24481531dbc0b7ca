"""Amounts typed as an option or in a CSV file: read exactly, or rejected.

Source: Part C §3.3 field 5.2, §4.3 (decimals of prices and of kW).
"""

from __future__ import annotations

from oepnode.domain.nem.quantities import QuantityError, Unit, from_typed
from oepnode.errors import ConfigError


def amount_of(text: str, name: str, unit: Unit) -> int:
    """A typed number as an integer of a unit.

    Args:
        text: As typed.
        name: The option, or the place in a file, for messages.
        unit: Its unit.

    Raises:
        ConfigError: If it is no finite number, has too many decimals, or is out of range.
    """
    try:
        return from_typed(text, unit)
    except QuantityError as exc:
        raise ConfigError(f"{name}: {exc}") from exc
    except ValueError as exc:
        raise ConfigError(f"{name} is a number of {unit.name}, received {text!r}") from exc
