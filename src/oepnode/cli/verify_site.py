"""``oepnode verify-site``: check one site's proof against the chain. Needs no key.

Source: ``docs/spec/bundle.md``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer

from oepnode.adapters.crypto import pymerkle_check
from oepnode.cli.common import chain, output
from oepnode.cli.common.chain import (
    ChainIdOption,
    ChainTarget,
    ContractOption,
    FinalRound,
    RoundSelector,
    RoundStateOption,
    RpcOption,
)
from oepnode.cli.common.output import FormatOption, JsonFlag, LimitsFile
from oepnode.domain.nem.nem_time import INTERVAL_S, format_nem
from oepnode.domain.rounds import merkle, site_proof
from oepnode.domain.rounds.site_proof import SiteProof, SiteProofError, VerifiedSite

_PYMERKLE: Final = {"pymerkle": "pymerkle, a library by other authors, accepts the paths as well"}


def verify_site(
    file: Annotated[Path, typer.Argument(metavar="PROOF", help="File from site-proof.")],
    rpc: RpcOption = None,
    contract: ContractOption = None,
    chain_id: ChainIdOption = None,
    round_state: RoundStateOption = None,
    format_: FormatOption = None,
    out: LimitsFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Check one site's proof against the chain, and say what it proves."""
    output.check_destination(format_, out, as_json=as_json)
    proof = site_proof.read(output.read_file(file, "site proof", site_proof.MAX_SIZE))
    final = RoundSelector(ChainTarget(rpc, contract, chain_id), round_state).final(proof.round)
    checks = _checks(proof)
    is_quiet = as_json or (format_ is not None and out is None)
    for text in final.notes:
        output.note(text)
    try:
        site = _verified(proof, final)
    except SiteProofError as exc:
        _print_failure(exc, checks, as_json=as_json)
        raise
    if as_json:
        output.print_json(_summary(site, final) | {"checks": list(checks)})
    else:
        output.print_checks(checks, err=is_quiet)
        output.say(_sentence(site), "bold green", err=is_quiet)
    if format_ is not None:
        _write_limits(site, format_, out)


def _verified(proof: SiteProof, final: FinalRound) -> VerifiedSite:
    """Check a proof with our verifier and with pymerkle.

    Raises:
        SiteProofError: With the name of the check that failed.
    """
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


def _checks(proof: SiteProof) -> dict[str, str]:
    return {
        name: text
        for name, text in (site_proof.CHECKS | _PYMERKLE).items()
        if name != "pseudonyms" or proof.disclosure is not None
    }


def _sentence(site: VerifiedSite) -> str:
    header = site.entries[0].header
    end = header.horizon_start + header.interval_count * INTERVAL_S
    place = (
        f"is in round {site.context.number} with these limits, from "
        f"{format_nem(header.horizon_start)} to {format_nem(end)}"
    )
    if site.is_nmi_proven:
        return f"verified: NMI {site.nmi} {place}"
    return f"verified: a site that its aggregator says is NMI {site.nmi} {place}"


def _summary(site: VerifiedSite, final: FinalRound) -> dict[str, Any]:
    header = site.entries[0].header
    return {
        "verified": True,
        **final.facts(),
        "nmi": site.nmi,
        "nmi_proven": site.is_nmi_proven,
        "levels": [output.LEVEL_NAMES[entry.header.level] for entry in site.entries],
        "timing": output.TIMING_NAMES[header.timing],
        "objective": header.objective,
        **chain.horizon_facts(header.horizon_start, header.interval_count),
        "notes": list(final.notes),
    }


def _print_failure(error: SiteProofError, checks: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        output.print_json({"verified": False, "failed": error.check, "message": str(error)})
    else:
        output.print_checks(checks, error.check)


def _write_limits(site: VerifiedSite, format_: output.Format, out: Path | None) -> None:
    levels = np.array([entry.header.level for entry in site.entries], dtype=np.uint8)
    limits = np.stack([entry.limits for entry in site.entries])
    start = site.entries[0].header.horizon_start
    frame = output.limits_frame([site.nmi] * len(site.entries), levels, limits, start)
    output.write_frame(frame, format_, out)
