"""``oepnode relay serve``; ``oepnode contract sign-ballot``, ``relay``, ``report-equivocation``.

A worker without gas signs its ballot, and anyone brings it to the chain, many in one transaction:
a service, or somebody by hand. A blind ballot gives a relay nothing to copy; a worker whose relay
is silent casts directly. Source: ``domain.relay``, where the format of a file of signed ballots
stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oepnode.cli.common import transactions
from oepnode.cli.common.output import JsonFlag, hexed, print_json, print_table, read_file, say
from oepnode.cli.common.transactions import Contract, Key, Rpc
from oepnode.cli.worker import Config, announcer
from oepnode.config import RelaySettings, load
from oepnode.domain.rounds import signed_ballots as relaying
from oepnode.domain.rounds.ballot import Result, ballot_for
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Phase, RoundOpened
from oepnode.domain.rounds.signed_ballots import BallotBatch, Equivocation, Relayed
from oepnode.errors import ConfigError, ConflictError, EvidenceError

if TYPE_CHECKING:
    from oepnode.adapters.chain.contract import EvmReader
    from oepnode.domain.rounds.onchain import Electorate, Member, Round

_MAX_FILE = 1 << 20

BallotFile = Annotated[
    Path, typer.Argument(help="Signed ballots, one a line, as sign-ballot prints them.")
]


app = typer.Typer(help="Run a relay that brings workers' ballots to the chain.")


@app.callback()
def _group() -> None:
    """A group, also while it has one command."""


@app.command()
def serve(config: Config, as_json: JsonFlag = False) -> None:
    """Take ballots that workers signed, and cast them in batches, until stopped."""
    from oepnode.adapters import logs

    logs.configure()
    asyncio.run(_serve(load(RelaySettings, config), as_json))


async def _serve(settings: RelaySettings, as_json: bool) -> None:
    from oepnode.services.common.serving import serve as serve_app
    from oepnode.wiring import relay_app

    await serve_app(await relay_app(settings), settings.http, announcer(as_json))


def sign_ballot(
    rpc: Rpc,
    contract: Contract,
    key_file: Key,
    number: Annotated[int, typer.Option("--round", min=1, help="The round.")],
    root: Annotated[str, typer.Option(help="Root to vote for, 64 hex digits.")],
    partitions: Annotated[int, typer.Option(min=1, help="Leaves of the tree with that root.")],
    confirmations: Annotated[
        int,
        typer.Option("--confirmations", min=0, help="Blocks on top of the one that opened it."),
    ] = 0,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record",
            help="File in which signed ballots are kept; default is the key file's name and "
            ".signed.",
        ),
    ] = None,
    _: Annotated[bool, typer.Option("--json", help="Changes nothing: it is JSON anyway.")] = False,
) -> None:
    """Sign a worker's ballot with its signer's key, for a relay to cast; prints one line of JSON.

    Sends nothing. Two different ballots of one round are evidence against the worker: what was
    signed is kept, and a second one is rejected.
    """
    from oepnode.adapters.crypto.ballot_signature import sign_ballot as sign
    from oepnode.adapters.crypto.keyfile import load_account
    from oepnode.adapters.storage.equivocation_guard import EquivocationGuard

    account = load_account(key_file)
    signer = bytes.fromhex(account.address[2:])
    result = Result(_root(root), partitions)
    kept = EquivocationGuard(record or key_file.with_name(key_file.name + ".signed"))

    async def go() -> tuple[RoundContext, bytes]:
        async with transactions.reading(rpc, contract, confirmations=confirmations) as chain:
            member = await _waiting_member(chain, number, signer)
            context = RoundContext(chain.chain_id, chain.contract, number)
            return context, ballot_for(context, member.operator, result)

    context, ballot = asyncio.run(go())
    kept.keep(context, ballot)
    typer.echo(relaying.encode(Relayed(context, sign(account, context, ballot))).decode())


def relay(
    file: BallotFile,
    rpc: Rpc,
    contract: Contract,
    key_file: Key,
    as_json: JsonFlag = False,
) -> None:
    """Cast other workers' signed ballots of one round, in one transaction that this key pays.

    Ballots that the contract would reject are left out and told, so that they spoil no others.
    """
    offered = _offered(file)
    number = _one_round(offered)

    async def go() -> tuple[BallotBatch, bytes | None]:
        from oepnode.adapters.crypto.ballot_signature import recover_signer

        async with transactions.writing(rpc, contract, key_file) as chain:
            state, electorate = await _round(chain, number)
            context = RoundContext(chain.chain_id, chain.contract, number)
            batch = relaying.batch_of(context, electorate, state.voted, offered, recover_signer)
            if not batch.chosen:
                return batch, None
            packed = relaying.pack(signed for _, signed in batch.chosen)
            return batch, await chain.cast_ballots(number, packed)

    batch, transaction = asyncio.run(go())
    _print_batch(number, batch, transaction, as_json)
    if transaction is None:
        raise ConflictError(f"round {number}: none of these ballots can be cast")


def report_equivocation(
    file: BallotFile,
    rpc: Rpc,
    contract: Contract,
    key_file: Key,
    as_json: JsonFlag = False,
) -> None:
    """Put on record which workers signed two different ballots for one round.

    Finds the pairs among the signed ballots of the file, and reports each worker once.
    """
    offered = _offered(file)
    number = _one_round(offered)

    async def go() -> list[tuple[Equivocation, bytes]]:
        from oepnode.adapters.crypto.ballot_signature import recover_signer

        async with transactions.writing(rpc, contract, key_file) as chain:
            _, electorate = await _round(chain, number)
            context = RoundContext(chain.chain_id, chain.contract, number)
            found = relaying.equivocations_in(context, electorate, offered, recover_signer)
            known = await chain.equivocators(number)
            return [
                (
                    one,
                    await chain.transact("reportEquivocation", number, relaying.pack(one.ballots)),
                )
                for one in found
                if not known >> one.member.index & 1
            ]

    reported = asyncio.run(go())
    if not reported:
        raise EvidenceError(f"round {number}: no worker is shown here that is not on record")
    rows = [(hexed(one.member.operator), hexed(transaction)) for one, transaction in reported]
    if as_json:
        named = [dict(zip(("operator", "transaction"), row, strict=True)) for row in rows]
        print_json({"round": number, "reported": named})
    else:
        print_table(("operator", "transaction"), rows)


# -- parts ---------------------------------------------------------------------------------


def _offered(file: Path) -> list[Relayed]:
    offered = relaying.decode_lines(read_file(file, "file of signed ballots", _MAX_FILE))
    if not offered:
        raise EvidenceError(f"{file}: holds no signed ballot")
    return offered


def _one_round(offered: Sequence[Relayed]) -> int:
    numbers = {relayed.context.number for relayed in offered}
    if len(numbers) > 1:
        listed = ", ".join(map(str, sorted(numbers)))
        raise ConfigError(f"the file holds ballots of rounds {listed}; bring each round by itself")
    return numbers.pop()


async def _waiting_member(chain: EvmReader, number: int, signer: bytes) -> Member:
    """The member whose signer this is in a round, which it may still vote in.

    Raises:
        ConfigError: For a round that is not there.
        ConflictError: If it is not a member, has voted, voting is over, or the round's opening is
            not deep enough.
    """
    round_, electorate = await _round(chain, number)
    member = next((m for m in electorate.members if m.signer == signer), None)
    if member is None:
        raise ConflictError(
            f"0x{signer.hex()} is no signer of epoch {electorate.epoch}, round {number}'s"
        )
    if round_.phase is not Phase.VOTING:
        raise ConflictError(f"round {number} takes no votes: it is {round_.phase.name.lower()}")
    if round_.voted >> member.index & 1:
        raise ConflictError(f"round {number}: this member has voted or abstained")
    # By the event and not by its time: blocks of one second may be many.
    events = await chain.round_events(number)
    if not any(isinstance(event, RoundOpened) for event in events):
        raise ConflictError(
            f"round {number} was opened in the last blocks: the chain may still replace it; "
            "sign it later"
        )
    return member


async def _round(chain: EvmReader, number: int) -> tuple[Round, Electorate]:
    state = await chain.round(number)
    if state is None:
        raise ConfigError(f"there is no round {number}")
    return state, await chain.electorate(state.epoch)


def _print_batch(number: int, batch: BallotBatch, transaction: bytes | None, as_json: bool) -> None:
    cast = [hexed(member.operator) for member, _ in batch.chosen]
    if as_json:
        left_out: list[dict[str, Any]] = [
            {"ballot": left.place + 1, "why": left.why} for left in batch.left_out
        ]
        sent = hexed(transaction) if transaction else None
        print_json({"round": number, "cast": cast, "left_out": left_out, "transaction": sent})
        return
    for left in batch.left_out:
        say(f"ballot {left.place + 1} left out: {left.why}", err=True)
    if transaction:
        say(f"round {number}: {len(cast)} ballots cast, transaction {hexed(transaction)}")
        print_table(("operator",), [(operator,) for operator in cast])


def _root(text: str) -> bytes:
    digits = text.removeprefix("0x")
    if len(digits) != 64 or not set(digits) <= set("0123456789abcdefABCDEF"):
        raise ConfigError("--root is 64 hex digits")
    return bytes.fromhex(digits)
