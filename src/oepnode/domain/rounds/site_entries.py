"""Site entries of a block of runs: pseudonyms, encoding and leaf hashes, many sites at a time.

Each run given here is one site's whole part in one partition. Guarantees: the entries are those of
``entries``, byte for byte; no more than a few hundred of them are in memory at once besides those
that are kept. Source: rules-v1 sections 7, 9, 10 and 13.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import numpy as np

from oepnode.domain.documents.arrays import Bytes, Indices, Int32s, Int64s, Ints
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.domain.rounds import pseudonyms
from oepnode.domain.rounds.entries import KIND_COUNT, EntryFrame, Horizon
from oepnode.domain.rounds.inputs.assignments import NO_AGGREGATOR
from oepnode.domain.rounds.inputs.registry_snapshot import Aggregator
from oepnode.domain.rounds.inputs.runs import Runs
from oepnode.domain.rounds.merkle import HASH_SIZE

OPERATOR_SIZE: Final = 20
_CUSTODY_PREFIX: Final = 2
_LEAF_PREFIX: Final = 0
_ROOM: Final = 1 + OPERATOR_SIZE
"""Bytes in front of each entry: the longer one of both prefixes under which it is hashed."""

_CHUNK_BYTES: Final = 1 << 18
"""Entries that are encoded and hashed together: as many as a core's cache holds."""

Keep = Callable[[memoryview], int]
"""Keeps entries, and returns their position."""


class RoundKeys:
    """K_agg of each aggregator of a snapshot in one round, derived when first needed."""

    def __init__(self, round_key: bytes, aggregators: Sequence[Aggregator]) -> None:
        self._round_key = round_key
        self._aggregators = aggregators
        self._keys: dict[int, bytes] = {}

    def aggregator_id(self, holder: int) -> str:
        """The id of a holder; empty for nobody."""
        if holder == NO_AGGREGATOR:
            return pseudonyms.UNASSIGNED
        return self._aggregators[holder].id

    def key(self, holder: int) -> bytes:
        """K_agg of a holder, an index into the snapshot's aggregators or `NO_AGGREGATOR`."""
        key = self._keys.get(holder)
        if key is None:
            key = pseudonyms.aggregator_key(self._round_key, self.aggregator_id(holder))
            self._keys[holder] = key
        return key


@dataclass(frozen=True, repr=False)
class EncodedSites:
    """Entries that were kept, one array per column.

    Attributes:
        name: Shape (entries, 32): pseudonyms.
        leaf: Shape (entries, 32): leaf hashes.
        custody: Shape (entries, 32): custody leaves; (entries, 0) without an operator.
        start: Position of each entry in its store, int64.
        size: Bytes of each entry, int32.
    """

    name: Bytes
    leaf: Bytes
    custody: Bytes
    start: Int64s
    size: Int32s

    @classmethod
    def empty(cls, count: int, *, has_custody: bool) -> EncodedSites:
        """Columns for so many entries."""
        return cls(
            np.zeros((count, HASH_SIZE), dtype=np.uint8),
            np.zeros((count, HASH_SIZE), dtype=np.uint8),
            np.zeros((count, HASH_SIZE if has_custody else 0), dtype=np.uint8),
            np.full(count, -1, dtype=np.int64),
            np.zeros(count, dtype=np.int32),
        )

    def put(self, rows: Indices, sites: EncodedSites) -> None:
        """Set some rows."""
        self.name[rows] = sites.name
        self.leaf[rows] = sites.leaf
        self.custody[rows] = sites.custody
        self.start[rows] = sites.start
        self.size[rows] = sites.size

    def take(self, rows: Indices) -> EncodedSites:
        """Some rows, in the order given."""
        return EncodedSites(
            self.name[rows], self.leaf[rows], self.custody[rows], self.start[rows], self.size[rows]
        )


