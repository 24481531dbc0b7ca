"""JSON trees that keep duplicate keys and the spelling of numbers, and their text.

Guarantees: ``write_json`` writes any tree in any `Style`, and a tree means the same in every style.
``FIELD_SPELLINGS`` has the fields that Part C spells in several ways.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any

FIELD_SPELLINGS = {
    "submissionTimestamp": ("submissionTimestamp", "submissionDatetime", "submissionDateTime"),
    "intervals": ("intervals", "Intervals"),
    "diStartTime": ("diStartTime", "diStarttime"),
    "diEndTime": ("diEndTime", "diEndtime"),
}


class RawJson(str):
    """JSON text that is written as it is, such as a number."""

    __slots__ = ()


@dataclass
class JsonObject:
    """A JSON object whose members keep their order and may have duplicate keys."""

    members: list[tuple[str, Any]] = field(default_factory=list)

    def find(self, name: str) -> int:
        """Position of a field in any of its spellings."""
        spellings = FIELD_SPELLINGS.get(name, (name,))
        return next(i for i, (key, _) in enumerate(self.members) if key in spellings)

    def has(self, name: str) -> bool:
        spellings = FIELD_SPELLINGS.get(name, (name,))
        return any(key in spellings for key, _ in self.members)

    def get(self, name: str) -> Any:
        return self.members[self.find(name)][1]

    def set(self, name: str, value: Any) -> None:
        """Change a field in the spelling that it has, or add it."""
        if self.has(name):
            at = self.find(name)
            self.members[at] = (self.members[at][0], value)
        else:
            self.members.append((name, value))

    def drop(self, name: str) -> None:
        if self.has(name):
            del self.members[self.find(name)]


@dataclass(frozen=True)
class Style:
    """A style of written JSON."""

    ndjson: bool = False
    blanks: bool = False
    escapes: bool = False
    crlf: bool = False


def write_json(value: Any, style: Style, rnd: random.Random) -> str:
    """JSON text of a tree."""

    def gap() -> str:
        if not style.blanks or rnd.random() < 0.7:
            return ""
        return rnd.choice([" ", "  ", "\t"] + ([] if style.ndjson else ["\n", "\r\n"]))

    def text(value: str) -> str:
        if not style.escapes:
            return json.dumps(value, ensure_ascii=False)
        out = []
        for character in value:
            if rnd.random() < 0.2:
                units = character.encode("utf-16-be", "surrogatepass")
                pairs = (units[i : i + 2] for i in range(0, len(units), 2))
                out += [f"\\u{int.from_bytes(pair, 'big'):04{rnd.choice('xX')}}" for pair in pairs]
            else:
                out.append(json.dumps(character, ensure_ascii=False)[1:-1])
        return f'"{"".join(out)}"'

    if isinstance(value, RawJson):
        return str(value)
    if isinstance(value, str):
        return text(value)
    if isinstance(value, JsonObject):
        inside = ",".join(
            f"{gap()}{text(key)}{gap()}:{gap()}{write_json(item, style, rnd)}{gap()}"
            for key, item in value.members
        )
        return "{" + (inside or gap()) + "}"
    if isinstance(value, list):
        inside = ",".join(f"{gap()}{write_json(item, style, rnd)}{gap()}" for item in value)
        return "[" + (inside or gap()) + "]"
    return json.dumps(value)


def write_document(records: list[Any], style: Style, rnd: random.Random) -> bytes:
    """An envelope document as a JSON array or as NDJSON."""
    if not style.ndjson:
        before, after = (" \r\n\t", "\n\n ") if style.blanks else ("", "")
        text = before + write_json(records, style, rnd) + after
    else:
        newline = "\r\n" if style.crlf else "\n"
        lines = []
        for record in records:
            lines.append(write_json(record, style, rnd))
            if style.blanks and rnd.random() < 0.3:
                lines.append("")
        text = newline.join(lines) + rnd.choice(["", newline, newline * 2])
    return text.encode("utf-8", "surrogatepass")
