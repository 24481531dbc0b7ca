"""The proof of one site, cut out of a verified bundle, for a third party.

Guarantees: the proof shows no other site, only hashes of them; `verify_site` accepts nothing that
does not follow from the final root. Without the site's key of the round it proves that a site with
these limits is in the round, and the NMI is the bearer's claim; with the key it proves the NMI too.
The key is this site's alone and reveals nothing about any other.

Source: ``docs/spec/bundle.md``, ``docs/design.md §6``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from oepnode.domain.nem.tokens import parse_site_id
from oepnode.domain.rounds import merkle
from oepnode.domain.rounds.bundle import VerifiedBundle, VerifiedPartition
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.entries import PartitionEntry, SiteEntry, decode_partition, decode_site
from oepnode.domain.rounds.merkle_tree import InclusionVerifier, MerkleTree
from oepnode.domain.rounds.pseudonyms import site_key, site_pseudonym
from oepnode.domain.rounds.site_blocks import SiteBlock
from oepnode.errors import EvidenceError

VERSION: Final = 1
MAX_SIZE: Final = 16 << 20
"""Largest proof read, in bytes."""

_SPACE: Final = b" \t\r\n"

CHECKS: Final = {
    "format": "the file is a site proof of version 1",
    "context": "it is of this chain, contract and round",
    "sites": "the site entries are well formed, one for each application level",
    "pseudonyms": "the NMI gives the entries' pseudonym under the disclosed site key",
    "site-inclusion": "the paths prove the site entries under the partition's root",
    "partition-count": "the round tree has as many partitions as the chain reports",
    "inclusion": "the path proves the partition entry under the final root",
}
"""The checks of `verify_site` in their order; ``pseudonyms`` only where the key is disclosed."""


class SiteProofError(EvidenceError):
    """A site proof does not prove what it should.

    Attributes:
        check: The name of the check that failed, a key of `CHECKS`.
        reason: The message without it.
    """

    def __init__(self, check: str, message: str) -> None:
        super().__init__(f"check {check} failed: {message}")
        self.check = check
        self.reason = message


_Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}\\Z")]
_Hex = Annotated[str, Meta(pattern="^([0-9a-f]{2})+\\Z")]
_Path = Annotated[list[_Hash], Meta(max_length=64)]
_Uint32 = Annotated[int, Meta(ge=0, lt=1 << 32)]


class _Record(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    pass


class SiteInPartition(_Record, frozen=True):
    """A site entry and its position in the partition tree; hashes and bytes as hex."""

    entry: _Hex
    index: _Uint32
    path: _Path


class Disclosure(_Record, frozen=True):
    """The key that is disclosed to prove the NMI: the site's of the round, as hex."""

    site_key: _Hash


class SiteProof(_Record, frozen=True):
    """A site proof as it is written; field names are those of the JSON in camel case."""

    format: Literal["oepnode site proof"]
    version: Literal[1]
    chain_id: Annotated[str, Meta(pattern="^(0|[1-9][0-9]{0,77})\\Z")]
    contract: Annotated[str, Meta(pattern="^0x[0-9a-f]{40}\\Z")]
    round: Annotated[int, Meta(ge=1, le=(1 << 63) - 1)]
    nmi: Annotated[str, Meta(pattern="^([0-9A-HJ-NP-Z]{10}|[0-9a-f]{32})\\Z")]
    disclosure: Disclosure | None
    sites: Annotated[list[SiteInPartition], Meta(min_length=1, max_length=2)]
    partition_entry: _Hex
    index: _Uint32
    partitions: _Uint32
    path: _Path

    def __repr__(self) -> str:
        """The round alone: no NMI."""
        return f"SiteProof(round={self.round})"


@dataclass(frozen=True, repr=False)
class VerifiedSite:
    """A site proof of which every check has passed. Its repr shows no NMI.

    Attributes:
        context: The round.
        nmi: The NMI that the proof names; in a blind round the token.
        is_nmi_proven: Whether the key was disclosed, so that the NMI is more than a claim.
        entries: The site's entries, one for each application level.
        partition: The partition that holds them.
    """

    context: RoundContext
    nmi: str
    is_nmi_proven: bool
    entries: tuple[SiteEntry, ...]
    partition: PartitionEntry


