"""``oepnode audit round``: who voted for what, counted again from the ballots.

Its JSON is what --round-state of other commands takes (`chain.read_state`).
"""

from __future__ import annotations

from typing import Any, Final

from oepnode.cli.audit.record import NumberArgument, Record, read_record, short_root, state_facts
from oepnode.cli.common import output
from oepnode.cli.common.chain import (
    ChainIdOption,
    ChainTarget,
    ContractOption,
    RpcOption,
    StartBlockOption,
    phase_name,
)
from oepnode.cli.common.output import JsonFlag, hexed
from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.rounds.ballot import Reason
from oepnode.domain.rounds.onchain import Equivocated, RoundCancelled, RoundFailed, RoundFinalised
from oepnode.domain.rounds.tally import Account, Standing
from oepnode.errors import EvidenceError

_DEEDS: Final = {
    Standing.MATCHED: "matched the final root",
    Standing.MISMATCHED: "voted for another root",
    Standing.VOTED: "voted; there is no final root",
    Standing.ABSTAINED: "abstained",
    Standing.SILENT: "was silent",
}


def round_(
    number: NumberArgument,
    rpc: RpcOption = None,
    contract: ContractOption = None,
    chain_id: ChainIdOption = None,
    start_block: StartBlockOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """Show who voted for what in one round, counted again from the ballots.

    Exits with 1 if the chain's own count is another than the ballots give.
    """
    record = read_record(number, ChainTarget(rpc, contract, chain_id, start_block))
    if as_json:
        output.print_json(_record_json(record))
    else:
        _print_record(record)
    if record.account.differences:
        raise EvidenceError(
            f"round {number}: the count differs from the chain's: "
            + "; ".join(record.account.differences)
        )


def _record_json(record: Record) -> dict[str, Any]:
    opened = record.opened
    return {
        "chain_id": record.context.chain_id,
        "contract": hexed(record.context.contract),
        **state_facts(record.state),
        "requester": hexed(opened.requester),
        "envelope_digest": opened.envelope_digest.hex(),
        "registry_digest": opened.registry_digest.hex(),
        "opened_in": hexed(opened.place.transaction),
        "members": [_account_json(record, account) for account in record.account.members],
        "revealed": [_tally_json(record, place) for place in range(len(record.account.tallies))],
        "end": _end_json(record),
        "equivocations": [_equivocation_json(record, shown) for shown in record.equivocations],
        "differences": list(record.account.differences),
    }


def _account_json(record: Record, account: Account) -> dict[str, Any]:
    member, place = account.member, account.place
    return {
        "index": member.index,
        "operator": hexed(member.operator),
        "signer": hexed(member.signer),
        "standing": account.standing.value,
        "reason": _reason(account),
        "root": hexed(account.results[0].root) if account.results else None,
        "transaction": hexed(place.transaction) if place else None,
        "block": place.block if place else None,
        "seconds_after_opening": _after(record, place.block) if place else None,
    }


def _tally_json(record: Record, place: int) -> dict[str, Any]:
    counted = record.account.tallies[place]
    event = record.account.revealed[place]
    return {
        "root": hexed(counted.result.root),
        "partitions": counted.result.partitions,
        "matched": [hexed(member.operator) for member in counted.matched],
        "has_quorum": counted.has_quorum,
        "is_final": counted.result == record.account.final,
        "transaction": hexed(event.place.transaction),
        "seconds_after_opening": _after(record, event.place.block),
    }


def _equivocation_json(record: Record, shown: Equivocated) -> dict[str, Any]:
    return {
        "operator": hexed(shown.operator),
        "ballots": [hexed(shown.ballot), hexed(shown.other_ballot)],
        "transaction": hexed(shown.place.transaction),
        "seconds_after_opening": _after(record, shown.place.block),
    }


def _end_json(record: Record) -> dict[str, Any] | None:
    event = _end(record)
    if event is None:
        return None
    return {
        "phase": phase_name(record.state.phase),
        "transaction": hexed(event.place.transaction),
        "seconds_after_opening": _after(record, event.place.block),
        "reason": event.reason if isinstance(event, RoundCancelled) else None,
    }


def _print_record(record: Record) -> None:
    state, opened = record.state, record.opened
    facts: dict[str, object] = {
        "round": state.number,
        "phase": phase_name(state.phase),
        "opened": f"{format_nem(state.opened_at)} by {hexed(opened.requester)}",
        "horizon": f"{state.interval_count} intervals from {format_nem(state.horizon_start)}",
        "electorate": f"epoch {state.epoch}, {state.member_count} members, quorum {state.quorum}",
        "envelope": opened.envelope_digest.hex(),
        "registry": opened.registry_digest.hex(),
        "rules": state.rules_version,
        "transaction": hexed(opened.place.transaction),
    }
    if state.root:
        facts["final root"] = f"{hexed(state.root)} over {state.partitions} partitions"
    end = _end(record)
    if end is not None:
        reason = f": {end.reason}" if isinstance(end, RoundCancelled) else ""
        facts["ended"] = (
            f"{phase_name(state.phase)} {_after(record, end.place.block)} s after opening, "
            f"transaction {hexed(end.place.transaction)}{reason}"
        )
    output.print_facts(facts)
    output.say("")
    output.print_table(
        ("operator", "did", "for root", "after s", "transaction"),
        (_account_row(record, account) for account in record.account.members),
    )
    for place, counted in enumerate(record.account.tallies):
        event = record.account.revealed[place]
        verdict = "final" if counted.result == record.account.final else "no quorum"
        output.say(
            f"revealed {hexed(counted.result.root)}: {len(counted.matched)} ballots, {verdict}, "
            f"{_after(record, event.place.block)} s after opening, "
            f"transaction {hexed(event.place.transaction)}"
        )
    for shown in record.equivocations:
        output.say(
            f"{hexed(shown.operator)} signed two different ballots, shown "
            f"{_after(record, shown.place.block)} s after opening, "
            f"transaction {hexed(shown.place.transaction)}",
            "bold red",
        )


def _account_row(record: Record, account: Account) -> tuple[object, ...]:
    did = _DEEDS[account.standing]
    reason = _reason(account)
    if account.standing is Standing.SILENT and not record.state.phase.is_over:
        did = "has not voted yet"
    return (
        hexed(account.member.operator),
        f"{did}: {reason}" if reason else did,
        _root_voted_for(account),
        _after(record, account.place.block) if account.place else "–",
        hexed(account.place.transaction) if account.place else "–",
    )


def _root_voted_for(account: Account) -> str:
    if account.results:
        return short_root(account.results[0].root)
    is_ballot = account.standing in (Standing.MISMATCHED, Standing.VOTED)
    return "not revealed" if is_ballot else "–"


def _reason(account: Account) -> str | None:
    if account.reason is None:
        return None
    try:
        return Reason(account.reason).label
    except ValueError:
        return f"reason {account.reason}"


def _end(record: Record) -> RoundFinalised | RoundFailed | RoundCancelled | None:
    for event in record.events:
        if isinstance(event, RoundFinalised | RoundFailed | RoundCancelled):
            return event
    return None


def _after(record: Record, block: int) -> int:
    return record.times[block] - record.state.opened_at
