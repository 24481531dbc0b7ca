"""A round by the rules of ``docs/spec/rules-v1.md``, version 1, as plain as they can be written.

Each section of the rules page has a module in this package. Guarantees: independent of ``oepnode``,
from which nothing is imported; only the standard library, pymerkle (an RFC 9162 tree by other
authors) and the keccak of eth_utils. Leaves out speed.

Names of faults are those that the product prints. A document is rejected or accepted by the rules;
how many of its faults are listed is not part of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.reference.ballots import ballot_hash, result_hash
from tests.reference.custody import custody_root
from tests.reference.encoding import partition_entry, site_entry
from tests.reference.envelope import read_envelope
from tests.reference.json_reader import Rejected
from tests.reference.limits import Limits
from tests.reference.pseudonyms import (
    aggregator_key,
    aggregator_pseudonym,
    round_context,
    round_key,
    site_key,
    site_pseudonym,
)
from tests.reference.registry import read_registry
from tests.reference.trees import tree_root


@dataclass(frozen=True)
class Partition:
    """One aggregator's part of a round, or the unassigned part (empty id)."""

    aggregator_id: str
    key: bytes
    pseudonym: bytes
    nmis: tuple[str, ...]  # of each entry, in the order of the entries
    entries: tuple[bytes, ...]
    root: bytes
    entry: bytes


@dataclass(frozen=True)
class Round:
    """The result of a round, with every value on the way to it."""

    chain_id: int
    contract: bytes
    number: int
    key: bytes
    start: int
    count: int
    root: bytes
    result_hash: bytes
    partitions: tuple[Partition, ...] = field(default=())

    @property
    def partition_count(self) -> int:
        return len(self.partitions)

    def custody(self, operator: bytes) -> bytes:
        """The custody root that the operator's worker adds to its ballot (section 13)."""
        return custody_root(operator, (partition.entries for partition in self.partitions))

    def ballot(self, index: int) -> bytes:
        """The ballot that the member with this index casts for this result."""
        return ballot_hash(self.chain_id, self.contract, self.number, index, self.result_hash)


def compute_round(
    envelope: bytes,
    registry: bytes,
    salt: bytes,
    *,
    chain_id: int,
    contract: bytes,
    number: int,
    profile: str = "wide",
    import_sign: str = "canonical",
    document_parts: Mapping[bytes, bytes] | None = None,
) -> Round:
    """All of sections 2 to 11 for one round; raises ``Rejected``.

    The partitions are in the order of their entries, as the leaves of the round tree are.
    """
    document = read_envelope(envelope, profile, import_sign, document_parts)
    snapshot = read_registry(registry)
    if len(salt) != 32 or hashlib.sha256(salt).digest() != snapshot.salt_digest:
        raise Rejected([("$.saltDigest", "salt.digest")])
    kinds = {len(nmi) for nmi, _ in document.sites}
    if snapshot.assignments and kinds != {len(a.nmi) for a in snapshot.assignments}:
        raise Rejected([("$", "nmi.kind")])

    # Section 8: who holds which interval of which site.
    parts: dict[str, dict[tuple[str, int], dict[int, Limits]]] = {}
    for (nmi, level), rows in document.rows.items():
        for start, limits in rows.items():
            part = parts.setdefault(snapshot.holder(nmi, start), {})
            part.setdefault((nmi, level), {})[start] = limits

    k_round = round_key(salt, round_context(chain_id, contract, number))
    partitions = []
    for identity, part in parts.items():
        k_agg = aggregator_key(k_round, identity)
        sites = []
        for (nmi, level), rows in part.items():
            timing, objective = document.sites[nmi, level]
            entry = site_entry(
                site_pseudonym(site_key(k_agg, nmi), nmi),
                level=level,
                timing=timing,
                objective=objective,
                start=document.start,
                count=document.count,
                limits=rows,
            )
            sites.append((entry, nmi))
        sites.sort()
        entries = tuple(entry for entry, _ in sites)
        nmis = tuple(nmi for _, nmi in sites)
        pseudonym, root = aggregator_pseudonym(k_agg, identity), tree_root(entries)
        entry = partition_entry(pseudonym, root, len(entries))
        partitions.append(Partition(identity, k_agg, pseudonym, nmis, entries, root, entry))
    partitions.sort(key=lambda partition: partition.entry)

    root = tree_root([partition.entry for partition in partitions])
    return Round(
        chain_id,
        contract,
        number,
        k_round,
        document.start,
        document.count,
        root,
        result_hash(root, len(partitions)),
        tuple(partitions),
    )
