"""The manifest of an envelope document in parts: SHA-256 and size of each, in order.

A manifest is a JSON object whose only key is ``parts``. Parts are documents of any other form, and
are read in order as if they stood in one document; what holds over a whole document (one kind of
identifier, one meaning of a site, supersession, horizon, density) holds over all of them together.

Guarantees: a part is named once, and is no manifest itself; sizes and digests are checked before a
part is read. Leaves out where parts come from. Source: rules-v1 section 2.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from oepnode.domain.documents.faults import FaultLog, show_value
from oepnode.domain.documents.json_fields import Field, ObjectShape, pick, read_array
from oepnode.domain.documents.strict_json import Number, read_value
from oepnode.domain.rounds.inputs.blocks import DOCUMENT

MAX_PARTS: Final = 1 << 16
MAX_MANIFEST: Final = 1 << 24
"""Bytes of a manifest."""
MAX_PART: Final = 1 << 40
"""Bytes of a part."""

_START: Final = re.compile(rb'[ \t\n\r]*\{[ \t\n\r]*"parts"[ \t\n\r]*:')
_MANIFEST: Final = ObjectShape(Field("parts"))
_PART: Final = ObjectShape(Field("sha256"), Field("size"))
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SIZE: Final = re.compile(r"[1-9][0-9]{0,15}", re.ASCII)


@dataclass(frozen=True)
class Part:
    """A part of a document.

    Attributes:
        digest: SHA-256 of its bytes.
        size: Number of its bytes.
    """

    digest: bytes
    size: int


def is_manifest(first: bytes) -> bool:
    """Whether a document's first bytes are those of a manifest."""
    return _START.match(first) is not None


def parse_manifest(data: bytes) -> tuple[Part, ...]:
    """Read a manifest.

    Args:
        data: The exact bytes, at most `MAX_MANIFEST`.

    Raises:
        DocumentFault: With every fault, by path, code and value.
    """
    log = FaultLog(DOCUMENT)
    if len(data) > MAX_MANIFEST:
        log.add("$", "manifest.size", f"a manifest must have at most {MAX_MANIFEST} bytes")
        log.raise_if_any()
    value = read_value(data, log)
    log.raise_if_any()
    names = _MANIFEST.spellings(value, "$", log)
    given = pick(value, names, "parts") if names is not None and isinstance(value, dict) else None
    items = read_array(given, "$.parts", log, MAX_PARTS) if names is not None else None
    parts = [_part(item, f"$.parts[{index}]", log) for index, item in enumerate(items or ())]
    _check_distinct(parts, log)
    log.raise_if_any()
    return tuple(part for part in parts if part is not None)


def _part(value: Any, path: str, log: FaultLog) -> Part | None:  # noqa: ANN401 - any JSON value
    names = _PART.spellings(value, path, log)
    if names is None or not isinstance(value, dict):
        return None
    digest, size = value.get("sha256"), value.get("size")
    before = log.count
    if "sha256" in value and not (type(digest) is str and _DIGEST.fullmatch(digest)):
        message = "a SHA-256 must be 64 lower-case hex digits"
        log.add(f"{path}.sha256", "manifest.digest", message, show_value(digest))
    if "size" in value and not (
        type(size) is Number and _SIZE.fullmatch(size) and int(size) <= MAX_PART
    ):
        message = f"a size must be an integer from 1 to {MAX_PART}"
        log.add(f"{path}.size", "manifest.size", message, show_value(size))
    if log.count != before or not isinstance(digest, str) or not isinstance(size, str):
        return None
    return Part(bytes.fromhex(digest), int(size))


def _check_distinct(parts: Sequence[Part | None], log: FaultLog) -> None:
    seen: dict[bytes, int] = {}
    for index, part in enumerate(parts):
        if part is not None and seen.setdefault(part.digest, index) != index:
            message = f"a part must be named once; this one is $.parts[{seen[part.digest]}], too"
            log.add(f"$.parts[{index}]", "manifest.twice", message)


def write_manifest(parts: Sequence[Part]) -> bytes:
    """The manifest of parts, a line for each."""
    lines = (
        json.dumps({"sha256": part.digest.hex(), "size": part.size}, separators=(",", ":"))
        for part in parts
    )
    return b'{"parts":[\n' + ",\n".join(lines).encode() + b"\n]}\n"
