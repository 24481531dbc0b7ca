"""Fields of a JSON object: spellings, presence and types, each fault with its path.

Guarantees: one reader of an object's keys for all documents. A set of keys is checked once and
remembered, because documents repeat a few shapes millions of times.
Source: rules-v1 sections 2, 5 and 6.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from oepnode.domain.documents.faults import FaultLog, show_value
from oepnode.domain.documents.strict_json import BadConstant, DuplicateKeys, Number
from oepnode.domain.nem.nmi import Nmi, NmiError
from oepnode.domain.nem.nmi import parse as parse_nmi
from oepnode.domain.nem.tokens import SiteIdKind, kind_of, parse_site_id

_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")

MISSING: Final = object()
"""Value of a required field that is absent; its fault has been recorded."""


class NamedField(Protocol):
    """The part of a field's description that its object's keys are checked against."""

    @property
    def name(self) -> str:
        """The canonical spelling."""

    @property
    def also(self) -> tuple[str, ...]:
        """Other spellings that are read."""

    @property
    def required(self) -> bool:
        """Whether it must be present."""


@dataclass(frozen=True)
class Field:
    """A field of an object.

    Attributes:
        name: The canonical spelling.
        also: Other spellings that are read.
        required: Whether it must be present and not null.
        section: Document and section that define it.
        meaning: Its meaning, for readers of a schema.
    """

    name: str
    also: tuple[str, ...] = ()
    required: bool = True
    section: str = ""
    meaning: str = ""


F = TypeVar("F", bound=NamedField)
S = TypeVar("S", bound=str)


class ObjectShape(Generic[F]):
    """The fields that an object may have.

    Args:
        *fields: All fields, in canonical order.
        fold: Maps spellings that count as equal to one text; by default each is itself.
    """

    def __init__(self, *fields: F, fold: Callable[[str], str] = str) -> None:
        self.fields = fields
        self._fold = fold
        self._names = {fold(name): f.name for f in fields for name in (f.name, *f.also)}
        self._known: dict[tuple[str, ...], dict[str, str]] = {}

    def canonical(self, name: str) -> str | None:
        """The canonical spelling of a field's name, or None."""
        return self._names.get(self._fold(name))

    def spellings(self, value: object, path: str, log: FaultLog) -> Mapping[str, str] | None:
        """Return canonical name → spelling used, or None where the value is not an object.

        A missing required field, an unknown field, a duplicate key or two spellings of one field
        are faults of the object; its other fields can still be read, with `pick`.
        """
        if not isinstance(value, dict):
            log.add(path, "field.type", "an object is expected here", show_value(value))
            return None
        keys = tuple(value)
        known = self._known.get(keys)
        if known is not None and not isinstance(value, DuplicateKeys):
            return known
        before = log.count
        names = self._check(value, path, log)
        if log.count == before:
            self._known[keys] = names
        return names

    def _check(self, value: dict[str, Any], path: str, log: FaultLog) -> dict[str, str]:
        for name in getattr(value, "duplicates", ()):
            message = "a key occurs twice in one object"
            log.add(path, "json.duplicate_key", message, show_value(name))
        names: dict[str, str] = {}
        for name in value:
            canonical = self.canonical(name)
            if canonical is None:
                message = "the specification has no such field"
                log.add(path, "field.unknown", message, show_value(name))
            elif canonical in names:
                message = f"two spellings of {canonical}"
                log.add(path, "json.duplicate_key", message, show_value(name))
            else:
                names[canonical] = name
        for field in self.fields:
            if field.required and field.name not in names:
                log.add(f"{path}.{field.name}", "field.missing", "a mandatory field is missing")
        return names


def pick(value: Mapping[str, Any], names: Mapping[str, str], name: str) -> Any:  # noqa: ANN401
    """The value of a required field, or `MISSING`, about which the readers report nothing more."""
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
        log.add(
            path,
            "field.value",
            f"must have 1 to {max_bytes} UTF-8 bytes",
            f"{len(value)} characters",
        )
        return None
    return value


def read_choice(value: object, path: str, log: FaultLog, choices: Mapping[str, int]) -> int | None:
    """One of a few exact strings, as its code."""
    if value is MISSING:
        return None
    if type(value) is str and value in choices:
        return choices[value]
    rule = "field.value" if type(value) is str else "field.type"
    log.add(path, rule, f"must be one of {', '.join(choices)}", show_value(value))
    return None


def read_nmi(value: object, path: str, log: FaultLog) -> Nmi | None:
    """An NMI without checksum, or with a correct one. The value itself is never shown."""
    return _read_site(value, path, log, parse_nmi)


class SiteIdReader:
    """Reads the site identifiers of one document: NMIs or tokens, one kind throughout.

    Attributes:
        kind: The kind of the first identifier; None before it.
    """

    def __init__(self, log: FaultLog) -> None:
        self._log = log
        self._is_mixed = False
        self.kind: SiteIdKind | None = None

    def read(self, value: object, path: str) -> str | None:
        """Read an NMI, without its checksum, or a token; neither is ever shown.

        The first identifier of another kind than the document's first one is a fault.
        """
        site_id = _read_site(value, path, self._log, parse_site_id)
        if site_id is None:
            return None
        kind = kind_of(site_id)
        self.kind = self.kind or kind
        if kind is not self.kind and not self._is_mixed:
            self._is_mixed = True
            message = f"a document must hold NMIs or tokens, and the first are {self.kind.plural}"
            self._log.add(path, "nmi.mixed", message)
        return site_id


def _read_site(value: object, path: str, log: FaultLog, parse: Callable[[str], S]) -> S | None:
    if value is MISSING:
        return None
    if type(value) is not str:
        # A number may be an NMI that lost its quotation marks and its leading zeros.
        value_text = "a number" if isinstance(value, Number) else show_value(value)
        log.add(path, "field.type", "an NMI must be a string", value_text)
        return None
    try:
        return parse(value)
    except NmiError as exc:
        log.add(path, exc.code, str(exc))
        return None


def read_array(value: object, path: str, log: FaultLog, most: int | None) -> list[Any] | None:
    """An array of at least one element, and at most ``most`` where that is given."""
    if value is MISSING:
        return None
    if not isinstance(value, list):
        log.add(path, "field.type", "an array is expected here", show_value(value))
        return None
    if not value or (most is not None and len(value) > most):
        size = f"1 to {most} elements" if most is not None else "at least one element"
        log.add(path, "array.length", f"must have {size}", f"{len(value)} elements")
        return None
    return value


def is_constant(value: object) -> bool:
    """Whether a decoded value was ``NaN`` or an infinity."""
    return type(value) is BadConstant
