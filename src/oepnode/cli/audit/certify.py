"""``oepnode audit certify`` and ``verify-certificate``: a root that needs no node to be believed.

Source: docs/spec/certificate.md, ``docs/auditors.md``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oepnode.cli.common import output
from oepnode.cli.common.certificate import (
    KnownChainOption,
    KnownContractOption,
    OperatorOption,
    OperatorsOption,
    QuorumOption,
    electorate_of,
)
from oepnode.cli.common.chain import (
    ChainIdOption,
    ConfirmationsOption,
    ContractOption,
    MaxAgeOption,
    NumberArgument,
    RpcOption,
    StartBlockOption,
)
from oepnode.cli.common.output import JsonFlag
from oepnode.client.certificates import CertificateReport, verify_certificate
from oepnode.client.certifying import certify_round
from oepnode.client.chain import ChainTarget


def certify(
    number: NumberArgument,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File for the certificate; default round-N.certificate.json."),
    ] = None,
    rpc: RpcOption = None,
    contract: ContractOption = None,
    chain_id: ChainIdOption = None,
    start_block: StartBlockOption = 0,
    confirmations: ConfirmationsOption = None,
    max_age: MaxAgeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Write a certificate of a final round: the signed ballots of its quorum.

    Whoever knows the operators, their signers and the quorum verifies it without a node. It is
    written only after it was verified in that way.
    """
    chain = ChainTarget(rpc, contract, chain_id, start_block, confirmations, max_age_s=max_age)
    written = certify_round(chain, number, out)
    output.print_notes(written.report.notes)
    if as_json:
        output.print_json(written)
        return
    output.say(f"{_sentence(written.report)}; certificate in {written.file}", "green")
    output.say("electorate and quorum by the chain; compare them with your own list:", "dim")
    for operator in written.operators:
        typer.echo(operator)  # on one line, whatever the width


def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File from 'audit certify'.")],
    operators: OperatorOption = None,
    operators_file: OperatorsOption = None,
    quorum: QuorumOption = None,
    number: Annotated[
        int | None, typer.Option("--round", min=1, help="Round that it must be of.")
    ] = None,
    contract: KnownContractOption = None,
    chain_id: KnownChainOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Verify a round's certificate, without a node and without a network."""
    electorate = electorate_of(operators, operators_file, quorum, contract, chain_id)
    report = verify_certificate(file, electorate, number)
    output.print_notes(report.notes)
    if as_json:
        output.print_json(report)
        return
    output.say(f"verified: {_sentence(report)}", "bold green")
    for operator in report.matched:
        typer.echo(operator)


def _sentence(report: CertificateReport) -> str:
    return (
        f"round {report.round}: {len(report.matched)} of {report.member_count} members signed for "
        f"{report.root} over {report.partitions} partitions, quorum {report.quorum} "
        f"({report.direct} in transactions of their own)"
    )
