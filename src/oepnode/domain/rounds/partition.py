"""The partition of a document by aggregator, and its two-level tree.

Guarantees: every row of the document ends in exactly one partition, or in the unassigned one;
same document, snapshot, salt and context → same root. Source: rules-v1 sections 8 to 10.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from oepnode.domain.documents.arrays import Indices
from oepnode.domain.documents.progress import Progress
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.domain.rounds import merkle, pseudonyms
from oepnode.domain.rounds.ballot import Result
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.entries import KIND_COUNT, PartitionEntry, SiteHeader, encode_sites
from oepnode.domain.rounds.inputs.assignments import NO_AGGREGATOR
from oepnode.domain.rounds.inputs.envelope_document import Document
from oepnode.domain.rounds.inputs.registry_snapshot import Snapshot
from oepnode.domain.rounds.inputs.site_ids import check_same_kind
from oepnode.domain.rounds.pseudonyms import UNASSIGNED

RULES_VERSION: Final = 1
_CHUNK: Final = 2048


@dataclass(frozen=True, repr=False)
class Partition:
    """One aggregator's part of a round. Its repr shows neither NMI nor key.

    Attributes:
        aggregator_id: Empty for the unassigned partition.
        key: K_agg of the round, 32 bytes.
        nmis: NMI or token of each entry, in entry order.
        entries: Site entries, sorted by their bytes.
        root: Root of the partition tree.
        entry: The partition's entry in the round tree.
    """

    aggregator_id: str
    key: bytes
    nmis: tuple[str, ...]
    entries: tuple[bytes, ...]
    root: bytes
    entry: bytes

    @property
    def site_count(self) -> int:
        """Number of site entries."""
        return len(self.entries)

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


def partition_round(
    document: Document,
    snapshot: Snapshot,
    salt: bytes,
    context: RoundContext,
    progress: Progress | None = None,
) -> RoundResult:
    """Partition a document, encode its entries and build the round's tree.

    Args:
        document: The envelope document.
        snapshot: The registry snapshot.
        salt: The snapshot's salt, 32 bytes.
        context: The round.
        progress: Progress callback, over rows.

    Raises:
        DigestMismatch: If the salt is not the one that the snapshot commits to.
        DocumentFault: If one of them has NMIs and the other tokens.
    """
    pseudonyms.check_salt(salt, snapshot.salt_digest)
    check_same_kind(document, snapshot)
    round_key = pseudonyms.round_key(salt, context)
    start = document.horizon_start + document.row_interval.astype(np.int64) * INTERVAL_S
    holder = snapshot.holders(document.nmi, document.row_site, start)
    partitions: list[Partition] = []
    done = 0
    for code in np.unique(holder):
        is_nobody = code == NO_AGGREGATOR
        name = UNASSIGNED if is_nobody else snapshot.aggregators[int(code)].id
        rows = np.flatnonzero(holder == code)
        partitions.append(_partition(document, rows, name, round_key))
        done += len(rows)
        if progress is not None:
            progress("partition", done, len(holder))
    partitions.sort(key=lambda partition: partition.entry)
    root = merkle.root_hash([merkle.leaf_hash(p.entry) for p in partitions])
    return RoundResult(context, tuple(partitions), root)


def _partition(
    document: Document, rows: Indices, aggregator_id: str, round_key: bytes
) -> Partition:
    key = pseudonyms.aggregator_key(round_key, aggregator_id)
    pairs = sorted(_entries(document, rows, key))
    entries = tuple(entry for entry, _ in pairs)
    root = merkle.root_hash([merkle.leaf_hash(entry) for entry in entries])
    pseudonym = pseudonyms.aggregator_pseudonym(key, aggregator_id)
    return Partition(
        aggregator_id,
        key,
        tuple(nmi for _, nmi in pairs),
        entries,
        root,
        PartitionEntry(pseudonym, root, len(entries)).encode(),
    )


def _entries(document: Document, rows: Indices, key: bytes) -> Iterator[tuple[bytes, str]]:
    """Site entries with their NMIs, a few thousand sites at a time."""
    row_site = document.row_site[rows]
    sites, first = np.unique(row_site, return_index=True)
    bounds = np.append(first, len(rows))
    for begin in range(0, len(sites), _CHUNK):
        chunk = sites[begin : begin + _CHUNK]
        chosen = rows[bounds[begin] : bounds[begin + len(chunk)]]
        limits = np.full(
            (len(chunk), KIND_COUNT, document.interval_count), NO_LIMIT, dtype=np.int32
        )
        slot = np.searchsorted(chunk, document.row_site[chosen])
        limits[slot, :, document.row_interval[chosen]] = document.limits[chosen]
        nmis = [nmi.decode() for nmi in document.nmi[chunk].tolist()]
        headers = [_header(document, int(site)) for site in chunk]
        names = pseudonyms.site_pseudonyms(key, nmis)
        yield from zip(encode_sites(names, headers, limits), nmis, strict=True)


def _header(document: Document, site: int) -> SiteHeader:
    return SiteHeader(
        int(document.level[site]),
        int(document.timing[site]),
        document.objective[site],
        document.horizon_start,
        document.interval_count,
    )
