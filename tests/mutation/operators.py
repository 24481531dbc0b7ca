"""Operators: each finds the places of a kind of error in a source, and what would stand there.

A mutant that the compiler rejects costs time and shows nothing, so the operators leave out what
never compiles; what compiles seldom is left to the compiler. Two operators may make the same text:
it is one mutant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.mutation.source import Source, arguments, end_of


@dataclass(frozen=True, order=True)
class Mutant:
    """A source with one change.

    Attributes:
        file: Name of the source.
        line: Number of the line where the change begins, from 1.
        start: Position of the change in the text.
        end: Its end.
        replacement: The text from there to there.
        original: The lines of the change before, blanks made one.
        changed: The same lines after.
        kind: Name of the operator.
    """

    file: str
    line: int
    start: int
    end: int
    replacement: str
    original: str
    changed: str
    kind: str

    def apply(self, text: str) -> str:
        """The source's text with the change."""
        return text[: self.start] + self.replacement + text[self.end :]


Change = tuple[int, int, str]
Operator = Callable[[Source], Iterator[Change]]

_SWAPS = {
    "comparison": {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="},
    "logic": {"&&": "||", "||": "&&"},
    "arithmetic": {
        "+": "-", "-": "+", "*": "/", "/": "*", "%": "*",
        "++": "--", "--": "++", "+=": "-=", "-=": "+=",
        "&": "|", "|": "&", "^": "|", "&=": "|=", "|=": "&=", "^=": "|=",
        "<<": ">>", ">>": "<<", "<<=": ">>=", ">>=": "<<=",
    },
}  # fmt: skip
_TOKEN = re.compile(r"[<>=!&|^+\-*/%~:]+")
_YUL = {
    "lt": "gt", "gt": "lt", "and": "or", "or": "and", "add": "sub", "sub": "add",
    "shl": "shr", "shr": "shl", "mul": "add",
}  # fmt: skip
_NUMBER = re.compile(r"(?<![\w.])(?:0x[0-9a-fA-F]+|[0-9][0-9_]*)(?![\w.])")
_COMMUTATIVE = {"and", "or", "add", "mul", "eq", "xor", "max", "min"}
_CALL = re.compile(r"\b([A-Za-z_]\w*)\(")
_DECLARES = re.compile(
    r"\b(?:function|event|error|modifier|returns|catch|mapping|constructor)\s*\w*\s*$"
)
_PLACE = r"[A-Za-z_]\w*(?:\.\w+|\[[^;{}=]*?\])*"
_STATEMENT = re.compile(
    r"(?:(?<=[;{})])|\belse)\s*"
    r"((?:emit|revert|delete|\+\+|--)\s*\w[^;{}]*;"
    rf"|{_PLACE}\s*(?:=|[-+*/|&^]=|<<=|>>=)(?!=)[^;{{}}]*;"
    rf"|{_PLACE}(?:\+\+|--);"
    rf"|{_PLACE}\([^;{{}}]*\);)"
)
_YUL_STATEMENT = re.compile(r"(?m)^\s*((?:mstore8?|calldatacopy)\(.*\)|[a-z]\w* := .*?)\s*$")
_IF = re.compile(r"\bif \(")
_MODIFIER = re.compile(r"\bonlyRole\(\w+\)")


def mutants(source: Source) -> list[Mutant]:
    """All mutants of a source, in the order of their places."""
    by_text: dict[tuple[int, int, str], Mutant] = {}
    for kind, operator in OPERATORS.items():
        for start, end, replacement in operator(source):
            key = _smallest(source.text, start, end, replacement)
            by_text.setdefault(key, _mutant(source, kind, *key))
    return sorted(by_text.values())


def _smallest(text: str, start: int, end: int, replacement: str) -> Change:
    """The change without what is equal at both ends, by which two changes are compared."""
    while start < end and replacement and text[start] == replacement[0]:
        start, replacement = start + 1, replacement[1:]
    while start < end and replacement and text[end - 1] == replacement[-1]:
        end, replacement = end - 1, replacement[:-1]
    return start, end, replacement


def _mutant(source: Source, kind: str, start: int, end: int, replacement: str) -> Mutant:
    text = source.text
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", end)
    last = len(text) if last < 0 else last
    before = text[first:last]
    after = text[first:start] + replacement + text[end:last]
    line = source.line_of(start)
    return Mutant(source.name, line, start, end, replacement, _words(before), _words(after), kind)


def _words(text: str) -> str:
    return " ".join(text.split())


# --- operators -----------------------------------------------------------------------------------


def _tokens(kind: str) -> Operator:
    def operator(source: Source) -> Iterator[Change]:
        for found in _TOKEN.finditer(source.code):
            other = _SWAPS[kind].get(found[0])
            if other and not source.is_assembly(found.start()):
                yield found.start(), found.end(), other

    return operator


def removed_complements(source: Source) -> Iterator[Change]:
    """``!x`` and ``~x`` become ``x``."""
    for found in re.finditer(r"(?<![\w)])\s*([!~])(?=[\w(])", source.code):
        yield found.start(1), found.end(1), ""


def negated_conditions(source: Source) -> Iterator[Change]:
    """``if (x)`` becomes ``if (!(x))``."""
    for found in _IF.finditer(source.code):
        start, end = found.end() - 1, end_of(source.code, found.end() - 1)
        yield start, end + 1, f"(!{source.text[start : end + 1]})"


def other_constants(source: Source) -> Iterator[Change]:
    """A number one larger, and one smaller."""
    for found in _NUMBER.finditer(source.code):
        digits = found[0].replace("_", "")
        is_hex = digits.startswith("0x")
        value = int(digits, 16 if is_hex else 10)
        if is_hex and len(digits) == 42:
            continue  # an address
        for other in (value + 1, value - 1):
            if other >= 0:
                yield found.start(), found.end(), hex(other) if is_hex else str(other)


def removed_statements(source: Source) -> Iterator[Change]:
    """An assignment, call, event, revert or ``delete`` is left out; declarations stay."""
    for found in _STATEMENT.finditer(source.code):
        if not source.is_assembly(found.start(1)):
            yield found.start(1), found.end(1), "{}"
    for found in _YUL_STATEMENT.finditer(source.code):
        if source.is_assembly(found.start(1)):
            yield found.start(1), found.end(1), ""


def removed_modifiers(source: Source) -> Iterator[Change]:
    """A function without its role."""
    for found in _MODIFIER.finditer(source.code):
        yield found.start(), found.end(), ""


def swapped_arguments(source: Source) -> Iterator[Change]:
    """Two neighbouring arguments of a call, event or error change places."""
    code, text = source.code, source.text
    for found in _CALL.finditer(code):
        if found[1] in _COMMUTATIVE or _DECLARES.search(code, 0, found.start()):
            continue
        if found[1] in ("if", "for", "while", "returns", "catch"):
            continue
        for (start, end), (other, last) in pairwise(arguments(code, found.end() - 1)):
            if text[start:end] != text[other:last]:
                yield start, last, text[other:last] + text[end:other] + text[start:end]


def other_instructions(source: Source) -> Iterator[Change]:
    """In assembly: ``lt`` becomes ``gt``, ``add`` becomes ``sub``, and so on."""
    for found in _CALL.finditer(source.code):
        other = _YUL.get(found[1])
        if other and source.is_assembly(found.start()):
            yield found.start(1), found.end(1), other


OPERATORS: dict[str, Operator] = {
    "comparison": _tokens("comparison"),
    "logic": _tokens("logic"),
    "arithmetic": _tokens("arithmetic"),
    "complement": removed_complements,
    "condition": negated_conditions,
    "constant": other_constants,
    "statement": removed_statements,
    "modifier": removed_modifiers,
    "arguments": swapped_arguments,
    "instruction": other_instructions,
}


def of_all(sources: Sequence[Source]) -> list[Mutant]:
    """The mutants of several sources."""
    return [mutant for source in sources for mutant in mutants(source)]
