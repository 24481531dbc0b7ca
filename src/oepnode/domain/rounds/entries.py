"""Site entries and partition entries, byte for byte, both ways.

Source: rules-v1 section 9. All integers are big-endian. Decoding is as strict as encoding: an entry
that would not be written again byte for byte is rejected.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

import numpy as np

from oepnode.domain.documents.arrays import Bytes, Int32s, Ints
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.errors import EvidenceError

MAGIC: Final = b"OEP1"
SITE: Final = 1
PARTITION: Final = 2
PARTITION_ENTRY_SIZE: Final = 73
KIND_COUNT: Final = 4
_MAX_OBJECTIVE: Final = 255
_PSEUDONYM_SIZE: Final = 32
_LIMIT_SIZE: Final = 4
_NAME_AT: Final = 5

_SITE_HEAD: Final = struct.Struct(">4sB32sBBB")
_SITE_TAIL: Final = struct.Struct(">QHHB")
_PARTITION: Final = struct.Struct(">4sB32s32sI")


@dataclass(frozen=True, slots=True)
class Horizon:
    """The dispatch intervals of a round: start of the first one, UTC seconds, and their number."""

    start: int
    count: int


@dataclass(frozen=True, slots=True)
class SiteHeader:
    """The content of a site entry besides its limits.

    Attributes:
        level: 0 NMI, 1 Flex.
        timing: 0 PRE, 1 POST.
        objective: Objective function, 1 to 255 UTF-8 bytes.
        horizon_start: UTC seconds.
        interval_count: Of the document's horizon.
    """

    level: int
    timing: int
    objective: str
    horizon_start: int
    interval_count: int


@dataclass(frozen=True)
class SiteEntry:
    """A decoded site entry.

    Attributes:
        pseudonym: 32 bytes.
        header: Level, timing, objective function and horizon.
        limits: Shape (4, interval_count), int32 W or var; `quantities.NO_LIMIT` where absent.
    """

    pseudonym: bytes
    header: SiteHeader
    limits: Int32s


@dataclass(frozen=True, slots=True)
class PartitionEntry:
    """A decoded partition entry: pseudonym and root of 32 bytes each, and the site count."""

    pseudonym: bytes
    root: bytes
    site_count: int

    def encode(self) -> bytes:
        """The 73 bytes that are hashed as a leaf of the round tree."""
        return _PARTITION.pack(MAGIC, PARTITION, self.pseudonym, self.root, self.site_count)


def largest_site(interval_count: int) -> int:
    """Bytes of the largest site entry over a horizon of that many intervals."""
    return _SITE_HEAD.size + _MAX_OBJECTIVE + _SITE_TAIL.size + KIND_COUNT * interval_count * 4


def smallest_site() -> int:
    """Bytes of the smallest site entry: one limit, under an objective function of one byte."""
    return _SITE_HEAD.size + 1 + _SITE_TAIL.size + _LIMIT_SIZE


class EntryFrame:
    """The bytes that site entries of one objective function and the same kinds have in common.

    Args:
        objective: Objective function, 1 to 255 UTF-8 bytes.
        kind_bits: Bit set of the kinds with limits; not 0.
        horizon: Of the entries.

    Attributes:
        kinds: The kinds in bit order.
        size: Bytes of each entry.
    """

    def __init__(self, objective: str, kind_bits: int, horizon: Horizon) -> None:
        text = objective.encode()
        self.kinds = tuple(kind for kind in range(KIND_COUNT) if kind_bits >> kind & 1)
        self._count = horizon.count
        head = _SITE_HEAD.pack(MAGIC, SITE, bytes(_PSEUDONYM_SIZE), 0, 0, len(text))
        tail = _SITE_TAIL.pack(horizon.start, INTERVAL_S, horizon.count, kind_bits)
        self._head = np.frombuffer(head + text + tail, dtype=np.uint8)
        self.size = len(self._head) + len(self.kinds) * horizon.count * _LIMIT_SIZE

    def fill(self, entries: Bytes, names: Bytes, level: Bytes, timing: Bytes) -> None:
        """Write everything but the limits.

        Args:
            entries: Shape (sites, size), to be written.
            names: Shape (sites, 32): pseudonyms.
            level: Per site.
            timing: Per site.
        """
        entries[:, : len(self._head)] = self._head
        entries[:, _NAME_AT : _NAME_AT + _PSEUDONYM_SIZE] = names
        entries[:, _NAME_AT + _PSEUDONYM_SIZE] = level
        entries[:, _NAME_AT + _PSEUDONYM_SIZE + 1] = timing

    def limits(self, entries: Bytes, number: int) -> Ints:
        """The limits of the kind at ``kinds[number]``, to be written: (sites, intervals)."""
        start = len(self._head) + number * self._count * _LIMIT_SIZE
        return entries[:, start : start + self._count * _LIMIT_SIZE].view(">i4")


def limits_of(entry: bytes, interval_count: int) -> Int32s:
    """The limits of an entry that this program encoded: (4, intervals), `NO_LIMIT` where none."""
    tail = _SITE_HEAD.size + entry[_SITE_HEAD.size - 1]
    kinds = entry[tail + _SITE_TAIL.size - 1]
    limits = np.full((KIND_COUNT, interval_count), NO_LIMIT, dtype=np.int32)
    kept = [kind for kind in range(KIND_COUNT) if kinds >> kind & 1]
    payload = np.frombuffer(
        entry, dtype=">i4", count=len(kept) * interval_count, offset=tail + _SITE_TAIL.size
    )
    limits[kept] = payload.reshape(len(kept), interval_count)
    return limits


def decode_site(entry: bytes) -> SiteEntry:
    """Read a site entry.

    Raises:
        EvidenceError: If the bytes are not exactly one canonical site entry.
    """
    try:
        magic, tag, pseudonym, level, timing, length = _SITE_HEAD.unpack_from(entry)
        objective = entry[_SITE_HEAD.size : _SITE_HEAD.size + length].decode()
        start, interval_s, count, kinds = _SITE_TAIL.unpack_from(entry, _SITE_HEAD.size + length)
    except (struct.error, UnicodeDecodeError) as exc:
        raise EvidenceError(
            "the site entry is truncated, or its objective function is not UTF-8"
        ) from exc
    if (magic, tag) != (MAGIC, SITE) or interval_s != INTERVAL_S:
        raise EvidenceError("not a site entry of rules version 1")
    if level > 1 or timing > 1 or not length or kinds >> KIND_COUNT or not kinds or not count:
        raise EvidenceError("a field of the site entry is out of its range")
    payload = entry[_SITE_HEAD.size + length + _SITE_TAIL.size :]
    kept = [kind for kind in range(KIND_COUNT) if kinds >> kind & 1]
    if len(payload) != len(kept) * count * 4:
        raise EvidenceError("the site entry's length does not match its kinds and intervals")
    limits = np.full((KIND_COUNT, count), NO_LIMIT, dtype=np.int32)
    limits[kept] = np.frombuffer(payload, dtype=">i4").reshape(len(kept), count)
    if not (limits[kept] != NO_LIMIT).any(axis=1).all():
        raise EvidenceError("the site entry names a kind without a limit")
    return SiteEntry(pseudonym, SiteHeader(level, timing, objective, start, count), limits)


def decode_partition(entry: bytes) -> PartitionEntry:
    """Read a partition entry.

    Raises:
        EvidenceError: If the bytes are not exactly one partition entry.
    """
    if len(entry) != PARTITION_ENTRY_SIZE:
        raise EvidenceError(f"a partition entry has 73 bytes, received {len(entry)}")
    magic, tag, pseudonym, root, count = _PARTITION.unpack(entry)
    if (magic, tag) != (MAGIC, PARTITION):
        raise EvidenceError("not a partition entry of rules version 1")
    return PartitionEntry(pseudonym, root, count)
