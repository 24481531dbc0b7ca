"""Assignments of a large snapshot as columns, without an object of the strict reader for each.

Reads what it can prove to be what the strict reader reads: no escapes, no key twice (by counting
quotation marks), NMIs or tokens as they are written in the column, known aggregators, times without
warnings. Anything else is left to the strict reader, which judges and reports. Source: rules-v1
sections 2 and 6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
from msgspec import UNSET, Raw, Struct, UnsetType

from oepnode.domain.documents.arrays import Int64s, Texts
from oepnode.domain.nem.nem_time import parse_grid_instant
from oepnode.domain.rounds.inputs.site_ids import plain_site_ids

_QUOTE: Final = b'"'


class _Assignment(Struct, forbid_unknown_fields=True, gc=False):
    nmi: str
    aggregator: str
    start: str = msgspec.field(name="from")
    end: str | UnsetType | None = msgspec.field(name="to", default=UNSET)


class _Snapshot(Struct, forbid_unknown_fields=True):
    as_of: Raw = msgspec.field(name="asOf")
    salt_digest: Raw = msgspec.field(name="saltDigest")
    aggregators: Raw
    assignments: list[_Assignment]
    nonce: Raw = Raw()


class PlainAssignments:
    """The assignments of a snapshot whose bytes are plain.

    Attributes:
        rest: The snapshot as JSON without its assignments.
    """

    def __init__(self, rest: bytes, assignments: Sequence[_Assignment]) -> None:
        self.rest = rest
        self._assignments = assignments

    def columns(self, index: Mapping[str, int], open_end: int) -> tuple[Texts, Int64s] | None:
        """NMIs and, per assignment, aggregator, start, end and number; None if not all are valid.

        Args:
            index: Position of each aggregator by its id.
            open_end: The end of an assignment without one.
        """
        nmi = plain_site_ids([item.nmi for item in self._assignments])
        if nmi is None:
            return None
        instants: dict[str | UnsetType | None, int] = {None: open_end, UNSET: open_end}
        try:
            for text in {item.start for item in self._assignments}:
                instants[text] = _instant(text)
            for end in {item.end for item in self._assignments}:
                if isinstance(end, str) and end not in instants:
                    instants[end] = _instant(end)
            columns = (
                [index[item.aggregator] for item in self._assignments],
                [instants[item.start] for item in self._assignments],
                [instants[item.end] for item in self._assignments],
                range(len(self._assignments)),
            )
        except (KeyError, ValueError):
            return None
        table = np.stack([np.fromiter(column, np.int64, len(nmi)) for column in columns], axis=1)
        if (table[:, 2] <= table[:, 1]).any():
            return None
        return nmi, table


def plain_assignments(data: bytes) -> PlainAssignments | None:
    """The assignments of a snapshot, or None where the strict reader must read all of it."""
    if b"\\" in data:
        return None
    try:
        snapshot = msgspec.json.decode(data, type=_Snapshot)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    raw = {
        "asOf": snapshot.as_of,
        "saltDigest": snapshot.salt_digest,
        "aggregators": snapshot.aggregators,
    }
    if bytes(snapshot.nonce):
        raw["nonce"] = snapshot.nonce
    parts = [f'"{name}":'.encode() + bytes(value) for name, value in raw.items()]
    rest = b"{" + b",".join([*parts, b'"assignments":[]']) + b"}"
    ends = [item.end for item in snapshot.assignments]
    absent = sum(end is UNSET for end in ends)
    texts = sum(isinstance(end, str) for end in ends)
    strings = 3 * len(ends) + texts + 4 * len(ends) - absent
    if data.count(_QUOTE) != rest.count(_QUOTE) + 2 * strings:
        return None
    return PlainAssignments(rest, snapshot.assignments)


def _instant(text: str) -> int:
    instant = parse_grid_instant(text)
    if instant.warning:
        raise ValueError(instant.warning)
    return instant.seconds
