"""Checks a bundle against its round, in one pass over a plaintext of any size.

Guarantees: what `read_bundle` returns follows in every byte from the final root, the aggregator's
own knowledge, or both; else it raises `BundleError` with the name of the first check that failed,
in the order of `bundle.CHECKS`, wherever in the stream the faults are. In memory are a block of
entries and, for each site, name, level, timing, objective function and leaf hash: no more than a
part of the bytes that were received. Limits leave in blocks, which are *not* verified before
`read_bundle` has returned.

Leaves out sealing (``adapters.crypto.sealing``), reading the chain, and whether the registry and
the sender gave the round all sites of the aggregator.

Source: ``docs/spec/bundle.md`` sections 1 and 3.

Example:
    >>> verified = verify(plaintext, "A1", context, root, partition_count)   # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from oepnode.domain.documents.arrays import Int32s, Int64s
from oepnode.domain.nem.tokens import SiteIdKind
from oepnode.domain.rounds import merkle
from oepnode.domain.rounds.bundle import (
    CHECKS,
    CONTEXT_SIZE,
    BundleError,
    VerifiedBundle,
    VerifiedPartition,
)
from oepnode.domain.rounds.bundle_body import PlaintextStream
from oepnode.domain.rounds.bundle_sites import SiteColumns
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.entries import (
    PARTITION_ENTRY_SIZE,
    PartitionEntry,
    decode_partition,
    largest_site,
    smallest_site,
)
from oepnode.domain.rounds.pseudonyms import aggregator_pseudonym
from oepnode.domain.rounds.site_blocks import SiteBlock
from oepnode.domain.rounds.stored_entries import SiteIds
from oepnode.errors import EvidenceError

BlockSink: TypeAlias = Callable[[SiteBlock], None]
"""Called with each block of sites in entry order, before anything is verified."""

_KEY_SIZE: Final = 32
_LENGTH_SIZE: Final = 4
_MAX_PATH: Final = 32
"""Steps of the path in a tree of 2³² partitions."""

_BLOCK_BYTES: Final = 1 << 20
_LARGEST_SITE: Final = largest_site((1 << 16) - 1)
_SITE_ID_WIDTHS: Final = tuple(kind.value for kind in SiteIdKind)
_RANK: Final = {check: rank for rank, check in enumerate(CHECKS)}


def verify(
    plaintext: bytes,
    aggregator_id: str,
    context: RoundContext,
    final_root: bytes,
    final_partitions: int,
) -> VerifiedBundle:
    """Check a bundle that is in memory, and keep its limits; arguments as of `read_bundle`.

    Raises:
        BundleError: With the name of the first check that failed.
    """
    return collect([plaintext], aggregator_id, context, final_root, final_partitions)


def collect(
    pieces: Iterable[bytes],
    aggregator_id: str,
    context: RoundContext,
    final_root: bytes,
    final_partitions: int,
) -> VerifiedBundle:
    """Check a bundle as `read_bundle`, and keep all its limits and entries in memory."""
    entries: list[bytes] = []
    limits: list[Int32s] = []

    def keep(block: SiteBlock) -> None:
        entries.extend(block.entries)
        limits.append(block.limits)

    part = read_bundle(pieces, aggregator_id, context, final_root, final_partitions, keep)
    return VerifiedBundle(**vars(part), limits=np.concatenate(limits), entries=tuple(entries))


def read_bundle(
    pieces: Iterable[bytes],
    aggregator_id: str,
    context: RoundContext,
    final_root: bytes,
    final_partitions: int,
    sink: BlockSink | None = None,
) -> VerifiedPartition:
    """Check a bundle against the round's final result.

    The caller must have opened the sealed bundle with its own key, and must have read root and
    partition count from a chain that it trusts, for the round of ``context``. All pieces are read
    in any case, so that an error in opening them comes first.

    Args:
        pieces: The opened bundle, in pieces of any size.
        aggregator_id: The caller's own id.
        context: The round that the caller wants limits of.
        final_root: The round's final root on chain, 32 bytes.
        final_partitions: The round's partition count on chain.
        sink: Called with each block of sites while they are read. What it is given is proven only
            once this function has returned; until then nothing of it may be used.

    Raises:
        BundleError: With the name of the first check that failed.
    """
    stream = PlaintextStream(pieces)
    reading = _Reading(aggregator_id, context, sink)
    try:
        reading.read(stream)
        stream.end()
    except BundleError:
        stream.drain()
        raise
    return reading.verified(final_root, final_partitions)


@dataclass
class _Tail:
    """The elements after the entries."""

    partition_entry: bytes
    index: int
    partitions: int
    path: bytes


class _Reading:
    """One bundle while it is read.

    The checks of sites are made as they arrive, and those of the tree at the end. Of all that fail,
    the first one in the order of `CHECKS` counts; no work is done for the checks after it.
    """

    def __init__(self, aggregator_id: str, context: RoundContext, sink: BlockSink | None) -> None:
        self._aggregator_id = aggregator_id
        self._context = context
        self._sink = sink
        self._failure: BundleError | None = None
        self._nmis = b""
        self._lengths = b""
        self._sizes = (0, 0, 0)
        self._sites = SiteColumns(self._fail)

    def _fail(self, check: str, message: str) -> None:
        if self._matters(check):
            self._failure = BundleError(check, message)

    def _matters(self, check: str) -> bool:
        """Whether no earlier check, nor this one, has failed."""
        return self._failure is None or _RANK[check] < _RANK[self._failure.check]

    # --- reading ---------------------------------------------------------------------------------

    def read(self, stream: PlaintextStream) -> None:
        """Read the body.

        Raises:
            BundleError: If its form is wrong (check ``format``); other failures wait.
        """
        stream.begin()
        if stream.read_bin(CONTEXT_SIZE, CONTEXT_SIZE) != self._context.encode():
            self._fail("context", "the bundle is of another chain, contract or round")
        if stream.read_text() != self._aggregator_id:
            self._fail("aggregator", "the bundle is another aggregator's")
        self._key = stream.read_bin(_KEY_SIZE, _KEY_SIZE)
        self._read_columns(stream)
        self._read_entries(stream)
        self._tail = _Tail(
            stream.read_bin(PARTITION_ENTRY_SIZE, PARTITION_ENTRY_SIZE),
            stream.read_integer(),
            stream.read_integer(),
            stream.read_bin(0, _MAX_PATH * merkle.HASH_SIZE),
        )

    def _read_columns(self, stream: PlaintextStream) -> None:
        """Names and lengths, as far as a body of that size can have so many sites."""
        nmis_size = stream.bin_size()
        fewest = nmis_size // max(_SITE_ID_WIDTHS)
        is_possible = nmis_size + fewest * (_LENGTH_SIZE + smallest_site()) <= stream.body_size
        self._nmis = self._kept(stream, nmis_size, is_possible=is_possible)
        lengths_size = stream.bin_size()
        counts = {nmis_size / width for width in _SITE_ID_WIDTHS}
        is_possible = bool(self._nmis) and lengths_size / _LENGTH_SIZE in counts
        self._lengths = self._kept(stream, lengths_size, is_possible=is_possible)
        self._sizes = (nmis_size, lengths_size, 0)

    def _kept(self, stream: PlaintextStream, size: int, *, is_possible: bool) -> bytes:
        if is_possible and self._matters("site-count"):
            return stream.read(size)
        stream.skip(size)
        return b""

    def _read_entries(self, stream: PlaintextStream) -> None:
        nmis_size, lengths_size, _ = self._sizes
        size = stream.bin_size()
        lengths = np.frombuffer(self._lengths, ">u4").astype(np.int64)
        self._sizes = (nmis_size, lengths_size, size)
        self._lengths = b""
        if not len(lengths) or int(lengths.sum()) != size:
            self._fail("site-count", "the entries do not have the lengths given")
            stream.skip(size)
            return
        if not self._nmis.isascii():
            self._fail("sites", "an NMI or a token is not ASCII")
        if int(lengths.max()) > _LARGEST_SITE:
            self._fail("sites", "a site entry is longer than any")
        width = len(self._nmis) // len(lengths)
        column = np.frombuffer(self._nmis, dtype=f"S{width}")
        self._sites.begin(column, self._key)
        ends = np.cumsum(lengths)
        first = 0
        while first < len(lengths) and self._matters("sites"):
            begin = int(ends[first - 1]) if first else 0
            last = max(first + 1, int(np.searchsorted(ends, begin + _BLOCK_BYTES, side="right")))
            room = bytearray(1 + int(ends[last - 1]) - begin)
            stream.read_into(memoryview(room)[1:])
            self._read_block(room, ends[first:last] - begin + 1, first)
            first = last
        if first < len(lengths):
            stream.skip(size - (int(ends[first - 1]) if first else 0))

    def _read_block(self, room: bytearray, ends: Int64s, first: int) -> None:
        try:
            block = SiteBlock(room, ends, first)
        except EvidenceError as exc:
            self._fail("sites", str(exc))
            return
        self._sites.add(block, self._matters)
        if self._sink is not None and self._failure is None:
            self._sink(block)

    # --- the verdict -----------------------------------------------------------------------------

    def verified(self, final_root: bytes, final_partitions: int) -> VerifiedPartition:
        """The partition, if every check passed.

        Raises:
            BundleError: With the name of the first check that failed.
        """
        tail = self._tail
        if tail.partitions != final_partitions:
            self._fail(
                "partition-count", f"expected {final_partitions}, the bundle has {tail.partitions}"
            )
        path = self._check_inclusion(final_root, final_partitions)
        partition = self._check_partition()
        if self._failure is not None or partition is None:
            raise self._failure or AssertionError
        sites = self._sites
        return VerifiedPartition(
            context=self._context,
            aggregator_id=self._aggregator_id,
            key=self._key,
            nmis=SiteIds(sites.nmis),
            levels=np.concatenate(sites.levels),
            timings=np.concatenate(sites.timings),
            objectives=tuple(sites.objectives),
            horizon_start=sites.horizon.start,
            interval_count=sites.horizon.count,
            leaves=b"".join(sites.leaves),
            partition_entry=tail.partition_entry,
            partition=partition,
            index=tail.index,
            partitions=tail.partitions,
            path=path,
        )

    def _check_inclusion(self, final_root: bytes, final_partitions: int) -> tuple[bytes, ...]:
        tail, size = self._tail, merkle.HASH_SIZE
        path = tuple(tail.path[at : at + size] for at in range(0, len(tail.path), size))
        if not self._matters("inclusion"):
            return path
        leaf = merkle.leaf_hash(tail.partition_entry)
        try:
            merkle.verify_inclusion(leaf, tail.index, final_partitions, path, final_root)
            decode_partition(tail.partition_entry)
        except EvidenceError as exc:
            self._fail("inclusion", str(exc))
        return path

    def _check_partition(self) -> PartitionEntry | None:
        """The checks of the partition entry; None where it is not proven."""
        if not self._matters("aggregator-pseudonym"):
            return None
        partition = decode_partition(self._tail.partition_entry)
        if partition.pseudonym != aggregator_pseudonym(self._key, self._aggregator_id):
            self._fail("aggregator-pseudonym", "the partition is another aggregator's")
        self._check_counts(partition.site_count)
        if self._matters("partition-root"):
            root = merkle.packed_root(b"".join(self._sites.leaves))
            if root != partition.root:
                expected = partition.root.hex()
                message = f"expected {expected}, the entries give {root.hex()}"
                self._fail("partition-root", message)
        return partition

    def _check_counts(self, count: int) -> None:
        nmis_size, lengths_size, _ = self._sizes
        for what, size, widths in (
            ("entry lengths", lengths_size, (_LENGTH_SIZE,)),
            ("NMIs or tokens", nmis_size, _SITE_ID_WIDTHS),
        ):
            if not count or size not in {count * width for width in widths}:
                message = f"expected {count} {what}, received {size} bytes of them"
                self._fail("site-count", message)
