"""The partitions of a round and its two-level tree, from entries that have been hashed.

Guarantees: entries are in the order of their bytes; same entries → same root. Source: rules-v1
sections 8 to 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from oepnode.domain.documents.arrays import Bytes, Indices, Int32s, Texts
from oepnode.domain.rounds import merkle, pseudonyms
from oepnode.domain.rounds.ballot import Result
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.entries import PartitionEntry
from oepnode.domain.rounds.pseudonyms import UNASSIGNED
from oepnode.domain.rounds.site_entries import EncodedSites, RoundKeys
from oepnode.domain.rounds.stored_entries import SiteIds, StoredEntries
from oepnode.domain.rounds.workshop import Stores, Workshop

RULES_VERSION: Final = 1
_LEAVES_PER_TASK: Final = 1 << 16
"""Leaves of a part of a tree that is hashed alone; a power of two (`merkle.packed_root`)."""
_WORTH_SENDING: Final = 1 << 16
"""Bytes of leaf hashes that another machine hashes sooner than this one."""


@dataclass(frozen=True, repr=False)
class Partition:
    """One aggregator's part of a round. Its repr shows neither NMI nor key.

    Attributes:
        aggregator_id: Empty for the unassigned partition.
        key: K_agg of the round, 32 bytes.
        nmis: NMI or token of each entry, in entry order.
        entries: Site entries, sorted by their bytes; each access may read a file.
        root: Root of the partition tree.
        entry: The partition's entry in the round tree.
    """

    aggregator_id: str
    key: bytes
    nmis: Sequence[str]
    entries: Sequence[bytes]
    root: bytes
    entry: bytes

    @property
    def site_count(self) -> int:
        """Number of site entries."""
        return len(self.entries)

    @property
    def sizes(self) -> list[int]:
        """Bytes of each entry."""
        if isinstance(self.entries, StoredEntries):
            return self.entries.sizes
        return [len(entry) for entry in self.entries]

    @property
    def nmi_count(self) -> int:
        """Number of distinct NMIs; an NMI with both application levels has two entries."""
        return len(set(self.nmis))


@dataclass(frozen=True)
class RoundResult:
    """The result that a worker computes for a round, with its partitions.

    Attributes:
        context: The round.
        partitions: In the order of the round tree's leaves.
        root: Root of the round tree.
    """

    context: RoundContext
    partitions: tuple[Partition, ...]
    root: bytes

    @property
    def partition_count(self) -> int:
        """Number of leaves of the round tree."""
        return len(self.partitions)

    @property
    def result(self) -> Result:
        """The result to vote for."""
        return Result(self.root, self.partition_count)

    @property
    def unassigned_nmis(self) -> int:
        """Number of NMIs that no aggregator holds for some interval of the horizon."""
        return sum(p.nmi_count for p in self.partitions if p.aggregator_id == UNASSIGNED)

    def path(self, index: int) -> list[bytes]:
        """Inclusion path of the partition at ``index`` in the round tree."""
        return merkle.inclusion_path([merkle.leaf_hash(p.entry) for p in self.partitions], index)


@dataclass(frozen=True, repr=False)
class EncodedDocument:
    """The entries of a whole document, one array per column. Its repr shows no NMI.

    Attributes:
        nmi: Per entry, NMI or token.
        level: Per entry, 0 NMI or 1 Flex.
        holder: Per entry, index into the snapshot's aggregators, or `NO_AGGREGATOR`.
        sites: Per entry.
        store: Per entry, index into ``stores``.
        stores: Names of the stores.
    """

    nmi: Texts
    level: Int32s
    holder: Int32s
    sites: EncodedSites
    store: Int32s
    stores: tuple[str, ...]


def build_trees(
    document: EncodedDocument, context: RoundContext, keys: RoundKeys, workshop: Workshop
) -> tuple[RoundResult, bytes | None]:
    """Sort entries into partitions, and build the round's tree.

    Args:
        document: All entries.
        context: The round.
        keys: Of its aggregators.
        workshop: Has the entries, and hashes parts of trees.

    Returns:
        The result, and the custody root where there are custody leaves.
    """
    holders = [int(code) for code in np.unique(document.holder)]
    orders = [_entry_order(document, np.flatnonzero(document.holder == code)) for code in holders]
    leaves = [document.sites.leaf[order] for order in orders]
    roots = _roots(leaves, workshop)
    partitions: list[tuple[Partition, Indices]] = []
    for code, order, root in zip(holders, orders, roots, strict=True):
        partitions.append((_partition(document, order, root, code, keys, workshop), order))
    partitions.sort(key=lambda pair: pair[0].entry)
    root = merkle.root_hash([merkle.leaf_hash(part.entry) for part, _ in partitions])
    result = RoundResult(context, tuple(part for part, _ in partitions), root)
    custody = document.sites.custody
    if not custody.shape[1]:
        return result, None
    in_order = [custody[order] for _, order in partitions]
    return result, _roots([np.concatenate(in_order)], workshop)[0]


def _entry_order(document: EncodedDocument, chosen: Indices) -> Indices:
    """The entries of one partition in the order of their bytes.

    Pseudonyms decide, and where two are equal the level, the first byte after them.
    """
    words = np.ascontiguousarray(document.sites.name[chosen]).view(">u8")
    first = words[:, 0].astype(np.uint64)
    order = np.argsort(first)
    ordered = first[order]
    if (ordered[1:] == ordered[:-1]).any():
        columns = [words[:, column] for column in range(3, -1, -1)]
        order = np.lexsort((document.level[chosen], *columns))
    return np.asarray(chosen[order], dtype=np.intp)


def _roots(trees: Sequence[Bytes], workshop: Workshop) -> list[bytes]:
    """Root of each tree over rows of leaf hashes; large trees are hashed in parts."""
    parts = _TreeParts(trees)
    above: list[list[bytes]] = [[] for _ in trees]
    for tree, root in zip(parts.trees, workshop.spread(_root_of, parts), strict=True):
        above[tree].append(root)
    return [merkle.packed_root(b"".join(roots)) for roots in above]


def _root_of(leaves: bytes, _: Stores) -> bytes:
    return merkle.packed_root(leaves)


class _TreeParts:
    """Parts of trees, as their leaf hashes in bytes."""

    def __init__(self, leaves: Sequence[Bytes]) -> None:
        self._leaves = leaves
        self._bounds = [
            (tree, first)
            for tree, rows in enumerate(leaves)
            for first in range(0, len(rows), _LEAVES_PER_TASK)
        ]

    @property
    def trees(self) -> list[int]:
        """The tree of each part."""
        return [tree for tree, _ in self._bounds]

    def __len__(self) -> int:
        return len(self._bounds)

    def here(self, number: int) -> bytes:
        tree, first = self._bounds[number]
        return self._leaves[tree][first : first + _LEAVES_PER_TASK].tobytes()

    def sent(self, number: int) -> bytes | None:
        """The same, where sending it costs less than hashing it."""
        part = self.here(number)
        return part if len(part) >= _WORTH_SENDING else None


def _partition(
    document: EncodedDocument,
    order: Indices,
    root: bytes,
    holder: int,
    keys: RoundKeys,
    workshop: Workshop,
) -> Partition:
    name, key = keys.aggregator_id(holder), keys.key(holder)
    sites = document.sites
    pseudonym = pseudonyms.aggregator_pseudonym(key, name)
    return Partition(
        name,
        key,
        SiteIds(document.nmi[order]),
        StoredEntries(
            workshop, document.stores, document.store[order], sites.start[order], sites.size[order]
        ),
        root,
        PartitionEntry(pseudonym, root, len(order)).encode(),
    )
