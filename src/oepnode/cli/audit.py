"""``oepnode audit``: read rounds and votes from the chain, and replay a round from its inputs.

Reads only. Everything printed here stands on chain already; no NMI is printed. Source: design
sections 1 and 2, ``docs/auditors.md``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer
from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from oepnode.adapters import archive
from oepnode.cli import chain, keypair, output
from oepnode.cli.chain import (
    ChainIdOption,
    ContractOption,
    RpcOption,
    StartBlockOption,
    Where,
    phase_name,
)
from oepnode.cli.output import JsonFlag, hexed
from oepnode.domain import replay as replaying
from oepnode.domain import tally
from oepnode.domain.ballot import Reason
from oepnode.domain.computation import Inputs
from oepnode.domain.facts import (
    BallotCast,
    Electorate,
    Equivocated,
    Event,
    Phase,
    Round,
    RoundCancelled,
    RoundFailed,
    RoundFinalised,
    RoundOpened,
)
from oepnode.domain.json_text import Progress as Told
from oepnode.domain.keys import RoundContext
from oepnode.domain.nem_time import format_nem
from oepnode.domain.power import Feed
from oepnode.domain.replay import Verdict
from oepnode.domain.tally import Account, RoundAccount, Standing
from oepnode.errors import ConfigError, EvidenceError
from oepnode.ports import ChainReader

app = typer.Typer(
    no_args_is_help=True,
    help="Read rounds, votes and disagreements from the chain; replay a round from its inputs.",
)

NumberArgument = Annotated[int, typer.Argument(metavar="N", min=1, help="Round number.")]

_DEEDS: Final = {
    Standing.MATCHED: "matched the final root",
    Standing.MISMATCHED: "voted for another root",
    Standing.VOTED: "voted; there is no final root",
    Standing.ABSTAINED: "abstained",
    Standing.SILENT: "was silent",
}
_ROOT_SHOWN: Final = 10


class Record(Struct, frozen=True):
    """All that the chain says of a round, and the count made from it."""

    context: RoundContext
    state: Round
    electorate: Electorate
    events: tuple[Event, ...]
    account: RoundAccount
    times: dict[int, int]

    @property
    def opened(self) -> RoundOpened:
        """The event that opened the round.

        Raises:
            EvidenceError: If the chain shows none.
        """
        for event in self.events:
            if isinstance(event, RoundOpened):
                return event
        raise EvidenceError(
            f"round {self.state.number}: no RoundOpened event found; is --start-block too late?"
        )

    @property
    def equivocations(self) -> list[Equivocated]:
        """Members shown to have signed two ballots, in chain order."""
        return [event for event in self.events if isinstance(event, Equivocated)]


# --- rounds --------------------------------------------------------------------------------------


@app.command()
def rounds(
    last: Annotated[int, typer.Option("--last", min=1, help="How many rounds at most.")] = 20,
    rpc: RpcOption = None,
    contract: ContractOption = None,
    chain_id: ChainIdOption = None,
    as_json: JsonFlag = False,
) -> None:
    """List the newest rounds, newest first."""
    states = asyncio.run(_rounds(last, Where(rpc, contract, chain_id)))
    if as_json:
        output.print_json([_state_json(state) for state in states])
        return
    output.print_table(
        ("round", "phase", "opened (NEM)", "horizon (NEM)", "voted", "matched", "quorum", "root"),
        (_state_row(state) for state in states),
    )


async def _rounds(last: int, where: Where) -> list[Round]:
    async with chain.open_reader(where) as reader:
        newest = await reader.round_count()
        found = [await reader.round(n) for n in range(newest, max(0, newest - last), -1)]
        return [state for state in found if state is not None]


def _state_row(state: Round) -> tuple[object, ...]:
    return (
        state.number,
        phase_name(state.phase),
        format_nem(state.opened_at),
        f"{format_nem(state.horizon_start)} × {state.interval_count}",
        f"{state.voted.bit_count()}/{state.member_count}",
        state.matched.bit_count() if state.root else "–",
        state.quorum,
        _short(state.root),
    )


def _state_json(state: Round) -> dict[str, Any]:
    return {
        "round": state.number,
        "phase": phase_name(state.phase),
        "epoch": state.epoch,
        "rules_version": state.rules_version,
        "quorum": state.quorum,
        "member_count": state.member_count,
        **chain.horizon_facts(state.horizon_start, state.interval_count),
        "opened_at": format_nem(state.opened_at),
        "vote_deadline": format_nem(state.vote_deadline),
        "reveal_deadline": format_nem(state.reveal_deadline),
        "voted_count": state.voted.bit_count(),
        "matched_count": state.matched.bit_count(),
        "root": hexed(state.root) if state.root else None,
        "partitions": state.partitions,
    }


# --- round ---------------------------------------------------------------------------------------


@app.command("round")
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
    record = asyncio.run(_record_of(number, Where(rpc, contract, chain_id, start_block)))
    if as_json:
        output.print_json(_record_json(record))
    else:
        _print_record(record)
    if record.account.differences:
        raise EvidenceError(
            f"round {number}: the count differs from the chain's: "
            + "; ".join(record.account.differences)
        )


async def _record_of(number: int, where: Where) -> Record:
    async with chain.open_reader(where) as reader:
        return await _read(reader, number)


async def _read(reader: ChainReader, number: int) -> Record:
    state, _ = await chain.find_round(reader, number)
    electorate = await reader.electorate(state.epoch)
    events = tuple(await reader.round_events(number))
    context = chain.context_of(reader, number)
    times = {block: await reader.block_time(block) for block in {e.place.block for e in events}}
    return Record(
        context, state, electorate, events, tally.account(context, electorate, events), times
    )


def _record_json(record: Record) -> dict[str, Any]:
    opened = record.opened
    return {
        "chain_id": record.context.chain_id,
        "contract": hexed(record.context.contract),
        **_state_json(record.state),
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
        return _short(account.results[0].root)
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


# --- replay --------------------------------------------------------------------------------------


@app.command()
def replay(
    number: NumberArgument,
    archive_file: Annotated[
        Path | None, typer.Option("--archive", help="Inputs that a worker sealed to your key.")
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Your key file, for --archive.")] = None,
    envelope: Annotated[
        Path | None, typer.Option("--envelope", help="Envelope document, if not from an archive.")
    ] = None,
    registry: Annotated[
        Path | None, typer.Option("--registry", help="Registry snapshot, if not from an archive.")
    ] = None,
    salt: Annotated[
        Path | None,
        typer.Option("--salt", help="The snapshot's salt as 64 hex digits, mode 0600."),
    ] = None,
    profile: Annotated[
        str, typer.Option("--profile", help="wide or edge; an archive has its own.")
    ] = "wide",
    import_sign: Annotated[
        str, typer.Option("--import-sign", help="canonical or magnitude; an archive has its own.")
    ] = "canonical",
    rpc: RpcOption = None,
    contract: ContractOption = None,
    chain_id: ChainIdOption = None,
    start_block: StartBlockOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """Compute a round again from its inputs, and say whether that gives the chain's root.

    Takes either --archive and --key, or --envelope, --registry and --salt.
    """
    files = (envelope, registry, salt)
    feed = _feed(profile, import_sign)
    if archive_file is not None and not any(files):
        pair = keypair.load(_named(key, "--archive needs --key, the auditor's key file"))
    elif archive_file is None and all(files):
        pair = None
    else:
        raise ConfigError("take either --archive and --key, or --envelope, --registry and --salt")
    record = asyncio.run(_record_of(number, Where(rpc, contract, chain_id, start_block)))
    if pair is not None and archive_file is not None:
        sealed = output.read_file(archive_file, "archive", archive.MAX_INPUTS + 4096)
        inputs = archive.open_inputs(pair.private_key, sealed, record.context)
    else:
        inputs = _inputs(files, feed)
    with _progress() as told:
        verdict = replaying.replay(inputs, record.context, record.opened, record.state, told)
    _say_verdict(record, verdict, as_json=as_json)


@app.command()
def keygen(
    out: Annotated[Path, typer.Option("--out", help="New file for the key; never overwritten.")],
    as_json: JsonFlag = False,
) -> None:
    """Make the key pair that workers seal a round's inputs to (their setting archive_key)."""
    pair = keypair.create(out)
    if as_json:
        output.print_json({"public_key": pair.public_key.hex(), "file": str(out)})
    else:
        output.say(pair.public_key.hex())


