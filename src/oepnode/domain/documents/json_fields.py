"""Reading the fields of a JSON object: spellings, presence, types; faults with paths.

Source: rules-v1 sections 2, 5 and 6. An object's set of keys is checked once per distinct set and
remembered, because documents repeat a few shapes millions of times.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from oepnode.domain.documents.faults import FaultLog, show_value
from oepnode.domain.documents.strict_json import BadConstant, DuplicateKeys, Number
from oepnode.domain.nem.nmi import Nmi, NmiError
from oepnode.domain.nem.nmi import parse as parse_nmi

_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


MISSING: Final = object()
"""Stands for a required field that is not there; its fault has been noted."""


@dataclass(frozen=True)
class Field:
    """A field of an object.

    Attributes:
        name: The canonical spelling.
        also: Other spellings that are read.
        required: Whether it must be present and not null.
    """

    name: str
    also: tuple[str, ...] = ()
    required: bool = True


class ObjectShape:
    """The fields that an object may have.

    Args:
        *fields: All fields, in canonical order.
    """

    def __init__(self, *fields: Field) -> None:
        self._fields = fields
        self._names = {name: f.name for f in fields for name in (f.name, *f.also)}
        self._known: dict[tuple[str, ...], dict[str, str]] = {}

    def spellings(self, value: object, path: str, log: FaultLog) -> Mapping[str, str] | None:
        """Return canonical name → spelling used, or None for what is no object.

        A missing required field, an unknown field, a doubled key or two spellings of one field are
        faults of the object; what else it holds can still be read, with `pick`.
        """
        if not isinstance(value, dict):
            log.add(path, "field.type", "an object is expected here", show_value(value))
            return None
        keys = tuple(value)
        known = self._known.get(keys)
        if known is not None and not isinstance(value, DuplicateKeys):
            return known
        before = log.count
        found = self._check(value, path, log)
        if log.count == before:
            self._known[keys] = found
        return found

    def _check(self, value: dict[str, Any], path: str, log: FaultLog) -> dict[str, str]:
        for name in getattr(value, "doubled", ()):
            log.add(path, "json.duplicate_key", "a key occurs twice in one object", _key(name))
        found: dict[str, str] = {}
        for name in value:
            canonical = self._names.get(name)
            if canonical is None:
                log.add(path, "field.unknown", "a field that the specification lacks", _key(name))
            elif canonical in found:
                log.add(path, "json.duplicate_key", f"two spellings of {canonical}", _key(name))
            else:
                found[canonical] = name
        for field in self._fields:
            if field.required and field.name not in found:
                log.add(f"{path}.{field.name}", "field.missing", "a mandatory field is missing")
        return found


def _key(name: str) -> str:
    return show_value(name)


def pick(value: Mapping[str, Any], names: Mapping[str, str], name: str) -> Any:  # noqa: ANN401
    """The value of a required field, or `MISSING`, of which the readers say nothing more."""
    spelling = names.get(name)
    return MISSING if spelling is None else value[spelling]


def read_text(value: object, path: str, log: FaultLog, max_bytes: int) -> str | None:
    """A string of 1 to ``max_bytes`` UTF-8 bytes without control characters or lone surrogates."""
    if value is MISSING:
        return None
    if type(value) is not str:
        log.add(path, "field.type", "a string is expected here", show_value(value))
        return None
    if _UNPRINTABLE.search(value):
        log.add(path, "field.value", "control characters and lone surrogates are not allowed")
        return None
    if not 1 <= len(value.encode()) <= max_bytes:
        log.add(path, "field.value", f"1 to {max_bytes} UTF-8 bytes", f"{len(value)} characters")
        return None
    return value


def read_choice(value: object, path: str, log: FaultLog, choices: Mapping[str, int]) -> int | None:
    """One of a few exact strings, as its code."""
    if value is MISSING:
        return None
    if type(value) is str and value in choices:
        return choices[value]
    rule = "field.value" if type(value) is str else "field.type"
    log.add(path, rule, f"one of {', '.join(choices)}", show_value(value))
    return None


def read_nmi(value: object, path: str, log: FaultLog) -> Nmi | None:
    """An NMI without checksum, or with a right one. The value itself is never shown."""
    if value is MISSING:
        return None
    if type(value) is not str:
        # A number may be an NMI that lost its quotation marks and its leading zeros.
        shown = "a number" if isinstance(value, Number) else show_value(value)
        log.add(path, "field.type", "an NMI is a string", shown)
        return None
    try:
        return parse_nmi(value)
    except NmiError as exc:
        log.add(path, exc.rule, str(exc))
        return None


def read_array(value: object, path: str, log: FaultLog, most: int | None) -> list[Any] | None:
    """An array of at least one element, and at most ``most`` where that is given."""
    if value is MISSING:
        return None
    if not isinstance(value, list):
        log.add(path, "field.type", "an array is expected here", show_value(value))
        return None
    if not value or (most is not None and len(value) > most):
        bound = f"1 to {most} elements" if most is not None else "at least one element"
        log.add(path, "array.length", bound, f"{len(value)} elements")
        return None
    return value


def is_constant(value: object) -> bool:
    """Whether a decoded value was ``NaN`` or an infinity."""
    return type(value) is BadConstant
