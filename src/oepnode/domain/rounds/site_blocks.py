"""Site entries that follow one another in memory, decoded many at a time.

Guarantees: exactly the entries that ``entries.decode_site`` accepts, with the same values. Entries
that differ in nothing but pseudonym, level, timing and limits are decoded together; one of them is
judged by `decode_site` itself. Source: rules-v1 section 9.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import numpy as np

from oepnode.domain.documents.arrays import Bytes, Indices, Int32s, Int64s, Ints
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.domain.rounds.entries import (
    KIND_COUNT,
    MAGIC,
    SITE,
    Horizon,
    SiteHeader,
    decode_site,
)
from oepnode.errors import EvidenceError

_NAME: Final = slice(5, 37)
_LEVEL_AT: Final = 37
_TIMING_AT: Final = 38
_LENGTH_AT: Final = 39
_HEAD_SIZE: Final = 40
_TAIL_SIZE: Final = 13
_LIMIT_SIZE: Final = 4
_BEGIN: Final = np.frombuffer(MAGIC + bytes([SITE]), dtype=np.uint8)
_LEAF_PREFIX: Final = 0


@dataclass(frozen=True)
class _Group:
    """Entries that have one objective function, horizon and set of kinds.

    Attributes:
        rows: Their positions in the block.
        header: Of the first of them.
        kinds: The kinds that they have limits of.
        limits: Shape (rows, kinds, intervals), big-endian.
    """

    rows: Indices
    header: SiteHeader
    kinds: tuple[int, ...]
    limits: Ints


class SiteBlock:
    """Consecutive entries of a partition; its arrays are valid until the next block is read.

    Attributes:
        first: Position of the first entry in the partition tree.
        names: Shape (entries, 32): pseudonyms.
        levels: Per entry, uint8: 0 NMI, 1 Flex.
        timings: Per entry, uint8: 0 PRE, 1 POST.
        horizon: Of all entries.
    """

    def __init__(self, room: bytearray, ends: Int64s, first: int) -> None:
        """Decode entries.

        Args:
            room: A byte that is of no entry, and the entries.
            ends: Per entry, its end; the first entry begins at 1.
            first: Position of the first entry in the partition tree.

        Raises:
            EvidenceError: If an entry is not canonical, or they have different horizons.
        """
        self.first = first
        self._room = room
        self._starts = np.concatenate([[1], ends[:-1]])
        self._ends = ends
        data = np.frombuffer(room, dtype=np.uint8)
        if (ends - self._starts < _HEAD_SIZE).any():
            raise EvidenceError("a site entry is truncated")
        head = data[self._starts[:, None] + np.arange(_HEAD_SIZE)]
        if (head[:, : len(_BEGIN)] != _BEGIN).any():
            raise EvidenceError("not a site entry of rules version 1")
        self.names = np.ascontiguousarray(head[:, _NAME])
        self.levels = head[:, _LEVEL_AT].copy()
        self.timings = head[:, _TIMING_AT].copy()
        if int(self.levels.max()) > 1 or int(self.timings.max()) > 1:
            raise EvidenceError("a field of the site entry is out of its range")
        self._groups = list(self._decoded(data, head[:, _LENGTH_AT].astype(np.int64)))
        horizons = {(g.header.horizon_start, g.header.interval_count) for g in self._groups}
        if len(horizons) > 1:
            raise EvidenceError("the entries have different horizons")
        self.horizon = Horizon(*horizons.pop())

    def __len__(self) -> int:
        return len(self._ends)

    @property
    def entries(self) -> Iterator[bytes]:
        """The entries in their order."""
        bounds = zip(self._starts.tolist(), self._ends.tolist(), strict=True)
        return (bytes(self._room[start:end]) for start, end in bounds)

    def entry(self, number: int) -> bytes:
        """One entry of the block."""
        return bytes(self._room[int(self._starts[number]) : int(self._ends[number])])

    @property
    def objectives(self) -> list[str]:
        """Objective function of each entry."""
        if len(self._groups) == 1:
            return [self._groups[0].header.objective] * len(self)
        texts = [""] * len(self)
        for group in self._groups:
            for row in group.rows.tolist():
                texts[row] = group.header.objective
        return texts

    @property
    def limits(self) -> Int32s:
        """Limits, shape (entries, 4, intervals), int32; `NO_LIMIT` where none is published."""
        limits = np.full((len(self), KIND_COUNT, self.horizon.count), NO_LIMIT, dtype=np.int32)
        for group in self._groups:
            for number, kind in enumerate(group.kinds):
                limits[group.rows, kind] = group.limits[:, number]
        return limits

    def leaf_hashes(self) -> bytes:
        """Leaf hashes of all entries, one after the other.

        The prefix of each is put in the place of the byte before it for as long as it is hashed.
        """
        room, view, hashed = self._room, memoryview(self._room), sha256
        data = np.frombuffer(room, dtype=np.uint8)
        replaced = data[self._starts - 1].copy()
        hashes = []
        start = 0
        for end in self._ends.tolist():
            room[start] = _LEAF_PREFIX
            hashes.append(hashed(view[start:end]).digest())
            start = end - 1
        data[self._starts - 1] = replaced
        return b"".join(hashes)

    # --- decoding --------------------------------------------------------------------------------

    def _decoded(self, data: Bytes, lengths: Int64s) -> Iterator[_Group]:
        sizes = self._ends - self._starts
        for rows in _alike(sizes << 8 | lengths):
            size, length = int(sizes[rows[0]]), int(lengths[rows[0]])
            frame_size = length + _TAIL_SIZE
            if size < _HEAD_SIZE + frame_size:
                raise EvidenceError("a site entry is truncated")
            places = self._starts[rows][:, None] + np.arange(_HEAD_SIZE, _HEAD_SIZE + frame_size)
            for chosen in _alike(_as_values(data[places])):
                yield self._group(data, rows[chosen], size, _HEAD_SIZE + frame_size)

    def _group(self, data: Bytes, rows: Indices, size: int, begin: int) -> _Group:
        """Entries of one size that have the same bytes between their timing and ``begin``."""
        header = decode_site(self.entry(int(rows[0]))).header
        kind_bits = int(data[self._starts[rows[0]] + begin - 1])
        kinds = tuple(kind for kind in range(KIND_COUNT) if kind_bits >> kind & 1)
        shape = (len(rows), len(kinds), header.interval_count)
        limits = _rows(data, self._starts[rows], size)[:, begin:].view(">i4").reshape(shape)
        for number in range(len(kinds)):
            # Most entries have a limit in the first interval; the others are looked through.
            open_ = np.flatnonzero(limits[:, number, 0] == NO_LIMIT)
            if not (limits[open_, number] != NO_LIMIT).any(axis=1).all():
                raise EvidenceError("the site entry names a kind without a limit")
        return _Group(rows, header, kinds, limits)


def _rows(data: Bytes, starts: Int64s, size: int) -> Bytes:
    """Entries of one size as rows; without a copy where they follow one another."""
    first, count = int(starts[0]), len(starts)
    if int(starts[-1]) == first + (count - 1) * size:
        return data[first : first + count * size].reshape(count, size)
    return np.asarray(data[starts[:, None] + np.arange(size)])


def _alike(values: Ints) -> Iterator[Indices]:
    """Positions of equal values, ascending, for each distinct value."""
    if (values == values[0]).all():
        yield np.arange(len(values))
        return
    _, code = np.unique(values, return_inverse=True)
    order = np.argsort(code, kind="stable")
    bounds = np.flatnonzero(np.diff(code[order])) + 1
    yield from np.split(order, bounds)


def _as_values(rows: Bytes) -> Ints:
    """Rows of bytes as one value each, to be compared."""
    return np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1])))[:, 0]
