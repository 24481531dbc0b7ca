"""JSON (section 2): records of a document, and the fields of its objects with every fault."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class Rejected(Exception):  # noqa: N818 - reads as what it is
    """A document breaks a rule.

    Attributes:
        faults: (path, rule) of every fault in the order of the document.
        rules: The names of the rules alone.
    """

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{path}: {rule}" for path, rule in faults))
        self.faults = tuple(faults)
        self.rules = frozenset(rule for _, rule in faults)


@dataclass(frozen=True)
class Number:
    """A JSON number as written."""

    text: str


@dataclass(frozen=True)
class Constant:
    """``NaN`` or ``Infinity``, which Python's parser reads and RFC 8259 does not know."""

    text: str


@dataclass(frozen=True)
class Object:
    """A JSON object with its members in order, duplicate keys included."""

    members: tuple[tuple[str, Any], ...]


DECODER = json.JSONDecoder(
    object_pairs_hook=lambda pairs: Object(tuple(pairs)),
    parse_int=Number,
    parse_float=Number,
    parse_constant=Constant,
)
SPACE = " \t\r\n"
MOST_LEVELS = 64


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in SPACE:
        at += 1
    return at


def _check_depth(text: str, path: str) -> None:
    """Nesting of arrays and objects, the outermost included."""
    depth, in_string, escaped = 0, False, False
    for character in text:
        if escaped:
            escaped = False
        elif in_string:
            escaped, in_string = character == "\\", character != '"'
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            if depth > MOST_LEVELS:
                raise Rejected([(path, "json.nesting")])
        elif character in "]}":
            depth -= 1


def _value(text: str, at: int, path: str) -> tuple[Any, int]:
    """The JSON value that starts at ``at``, and where it ends."""
    try:
        return DECODER.raw_decode(text, at)
    except ValueError as exc:
        raise Rejected([(path, "json.syntax")]) from exc


def only_value(text: str, path: str) -> Any:
    """The one JSON value of a text, with nothing but white space around it."""
    _check_depth(text, path)
    value, end = _value(text, _skip(text, 0), path)
    if _skip(text, end) != len(text):
        raise Rejected([(path, "json.trailing")])
    return value


def _array(text: str) -> list[Any]:
    """The elements of a text that is one JSON array; faults name the element."""
    _check_depth(text, "$")
    at = _skip(text, _skip(text, 0) + 1)
    elements: list[Any] = []
    closed = text[at : at + 1] == "]"
    while not closed:
        path = f"$.records[{len(elements)}]"
        value, at = _value(text, at, path)
        elements.append(value)
        at = _skip(text, at)
        closed = text[at : at + 1] == "]"
        if not closed and text[at : at + 1] != ",":
            raise Rejected([(path, "json.syntax")])
        if not closed:
            at = _skip(text, at + 1)
    if _skip(text, at + 1) != len(text):
        raise Rejected([("$", "json.trailing")])
    return elements


def decode_utf8(data: bytes) -> str:
    if data.startswith(b"\xef\xbb\xbf"):
        raise Rejected([("$", "json.bom")])
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise Rejected([("$", "json.utf8")]) from exc


def read_records(data: bytes) -> list[Any]:
    """The records of an envelope document: a JSON array, or NDJSON."""
    text = decode_utf8(data)
    if text.lstrip(SPACE).startswith("["):
        records = _array(text)
    else:
        lines = [line for line in text.split("\n") if line.strip(SPACE)]
        records = [only_value(line, f"$.records[{i}]") for i, line in enumerate(lines)]
    if not records:
        raise Rejected([("$", "document.empty")])
    return records


class Reader:
    """Collects faults while values are taken out of parsed JSON."""

    def __init__(self) -> None:
        self.faults: list[tuple[str, str]] = []
        self.import_signs: dict[str, str] = {}
        self.site_lengths: dict[int, str] = {}

    def fault(self, path: str, rule: str) -> None:
        self.faults.append((path, rule))

    def done(self) -> None:
        if self.faults:
            raise Rejected(self.faults)

    def string(self, value: Any, path: str) -> str | None:
        """A string whose form is checked elsewhere."""
        if not isinstance(value, str):
            self.fault(path, "field.type")
            return None
        return value

    def text(self, value: Any, path: str, most: int) -> str | None:
        """A free text of 1 to ``most`` bytes, without control characters and lone surrogates."""
        text = self.string(value, path)
        if text is None:
            return None
        if any(ord(c) <= 0x1F or ord(c) == 0x7F or 0xD800 <= ord(c) <= 0xDFFF for c in text):
            self.fault(path, "field.value")
            return None
        if not 1 <= len(text.encode()) <= most:
            self.fault(path, "field.value")
            return None
        return text

    def array(self, value: Any, path: str) -> list[Any] | None:
        if not isinstance(value, list):
            self.fault(path, "field.type")
            return None
        return value

    def members(
        self,
        value: Any,
        path: str,
        required: str,
        optional: str = "",
        also: Mapping[str, str] | None = None,
    ) -> dict[str, Any] | None:
        """The members of an object by their first spelling; null or absent optional ones left out.

        Args:
            value: The object, if the document is right.
            path: Its path in the document.
            required: Names of fields that must be there and not null, separated by blanks.
            optional: Names of fields that may be null or absent.
            also: Other spellings, each with the first spelling.
        """
        if not isinstance(value, Object):
            self.fault(path, "field.type")
            return None
        names = required.split() + optional.split()
        also = also or {}
        members: dict[str, Any] = {}
        spellings: set[str] = set()
        for key, item in value.members:
            name = also.get(key, key)
            if key in spellings:
                self.fault(path, "json.duplicate_key")
            elif name not in names:
                self.fault(path, "field.unknown")
            elif name in members:
                # Two spellings of one field count as a duplicate key.
                self.fault(path, "json.duplicate_key")
            spellings.add(key)
            members.setdefault(name, item)
        for name in required.split():
            if name not in members:
                self.fault(f"{path}.{name}", "field.missing")
        return {n: v for n, v in members.items() if v is not None or n in required.split()}