def _inputs(files: tuple[Path | None, Path | None, Path | None], feed: Feed) -> Inputs:
    envelope, registry, salt = files
    limit = archive.MAX_INPUTS
    return Inputs(
        output.read_file(_named(envelope, "--envelope"), "envelope document", limit),
        output.read_file(_named(registry, "--registry"), "registry snapshot", limit),
        _salt(_named(salt, "--salt")),
        feed,
    )


def _salt(path: Path) -> bytes:
    from oepnode.adapters import keyfile

    data = keyfile.read_secret(path, "salt")
    try:
        salt = bytes.fromhex(data.decode("ascii"))
    except ValueError:
        salt = b""
    if len(salt) != 32:
        raise ConfigError(f"{path}: a salt is 64 hex digits")
    return salt


def _feed(profile: str, import_sign: str) -> Feed:
    profiles: dict[str, Literal["wide", "edge"]] = {"wide": "wide", "edge": "edge"}
    signs: dict[str, Literal["canonical", "magnitude"]] = {
        "canonical": "canonical",
        "magnitude": "magnitude",
    }
    if profile not in profiles or import_sign not in signs:
        raise ConfigError("--profile is wide or edge, --import-sign canonical or magnitude")
    return Feed(profiles[profile], signs[import_sign])


def _named(path: Path | None, what: str) -> Path:
    if path is None:
        raise ConfigError(what)
    return path


