"""An aggregator's part of a round as bytes, with the proof that it is right.

Guarantees: a bundle has one encoding only, and a length that reveals no more than a power of two;
reading allocates no more than a small multiple of what was received; `verify` returns a bundle of
which every byte follows from the final root, the aggregator's own knowledge, or both, or raises
`BundleError` with the name of the check that failed.

Leaves out: sealing (``adapters.crypto.sealing``), reading the chain, and whether the registry
and the sender gave the round all sites of the aggregator; `foreign_nmis` compares with its list.

Source: ``docs/spec/bundle.md``, ``docs/design.md §6``.

Example:
    >>> plaintext = b"".join(build(result, index))                           # doctest: +SKIP
    >>> verified = verify(plaintext, "A1", context, root, partition_count)   # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import Annotated, Final

import msgspec
import numpy as np
from msgspec import Meta, Struct

from oepnode.domain.documents.arrays import Bytes, Int32s
from oepnode.domain.nem.tokens import SiteIdKind, kind_of
from oepnode.domain.rounds import merkle
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.entries import (
    PARTITION_ENTRY_SIZE,
    PartitionEntry,
    SiteEntry,
    decode_partition,
    decode_site,
    largest_site,
)
from oepnode.domain.rounds.partition import RoundResult
from oepnode.domain.rounds.pseudonyms import aggregator_pseudonym, site_pseudonyms
from oepnode.errors import EvidenceError

MAGIC: Final = b"OEPB"
VERSION: Final = 1
HEAD_SIZE: Final = 13
MIN_SIZE: Final = 1 << 16
MAX_ENTRIES: Final = (1 << 32) - 1
"""Most bytes of all site entries of a bundle: those of one MessagePack element."""

MAX_SIZE: Final = 1 << 33
"""Largest plaintext: `MAX_ENTRIES` with the NMI and the length of each, padded."""

FILE_MAGIC: Final = b"OEPF\x01"
_CONTEXT_SIZE: Final = 60
_INFO: Final = b"oep1 bundle"
_NAME: Final = b"oep1 bundle name"
_LENGTH_SIZE: Final = 4
_MAX_PATH: Final = 32
"""Steps of the path in a tree of 2³² partitions."""

_LARGEST_REST: Final = 2048
"""More bytes than a body has besides its sites: ids, keys, the partition entry and its path."""

_ARRAY_OF_TEN: Final = b"\x9a"
_SITE_ID_WIDTHS: Final = frozenset(kind.value for kind in SiteIdKind)

CHECKS: Final = {
    "opening": "the sealed bundle opens with this key, for this round",
    "format": "the plaintext is one bundle, in its only encoding, padded with zeros",
    "context": "it was made for this chain, contract and round",
    "aggregator": "it was made for this aggregator",
    "partition-count": "the round tree has as many partitions as the chain reports",
    "inclusion": "the path proves the partition entry under the final root",
    "aggregator-pseudonym": "the partition is this aggregator's under the round's key",
    "site-count": "there are as many NMIs and entries as the partition entry counts",
    "sites": "every site entry is well formed, and all have one horizon",
    "pseudonyms": "every NMI gives the pseudonym of its entry under the round's key",
    "order": "the entries are sorted and none occurs twice",
    "partition-root": "the entries lead to the root in the partition entry",
}
"""The checks in their order; ``opening`` is the caller's, the others are `verify`'s."""


class BundleError(EvidenceError):
    """A bundle does not prove what it should.

    Attributes:
        check: The name of the check that failed, a key of `CHECKS`.
    """

    def __init__(self, check: str, message: str) -> None:
        super().__init__(f"check {check} failed: {message}")
        self.check = check


_Bytes32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
_Uint32 = Annotated[int, Meta(ge=0, lt=1 << 32)]


class _Body(Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """The body in the order of its MessagePack array."""

    context: Annotated[bytes, Meta(min_length=_CONTEXT_SIZE, max_length=_CONTEXT_SIZE)]
    aggregator: str
    key: _Bytes32
    nmis: bytes
    lengths: bytes
    entries: bytes
    partition_entry: Annotated[
        bytes, Meta(min_length=PARTITION_ENTRY_SIZE, max_length=PARTITION_ENTRY_SIZE)
    ]
    index: _Uint32
    partitions: _Uint32
    path: Annotated[bytes, Meta(max_length=_MAX_PATH * merkle.HASH_SIZE)]


@dataclass(frozen=True, repr=False)
class VerifiedBundle:
    """A bundle of which every check has passed; sites in entry order. Its repr shows no NMI.

    Attributes:
        context: The round.
        aggregator_id: The aggregator that it was made for.
        key: K_agg of the round, 32 bytes. Whoever has it can test guesses at every NMI.
        nmis: NMI of each site; in a blind round its token.
        levels: Per site, uint8: 0 NMI, 1 Flex.
        timings: Per site, uint8: 0 PRE, 1 POST.
        objectives: Per site, the objective function.
        horizon_start: UTC seconds.
        interval_count: Length of the horizon in dispatch intervals.
        limits: Shape (sites, 4, interval_count), int32 W or var in the order of
            `quantities.KINDS`; `quantities.NO_LIMIT` where none is published, or where another
            aggregator holds the NMI.
        entries: Site entries in the order of the partition tree.
        partition_entry: The partition's entry in the round tree, 73 bytes.
        partition: The same, decoded.
        index: Position of the partition entry in the round tree, from 0.
        partitions: Leaves of the round tree.
        path: Inclusion path of the partition entry in the round tree.
    """

    context: RoundContext
    aggregator_id: str
    key: bytes
    nmis: tuple[str, ...]
    levels: Bytes
    timings: Bytes
    objectives: tuple[str, ...]
    horizon_start: int
    interval_count: int
    limits: Int32s
    entries: tuple[bytes, ...]
    partition_entry: bytes
    partition: PartitionEntry
    index: int
    partitions: int
    path: tuple[bytes, ...]

    @property
    def is_blind(self) -> bool:
        """Whether its sites are named by tokens."""
        return kind_of(self.nmis[0]) is SiteIdKind.TOKEN

    @property
    def site_count(self) -> int:
        """Number of site entries."""
        return len(self.entries)

    @property
    def nmi_count(self) -> int:
        """Number of distinct NMIs; one with both application levels has two entries."""
        return len(set(self.nmis))


# --- writing -------------------------------------------------------------------------------------


def build(result: RoundResult, index: int) -> Iterator[bytes]:
    """The plaintext of the bundle of the partition at ``index``, in pieces, to be sealed.

    Raises:
        BundleError: At once, if the partition is too large for one bundle (check ``format``).
    """
    partition = result.partitions[index]
    lengths = partition.sizes
    size = sum(lengths)
    if size > MAX_ENTRIES:
        raise BundleError(
            "format", f"a bundle has at most {MAX_ENTRIES} bytes of site entries, this one {size}"
        )
    body = _Body(
        result.context.encode(),
        partition.aggregator_id,
        partition.key,
        "".join(partition.nmis).encode(),
        b"".join(length.to_bytes(_LENGTH_SIZE) for length in lengths),
        b"",
        partition.entry,
        index,
        result.partition_count,
        b"".join(result.path(index)),
    )
    head, tail = _around_entries(body, size)
    return _framed(head, partition.entries, size, tail)


def padded_size(body_size: int) -> int:
    """Length of the plaintext with a body of that many bytes: a power of two, 64 KiB at least."""
    return max(MIN_SIZE, 1 << (HEAD_SIZE + body_size - 1).bit_length())


def largest_size(nmis: int, interval_count: int) -> int:
    """Length of the plaintext of the largest bundle of that many NMIs over that horizon.

    Each NMI may have a site entry for each of both application levels.
    """
    sites = 2 * nmis
    a_site = max(_SITE_ID_WIDTHS) + _LENGTH_SIZE + largest_site(interval_count)
    return min(MAX_SIZE, padded_size(sites * a_site + _LARGEST_REST))


def sealing_info(context: RoundContext) -> bytes:
    """HPKE ``info``, which binds a sealed bundle to its purpose and round."""
    return _INFO + context.encode()


def bundle_name(context: RoundContext, public_key: bytes) -> str:
    """The name under which workers serve the bundle sealed to ``public_key``, 64 hex digits.

    Without the key nobody can link the name to an aggregator, or two rounds to each other.
    """
    return sha256(_NAME + context.encode() + public_key).hexdigest()


def pack_file(context: RoundContext, sealed: bytes) -> bytes:
    """A sealed bundle as a file that names its round."""
    return FILE_MAGIC + context.encode() + sealed


def unpack_file(data: bytes) -> tuple[RoundContext, bytes] | None:
    """The round and the sealed bundle of a file, or None where it is not from `pack_file`."""
    start = len(FILE_MAGIC)
    end = start + _CONTEXT_SIZE
    if not data.startswith(FILE_MAGIC) or len(data) < end:
        return None
    chain_id, contract = data[start : start + 32], data[start + 32 : end - 8]
    number = int.from_bytes(data[end - 8 : end])
    return RoundContext(int.from_bytes(chain_id), contract, number), data[end:]


def _framed(head: bytes, entries: Iterable[bytes], size: int, tail: bytes) -> Iterator[bytes]:
    """Header, the body as head, entries of ``size`` bytes together and tail, and the padding."""
    body = len(head) + size + len(tail)
    yield MAGIC + VERSION.to_bytes(1) + body.to_bytes(8) + head
    yield from entries
    yield tail
    padding = padded_size(body) - HEAD_SIZE - body
    for at in range(0, padding, MIN_SIZE):
        yield bytes(min(MIN_SIZE, padding - at))


def _around_entries(body: _Body, size: int | None = None) -> tuple[bytes, bytes]:
    """The encoding of a body before and after its entries, which have ``size`` bytes."""
    before = (body.context, body.aggregator, body.key, body.nmis, body.lengths)
    after = (body.partition_entry, body.index, body.partitions, body.path)
    entries = _bin_head(len(body.entries) if size is None else size)
    return _ARRAY_OF_TEN + _packed(before) + entries, _packed(after)


def _packed(values: Iterable[bytes | str | int]) -> bytes:
    return b"".join(msgspec.msgpack.encode(value) for value in values)


def _bin_head(size: int) -> bytes:
    """The head of a MessagePack bin of that many bytes, in its shortest form."""
    for mark, width in ((0xC4, 1), (0xC5, 2)):
        if size < 1 << (8 * width):
            return bytes([mark]) + size.to_bytes(width)
    return b"\xc6" + size.to_bytes(4)


# --- reading -------------------------------------------------------------------------------------


def verify(
    plaintext: bytes,
    aggregator_id: str,
    context: RoundContext,
    final_root: bytes,
    final_partitions: int,
) -> VerifiedBundle:
    """Check a bundle against the round's final result.

    The caller must have opened the sealed bundle with its own key, and must have read root and
    partition count from a chain that it trusts, for the round of ``context``.

    Args:
        plaintext: The opened bundle.
        aggregator_id: The caller's own id.
        context: The round that the caller wants limits of.
        final_root: The round's final root on chain, 32 bytes.
        final_partitions: The round's partition count on chain.

    Raises:
        BundleError: With the name of the first check that failed.
    """
    # 1. format: one canonical encoding, bounded, padded with zeros.
    body = _decode(plaintext)
    # 2. context, 3. aggregator: it is the requested bundle.
    if body.context != context.encode():
        raise BundleError("context", "the bundle is of another chain, contract or round")
    if body.aggregator != aggregator_id:
        raise BundleError("aggregator", "the bundle is another aggregator's")
    # 4. partition count, 5. inclusion: the partition is in the tree that the quorum agreed on.
    path = _check_inclusion(body, final_root, final_partitions)
    # 6. aggregator pseudonym: the quorum made this partition for this aggregator.
    partition = decode_partition(body.partition_entry)
    if partition.pseudonym != aggregator_pseudonym(body.key, aggregator_id):
        raise BundleError("aggregator-pseudonym", "the partition is another aggregator's")
    # 7. site count: proven, so that nothing is allocated for more sites than the quorum counted.
    _check_counts(body, partition.site_count)
    # 8. sites: entries decode as they were encoded, over one horizon.
    nmis, entries = _split(body)
    sites = _decode_sites(entries)
    # 9. pseudonyms: each entry is that NMI's.
    if site_pseudonyms(body.key, nmis) != [site.pseudonym for site in sites]:
        raise BundleError("pseudonyms", "an NMI does not give the pseudonym of its entry")
    # 10. order: sorted, so that every partition has one root; unique, so that none counts twice.
    if any(left >= right for left, right in pairwise(entries)):
        raise BundleError("order", "the entries are not in rising order")
    # 11. partition root: the entries are all of the partition, and no others.
    _check_root(partition, entries)
    return _verified(context, body, nmis, entries, sites, partition, path)


def foreign_nmis(nmis: Iterable[str], portfolio: Iterable[str]) -> list[str]:
    """NMIs of a bundle that are not in the aggregator's own list, sorted.

    A verified bundle holds the sites that the registry's snapshot assigns to the aggregator. A
    foreign one means that the snapshot and the aggregator's list differ.
    """
    return sorted(set(nmis).difference(portfolio))


def _decode(plaintext: bytes) -> _Body:
    size = int.from_bytes(plaintext[5:HEAD_SIZE])
    if plaintext[:5] != MAGIC + VERSION.to_bytes(1):
        raise BundleError("format", "not a bundle of version 1")
    if size > MAX_SIZE or len(plaintext) != padded_size(size):
        raise BundleError("format", f"length {len(plaintext)} does not fit a body of {size}")
    end = HEAD_SIZE + size
    if plaintext.count(0, end) != len(plaintext) - end:
        raise BundleError("format", "the padding is not zero")
    data = memoryview(plaintext)[HEAD_SIZE:end]
    try:
        body = msgspec.msgpack.decode(data, type=_Body)
    except ValueError as exc:  # msgspec's errors and bad UTF-8 are all ValueErrors
        raise BundleError("format", "the body is not the MessagePack array of a bundle") from exc
    head, tail = _around_entries(body)
    # The entries lie between both and are not copied for the comparison.
    is_length = len(head) + len(body.entries) + len(tail) == size
    if not is_length or data[: len(head)] != head or data[size - len(tail) :] != tail:
        raise BundleError("format", "the body is not in its only encoding")
    return body


def _check_counts(body: _Body, count: int) -> None:
    """Compare the lengths of the blobs with the number of sites, before they are cut."""
    for what, blob, sizes in (
        ("entry lengths", body.lengths, (_LENGTH_SIZE,)),
        ("NMIs or tokens", body.nmis, _SITE_ID_WIDTHS),
    ):
        if not count or len(blob) not in {count * size for size in sizes}:
            raise BundleError(
                "site-count", f"expected {count} {what}, received {len(blob)} bytes of them"
            )
    lengths = np.frombuffer(body.lengths, ">u4")
    if int(lengths.sum(dtype=np.int64)) != len(body.entries):
        raise BundleError("site-count", "the entries do not have the lengths given")
    if not body.nmis.isascii():
        raise BundleError("sites", "an NMI or a token is not ASCII")


def _split(body: _Body) -> tuple[list[str], list[bytes]]:
    """NMIs and entries, cut from their blobs."""
    ends = np.cumsum(np.frombuffer(body.lengths, ">u4"), dtype=np.int64)
    nmis = _split_site_ids(body.nmis, len(ends))
    bounds = [0, *ends.tolist()]
    entries = [body.entries[a:b] for a, b in pairwise(bounds)]
    return nmis, entries


def _split_site_ids(data: bytes, count: int) -> list[str]:
    """NMIs of 10 bytes each or tokens of 32 each: with one for each entry, the length decides."""
    text, width = data.decode("ascii"), len(data) // count
    return [text[at : at + width] for at in range(0, len(text), width)]


def _decode_sites(entries: Sequence[bytes]) -> list[SiteEntry]:
    try:
        sites = [decode_site(entry) for entry in entries]
    except EvidenceError as exc:
        raise BundleError("sites", str(exc)) from exc
    horizons = {(site.header.horizon_start, site.header.interval_count) for site in sites}
    if len(horizons) > 1:
        raise BundleError("sites", "the entries have different horizons")
    return sites


def _check_root(partition: PartitionEntry, entries: Sequence[bytes]) -> None:
    root = merkle.root_hash([merkle.leaf_hash(entry) for entry in entries])
    if root != partition.root:
        raise BundleError(
            "partition-root", f"expected {partition.root.hex()}, the entries give {root.hex()}"
        )


def _check_inclusion(body: _Body, final_root: bytes, final_partitions: int) -> tuple[bytes, ...]:
    if body.partitions != final_partitions:
        raise BundleError(
            "partition-count", f"expected {final_partitions}, the bundle has {body.partitions}"
        )
    size = merkle.HASH_SIZE
    path = tuple(body.path[at : at + size] for at in range(0, len(body.path), size))
    leaf = merkle.leaf_hash(body.partition_entry)
    try:
        merkle.verify_inclusion(leaf, body.index, final_partitions, path, final_root)
        decode_partition(body.partition_entry)
    except EvidenceError as exc:
        raise BundleError("inclusion", str(exc)) from exc
    return path


def _verified(
    context: RoundContext,
    body: _Body,
    nmis: Sequence[str],
    entries: Sequence[bytes],
    sites: Sequence[SiteEntry],
    partition: PartitionEntry,
    path: tuple[bytes, ...],
) -> VerifiedBundle:
    headers = [site.header for site in sites]
    return VerifiedBundle(
        context=context,
        aggregator_id=body.aggregator,
        key=body.key,
        nmis=tuple(nmis),
        levels=np.array([header.level for header in headers], dtype=np.uint8),
        timings=np.array([header.timing for header in headers], dtype=np.uint8),
        objectives=tuple(header.objective for header in headers),
        horizon_start=headers[0].horizon_start,
        interval_count=headers[0].interval_count,
        limits=np.stack([site.limits for site in sites]),
        entries=tuple(entries),
        partition_entry=body.partition_entry,
        partition=partition,
        index=body.index,
        partitions=body.partitions,
        path=path,
    )