class SiteEncoder:
    """Encodes and hashes the entries of one round.

    Args:
        horizon: Of every entry.
        keys: Of the round's aggregators.
        operator: Address to bind custody leaves to, or None.
    """

    def __init__(self, horizon: Horizon, keys: RoundKeys, operator: bytes | None) -> None:
        self._horizon = horizon
        self._keys = keys
        self._operator = None if operator is None else np.frombuffer(operator, dtype=np.uint8)

    def encode(self, runs: Runs, chosen: Indices, holder: Int32s, keep: Keep) -> EncodedSites:
        """Encode, hash and keep the entries of some runs.

        Args:
            runs: A block.
            chosen: Ascending indices of the runs; each is within the horizon and has a limit.
            holder: Per chosen run, its holder in all of its intervals.
            keep: Keeps entries.

        Returns:
            Entries in the order of ``chosen``.
        """
        sites = EncodedSites.empty(len(chosen), has_custody=self._operator is not None)
        for code in np.unique(holder):
            held = np.flatnonzero(holder == code)
            ids = runs.nmi[chosen[held]].tolist()
            names = pseudonyms.pseudonyms_of(self._keys.key(int(code)), ids)
            sites.name[held] = _as_rows(names)
        alike = runs.objective[chosen].astype(np.int64) << KIND_COUNT | kinds_of(runs)[chosen]
        for value in np.unique(alike):
            group = np.flatnonzero(alike == value)
            frame = EntryFrame(
                runs.objectives[int(value) >> KIND_COUNT],
                int(value) & (1 << KIND_COUNT) - 1,
                self._horizon,
            )
            step = max(1, _CHUNK_BYTES // (_ROOM + frame.size))
            room = np.empty((min(step, len(group)), _ROOM + frame.size), dtype=np.uint8)
            for first in range(0, len(group), step):
                self._encode_group(
                    runs, chosen, group[first : first + step], frame, room, sites, keep
                )
        return sites

    def _encode_group(
        self,
        runs: Runs,
        chosen: Indices,
        group: Indices,
        frame: EntryFrame,
        room: Bytes,
        sites: EncodedSites,
        keep: Keep,
    ) -> None:
        """Encode sites that share a frame; ``group`` has their positions in ``chosen``."""
        wanted, block = chosen[group], room[: len(group)]
        entries = block[:, _ROOM:]
        frame.fill(entries, sites.name[group], runs.level[wanted], runs.timing[wanted])
        for number, kind in enumerate(frame.kinds):
            column = runs.limits[kind]
            if column is None:
                raise AssertionError("a kind with a limit has a column")
            frame.limits(entries, number)[...] = self._spread(runs, wanted, column)
        block[:, _ROOM - 1] = _LEAF_PREFIX
        sites.leaf[group] = _as_rows(_hashes(block, _ROOM - 1))
        if self._operator is not None:
            block[:, 0] = _CUSTODY_PREFIX
            block[:, 1:_ROOM] = self._operator
            sites.custody[group] = _as_rows(_hashes(block, 0))
        start, width = keep(memoryview(block.data).cast("B")), block.shape[1]
        sites.start[group] = start + _ROOM + width * np.arange(len(group), dtype=np.int64)
        sites.size[group] = frame.size

    def _spread(self, runs: Runs, wanted: Indices, column: Int32s) -> Int32s:
        """Limits of runs over the whole horizon, shape (runs, intervals)."""
        count, horizon = len(wanted), self._horizon
        first, end = int(wanted[0]), int(wanted[-1]) + 1
        begin = int(runs.bounds[first])
        length = runs.bounds[wanted + 1] - runs.bounds[wanted]
        if end - first == count and (length == horizon.count).all():
            whole = column[begin : begin + count * horizon.count]
            return whole.reshape(count, horizon.count)
        spread = np.full((count, horizon.count), NO_LIMIT, dtype=np.int32)
        at = (runs.start[wanted] - horizon.start) // INTERVAL_S
        inside = np.arange(int(length.sum())) - np.repeat(np.cumsum(length) - length, length)
        slot = np.repeat(at + horizon.count * np.arange(count), length) + inside
        spread.reshape(-1)[slot] = column[np.repeat(runs.bounds[wanted], length) + inside]
        return spread


def kinds_of(runs: Runs) -> Int64s:
    """Per run, the bit set of the kinds that it has a limit of."""
    kinds = np.zeros(len(runs), dtype=np.int64)
    for kind, column in enumerate(runs.limits):
        if column is None or not len(column):
            continue
        if column.min() != NO_LIMIT:
            kinds |= 1 << kind
        else:
            has_limit = np.logical_or.reduceat(column != NO_LIMIT, runs.bounds[:-1])
            kinds |= has_limit.astype(np.int64) << kind
    return kinds


def _hashes(block: Bytes, begin: int) -> list[bytes]:
    """SHA-256 of each row from a column on."""
    data, (count, width), hashed = memoryview(block.data).cast("B"), block.shape, sha256
    return [hashed(data[at + begin : at + width]).digest() for at in range(0, count * width, width)]


def _as_rows(hashes: list[bytes]) -> Ints:
    return np.frombuffer(b"".join(hashes), dtype=np.uint8).reshape(-1, HASH_SIZE)
