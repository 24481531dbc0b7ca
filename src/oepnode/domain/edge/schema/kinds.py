"""What the objects of the EDGE documents look like: tolerant spellings in, one spelling out.

A `Shape` lists the attributes of an object with their kinds and sections. From it come the reader
of the form (every fault with its place, in one pass), the sections that findings cite, and the JSON
Schema. Names are read without regard to upper and lower case, ``_``, ``-`` and spaces, and in the
other spellings that the documents use (``periodld``, ``submissionTimestamp``); what is written has
the canonical name only.

Values that break their kind come out as `BAD`, or as the nearest value to go on with, so that the
rest of the document can still be checked; the fault is in the ledger either way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Protocol

from oepnode.domain.documents import json_fields as fields
from oepnode.domain.documents.faults import FaultLog, show_value
from oepnode.domain.documents.strict_json import Number, read_records, read_value
from oepnode.domain.edge.validation.acknowledgement import FindingLog
from oepnode.domain.nem.nem_time import Timestamp, parse_timestamp, parse_trading_date
from oepnode.domain.nem.quantities import QuantityError, Unit, to_integer, to_text


class _Bad:
    """The type of `BAD`."""

    def __repr__(self) -> str:
        return "BAD"


BAD: Final = _Bad()
"""Stands for a value whose kind is broken beyond use."""

_IDENTITY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:#-]{0,63}", re.ASCII)
_IGNORED: Final = str.maketrans("", "", "_- ")
_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]{0,8})", re.ASCII)


class Kind(Protocol):
    """A kind of value: how it is read, and its JSON Schema."""

    def read(self, value: Any, path: str, log: FaultLog) -> Any:  # noqa: ANN401
        """The value, or `BAD` with a fault noted."""

    def schema(self) -> dict[str, Any]:
        """The kind in JSON Schema."""


# --- kinds of values -----------------------------------------------------------------------------


@dataclass(frozen=True)
class NmiText:
    """An NMI of ten characters; an eleventh is its checksum."""

    def read(self, value: Any, path: str, log: FaultLog) -> Any:  # noqa: ANN401
        """The NMI without checksum."""
        found = fields.read_nmi(value, path, log)
        return BAD if found is None else str(found)

    def schema(self) -> dict[str, Any]:
        """Ten characters, as they are written."""
        return {"type": "string", "pattern": "^[0-9A-HJ-NP-Z]{10}$"}


@dataclass(frozen=True)
class Text:
    """A text of 1 to ``most`` UTF-8 bytes."""

    most: int

    def read(self, value: Any, path: str, log: FaultLog) -> Any:  # noqa: ANN401
        """The text as it stands."""
        found = fields.read_text(value, path, log, self.most)
        return BAD if found is None else found

    def schema(self) -> dict[str, Any]:
        """A string with its bounds; JSON Schema counts characters."""
        return {"type": "string", "minLength": 1, "maxLength": self.most}


@dataclass(frozen=True)
class Identity:
    """A DUID: 1 to 64 letters, digits and ``._:#-``."""

    def read(self, value: Any, path: str, log: FaultLog) -> Any:  # noqa: ANN401
        """The identifier as it stands."""
        if type(value) is not str:
            log.add(path, "field.type", "an identifier is a string", show_value(value))
            return BAD
        if _IDENTITY.fullmatch(value) is None:
            message = "1 to 64 letters, digits and ._:#-, the first a letter or digit"
            log.add(path, "duid.form", message, show_value(value))
            return BAD
        return value

    def schema(self) -> dict[str, Any]:
        """A pattern."""
        return {"type": "string", "pattern": f"^{_IDENTITY.pattern}$"}


