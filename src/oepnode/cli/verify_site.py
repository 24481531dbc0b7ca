"""``oepnode aggregator verify-site``: check one site's proof against the chain. Needs no key.

Source: ``docs/spec/bundle.md``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oepnode.cli.common import output
from oepnode.cli.common.certificate import (
    CertificateOption,
    OperatorOption,
    OperatorsOption,
    QuorumOption,
    certified,
)
from oepnode.cli.common.chain import (
    ChainIdOption,
    ContractOption,
    RoundStateOption,
    RpcOption,
)
from oepnode.cli.common.output import FormatOption, JsonFlag, LimitsFile
from oepnode.client.bundles import FailedCheck
from oepnode.client.chain import ChainTarget
from oepnode.client.proofs import SiteCheck, check_site_proof, site_limits
from oepnode.client.rounds import RoundSelector


def verify_site(
    file: Annotated[Path, typer.Argument(metavar="PROOF", help="File from site-proof.")],
    rpc: RpcOption = None,
    contract: ContractOption = None,
    chain_id: ChainIdOption = None,
    round_state: RoundStateOption = None,
    certificate: CertificateOption = None,
    operators: OperatorOption = None,
    operators_file: OperatorsOption = None,
    quorum: QuorumOption = None,
    format_: FormatOption = None,
    out: LimitsFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Check one site's proof against the chain, and print what it proves. Needs no key."""
    output.check_destination(format_, out, as_json=as_json)
    proof = certified(
        certificate, round_state, operators, operators_file, quorum, contract, chain_id
    )
    selector = RoundSelector(ChainTarget(rpc, contract, chain_id), round_state, None, proof)
    check = check_site_proof(file, selector)
    output.print_notes(check.final.notes)
    if as_json:
        output.print_json(check.report())
    else:
        _print_check(check, err=format_ is not None and out is None)
    site = check.verified
    if format_ is not None:
        output.write_frame(site_limits(site), format_, out)


def _print_check(check: SiteCheck, *, err: bool) -> None:
    report = check.report()
    if isinstance(report, FailedCheck):
        output.print_checks(check.checks, report.failed)
        return
    nmi = f"NMI {report.nmi}"
    claim = nmi if report.nmi_proven else f"a site that its aggregator says is {nmi}"
    output.print_checks(check.checks, err=err)
    output.say(
        f"verified: {claim} is in round {report.round} with these limits, from "
        f"{report.horizon_start} to {report.horizon_end}",
        "bold green",
        err=err,
    )
