"""A round of one large partition, of which no more than names and leaf hashes is in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from oepnode.domain.rounds import merkle
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.entries import EntryFrame, Horizon, PartitionEntry
from oepnode.domain.rounds.partition import Partition, RoundResult
from oepnode.domain.rounds.pseudonyms import aggregator_pseudonym, pseudonyms_of

CONTEXT = RoundContext(31337, bytes.fromhex("11" * 20), 3)
KEY = bytes(range(32))


class Entries(Sequence[bytes]):
    """Entries with export and import limits that follow from their position; made when read."""

    def __init__(self, names: list[bytes], intervals: int) -> None:
        self._names = names
        frame = EntryFrame("Maximise service", 3, Horizon(1_795_000_200, intervals))
        self._entry = np.zeros((1, frame.size), dtype=np.uint8)
        frame.fill(self._entry, np.zeros((1, 32), np.uint8), np.uint8(0), np.uint8(0))  # type: ignore[arg-type]
        self._limits = [frame.limits(self._entry, number) for number in range(2)]

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: Any) -> Any:
        self._limits[0][:] = index
        self._limits[1][:] = -index
        self._entry[0, 5:37] = np.frombuffer(self._names[index], np.uint8)
        return self._entry.tobytes()

    def __iter__(self) -> Iterator[bytes]:
        return (self[index] for index in range(len(self)))


def large_round(sites: int, intervals: int) -> RoundResult:
    """A round with one partition, that of the aggregator A1."""
    nmis = [f"6{number:09d}" for number in range(sites)]
    named = sorted(zip(pseudonyms_of(KEY, [nmi.encode() for nmi in nmis]), nmis, strict=True))
    entries = Entries([name for name, _ in named], intervals)
    root = merkle.packed_root(b"".join(map(merkle.leaf_hash, entries)))
    entry = PartitionEntry(aggregator_pseudonym(KEY, "A1"), root, sites).encode()
    part = Partition("A1", KEY, tuple(nmi for _, nmi in named), entries, root, entry)
    return RoundResult(CONTEXT, (part,), merkle.leaf_hash(entry))
