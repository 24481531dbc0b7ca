"""``oepnode audit rounds``: the newest rounds."""

from __future__ import annotations

from typing import Annotated

import typer

from oepnode.cli.common import output
from oepnode.cli.common.chain import (
    ChainIdOption,
    ConfirmationsOption,
    ContractOption,
    MaxAgeOption,
    RpcOption,
)
from oepnode.cli.common.output import JsonFlag
from oepnode.client.chain import ChainTarget
from oepnode.client.rounds import RoundReport, list_rounds


def rounds(
    last: Annotated[int, typer.Option("--last", min=1, help="Maximum number of rounds.")] = 20,
    rpc: RpcOption = None,
    contract: ContractOption = None,
    chain_id: ChainIdOption = None,
    confirmations: ConfirmationsOption = None,
    max_age: MaxAgeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """List the newest rounds, newest first."""
    chain = ChainTarget(rpc, contract, chain_id, confirmations=confirmations, max_age_s=max_age)
    reports = list_rounds(chain, last)
    if as_json:
        output.print_json(reports)
        return
    output.print_table(
        ("round", "phase", "opened (NEM)", "horizon (NEM)", "voted", "matched", "quorum", "root"),
        (_row(report) for report in reports),
    )


def _row(report: RoundReport) -> tuple[object, ...]:
    return (
        report.round,
        report.phase,
        report.opened_at,
        f"{report.horizon_start} × {report.intervals}",
        f"{report.voted_count}/{report.member_count}",
        report.matched_count if report.root else "–",
        report.quorum,
        output.short_root(report.root),
    )
