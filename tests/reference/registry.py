"""Registry snapshots (section 6): aggregators and the NMIs that they hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tests.reference.fields import check_one_kind, read_grid_time, read_nmi
from tests.reference.json_reader import Reader, Rejected, decode_utf8, only_value
from tests.reference.nem_time import microseconds

UNASSIGNED = ""


@dataclass(frozen=True)
class Assignment:
    """An aggregator holds an NMI from ``start`` until before ``end`` (None: open)."""

    nmi: str
    aggregator: str
    start: int
    end: int | None

    def covers(self, instant: int) -> bool:
        return self.start <= instant and (self.end is None or instant < self.end)

    def overlaps(self, other: Assignment) -> bool:
        return (other.end is None or self.start < other.end) and (
            self.end is None or other.start < self.end
        )


@dataclass(frozen=True)
class Snapshot:
    """A registry snapshot after its checks."""

    salt_digest: bytes
    aggregators: tuple[str, ...]
    assignments: tuple[Assignment, ...]

    def holder(self, nmi: str, start: int) -> str:
        """Id of the aggregator that holds the NMI in the interval, or the empty id."""
        for assignment in self.assignments:
            if assignment.nmi == nmi and assignment.covers(start):
                return assignment.aggregator
        return UNASSIGNED


def _hex(reader: Reader, value: Any, path: str, pattern: str) -> bytes | None:
    text = reader.string(value, path)
    if text is None:
        return None
    if re.fullmatch(pattern, text) is None:
        reader.fault(path, "field.value")
        return None
    return bytes.fromhex(text.removeprefix("0x"))


_PUBLIC_KEY = "[0-9a-fA-F]{64}|[0-9a-fA-F]{2432}"


def _read_aggregator(reader: Reader, value: Any, path: str) -> tuple[str | None, bytes | None]:
    item = reader.members(value, path, "id name publicKey", "address")
    if item is None:
        return None, None
    identity = key = None
    if "id" in item:
        identity = reader.string(item["id"], f"{path}.id")
        if identity is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", identity):
            reader.fault(f"{path}.id", "field.value")
    if "name" in item:
        reader.text(item["name"], f"{path}.name", 200)
    if "publicKey" in item:
        key = _hex(reader, item["publicKey"], f"{path}.publicKey", _PUBLIC_KEY)
    if "address" in item:
        _hex(reader, item["address"], f"{path}.address", "0x[0-9a-fA-F]{40}")
    return identity, key


def _read_assignment(reader: Reader, value: Any, path: str) -> Assignment | None:
    item = reader.members(value, path, "nmi aggregator from", "to")
    if item is None:
        return None
    nmi = aggregator = start = end = None
    faults = len(reader.faults)
    if "nmi" in item:
        nmi = read_nmi(reader, item["nmi"], f"{path}.nmi")
    if "aggregator" in item:
        aggregator = reader.string(item["aggregator"], f"{path}.aggregator")
    if "from" in item:
        start = read_grid_time(reader, item["from"], f"{path}.from")
    if "to" in item:
        end = read_grid_time(reader, item["to"], f"{path}.to")
        if start is not None and end is not None and end <= start:
            reader.fault(f"{path}.to", "time.order")
    if len(reader.faults) > faults or nmi is None or aggregator is None or start is None:
        return None
    return Assignment(nmi, aggregator, start, end)


def read_registry(data: bytes) -> Snapshot:
    """Read a registry snapshot (section 6); raises ``Rejected``."""
    reader = Reader()
    top = reader.members(
        only_value(decode_utf8(data), "$"), "$", "asOf saltDigest aggregators assignments", "nonce"
    )
    if top is None:
        raise Rejected(reader.faults)
    digest = None
    if "asOf" in top:
        as_of = reader.string(top["asOf"], "$.asOf")
        if as_of is not None and microseconds(as_of) is None:
            reader.fault("$.asOf", "time.format")
    if "saltDigest" in top:
        digest = _hex(reader, top["saltDigest"], "$.saltDigest", "[0-9a-fA-F]{64}")

    if "nonce" in top:
        _hex(reader, top["nonce"], "$.nonce", "[0-9a-fA-F]{64}")

    ids: list[str] = []
    keys: list[bytes] = []
    for a, value in enumerate(reader.array(top.get("aggregators", []), "$.aggregators") or []):
        path = f"$.aggregators[{a}]"
        identity, key = _read_aggregator(reader, value, path)
        if identity is not None:
            if identity in ids:
                reader.fault(f"{path}.id", "aggregator.duplicate")
            ids.append(identity)
        if key is not None:
            if key in keys:
                reader.fault(f"{path}.publicKey", "aggregator.duplicate")
            keys.append(key)

    assignments: list[Assignment] = []
    for a, value in enumerate(reader.array(top.get("assignments", []), "$.assignments") or []):
        path = f"$.assignments[{a}]"
        assignment = _read_assignment(reader, value, path)
        if assignment is None:
            continue
        if assignment.aggregator not in ids:
            reader.fault(f"{path}.aggregator", "assignment.aggregator")
        for other in assignments:
            if other.nmi == assignment.nmi and other.overlaps(assignment):
                reader.fault(path, "assignment.overlap")
                break
        assignments.append(assignment)
    check_one_kind(reader)
    reader.done()
    assert digest is not None
    return Snapshot(digest, tuple(ids), tuple(assignments))
