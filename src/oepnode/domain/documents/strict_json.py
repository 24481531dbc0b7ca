"""Strict JSON: exact numbers, no duplicate keys, no constants beyond RFC 8259, faults with paths.

Numbers come out as `Number`, the text as written, so that no value ever passes through a float.
Objects with a duplicate key come out as `DuplicateKeys`; readers report them with their path.
Source: rules-v1 section 2.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.documents.json_depth import MAX_DEPTH, is_too_deep
from oepnode.domain.documents.progress import Progress

_PROGRESS_EVERY: Final = 64
_LOOKS_LIKE: Final = {
    b"\x1f\x8b": "this is gzip, to be unpacked first (gunzip): ",
    b"\xff\xfe": "this looks like UTF-16, to be saved as UTF-8: ",
    b"\xfe\xff": "this looks like UTF-16, to be saved as UTF-8: ",
}
"""First bytes of files that are often taken for JSON → hint for the message."""
_SPACE: Final = re.compile(r"[ \t\n\r]*")


class Number(str):
    """A JSON number, as written."""

    __slots__ = ()


class BadConstant:
    """``NaN``, ``Infinity`` or ``-Infinity``, which JSON does not know."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


class DuplicateKeys(dict[str, Any]):
    """An object in which keys occur twice.

    Attributes:
        duplicates: The keys that occur more than once.
    """

    duplicates: tuple[str, ...] = ()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    times = Counter(name for name, _ in pairs)
    bad = DuplicateKeys(value)
    bad.duplicates = tuple(name for name, count in times.items() if count > 1)
    return bad


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_float=Number,
    parse_int=Number,
    parse_constant=BadConstant,
)


def decode_utf8(data: bytes, log: FaultLog) -> str | None:
    """Decode UTF-8 without a byte order mark, or record the fault and return None."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as exc:
        log.add("$", "json.utf8", f"{_hint(data)}the bytes are not UTF-8 at byte {exc.start}")
        return None
    if text.startswith("\ufeff"):
        message = "JSON text has no byte order mark (RFC 8259 §8.1): save it as UTF-8 without BOM"
        log.add("$", "json.bom", message)
        return None
    return text


def _hint(data: bytes) -> str:
    """A hint at the format of bytes that are not UTF-8, and the fix."""
    return next((hint for magic, hint in _LOOKS_LIKE.items() if data.startswith(magic)), "")


def read_value(data: bytes, log: FaultLog) -> Any | None:  # noqa: ANN401 - any JSON value
    """Read one JSON value that is all of ``data``; None with a fault recorded otherwise."""
    text = decode_utf8(data, log)
    if text is None or _is_bomb(text, "$", log):
        return None
    scanned = _scan(text, _skip(text, 0), "$", log)
    if scanned is None:
        return None
    value, end = scanned
    _check_end(text, end, "$", log)
    return value


def read_records(
    data: bytes, log: FaultLog, progress: Progress | None = None
) -> Iterator[tuple[int, Any]]:
    """Yield (record number from 0, value) of a JSON array or of NDJSON, one at a time.

    A syntax fault ends an array, and skips a line of NDJSON; where the first one is a record on
    several lines, nothing after it is read. Only one record's objects exist at a time; all of the
    decoded text is kept.
    """
    text = decode_utf8(data, log)
    if text is None:
        return
    start = _skip(text, 0)
    records = _array if text[start : start + 1] == "[" else _lines
    count = 0
    for number, value, offset in records(text, start, log):
        count += 1
        yield number, value
        if progress is not None and number % _PROGRESS_EVERY == 0:
            progress("parse", offset, len(text))
    if progress is not None:
        progress("parse", len(text), len(text))
    if count == 0 and log.count == 0:
        log.add("$", "document.empty", "a document must have at least one record")


def _array(text: str, start: int, log: FaultLog) -> Iterator[tuple[int, Any, int]]:
    if _is_bomb(text, "$", log):
        return
    offset = _skip(text, start + 1)
    if text[offset : offset + 1] == "]":
        _check_end(text, offset + 1, "$", log)
        return
    number = 0
    while True:
        scanned = _scan(text, offset, f"$.records[{number}]", log)
        if scanned is None:
            return
        value, offset = scanned
        yield number, value, offset
        offset = _skip(text, offset)
        mark = text[offset : offset + 1]
        if mark == "]":
            _check_end(text, offset + 1, "$", log)
            return
        if mark != ",":
            _syntax(f"$.records[{number}]", "expecting , or ]", text, offset, log)
            return
        offset = _skip(text, offset + 1)
        number += 1


def _lines(text: str, start: int, log: FaultLog) -> Iterator[tuple[int, Any, int]]:
    # Each line is cut out first, so that the work on a line does not grow with the document.
    start = text.rfind("\n", 0, start) + 1
    above = text.count("\n", 0, start)
    number, bad = 0, 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start:end]
        first = _skip(line, 0)
        if first < len(line):
            path = f"$.records[{number}]"
            scanned = None if _is_bomb(line, path, log) else _scan(line, first, path, log, above)
            if scanned is None:
                bad += 1
                if bad == 1 and _is_value(text[start:]):
                    return
            elif _check_end(line, scanned[1], path, log, above):
                yield number, scanned[0], end
            number += 1
        start, above = end + 1, above + 1


def _is_value(text: str) -> bool:
    """Whether a text starts with a JSON value: one that spans lines is one fault, not many."""
    if is_too_deep(text):
        return False
    try:
        _DECODER.raw_decode(text, _skip(text, 0))
    except json.JSONDecodeError:
        return False
    return True


def _scan(
    text: str, offset: int, path: str, log: FaultLog, above: int | None = None
) -> tuple[Any, int] | None:
    """Scan one value; in NDJSON ``text`` is one line, and ``above`` the number of lines above."""
    try:
        return _DECODER.raw_decode(text, offset)
    except json.JSONDecodeError as exc:
        is_cut = above is not None and exc.pos >= len(text)
        reason = (
            "the line ends within the value; in NDJSON a record is one line, and a record of "
            "several lines must be in a JSON array"
            if is_cut
            else exc.msg
        )
        _syntax(path, reason, text, exc.pos, log, above or 0)
    return None


def _is_bomb(text: str, path: str, log: FaultLog) -> bool:
    if not is_too_deep(text):
        return False
    log.add(path, "json.nesting", f"nested more than {MAX_DEPTH} levels deep")
    return True


def _check_end(text: str, offset: int, path: str, log: FaultLog, above: int = 0) -> bool:
    after = _skip(text, offset)
    if after < len(text):
        where = _position(text, after, above)
        log.add(path, "json.trailing", f"nothing but white space may follow the value ({where})")
        return False
    return True


def _syntax(path: str, message: str, text: str, offset: int, log: FaultLog, above: int = 0) -> None:
    reason = message[0].lower() + message[1:]
    log.add(path, "json.syntax", f"not JSON: {reason} ({_position(text, offset, above)})")


def _position(text: str, offset: int, above: int) -> str:
    line = above + text.count("\n", 0, offset) + 1
    return f"line {line}, column {offset - (text.rfind(chr(10), 0, offset) + 1) + 1}"


def _skip(text: str, offset: int) -> int:
    match = _SPACE.match(text, offset)
    return offset if match is None else match.end()
