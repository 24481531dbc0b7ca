"""``oepnode relay``: run a relay, or bring signed ballots to the chain by hand.

Source: ``docs/services.md``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oepnode.cli.common import output
from oepnode.cli.common.chain import Contract, Key, Rpc
from oepnode.cli.common.output import JsonFlag
from oepnode.cli.common.serving import Config, serve_application
from oepnode.client.chain import ChainTarget
from oepnode.client.operation import relay as relaying
from oepnode.config import RelaySettings
from oepnode.errors import ConfigError

app = typer.Typer(
    help="Run a relay that brings workers' ballots to the chain; sign and cast ballots by hand.",
    no_args_is_help=True,
)

BallotFile = Annotated[
    Path, typer.Argument(help="Signed ballots, one per line, as 'relay sign' prints them.")
]


@app.command()
def serve(config: Config, as_json: JsonFlag = False) -> None:
    """Take ballots that workers signed, and cast them in batches, until stopped."""
    from oepnode.wiring import relay_parts

    serve_application(RelaySettings, relay_parts, config, as_json)


@app.command()
def sign(
    rpc: Rpc,
    contract: Contract,
    key_file: Key,
    number: Annotated[int, typer.Option("--round", min=1, help="The round.")],
    root: Annotated[str, typer.Option(help="Root to vote for, 64 hex digits.")] = "",
    partitions: Annotated[int, typer.Option(min=0, help="Leaves of the tree with that root.")] = 0,
    custody: Annotated[
        str, typer.Option(help="Custody root that the worker computed, 64 hex digits.")
    ] = "",
    abstain: Annotated[
        str, typer.Option(help="Abstain instead, for this reason, such as InputMismatch.")
    ] = "",
    confirmations: Annotated[
        int | None,
        typer.Option(
            "--confirmations",
            min=0,
            help="Blocks on top of the one that opened it; without it 12 (0 on chain 31337).",
        ),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record",
            help="File that records signed votes; default is the key file's name and .signed.",
        ),
    ] = None,
    _: Annotated[bool, typer.Option("--json", help="No effect: the output is JSON.")] = False,
) -> None:
    """Sign a worker's vote with its signer's key, for a relay to cast; prints one line of JSON.

    A ballot with --root, --partitions and --custody, or an abstention with --abstain. Sends
    nothing. Two different votes of one round are evidence against the worker: each vote is
    recorded, and a second one for the round is rejected.
    """
    chain = ChainTarget(rpc, contract, confirmations=confirmations)
    of_ballot = (root, partitions, custody)
    if abstain and not any(of_ballot):
        line = relaying.sign_abstention(chain, key_file, number, abstain, record)
    elif all(of_ballot) and not abstain:
        line = relaying.sign_ballot(chain, key_file, number, root, partitions, custody, record)
    else:
        raise ConfigError("give --root, --partitions and --custody, or --abstain alone")
    typer.echo(line)


@app.command()
def cast(
    file: BallotFile, rpc: Rpc, contract: Contract, key_file: Key, as_json: JsonFlag = False
) -> None:
    """Cast other workers' signed ballots of one round, in one transaction that this key pays.

    Ballots that the contract would reject are left out and reported, so that they spoil no others.
    """
    report = relaying.cast_ballots(ChainTarget(rpc, contract), key_file, file)
    if as_json:
        output.print_json(report)
    else:
        for left in report.left_out:
            output.say(f"ballot {left.ballot} left out: {left.why}", err=True)
    report.require_cast()
    if not as_json:
        output.say(
            f"round {report.round}: {len(report.cast)} ballots cast, "
            f"transaction {report.transaction}"
        )
        output.print_table(("operator",), [(operator,) for operator in report.cast])


@app.command("report-equivocation")
def report_equivocation(
    file: BallotFile, rpc: Rpc, contract: Contract, key_file: Key, as_json: JsonFlag = False
) -> None:
    """Put on record which workers signed two different votes for one round.

    Finds the pairs among the signed ballots of the file, and reports each worker once.
    """
    report = relaying.report_equivocations(ChainTarget(rpc, contract), key_file, file)
    if as_json:
        output.print_json(report)
    else:
        rows = [(worker.operator, worker.transaction) for worker in report.reported]
        output.print_table(("operator", "transaction"), rows)
