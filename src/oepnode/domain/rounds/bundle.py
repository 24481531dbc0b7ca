"""A bundle: an aggregator's part of a round as bytes, with the proof that it is right.

Its form's constants, its checks, its name and length, and what is known of it once it is verified.
A bundle has one encoding only, and a length that reveals no more than a power of two. Leaves out
writing (``bundle_writing``), checking (``bundle_reading``), sealing (``adapters.crypto.sealing``).

Source: ``docs/spec/bundle.md``, ``docs/design.md §6``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from oepnode.domain.documents.arrays import Bytes, Int32s
from oepnode.domain.nem.tokens import SiteIdKind, kind_of
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.entries import PartitionEntry, largest_site
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
CONTEXT_SIZE: Final = 60
FILE_HEAD_SIZE: Final = len(FILE_MAGIC) + CONTEXT_SIZE
_INFO: Final = b"oep1 bundle"
_NAME: Final = b"oep1 bundle name"
_LENGTH_SIZE: Final = 4
_LARGEST_REST: Final = 2048
"""More bytes than a body has besides its sites: ids, keys, the partition entry and its path."""

_LONGEST_SITE_ID: Final = max(kind.value for kind in SiteIdKind)

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
"""The checks in their order; ``opening`` is the caller's, the others are `read_bundle`'s."""


class BundleError(EvidenceError):
    """A bundle does not prove what it should.

    Attributes:
        check: The name of the check that failed, a key of `CHECKS`.
    """

    def __init__(self, check: str, message: str) -> None:
        super().__init__(f"check {check} failed: {message}")
        self.check = check


@dataclass(frozen=True, repr=False)
class VerifiedPartition:
    """A bundle of which every check has passed, without limits; sites in entry order.

    Its repr shows no NMI.

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
        leaves: Leaf hash of each site in the partition tree, 32 bytes each.
        partition_entry: The partition's entry in the round tree, 73 bytes.
        partition: The same, decoded.
        index: Position of the partition entry in the round tree, from 0.
        partitions: Leaves of the round tree.
        path: Inclusion path of the partition entry in the round tree.
    """

    context: RoundContext
    aggregator_id: str
    key: bytes
    nmis: Sequence[str]
    levels: Bytes
    timings: Bytes
    objectives: tuple[str, ...]
    horizon_start: int
    interval_count: int
    leaves: bytes
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
        return len(self.nmis)

    @property
    def nmi_count(self) -> int:
        """Number of distinct NMIs; one with both application levels has two entries."""
        return len(set(self.nmis))


@dataclass(frozen=True, repr=False)
class VerifiedBundle(VerifiedPartition):
    """A verified bundle with all its limits in memory. Its repr shows no NMI.

    Attributes:
        limits: Shape (sites, 4, interval_count), int32 W or var in the order of
            `quantities.KINDS`; `quantities.NO_LIMIT` where none is published, or where another
            aggregator holds the NMI.
        entries: Site entries in the order of the partition tree.
    """

    limits: Int32s
    entries: tuple[bytes, ...]


# --- length, name, file --------------------------------------------------------------------------


def padded_size(body_size: int) -> int:
    """Length of the plaintext with a body of that many bytes: a power of two, 64 KiB at least."""
    return max(MIN_SIZE, 1 << (HEAD_SIZE + body_size - 1).bit_length())


def largest_size(nmis: int, interval_count: int) -> int:
    """Length of the plaintext of the largest bundle of that many NMIs over that horizon.

    Each NMI may have a site entry for each of both application levels.
    """
    sites = 2 * nmis
    a_site = _LONGEST_SITE_ID + _LENGTH_SIZE + largest_site(interval_count)
    return min(MAX_SIZE, padded_size(sites * a_site + _LARGEST_REST))


def sealing_info(context: RoundContext) -> bytes:
    """HPKE ``info``, which binds a sealed bundle to its purpose and round."""
    return _INFO + context.encode()


def bundle_name(context: RoundContext, public_key: bytes) -> str:
    """The name under which workers serve the bundle sealed to ``public_key``, 64 hex digits.

    Without the key nobody can link the name to an aggregator, or two rounds to each other.
    """
    return sha256(_NAME + context.encode() + public_key).hexdigest()


def file_head(context: RoundContext) -> bytes:
    """The beginning of a sealed bundle's file, which names its round."""
    return FILE_MAGIC + context.encode()


def unpack_file(data: bytes) -> tuple[RoundContext, bytes] | None:
    """The round and the sealed bundle of a file, or None where it has no `file_head`.

    The beginning of a file, `FILE_HEAD_SIZE` bytes, gives the round and no bundle.
    """
    start, end = len(FILE_MAGIC), FILE_HEAD_SIZE
    if not data.startswith(FILE_MAGIC) or len(data) < end:
        return None
    chain_id, contract = data[start : start + 32], data[start + 32 : end - 8]
    number = int.from_bytes(data[end - 8 : end])
    return RoundContext(int.from_bytes(chain_id), contract, number), data[end:]


def foreign_nmis(nmis: Iterable[str], portfolio: Iterable[str]) -> list[str]:
    """NMIs of a bundle that are not in the aggregator's own list, sorted.

    A verified bundle holds the sites that the registry's snapshot assigns to the aggregator. A
    foreign one means that the snapshot and the aggregator's list differ.
    """
    return sorted(set(nmis).difference(portfolio))
