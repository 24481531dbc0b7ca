"""The NMI registry snapshot: the aggregator that holds each NMI, and when.

Guarantees: assignments of one NMI never overlap, every assignment names an aggregator of the
snapshot, times lie on the dispatch-interval grid. The salt itself is not here, only SHA-256 of it.
Source: ``docs/design.md §3``, rules-v1 section 6.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeAlias

import numpy as np

from oepnode.domain.documents.arrays import Int32s, Int64s, Ints, Texts
from oepnode.domain.documents.faults import FaultLog, show_value
from oepnode.domain.documents.json_fields import (
    MISSING,
    Field,
    ObjectShape,
    SiteIdReader,
    pick,
    read_text,
)
from oepnode.domain.documents.strict_json import read_value
from oepnode.domain.nem.nem_time import OffGridError, Timestamp, parse_grid_instant, parse_timestamp
from oepnode.domain.nem.tokens import SiteIdKind
from oepnode.domain.rounds.inputs.assignment_columns import (
    LARGE,
    read_array,
    split_assignments,
)
from oepnode.domain.rounds.inputs.assignments import NO_AGGREGATOR, OPEN_END
from oepnode.domain.rounds.inputs.site_ids import site_id_column
from oepnode.domain.rounds.onchain import parse_address
from oepnode.domain.rounds.recipient_keys import EXPECTED, parse_public_key

_Columns: TypeAlias = tuple[Texts, Int32s, Int64s, Int64s]
CHANGES: Final = -2
"""Holder of a run of intervals that has more than one."""

_WHAT: Final = "registry snapshot"
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", re.ASCII)
_HEX_32: Final = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)

_SNAPSHOT = ObjectShape(
    Field("asOf"),
    Field("saltDigest"),
    Field("aggregators"),
    Field("assignments"),
    Field("nonce", required=False),
)
_AGGREGATOR = ObjectShape(
    Field("id"), Field("name"), Field("publicKey"), Field("address", required=False)
)
_ASSIGNMENT = ObjectShape(
    Field("nmi"), Field("aggregator"), Field("from"), Field("to", required=False)
)
SHAPES: Final = (_SNAPSHOT, _AGGREGATOR, _ASSIGNMENT)
"""The shapes of all its objects."""
FREE_TEXTS: Final = frozenset(
    {"id", "name", "aggregator", "publicKey", "address", "saltDigest", "nonce"}
)
"""Names of the fields whose texts are neither NMIs nor times."""


@dataclass(frozen=True, slots=True)
class Aggregator:
    """An aggregator of a snapshot.

    Attributes:
        id: Its identifier, unique in the snapshot.
        name: Display name.
        public_key: Key of either kind to seal its bundles to (`recipient_keys`).
        address: On-chain address, 20 bytes, or None.
    """

    id: str
    name: str
    public_key: bytes
    address: bytes | None = None


@dataclass(frozen=True, repr=False)
class Snapshot:
    """A valid registry snapshot; assignments as columns in order of (NMI, from). Its repr: no NMI.

    Attributes:
        as_of: When the snapshot was taken, UTC seconds.
        salt_digest: SHA-256 of the snapshot's salt, 32 bytes.
        aggregators: In the snapshot's order; columns refer to them by position.
        nmi: Per assignment, NMI or token, as `site_id_column`.
        aggregator: Per assignment, index into ``aggregators``, int32.
        start: Per assignment, first covered interval start, UTC seconds, int64.
        end: Per assignment, first interval start no longer covered, or `OPEN_END`.
        warnings: Oddities that are allowed.
    """

    as_of: int
    salt_digest: bytes
    aggregators: tuple[Aggregator, ...]
    nmi: Texts
    aggregator: Int32s
    start: Int64s
    end: Int64s
    warnings: tuple[str, ...]

    @property
    def site_id_kind(self) -> SiteIdKind | None:
        """Whether its sites are named by NMIs or by tokens; None without assignments."""
        return SiteIdKind(self.nmi.dtype.itemsize) if len(self.nmi) else None

    @cached_property
    def _by_nmi(self) -> tuple[Texts, Int64s]:
        """The distinct NMIs, and one sortable number per (NMI, start) of the assignments."""
        is_first = np.append(True, self.nmi[1:] != self.nmi[:-1])[: len(self.nmi)]
        code = np.cumsum(is_first) - 1
        # Instants of the spec are below 2^33.
        return self.nmi[is_first], (code.astype(np.int64) << 34) | self.start

    def _position(self, nmi: Texts) -> Int64s:
        """Position of each NMI among the distinct ones, or -1."""
        known, _ = self._by_nmi
        nearest = np.minimum(np.searchsorted(known, nmi), len(known) - 1)
        return np.where(known[nearest] == nmi, nearest, -1).astype(np.int64)

    def run_holders(self, nmi: Texts, first: Int64s, last: Int64s) -> Int32s:
        """Holder of each run of intervals.

        Args:
            nmi: Per run, NMI or token, of the snapshot's kind.
            first: Per run, start of its first interval, UTC seconds.
            last: Per run, start of its last interval.

        Returns:
            Per run, index into ``aggregators``, `NO_AGGREGATOR`, or `CHANGES`.
        """
        if not len(self.nmi):
            return np.full(len(nmi), NO_AGGREGATOR, dtype=np.int32)
        _, starts = self._by_nmi
        code = self._position(nmi) << 34
        at = np.searchsorted(starts, code | first, side="right") - 1
        here, then = np.maximum(at, 0), np.minimum(at + 1, len(starts) - 1)
        is_covered = (at >= 0) & (starts[here] >= code) & (code >= 0) & (first < self.end[here])
        is_left = np.where(is_covered, self.end[here] <= last, False)
        is_taken = ~is_covered & (code >= 0) & (starts[then] > (code | first))
        is_taken &= starts[then] <= (code | last)
        holder = np.where(is_covered, self.aggregator[here], NO_AGGREGATOR)
        return np.where(is_left | is_taken, CHANGES, holder).astype(np.int32)

    def holders(
        self,
        nmi: Texts,
        row_nmi: Ints,
        start: Int64s,
    ) -> Int32s:
        """Holder of each row's NMI at the row's interval start.

        Args:
            nmi: Distinct NMIs or tokens, of the snapshot's kind.
            row_nmi: Per row, index into ``nmi``.
            start: Per row, interval start in UTC seconds.

        Returns:
            Per row, index into ``aggregators``, or `NO_AGGREGATOR`.
        """
        holders = np.full(len(row_nmi), NO_AGGREGATOR, dtype=np.int32)
        if not len(self.nmi):
            return holders
        _, starts = self._by_nmi
        code = (self._position(nmi) << 34)[row_nmi]
        last = np.searchsorted(starts, code | start, side="right") - 1
        safe = np.maximum(last, 0)
        covered = (last >= 0) & (code >= 0) & (starts[safe] >= code) & (start < self.end[safe])
        holders[covered] = self.aggregator[safe[covered]]
        return holders


def parse_snapshot(data: bytes) -> Snapshot:
    """Read a registry snapshot from its exact bytes.

    A large one is read by columns where that gives the same (`assignment_columns`).

    Raises:
        DocumentFault: With every fault, by path, code and value.
    """
    fast = parse_by_columns(data) if len(data) >= LARGE else None
    return parse_strictly(data) if fast is None else fast


def parse_strictly(data: bytes) -> Snapshot:
    """Read a registry snapshot, one assignment after the other.

    Raises:
        DocumentFault: As `parse_snapshot`.
    """
    log = FaultLog(_WHAT)
    value = read_value(data, log)
    log.raise_if_any()
    head = _head(value, log)
    assignments = _assignments(head.assignments, head.index, log)
    log.raise_if_any()
    return head.snapshot(assignments, log)


def parse_by_columns(data: bytes) -> Snapshot | None:
    """Read a registry snapshot by columns, or None where `parse_strictly` is to decide."""
    parts = split_assignments(data)
    if parts is None:
        return None
    log = FaultLog(_WHAT)
    value = read_value(parts.head, log)
    head = None if log.count else _head(value, log)
    if head is None or log.count:
        return None
    columns = read_array(parts, head.index)
    if columns is None:
        return None
    nmi, holder, start, end = columns
    table = np.stack([holder.astype(np.int64), start, end, np.arange(len(nmi))], axis=1)
    assignments = _sorted(nmi, table, log)
    return None if log.count else head.snapshot(assignments, log)


class _Head:
    """The fields of a snapshot besides its assignments.

    Attributes:
        as_of: When it was taken.
        salt_digest: SHA-256 of its salt.
        aggregators: The aggregators.
        index: Position of each id; ids of faulty aggregators are there as well.
        assignments: The value of that field, not read yet.
    """

    def __init__(self, value: dict[str, Any], names: Mapping[str, str], log: FaultLog) -> None:
        as_of = pick(value, names, "asOf")
        self.as_of = _instant(as_of, "$.asOf", log, parse_timestamp, {})
        self.salt_digest = _hex(pick(value, names, "saltDigest"), "$.saltDigest", log)
        if value.get("nonce") is not None:
            _hex(value["nonce"], "$.nonce", log)
        self.aggregators, self.index = _aggregators(pick(value, names, "aggregators"), log)
        self.assignments: object = pick(value, names, "assignments")

    def snapshot(self, assignments: _Columns, log: FaultLog) -> Snapshot:
        """The snapshot, of which no fault was recorded."""
        assert self.as_of is not None and self.salt_digest is not None  # noqa: S101
        aggregators = tuple(self.aggregators)
        return Snapshot(self.as_of, self.salt_digest, aggregators, *assignments, log.warnings)


def _head(value: object, log: FaultLog) -> _Head:
    names = _SNAPSHOT.spellings(value, "$", log)
    if names is None:
        log.raise_if_any()
    assert isinstance(value, dict) and names is not None  # noqa: S101 - else the line above has raised
    return _Head(value, names, log)


def _aggregators(value: object, log: FaultLog) -> tuple[list[Aggregator], dict[str, int]]:
    """The aggregators, and the position of each id; ids of faulty ones are there as well."""
    aggregators: list[Aggregator] = []
    index: dict[str, int] = {}
    keys: set[bytes] = set()
    if not isinstance(value, list):
        if value is not MISSING:
            log.add("$.aggregators", "field.type", "an array is expected here", show_value(value))
        return aggregators, index
    for number, item in enumerate(value):
        path = f"$.aggregators[{number}]"
        aggregator = _aggregator(item, path, log)
        if aggregator is None:
            # Assignments to it are not at fault themselves.
            identity = item.get("id") if isinstance(item, dict) else None
            if type(identity) is str:
                index.setdefault(identity, NO_AGGREGATOR)
            continue
        if aggregator.id in index:
            log.add(f"{path}.id", "aggregator.duplicate", "an aggregator's id must be unique")
        if aggregator.public_key in keys:
            log.add(f"{path}.publicKey", "aggregator.duplicate", "a public key must be unique")
        index[aggregator.id] = len(aggregators)
        keys.add(aggregator.public_key)
        aggregators.append(aggregator)
    return aggregators, index


def read_aggregator(value: object) -> Aggregator:
    """Read one aggregator from the fields that it has in a snapshot.

    Raises:
        DocumentFault: With every fault, by path, code and value.
    """
    log = FaultLog("aggregator")
    aggregator = _aggregator(value, "$", log)
    log.raise_if_any()
    assert aggregator is not None  # noqa: S101 - no fault was recorded
    return aggregator


def _aggregator(value: object, path: str, log: FaultLog) -> Aggregator | None:
    before = log.count
    names = _AGGREGATOR.spellings(value, path, log)
    if names is None or not isinstance(value, dict):
        return None
    identity = read_text(pick(value, names, "id"), f"{path}.id", log, 64)
    if identity is not None and not _ID.fullmatch(identity):
        message = "must be letters, digits and . _ : - only, a letter or digit first"
        log.add(f"{path}.id", "field.value", message, f"{len(identity)} characters")
        identity = None
    name = read_text(pick(value, names, "name"), f"{path}.name", log, 200)
    key = _public_key(pick(value, names, "publicKey"), f"{path}.publicKey", log)
    address, given = None, value.get("address")
    if given is not None:
        address = _address(given, f"{path}.address", log)
    if log.count > before or identity is None or name is None or key is None:
        return None
    return Aggregator(identity, name, key, address)


def _public_key(value: object, path: str, log: FaultLog) -> bytes | None:
    if value is MISSING:
        return None
    try:
        return parse_public_key(value if type(value) is str else "")
    except ValueError:
        # Not shown: it may be a secret that was put here by mistake.
        text = f"{len(value)} characters" if type(value) is str else show_value(value)
        log.add(path, "field.value", f"must be {EXPECTED}", text)
        return None


def _address(value: object, path: str, log: FaultLog) -> bytes | None:
    if type(value) is str and value.startswith("0x"):
        try:
            return parse_address(value)
        except ValueError:
            pass
    log.add(path, "field.value", "must be 0x and 40 hex digits", show_value(value))
    return None


def _assignments(value: object, index: dict[str, int], log: FaultLog) -> _Columns:
    site_ids = SiteIdReader(log)
    nmis: list[str] = []
    spans: list[tuple[int, int, int, int]] = []
    if not isinstance(value, list):
        if value is not MISSING:
            log.add("$.assignments", "field.type", "an array is expected here", show_value(value))
        value = []
    seen: dict[str, Timestamp] = {}
    for number, item in enumerate(value):
        read = _assignment(item, f"$.assignments[{number}]", index, seen, site_ids, log)
        if read is not None:
            nmis.append(read[0])
            spans.append((*read[1:], number))
    table = np.array(spans, dtype=np.int64).reshape(-1, 4)
    return _sorted(site_id_column(nmis, site_ids.kind), table, log)


def _sorted(nmi: Texts, table: Int64s, log: FaultLog) -> _Columns:
    """Columns in order of (NMI, from), from rows (aggregator, from, to, number)."""
    order = np.lexsort((table[:, 1], nmi))
    nmi, table = nmi[order], table[order]
    check_overlaps(nmi, table, log)
    return nmi, table[:, 0].astype(np.int32), table[:, 1].copy(), table[:, 2].copy()


def _assignment(
    value: object,
    path: str,
    index: dict[str, int],
    seen: dict[str, Timestamp],
    site_ids: SiteIdReader,
    log: FaultLog,
) -> tuple[str, int, int, int] | None:
    before = log.count
    names = _ASSIGNMENT.spellings(value, path, log)
    if names is None or not isinstance(value, dict):
        return None
    nmi = site_ids.read(pick(value, names, "nmi"), f"{path}.nmi")
    holder = pick(value, names, "aggregator")
    known = index.get(holder) if type(holder) is str else None
    if known is None and holder is not MISSING:
        message = "an assignment must name an aggregator of the snapshot"
        name = "another name" if type(holder) is str else show_value(holder)
        log.add(f"{path}.aggregator", "assignment.aggregator", message, name)
    start = read_grid_instant(pick(value, names, "from"), f"{path}.from", seen, log)
    given = value.get("to")
    end = OPEN_END if given is None else read_grid_instant(given, f"{path}.to", seen, log)
    if start is not None and end is not None and end <= start:
        log.add(f"{path}.to", "time.order", "the end must be after the start", show_value(given))
    if log.count > before or nmi is None or known is None or start is None or end is None:
        return None
    return nmi, known, start, end


def check_overlaps(nmi: Texts, table: Int64s, log: FaultLog, place: str = "$.assignments") -> None:
    """Compare each assignment with the one of the same NMI that ends last of those before it.

    Args:
        nmi: Per assignment, NMI or token; in order of (NMI, from).
        table: Per assignment (any, from, to, number in the document).
        log: For the faults.
        place: Path of the assignments in the document.
    """
    if not len(nmi):
        return
    group = np.append(0, np.cumsum(nmi[1:] != nmi[:-1]))
    # One sortable number per (NMI, end), as in `Snapshot.holders`; an open end is the last one.
    end = (group << 34) | np.minimum(table[:, 2], (1 << 34) - 1)
    latest = np.maximum.accumulate(end)
    holder = np.maximum.accumulate(np.where(end == latest, np.arange(len(end)), 0))
    clash = (group[1:] << 34 | table[1:, 1]) < latest[:-1]
    for row in np.flatnonzero(clash & (group[1:] == group[:-1])):
        other, here = sorted((int(table[holder[row], 3]), int(table[row + 1, 3])))
        log.add(
            f"{place}[{here}]",
            "assignment.overlap",
            f"overlaps {place}[{other}] of the same NMI",
        )


def read_grid_instant(
    value: object, path: str, seen: dict[str, Timestamp], log: FaultLog
) -> int | None:
    """Read a grid instant; ``seen`` remembers texts, because many assignments start together."""
    return _instant(value, path, log, parse_grid_instant, seen)


def _instant(
    value: object,
    path: str,
    log: FaultLog,
    parse: Callable[[str], Timestamp],
    seen: dict[str, Timestamp],
) -> int | None:
    if value is MISSING:
        return None
    if type(value) is not str:
        log.add(path, "field.type", "a timestamp must be a string", show_value(value))
        return None
    instant = seen.get(value)
    if instant is None:
        try:
            instant = seen[value] = parse(value)
        except ValueError as exc:
            code = "time.grid" if isinstance(exc, OffGridError) else "time.format"
            log.add(path, code, str(exc), show_value(value))
            return None
    if instant.warning:
        log.warn(path, instant.warning)
    return instant.seconds


def _hex(value: object, path: str, log: FaultLog) -> bytes | None:
    if value is MISSING:
        return None
    if type(value) is not str or not _HEX_32.fullmatch(value):
        # Not shown: it may be a secret that was put here by mistake.
        text = f"{len(value)} characters" if type(value) is str else show_value(value)
        log.add(path, "field.value", "must be 64 hex digits", text)
        return None
    return bytes.fromhex(value)


def snapshot_json(
    as_of: str,
    salt_digest: bytes,
    aggregators: list[Aggregator],
    assignments: list[tuple[str, str, str, str | None]],
    nonce: bytes,
) -> dict[str, Any]:
    """The JSON form of a snapshot, for writers.

    Args:
        as_of: When it was taken, as text.
        salt_digest: SHA-256 of its salt.
        aggregators: In any order.
        assignments: As (nmi, aggregator, from, to).
        nonce: 32 random bytes, fresh for each snapshot, so that nobody who knows an earlier
            snapshot can find this one's changes from its digest on chain.
    """
    return {
        "asOf": as_of,
        "nonce": nonce.hex(),
        "saltDigest": salt_digest.hex(),
        "aggregators": [
            {"id": a.id, "name": a.name, "publicKey": a.public_key.hex()}
            | ({"address": "0x" + a.address.hex()} if a.address else {})
            for a in aggregators
        ],
        "assignments": [
            {"nmi": nmi, "aggregator": holder, "from": start, "to": end}
            for nmi, holder, start, end in assignments
        ],
    }