@dataclass(frozen=True)
class Choice:
    """One of a few words; upper and lower case do not matter."""

    words: tuple[str, ...]

    def read(self, value: Any, path: str, log: FaultLog) -> Any:  # noqa: ANN401
        """The word as it is written canonically."""
        if type(value) is str:
            for word in self.words:
                if word.casefold() == value.casefold():
                    return word
        rule = "field.value" if type(value) is str else "field.type"
        log.add(path, rule, f"one of {', '.join(self.words)}", show_value(value))
        return BAD

    def schema(self) -> dict[str, Any]:
        """An enumeration."""
        return {"enum": list(self.words)}


@dataclass(frozen=True)
class Flag:
    """A truth value; the documents write both booleans and ``Y`` and ``N``."""

    def read(self, value: Any, path: str, log: FaultLog) -> Any:  # noqa: ANN401
        """True or false."""
        if type(value) is bool:
            return value
        if type(value) is str and value.upper() in {"Y", "N"}:
            return value.upper() == "Y"
        log.add(path, "field.type", "true, false, Y or N", show_value(value))
        return BAD

    def schema(self) -> dict[str, Any]:
        """A boolean, as it is written."""
        return {"type": "boolean"}


@dataclass(frozen=True)
class Instant:
    """A timestamp; with a grid it is read as whole UTC seconds, otherwise as microseconds.

    Attributes:
        grid_s: Seconds that divide the instant, or 0.
    """

    grid_s: int = 0

    def read(self, value: Any, path: str, log: FaultLog) -> Any:  # noqa: ANN401
        """UTC seconds on a grid, microseconds without one."""
        if type(value) is not str:
            log.add(path, "field.type", "a timestamp is a string", show_value(value))
            return BAD
        try:
            found = _timestamp(value)
        except ValueError as exc:
            log.add(path, "time.format", str(exc), show_value(value))
            return BAD
        if found.warning:
            log.warn(path, found.warning)
        if not self.grid_s:
            return found.total_micros
        if found.micros or found.seconds % self.grid_s:
            message = f"not on the grid of {self.grid_s} s that its period ends ask for"
            log.add(path, "time.grid", message, show_value(value))
            return BAD
        return int(found.seconds)

    def schema(self) -> dict[str, Any]:
        """A date and time; the grid is beyond JSON Schema."""
        return {"type": "string", "format": "date-time"}


@lru_cache(maxsize=1 << 14)
def _timestamp(text: str) -> Timestamp:
    return parse_timestamp(text)


@dataclass(frozen=True)
class Day:
    """A trading date."""

    def read(self, value: Any, path: str, log: FaultLog) -> Any:  # noqa: ANN401
        """The date."""
        if type(value) is not str:
            log.add(path, "field.type", "a trading date is a string", show_value(value))
            return BAD
        try:
            return parse_trading_date(value)
        except ValueError as exc:
            log.add(path, "time.format", str(exc), show_value(value))
            return BAD

    def schema(self) -> dict[str, Any]:
        """A date."""
        return {"type": "string", "format": "date"}


@dataclass(frozen=True)
class Quantity:
    """A number with a unit, read as an integer.

    Attributes:
        unit: Its unit.
        least: Smallest integer allowed, or None.
        most: Largest integer allowed, or None.
    """

    unit: Unit
    least: int | None = None
    most: int | None = None

    def read(self, value: Any, path: str, log: FaultLog) -> Any:  # noqa: ANN401
        """The integer; with too many decimals the nearest one, beside the fault."""
        if type(value) is not Number:
            rule = "number.constant" if fields.is_constant(value) else "field.type"
            log.add(path, rule, f"a number of {self.unit.name} is expected", show_value(value))
            return BAD
        try:
            found = to_integer(value, self.unit)
        except QuantityError as exc:
            log.add(path, exc.code, str(exc), show_value(value))
            return exc.nearest if exc.code.endswith(".decimals") else BAD
        if self.least is not None and found < self.least:
            self._sign(f"not below {to_text(self.least, self.unit)}", value, path, log)
        if self.most is not None and found > self.most:
            self._sign(f"not above {to_text(self.most, self.unit)}", value, path, log)
        return found

    def _sign(self, message: str, value: str, path: str, log: FaultLog) -> None:
        text = f"{message} {self.unit.name}"
        log.add(path, f"{self.unit.family}.sign", text, show_value(value))

    def schema(self) -> dict[str, Any]:
        """A number with its bounds.

        The step is a comment: validators try ``multipleOf`` in binary fractions, where 1.1 is no
        multiple of 0.01.
        """
        comment = f"a multiple of {self.unit.step}"
        found: dict[str, Any] = {"type": "number", "$comment": comment}
        if self.least is not None:
            found["minimum"] = self.least
        if self.most is not None:
            found["maximum"] = self.most
        return found


