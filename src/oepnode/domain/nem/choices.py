"""Settings that have one of a few words, and the words that several datasets share."""

from __future__ import annotations

from typing import Any, Literal, get_args

from oepnode.errors import ConfigError

Level = Literal["NMI", "Flex"]
"""Flows that a quantity is of: those at the connection points, or of flexible assets only."""

Timing = Literal["PRE", "POST"]
"""Whether a quantity was computed before its dispatch interval, or after it."""


def require_choice(name: str, value: object, choices: Any) -> None:  # noqa: ANN401 - a Literal
    """Reject a value that is not one of the words of a Literal.

    Args:
        name: The setting, for the message.
        value: Its value.
        choices: The type of the setting, such as ``Literal["NMI", "Flex"]``.

    Raises:
        ConfigError: Naming the value and the choices.
    """
    words = get_args(choices)
    if value not in words:
        raise ConfigError(f"{name} must be {' or '.join(words)}, received {value!r}")
