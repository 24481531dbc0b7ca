"""``oepnode audit round``: the votes of a round, counted again from the ballots.

Its JSON is the input of --round-state of other commands.
"""

from __future__ import annotations

from typing import Annotated, Final

import typer

from oepnode.cli.common import output
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
from oepnode.client.audits import EndReport, MemberReport, RoundAudit, audit_round
from oepnode.client.chain import ChainTarget
from oepnode.client.grants import GrantSources

_STANDINGS: Final = {
    "matched": "matched the final root",
    "mismatched": "voted for another root",
    "voted": "voted; there is no final root",
    "abstained": "abstained",
    "silent": "was silent",
}

GrantsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--grants",
        help="Signed list of the workers that were granted the inputs: a file, or the URL of the "
        "sender's gateway or the registry. Give it once for each of the two.",
    ),
]
RegistrySignerOption = Annotated[
    str | None,
    typer.Option(
        "--registry-signer",
        envvar="OEPNODE_REGISTRY_SIGNER",
        help="Account that signs the registry's lists, as the network publishes it.",
    ),
]
SenderSignerOption = Annotated[
    str | None,
    typer.Option(
        "--sender-signer",
        envvar="OEPNODE_SENDER_SIGNER",
        help="Account that signs the sender's lists. Default is the one that opened the round.",
    ),
]


def round_(
    number: NumberArgument,
    rpc: RpcOption = None,
    contract: ContractOption = None,
    chain_id: ChainIdOption = None,
    start_block: StartBlockOption = 0,
    confirmations: ConfirmationsOption = None,
    max_age: MaxAgeOption = None,
    grants: GrantsOption = None,
    registry_signer: RegistrySignerOption = None,
    sender_signer: SenderSignerOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show the votes of one round, counted again from the ballots.

    Exits with 1 if the contract's record, its events and the count of the ballots differ, or, with
    --grants, if a member voted without having been granted the round's inputs.
    """
    chain = ChainTarget(rpc, contract, chain_id, start_block, confirmations, max_age_s=max_age)
    sources = GrantSources(tuple(grants), registry_signer, sender_signer) if grants else None
    audit = audit_round(chain, number, sources)
    output.print_notes(audit.notes)
    if as_json:
        output.print_json(audit)
    else:
        _print_audit(audit)
    audit.require_equal_count()
    audit.require_inputs_granted()


def _print_audit(audit: RoundAudit) -> None:
    facts: dict[str, object] = {
        "round": audit.round,
        "phase": audit.phase,
        "opened": f"{audit.opened_at} by {audit.requester}",
        "horizon": f"{audit.intervals} intervals from {audit.horizon_start}",
        "electorate": f"epoch {audit.epoch}, {audit.member_count} members, quorum {audit.quorum}",
        "envelope": audit.envelope_digest,
        "registry": audit.registry_digest,
        "rules": audit.rules_version,
        "transaction": audit.opened_in,
        "read at": f"block {audit.block} of {audit.block_time}",
    }
    if audit.root:
        facts["final root"] = f"{audit.root} over {audit.partitions} partitions"
    if audit.end is not None:
        facts["ended"] = _ended(audit.end)
    output.print_facts(facts)
    output.say("")
    inputs = ("inputs",) if audit.grants else ()
    output.print_table(
        ("operator", "did", *inputs, "for root", "after s", "transaction"),
        (_row(member, audit.end) for member in audit.members),
    )
    _print_revealed(audit)


def _print_revealed(audit: RoundAudit) -> None:
    for result in audit.revealed:
        output.say(
            f"revealed {result.root}: {len(result.matched)} ballots, "
            f"{'final' if result.is_final else 'no quorum'}, "
            f"{result.seconds_after_opening} s after opening, transaction {result.transaction}"
        )
    for pair in audit.equivocations:
        output.say(
            f"{pair.operator} signed two different ballots, shown {pair.seconds_after_opening} s "
            f"after opening, transaction {pair.transaction}",
            "bold red",
        )


def _ended(end: EndReport) -> str:
    reason = "" if end.reason is None else f": {end.reason}"
    return (
        f"{end.phase} {end.seconds_after_opening} s after opening, "
        f"transaction {end.transaction}{reason}"
    )


def _row(member: MemberReport, end: EndReport | None) -> tuple[object, ...]:
    has_time = member.standing == "silent" and end is None
    deed = "has not voted yet" if has_time else _STANDINGS[member.standing]
    return (
        member.operator,
        f"{deed}: {member.reason}" if member.reason else deed,
        *(() if member.inputs is None else (_inputs_of(member),)),
        _root_voted_for(member),
        "–" if member.seconds_after_opening is None else member.seconds_after_opening,
        member.transaction or "–",
    )


def _inputs_of(member: MemberReport) -> str:
    missing = f": {', '.join(member.missing_inputs)}" if member.missing_inputs else ""
    return f"{member.inputs}{missing}"


def _root_voted_for(member: MemberReport) -> str:
    if member.root is None and member.standing in {"mismatched", "voted"}:
        return "not revealed"
    return output.short_root(member.root)