@dataclass(frozen=True)
class Whole:
    """A whole number in a range; out of range it is read on, beside the fault."""

    least: int
    most: int
    code: str
    said: str

    def read(self, value: Any, path: str, log: FaultLog) -> Any:  # noqa: ANN401
        """The number."""
        if type(value) is not Number or _INTEGER.fullmatch(value) is None:
            log.add(path, "field.type", "a whole number is expected", show_value(value))
            return BAD
        found = int(value)
        if not self.least <= found <= self.most:
            message = f"{self.said} {self.least} to {self.most}"
            log.add(path, self.code, message, show_value(value))
            return found if abs(found) < 2**15 else BAD
        return found

    def schema(self) -> dict[str, Any]:
        """An integer with its range."""
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True)
class Items:
    """An array.

    Attributes:
        inner: Kind of its elements.
        least: Fewest elements.
        most: Most elements, or None.
        code: Code of a wrong number of elements.
    """

    inner: Kind
    least: int = 1
    most: int | None = None
    code: str = "array.length"

    def read(self, value: Any, path: str, log: FaultLog) -> Any:  # noqa: ANN401
        """The elements; where an array of fixed length has another, `BAD` after reading them."""
        if not isinstance(value, list):
            log.add(path, "field.type", "an array is expected here", show_value(value))
            return BAD
        read = self.inner.read
        found = [read(item, f"{path}[{place}]", log) for place, item in enumerate(value)]
        if len(value) >= self.least and (self.most is None or len(value) <= self.most):
            return found
        log.add(path, self.code, self._bound(), f"{len(value)} elements")
        return BAD if self.least == self.most else found

    def _bound(self) -> str:
        if self.least == self.most:
            return f"exactly {self.least} elements"
        return (
            f"at least {self.least} element(s)"
            if self.most is None
            else f"{self.least} to {self.most} elements"
        )

    def schema(self) -> dict[str, Any]:
        """An array with its bounds."""
        found = {"type": "array", "items": self.inner.schema(), "minItems": self.least}
        return found if self.most is None else {**found, "maxItems": self.most}


# --- objects -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Attribute:
    """A field of an object.

    Attributes:
        name: The canonical spelling, which is written.
        kind: Kind of its value.
        section: Document and section that define it.
        meaning: What it says, for readers of the schema.
        also: Further spellings that are read, beyond upper and lower case.
        required: Whether it must be there.
        nullable: Whether it may be null.
    """

    name: str
    kind: Kind
    section: str
    meaning: str
    also: tuple[str, ...] = ()
    required: bool = True
    nullable: bool = False


