"""The proof of one site: cut out of a bundle by its aggregator, verified by anyone.

Guarantees: a proof shows no other site; what verifies leads to the round's final root by this
package's verifier and by pymerkle. Source: ``docs/spec/bundle.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, BinaryIO, Final

import numpy as np

from oepnode.adapters.crypto import pymerkle_check
from oepnode.client.answers import PrivateStruct
from oepnode.client.bundle_files import open_bundle
from oepnode.client.bundles import (
    MAX_BYTES,
    FailedCheck,
    check_bundle,
    check_partition,
    failed_check,
    unseal_partition,
)
from oepnode.client.files import FileName, read_file, writing
from oepnode.client.keys import KeyPair, aggregator_key
from oepnode.client.limits import LEVEL_NAMES, TIMING_NAMES, limits_frame
from oepnode.client.rounds import FinalRound, RoundSelector, horizon_fields
from oepnode.client.tokens import TokenSource, site_name
from oepnode.domain.rounds import merkle, site_proof
from oepnode.domain.rounds.site_proof import SiteProof, SiteProofError, VerifiedSite

if TYPE_CHECKING:
    import polars as pl

_PYMERKLE: Final = {"pymerkle": "pymerkle, an independent library, accepts the paths as well"}


class CutProof(PrivateStruct, frozen=True):
    """The proof of one site, and the round that its bundle was verified against.

    Attributes:
        data: The proof as JSON.
        final: The round.
    """

    data: bytes
    final: FinalRound


class SiteReport(PrivateStruct, frozen=True):
    """Report of a site proof that verified: hex as ``0x…``, times in NEM time."""

    verified: bool
    round: int
    chain_id: int
    contract: str
    root: str
    nmi: str
    nmi_proven: bool
    levels: tuple[str, ...]
    timing: str
    objective: str
    horizon_start: str
    horizon_end: str
    intervals: int
    notes: tuple[str, ...]
    checks: tuple[str, ...]


@dataclass(frozen=True)
class SiteCheck:
    """Result of checking a site proof against its round. Its repr shows no NMI.

    Attributes:
        final: The round.
        checks: Names and meanings of the checks, in the order in which they are made.
        site: The site, or None where a check failed.
        failure: The check that failed, or None.
    """

    final: FinalRound
    checks: Mapping[str, str]
    site: VerifiedSite | None
    failure: SiteProofError | None

    @property
    def verified(self) -> VerifiedSite:
        """The site.

        Raises:
            SiteProofError: With the name of the check that failed.
        """
        if self.failure is not None or self.site is None:
            raise self.failure or AssertionError
        return self.site

    def report(self) -> SiteReport | FailedCheck:
        """The result without limits."""
        if self.failure is not None or self.site is None:
            return failed_check(self.final, self.failure)
        header = self.site.entries[0].header
        return SiteReport(
            verified=True,
            **self.final.fields(),
            nmi=self.site.nmi,
            nmi_proven=self.site.is_nmi_proven,
            levels=tuple(LEVEL_NAMES[entry.header.level] for entry in self.site.entries),
            timing=TIMING_NAMES[header.timing],
            objective=header.objective,
            **horizon_fields(header.horizon_start, header.interval_count),
            notes=self.final.notes,
            checks=tuple(self.checks),
        )


def cut_site_proof(
    nmi: str,
    file: FileName,
    key: FileName | KeyPair,
    selector: RoundSelector,
    *,
    disclose_key: bool = False,
    tokens: TokenSource | None = None,
    max_bytes: int = MAX_BYTES,
) -> CutProof:
    """Verify a bundle, and cut the proof of one of its sites out of it.

    Args:
        nmi: With or without its checksum; in a blind round the token, or the NMI with `tokens`.
        file: The bundle.
        key: The aggregator's key pair, or its file.
        selector: The round of the bundle.
        disclose_key: Put the site's key of this round into the proof, so that it also proves the
            NMI. The key reveals nothing about other sites or rounds.
        tokens: The token list of a blind round, as in `verify_bundle`. The proof names the token.
        max_bytes: Largest bundle that is read, in bytes.

    Raises:
        BundleError: If the bundle does not verify.
        EvidenceError: If the NMI is not in the bundle, or the token list not this aggregator's.
        ConfigError: If the NMI is malformed or not on the token list, or a file, the round or the
            chain is not usable.
    """
    canonical = site_name(nmi, None)
    check = check_bundle(file, key, selector, tokens=tokens, max_bytes=max_bytes)
    name = site_name(canonical, check.tokens)
    proof = site_proof.cut(check.verified, name, disclose_key=disclose_key)
    return CutProof(site_proof.write(proof), check.final)


class CutProofs(PrivateStruct, frozen=True):
    """The proofs of all sites of a bundle, in a file with one a line.

    Attributes:
        file: The file.
        proofs: Their number: one for each NMI of the bundle.
        final: The round that the bundle was verified against.
    """

    file: str
    proofs: int
    final: FinalRound


def cut_all_site_proofs(
    file: FileName,
    key: FileName | KeyPair,
    selector: RoundSelector,
    out: FileName,
    *,
    disclose_key: bool = False,
    max_bytes: int = MAX_BYTES,
) -> CutProofs:
    """Verify a bundle of any size, and write the proof of each of its sites to a file.

    The bundle is read twice: nothing is cut before it verifies, and the file appears once it
    verified again. Each line is a proof as `cut_site_proof` gives it. In a blind round they name
    tokens.

    Args:
        file: The bundle, a regular file.
        key: The aggregator's key pair, or its file.
        selector: The round of the bundle.
        out: The file to write, mode 0600.
        disclose_key: Put each site's key of this round into its proof.
        max_bytes: Largest bundle that is read, in bytes.

    Raises:
        BundleError: If the bundle does not verify.
        ConfigError: If a file, the round or the chain is not usable.
        EvidenceError: If the round has no final result.
    """
    check = check_partition(file, key, selector, max_bytes=max_bytes)
    verified = check.verified
    with writing(Path(out)) as lines:
        cutter = site_proof.ProofCutter(
            verified,
            lambda proof: _write_line(lines, proof),
            disclose_key=disclose_key,
        )
        with open_bundle(file, max_bytes) as sealed:
            unseal_partition(sealed.pieces, aggregator_key(key), check.final, cutter.add)
        cutter.finish()
    return CutProofs(str(out), cutter.count, check.final)


def _write_line(file: BinaryIO, proof: SiteProof) -> None:
    file.write(site_proof.write_line(proof))


def verify_site_proof(file: FileName, selector: RoundSelector) -> VerifiedSite:
    """Check the proof of one site against its round. Needs no key.

    Raises:
        SiteProofError: With the name of the check that failed.
        ConfigError: If the file, the round or the chain is not usable.
        EvidenceError: If the round has no final result.
    """
    return check_site_proof(file, selector).verified


def check_site_proof(file: FileName, selector: RoundSelector) -> SiteCheck:
    """As `verify_site_proof`, but a check that fails is part of the result, except the form's.

    Raises:
        SiteProofError: If the file is not a site proof.
        ConfigError: If the file, the round or the chain is not usable.
        EvidenceError: If the round has no final result.
    """
    proof = _read_proof(Path(file))
    final = selector.final(proof.round)
    checks = {
        name: meaning
        for name, meaning in (site_proof.CHECKS | _PYMERKLE).items()
        if name != "pseudonyms" or proof.disclosure is not None
    }
    try:
        return SiteCheck(final, MappingProxyType(checks), _verify(proof, final), None)
    except SiteProofError as exc:
        return SiteCheck(final, MappingProxyType(checks), None, exc)


def _read_proof(path: Path) -> SiteProof:
    try:
        return site_proof.read(read_file(path, "site proof", site_proof.MAX_SIZE))
    except SiteProofError as exc:
        raise SiteProofError(exc.check, f"{path}: {exc.reason}") from exc


def site_limits(site: VerifiedSite) -> pl.DataFrame:
    """A row for each level and interval with the site's limits; columns as `limits_frame`."""
    levels = np.array([entry.header.level for entry in site.entries], dtype=np.uint8)
    limits = np.stack([entry.limits for entry in site.entries])
    start = site.entries[0].header.horizon_start
    return limits_frame([site.nmi] * len(site.entries), levels, limits, start)


def _verify(proof: SiteProof, final: FinalRound) -> VerifiedSite:
    site = site_proof.verify_site(proof, final.context, final.root, final.partitions)
    entry = bytes.fromhex(proof.partition_entry)
    try:
        for part in proof.sites:
            pymerkle_check.verify_inclusion(
                merkle.leaf_hash(bytes.fromhex(part.entry)),
                part.index,
                site.partition.site_count,
                [bytes.fromhex(value) for value in part.path],
                site.partition.root,
            )
        path = [bytes.fromhex(value) for value in proof.path]
        pymerkle_check.verify_inclusion(
            merkle.leaf_hash(entry), proof.index, final.partitions, path, final.root
        )
    except merkle.InclusionError as exc:
        raise SiteProofError("pymerkle", str(exc)) from exc
    return site
