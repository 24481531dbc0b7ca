"""``oepnode audit round``: the votes of a round, counted again from the ballots.

Its JSON is the input of --round-state of other commands.
"""

from __future__ import annotations

from typing import Final

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

_STANDINGS: Final = {
    "matched": "matched the final root",
    "mismatched": "voted for another root",
    "voted": "voted; there is no final root",
    "abstained": "abstained",
    "silent": "was silent",
}


def round_(
    number: NumberArgument,
    rpc: RpcOption = None,
    contract: ContractOption = None,
    chain_id: ChainIdOption = None,
    start_block: StartBlockOption = 0,
    confirmations: ConfirmationsOption = None,
    max_age: MaxAgeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show the votes of one round, counted again from the ballots.

    Exits with 1 if the contract's record, its events and the count of the ballots differ.
    """
    chain = ChainTarget(rpc, contract, chain_id, start_block, confirmations, max_age_s=max_age)
    audit = audit_round(chain, number)
    output.print_notes(audit.notes)
    if as_json:
        output.print_json(audit)
    else:
        _print_audit(audit)
    audit.require_equal_count()


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
    output.print_table(
        ("operator", "did", "for root", "after s", "transaction"),
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
        _root_voted_for(member),
        "–" if member.seconds_after_opening is None else member.seconds_after_opening,
        member.transaction or "–",
    )


def _root_voted_for(member: MemberReport) -> str:
    if member.root is None and member.standing in {"mismatched", "voted"}:
        return "not revealed"
    return output.short_root(member.root)