def _say_verdict(record: Record, verdict: Verdict, *, as_json: bool) -> None:
    number, computed = record.state.number, verdict.computed.result
    ballots = [event for event in record.events if isinstance(event, BallotCast)]
    counted = tally.count(record.context, record.electorate, ballots, computed)
    if as_json:
        output.print_json(
            {
                "round": number,
                "phase": phase_name(record.state.phase),
                "equal": verdict.is_equal,
                "computed_root": hexed(computed.root),
                "computed_partitions": computed.partitions,
                "final_root": hexed(record.state.root) if record.state.root else None,
                "final_partitions": record.state.partitions,
                "matched": [hexed(member.operator) for member in counted.matched],
                "sites": {
                    "assigned": sum(
                        p.site_count for p in verdict.computed.partitions if p.aggregator_id
                    ),
                    "unassigned_nmis": verdict.computed.unassigned_nmis,
                },
            }
        )
    else:
        voters = f"{len(counted.matched)} of {record.state.member_count} members voted for it"
        output.say(f"these inputs give {hexed(computed.root)}; {voters}")
    if verdict.is_equal:
        if not as_json:
            output.say(f"round {number}: equal to the chain's final root", "bold green")
        return
    if record.state.phase is not Phase.FINAL:
        raise EvidenceError(
            f"round {number} has no final root on chain ({phase_name(record.state.phase)})"
        )
    raise EvidenceError(
        f"round {number}: expected the chain's {hexed(record.state.root)}, "
        f"these inputs give {hexed(computed.root)}"
    )


@contextmanager
def _progress() -> Iterator[Told]:
    """A progress bar on stderr, where that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        tasks: dict[str, Any] = {}

        def told(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done, total=total)

        yield told


def _short(root: bytes) -> str:
    return f"0x{root.hex()[:_ROOT_SHOWN]}…" if root else "–"