class Shape:
    """An object with its attributes; also a `Kind`.

    Args:
        *attributes: In canonical order.
    """

    def __init__(self, *attributes: Attribute) -> None:
        self.attributes = attributes
        self._by_name = {a.name: a for a in attributes}
        self._folded = {fold(name): a.name for a in attributes for name in (a.name, *a.also)}
        self._known: dict[tuple[str, ...], list[tuple[Attribute, str]]] = {}

    def read(self, value: Any, path: str, log: FaultLog) -> Any:  # noqa: ANN401
        """Canonical name → value for every attribute; None where absent or null."""
        if not isinstance(value, dict):
            log.add(path, "field.type", "an object is expected here", show_value(value))
            return BAD
        found: dict[str, Any] = dict.fromkeys(self._by_name)
        for attribute, spelling in self._names(value, path, log):
            item = value[spelling]
            here = f"{path}.{attribute.name}"
            if item is not None:
                found[attribute.name] = attribute.kind.read(item, here, log)
            elif not attribute.nullable:
                log.add(here, "field.null", "this field may not be null")
                found[attribute.name] = BAD
        return found

    def _names(
        self, value: dict[str, Any], path: str, log: FaultLog
    ) -> list[tuple[Attribute, str]]:
        keys = tuple(value)
        known = self._known.get(keys)
        if known is not None and not getattr(value, "doubled", ()):
            return known
        before = log.count
        found = self._check_names(value, path, log)
        if log.count == before:
            self._known[keys] = found
        return found

    def _check_names(
        self, value: dict[str, Any], path: str, log: FaultLog
    ) -> list[tuple[Attribute, str]]:
        for name in getattr(value, "doubled", ()):
            shown = show_value(name)
            log.add(path, "json.duplicate_key", "a key occurs twice in one object", shown)
        found: dict[str, str] = {}
        for name in value:
            canonical = self._folded.get(fold(name))
            if canonical is None:
                message = "a field that the specification lacks"
                log.add(path, "field.unknown", message, show_value(name))
            elif canonical in found:
                message = f"two spellings of {canonical}"
                log.add(path, "json.duplicate_key", message, show_value(name))
            else:
                found[canonical] = name
        for attribute in self.attributes:
            if attribute.required and attribute.name not in found:
                here = f"{path}.{attribute.name}"
                log.add(here, "field.missing", "a mandatory field is missing")
        return [(self._by_name[name], spelling) for name, spelling in found.items()]

    def has(self, value: object, name: str) -> bool:
        """Whether an object has an attribute, in any spelling."""
        return isinstance(value, dict) and any(self._folded.get(fold(k)) == name for k in value)

    def sections(self) -> dict[str, str]:
        """Section of each attribute, here and below, by its name.

        Those below also stand by the name of what holds them and their own
        (``operatingEnvelopes.nmi``), because names repeat; the name alone is then the outer one's.
        """
        found: dict[str, str] = {}
        for attribute in self.attributes:
            inner: Kind = attribute.kind
            while isinstance(inner, Items):
                inner = inner.inner
            if isinstance(inner, Shape):
                held = {f"{attribute.name}.{a.name}": a.section for a in inner.attributes}
                found = inner.sections() | held | found
            found[attribute.name] = attribute.section
        return found

    def schema(self) -> dict[str, Any]:
        """The object in JSON Schema."""
        return {
            "type": "object",
            "properties": dict(_properties(self.attributes)),
            "required": [a.name for a in self.attributes if a.required],
            "additionalProperties": False,
        }


def _properties(attributes: tuple[Attribute, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    for attribute in attributes:
        inner = attribute.kind.schema()
        if attribute.nullable:
            inner = (
                {"enum": [*inner["enum"], None]}
                if "enum" in inner
                else {**inner, "type": [inner["type"], "null"]}
            )
        also = f" Also read: {', '.join(attribute.also)}." if attribute.also else ""
        text = f"{attribute.meaning} ({attribute.section}).{also}"
        yield attribute.name, {"description": text, **inner}


@lru_cache(maxsize=1 << 12)
def fold(name: str) -> str:
    """A field's name without what spellings differ in."""
    return name.translate(_IGNORED).casefold()


# --- documents -----------------------------------------------------------------------------------


def records(data: bytes, log: FindingLog) -> Iterator[tuple[int, Any]]:
    """Each record of a JSON array, of NDJSON, or of one object that spans lines."""
    head = data.lstrip(b" \t\r\n")
    first_line = head.partition(b"\n")[0].rstrip()
    if head.startswith(b"{") and not first_line.endswith(b"}"):
        before = log.count
        value = read_value(data, log)
        if log.count == before:
            yield 0, value
        return
    yield from read_records(data, log)
