"""Kinds of values of the EDGE documents: how each is read, and its JSON Schema.

Values that break their kind come out as `BAD`, or as the nearest value to go on with, so that the
rest of the document can still be checked; the fault is in the log either way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Protocol

from oepnode.domain.documents.faults import FaultLog, show_value
from oepnode.domain.documents.json_fields import is_constant, read_nmi, read_text
from oepnode.domain.documents.strict_json import Number
from oepnode.domain.nem.nem_time import Timestamp, parse_timestamp, parse_trading_date
from oepnode.domain.nem.quantities import QuantityError, Unit, to_integer, to_text


class _Bad:
    """The type of `BAD`."""

    def __repr__(self) -> str:
        return "BAD"


BAD: Final = _Bad()
"""Result of reading a value that cannot be used."""

_IDENTITY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:#-]{0,63}", re.ASCII)
_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]{0,8})", re.ASCII)


class Kind(Protocol):
    """A kind of value: how it is read, and its JSON Schema."""

    def read(self, value: Any, path: str, log: FaultLog) -> Any:  # noqa: ANN401
        """The value, or `BAD` with a fault recorded."""

    def schema(self) -> dict[str, Any]:
        """The kind in JSON Schema."""


# --- kinds of values -----------------------------------------------------------------------------


@dataclass(frozen=True)
class NmiText:
    """An NMI of ten characters; an eleventh is its checksum.

    Attributes:
        or_token: Whether the schema allows the token of a blind round as well.
    """

    or_token: bool = False

    def read(self, value: Any, path: str, log: FaultLog) -> Any:  # noqa: ANN401
        """The NMI without checksum."""
        nmi = read_nmi(value, path, log)
        return BAD if nmi is None else str(nmi)

    def schema(self) -> dict[str, Any]:
        """Ten characters, as they are written, or a token."""
        nmi = "[0-9A-HJ-NP-Z]{10}"
        pattern = f"^({nmi}|[0-9a-f]{{32}})$" if self.or_token else f"^{nmi}$"
        return {"type": "string", "pattern": pattern}


@dataclass(frozen=True)
class Text:
    """A text of 1 to ``most`` UTF-8 bytes."""

    most: int

    def read(self, value: Any, path: str, log: FaultLog) -> Any:  # noqa: ANN401
        """The text as written."""
        text = read_text(value, path, log, self.most)
        return BAD if text is None else text

    def schema(self) -> dict[str, Any]:
        """A string with its bounds; JSON Schema counts characters."""
        return {"type": "string", "minLength": 1, "maxLength": self.most}


@dataclass(frozen=True)
class Identity:
    """A DUID: 1 to 64 letters, digits and ``._:#-``."""

    def read(self, value: Any, path: str, log: FaultLog) -> Any:  # noqa: ANN401
        """The identifier as written."""
        if type(value) is not str:
            log.add(path, "field.type", "an identifier must be a string", show_value(value))
            return BAD
        if _IDENTITY.fullmatch(value) is None:
            message = "must be 1 to 64 letters, digits and ._:#-, the first a letter or digit"
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
        log.add(path, rule, f"must be one of {', '.join(self.words)}", show_value(value))
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
        log.add(path, "field.type", "must be true, false, Y or N", show_value(value))
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
            log.add(path, "field.type", "a timestamp must be a string", show_value(value))
            return BAD
        try:
            instant = _timestamp(value)
        except ValueError as exc:
            log.add(path, "time.format", str(exc), show_value(value))
            return BAD
        if instant.warning:
            log.warn(path, instant.warning)
        if not self.grid_s:
            return instant.total_micros
        if instant.micros or instant.seconds % self.grid_s:
            message = f"a period end must be a multiple of {self.grid_s} s"
            log.add(path, "time.grid", message, show_value(value))
            return BAD
        return int(instant.seconds)

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
            log.add(path, "field.type", "a trading date must be a string", show_value(value))
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
        """The integer; with too many decimals the nearest one, and a fault."""
        if type(value) is not Number:
            rule = "number.constant" if is_constant(value) else "field.type"
            log.add(path, rule, f"a number of {self.unit.name} is expected", show_value(value))
            return BAD
        try:
            number = to_integer(value, self.unit)
        except QuantityError as exc:
            log.add(path, exc.code, str(exc), show_value(value))
            return exc.nearest if exc.code.endswith(".decimals") else BAD
        if self.least is not None and number < self.least:
            self._sign(f"must not be below {to_text(self.least, self.unit)}", value, path, log)
        if self.most is not None and number > self.most:
            self._sign(f"must not be above {to_text(self.most, self.unit)}", value, path, log)
        return number

    def _sign(self, message: str, value: str, path: str, log: FaultLog) -> None:
        text = f"{message} {self.unit.name}"
        log.add(path, f"{self.unit.family}.sign", text, show_value(value))

    def schema(self) -> dict[str, Any]:
        """A number with its bounds.

        The step is a comment: validators check ``multipleOf`` in binary fractions, where 1.1 is not
        a multiple of 0.01.
        """
        comment = f"a multiple of {self.unit.step}"
        schema: dict[str, Any] = {"type": "number", "$comment": comment}
        if self.least is not None:
            schema["minimum"] = self.least
        if self.most is not None:
            schema["maximum"] = self.most
        return schema


@dataclass(frozen=True)
class Whole:
    """A whole number in a range; out of range it is used still, and a fault.

    Attributes:
        least: Smallest number allowed.
        most: Largest number allowed.
        code: Code of a number out of range.
        label: Start of its message.
    """

    least: int
    most: int
    code: str
    label: str

    def read(self, value: Any, path: str, log: FaultLog) -> Any:  # noqa: ANN401
        """The number."""
        if type(value) is not Number or _INTEGER.fullmatch(value) is None:
            log.add(path, "field.type", "a whole number is expected", show_value(value))
            return BAD
        number = int(value)
        if not self.least <= number <= self.most:
            message = f"{self.label} {self.least} to {self.most}"
            log.add(path, self.code, message, show_value(value))
            return number if abs(number) < 2**15 else BAD
        return number

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
        elements = [read(item, f"{path}[{index}]", log) for index, item in enumerate(value)]
        if len(value) >= self.least and (self.most is None or len(value) <= self.most):
            return elements
        log.add(path, self.code, f"must have {self._bound()}", f"{len(value)} elements")
        return BAD if self.least == self.most else elements

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
        schema = {"type": "array", "items": self.inner.schema(), "minItems": self.least}
        return schema if self.most is None else {**schema, "maxItems": self.most}