def cut(bundle: VerifiedBundle, nmi: str, *, disclose_key: bool = False) -> SiteProof:
    """Cut the proof of one NMI out of a bundle.

    Args:
        bundle: Verified, of the proof's round.
        nmi: One of the bundle's; in a blind round a token.
        disclose_key: Put the site's key of the round into the proof.

    Raises:
        EvidenceError: If the bundle has no such NMI.
    """
    indices = [index for index, held in enumerate(bundle.nmis) if held == nmi]
    if not indices:
        raise EvidenceError("the bundle has no site with this NMI")
    tree = MerkleTree(bundle.leaves)
    sites = [(bundle.entries[index], index, tree.path(index)) for index in indices]
    return _proof(bundle, nmi, sites, disclose_key=disclose_key)


class ProofCutter:
    """Cuts the proofs of all sites of a bundle while it is read once more, and verifies each path.

    Args:
        bundle: Verified, of the proofs' round.
        write: Called with each proof, in entry order.
        disclose_key: Put each site's key of the round into its proof.
    """

    def __init__(
        self, bundle: VerifiedPartition, write: Callable[[SiteProof], None], *, disclose_key: bool
    ) -> None:
        self._bundle = bundle
        self._write = write
        self._disclose_key = disclose_key
        self._paths = MerkleTree(bundle.leaves).paths()
        self._verifier = InclusionVerifier(bundle.site_count, bundle.partition.root)
        self._nmi = ""
        self._sites: list[tuple[bytes, int, Sequence[bytes]]] = []
        self.count = 0
        """Number of proofs that were written."""

    def add(self, block: SiteBlock) -> None:
        """Cut the proofs of a block; one site's entries follow one another.

        Raises:
            InclusionError: If an entry is not the bundle's.
        """
        nmis = self._bundle.nmis[block.first : block.first + len(block)]
        for index, (nmi, entry) in enumerate(zip(nmis, block.entries, strict=True), block.first):
            if nmi != self._nmi:
                self.finish()
            path = next(self._paths)
            self._verifier.verify(merkle.leaf_hash(entry), index, path)
            self._nmi = nmi
            self._sites.append((entry, index, path))

    def finish(self) -> None:
        """Write the proof of the last site."""
        if self._sites:
            proof = _proof(self._bundle, self._nmi, self._sites, disclose_key=self._disclose_key)
            self._write(proof)
            self._sites = []
            self.count += 1


def _proof(
    bundle: VerifiedPartition,
    nmi: str,
    sites: Sequence[tuple[bytes, int, Sequence[bytes]]],
    *,
    disclose_key: bool,
) -> SiteProof:
    """The proof of a site, from its entries with their positions and paths."""
    return SiteProof(
        format="oepnode site proof",
        version=1,
        chain_id=str(bundle.context.chain_id),
        contract="0x" + bundle.context.contract.hex(),
        round=bundle.context.number,
        nmi=nmi,
        disclosure=Disclosure(site_key(bundle.key, nmi).hex()) if disclose_key else None,
        sites=[SiteInPartition(entry.hex(), index, _hexes(path)) for entry, index, path in sites],
        partition_entry=bundle.partition_entry.hex(),
        index=bundle.index,
        partitions=bundle.partitions,
        path=_hexes(bundle.path),
    )


def write_line(proof: SiteProof) -> bytes:
    """The proof as JSON on one line, with a newline at its end."""
    return msgspec.json.encode(proof) + b"\n"


def write(proof: SiteProof) -> bytes:
    """The proof as JSON, indented, with a newline at its end."""
    return msgspec.json.format(msgspec.json.encode(proof), indent=2) + b"\n"


