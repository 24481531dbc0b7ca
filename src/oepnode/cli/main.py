"""``oepnode``: all commands, assembled."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from oepnode import __version__
from oepnode.cli import (
    aggregator,
    audit,
    boffer,
    contract,
    dispatch,
    envelope,
    forecast,
    registry,
    relay,
    sender,
    telemetry,
    worker,
)
from oepnode.cli.common.exits import Commands
from oepnode.cli.convert import convert
from oepnode.cli.demo import demo
from oepnode.cli.sample import sample

app = typer.Typer(
    cls=Commands,
    name="oepnode",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Independent workers that split operating envelopes by aggregator and agree on the result "
    "on chain. Exit codes: 0 fine or verified, 1 verification failed, 2 wrong usage or "
    "configuration, 3 an external service did not respond, 4 internal error.",
)


def _show_version(is_given: bool) -> None:
    if is_given:
        typer.echo(f"oepnode {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Options given before a command."""


app.command()(demo)
app.command()(sample)
app.command()(convert)
app.add_typer(contract.app, name="contract")
app.add_typer(worker.app, name="worker")
app.add_typer(sender.app, name="sender")
app.add_typer(registry.app, name="registry")
app.add_typer(relay.app, name="relay")
app.add_typer(aggregator.app, name="aggregator")
app.add_typer(audit.app, name="audit")
app.add_typer(boffer.app, name="boffer")
app.add_typer(envelope.app, name="envelope")
app.add_typer(telemetry.app, name="telemetry")
app.add_typer(forecast.app, name="forecast")
app.add_typer(dispatch.app, name="dispatch")


def main() -> None:
    """Run the command line with the arguments of this process."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show ✓ shows ? instead
    app(prog_name="oepnode")
