"""Damage to valid documents: a catalogue of kinds, each with the rules that it breaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.generators.cases import Case


@dataclass
class Damaged:
    """A document that must be rejected.

    Attributes:
        kind: Name of the damage.
        rules: At least one of these must be among the rules that are named.
        data: The document.
        case: The valid case that it was made of.
    """

    kind: str
    rules: frozenset[str]
    data: bytes
    case: Case


def named(catalogue: dict[str, Any], *rules: str) -> Callable[[Any], Any]:
    """Add a damage to a catalogue under its function's name."""

    def keep(damage: Any) -> Any:
        catalogue[damage.__name__.strip("_")] = (damage, frozenset(rules))
        return damage

    return keep
