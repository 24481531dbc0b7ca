"""Solidity sources as far as mutants need them: code apart from text, and lists of arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

_TEXT = re.compile(
    r"//[^\n]*|/\*.*?\*/"  # comments
    r'|(?:hex)?"(?:\\.|[^"\\\n])*"'  # strings
    r"|^(?:pragma|import)\b[^;]*;",
    re.DOTALL | re.MULTILINE,
)
_ASSEMBLY = re.compile(r"\bassembly\b[^{]*\{")
_CLOSING = {"(": ")", "{": "}"}


@dataclass(frozen=True)
class Source:
    """A file of the contracts.

    Attributes:
        name: Its name, such as ``Entries.sol``.
        text: Its content.
    """

    name: str
    text: str

    @cached_property
    def code(self) -> str:
        """The text with spaces in the place of comments, strings, imports and the pragma."""
        return _TEXT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), self.text)

    @cached_property
    def assembly(self) -> tuple[tuple[int, int], ...]:
        """Start and end of each assembly block."""
        return tuple(
            (found.end(), end_of(self.code, found.end() - 1))
            for found in _ASSEMBLY.finditer(self.code)
        )

    def is_assembly(self, position: int) -> bool:
        """Whether the position is in an assembly block."""
        return any(start <= position < end for start, end in self.assembly)

    def line_of(self, position: int) -> int:
        """The number of the position's line, from 1."""
        return self.text.count("\n", 0, position) + 1


def end_of(code: str, start: int) -> int:
    """The position of the bracket that closes the one at ``start``; the end where there is none."""
    opening = code[start]
    closing = _CLOSING[opening]
    depth = 0
    for position in range(start, len(code)):
        if code[position] == opening:
            depth += 1
        elif code[position] == closing:
            depth -= 1
            if not depth:
                return position
    return len(code)


def arguments(code: str, start: int) -> Iterator[tuple[int, int]]:
    """Start and end of each argument of the list whose opening bracket is at ``start``."""
    end = end_of(code, start)
    depth, begin = 0, start + 1
    for position in range(start + 1, end + 1):
        character = code[position : position + 1]
        if position == end or (character == "," and not depth):
            yield _stripped(code, begin, position)
            begin = position + 1
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1


def _stripped(code: str, start: int, end: int) -> tuple[int, int]:
    part = code[start:end]
    return start + len(part) - len(part.lstrip()), end - len(part) + len(part.rstrip())