def read(data: bytes) -> SiteProof:
    """Read a proof from JSON.

    Raises:
        SiteProofError: If it is not the JSON of `write`, white space aside (check ``format``).
    """
    if len(data) > MAX_SIZE:
        raise SiteProofError("format", f"a site proof has at most {MAX_SIZE} bytes")
    try:
        proof = msgspec.json.decode(data, type=SiteProof)
    except msgspec.ValidationError as exc:
        message = "not a site proof: a field is missing, unknown or malformed"
        raise SiteProofError("format", message) from exc
    except (ValueError, RecursionError) as exc:
        raise SiteProofError("format", "not a site proof: not JSON") from exc
    if data.translate(None, _SPACE) != msgspec.json.encode(proof).translate(None, _SPACE):
        raise SiteProofError("format", "the fields are not in their order, or one occurs twice")
    return proof


def verify_site(
    proof: SiteProof, context: RoundContext, final_root: bytes, final_partitions: int
) -> VerifiedSite:
    """Check a site proof against the round's final result.

    The caller must have read root and partition count from a chain that it trusts, for the round
    of ``context``.

    Args:
        proof: As read.
        context: The round that the caller wants the site's limits of.
        final_root: The round's final root on chain, 32 bytes.
        final_partitions: The round's partition count on chain.

    Raises:
        SiteProofError: With the name of the first check that failed.
    """
    # 1. context.
    if (proof.chain_id, proof.contract, proof.round) != (
        str(context.chain_id),
        "0x" + context.contract.hex(),
        context.number,
    ):
        raise SiteProofError("context", "the proof is of another chain, contract or round")
    # 2. sites: well formed, and at most one for each application level.
    entries = _decode_sites(proof)
    # 3. pseudonyms: with the key, the NMI is more than a claim.
    _check_pseudonyms(proof, entries)
    # 4. site inclusion, with the size and root that the partition entry gives.
    partition = _check_sites_included(proof)
    # 5. partition count, 6. inclusion.
    if proof.partitions != final_partitions:
        raise SiteProofError(
            "partition-count", f"expected {final_partitions}, the proof has {proof.partitions}"
        )
    leaf = merkle.leaf_hash(bytes.fromhex(proof.partition_entry))
    _check_inclusion("inclusion", leaf, proof.index, final_partitions, proof.path, final_root)
    return VerifiedSite(context, proof.nmi, proof.disclosure is not None, entries, partition)


def _decode_sites(proof: SiteProof) -> tuple[SiteEntry, ...]:
    try:
        parse_site_id(proof.nmi)
        entries = tuple(decode_site(bytes.fromhex(site.entry)) for site in proof.sites)
    except EvidenceError as exc:
        raise SiteProofError("sites", str(exc)) from exc
    if len({entry.pseudonym for entry in entries}) != 1:
        raise SiteProofError("sites", "the entries are of different sites")
    if len({entry.header.level for entry in entries}) != len(entries):
        raise SiteProofError("sites", "two entries have one application level")
    if len({(e.header.horizon_start, e.header.interval_count) for e in entries}) != 1:
        raise SiteProofError("sites", "the entries have different horizons")
    return entries


def _check_pseudonyms(proof: SiteProof, entries: Sequence[SiteEntry]) -> None:
    if proof.disclosure is None:
        return
    key = bytes.fromhex(proof.disclosure.site_key)
    if entries[0].pseudonym != site_pseudonym(key, proof.nmi):
        raise SiteProofError("pseudonyms", "the NMI does not give the entries' pseudonym")


def _check_sites_included(proof: SiteProof) -> PartitionEntry:
    try:
        partition = decode_partition(bytes.fromhex(proof.partition_entry))
    except EvidenceError as exc:
        raise SiteProofError("site-inclusion", str(exc)) from exc
    for site in proof.sites:
        leaf = merkle.leaf_hash(bytes.fromhex(site.entry))
        _check_inclusion(
            "site-inclusion", leaf, site.index, partition.site_count, site.path, partition.root
        )
    return partition


def _check_inclusion(
    check: str, leaf: bytes, index: int, size: int, path: Sequence[str], root: bytes
) -> None:
    try:
        merkle.verify_inclusion(leaf, index, size, [bytes.fromhex(h) for h in path], root)
    except merkle.InclusionError as exc:
        raise SiteProofError(check, str(exc)) from exc


def _hexes(hashes: Sequence[bytes]) -> list[str]:
    return [value.hex() for value in hashes]
