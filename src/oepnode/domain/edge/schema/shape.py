"""Objects of the EDGE documents: tolerant spellings in, one spelling out.

A `Shape` lists the attributes of an object with their kinds and sections. From it come the reader
of the form (every fault with its path, in one pass), the sections that findings cite, and the JSON
Schema. Names are read without regard to upper and lower case, ``_``, ``-`` and spaces, and in the
other spellings that the documents use (``periodld``, ``submissionTimestamp``); what is written has
the canonical name only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.documents.json_fields import ObjectShape
from oepnode.domain.documents.strict_json import read_records, read_value
from oepnode.domain.edge.schema.kinds import BAD, Items, Kind
from oepnode.domain.edge.validation.finding_log import FindingLog

_IGNORED: Final = str.maketrans("", "", "_- ")


@dataclass(frozen=True)
class Attribute:
    """A field of an object.

    Attributes:
        name: The canonical spelling, which is written.
        kind: Kind of its value.
        section: Document and section that define it.
        meaning: Its meaning, for readers of the schema.
        also: Further spellings that are read, beyond upper and lower case.
        required: Whether it must be present.
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
        self._keys = ObjectShape(*attributes, fold=fold)

    def read(self, value: Any, path: str, log: FaultLog) -> Any:  # noqa: ANN401
        """Canonical name → value for every attribute; None where absent or null."""
        names = self._keys.spellings(value, path, log)
        if names is None:
            return BAD
        record: dict[str, Any] = dict.fromkeys(self._by_name)
        for name, spelling in names.items():
            item, attribute = value[spelling], self._by_name[name]
            if item is not None:
                record[name] = attribute.kind.read(item, f"{path}.{name}", log)
            elif not attribute.nullable:
                log.add(f"{path}.{name}", "field.null", "this field may not be null")
                record[name] = BAD
        return record

    def has(self, value: object, name: str) -> bool:
        """Whether an object has an attribute, in any spelling."""
        return isinstance(value, dict) and any(self._keys.canonical(k) == name for k in value)

    def sections(self) -> dict[str, str]:
        """Section of each attribute, here and below, by its name.

        Those below are also listed as holder and name (``operatingEnvelopes.nmi``), because names
        repeat; the name alone is then the outer one's.
        """
        sections: dict[str, str] = {}
        for attribute in self.attributes:
            inner: Kind = attribute.kind
            while isinstance(inner, Items):
                inner = inner.inner
            if isinstance(inner, Shape):
                held = {f"{attribute.name}.{a.name}": a.section for a in inner.attributes}
                sections = inner.sections() | held | sections
            sections[attribute.name] = attribute.section
        return sections

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
    """A field's name without case, ``_``, ``-`` and spaces."""
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
