"""``oepnode``: all commands, assembled."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Annotated, Final

import typer

from oepnode import __version__
from oepnode.cli import aggregator, audit
from oepnode.cli.exits import Commands
from oepnode.cli.verify_site import verify_site

_GROUPS: Final = ("contract", "worker", "sender", "registry")
_COMMANDS: Final = ("demo", "sample")

app = typer.Typer(
    cls=Commands,
    name="oepnode",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Independent workers that split operating envelopes by aggregator and agree on the result "
    "on chain. Exit codes: 0 fine or verified, 1 the evidence says no, 2 wrong usage or "
    "configuration, 3 the outside did not answer, 4 a fault of the program.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"oepnode {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Options that stand before a command."""


for _name in _COMMANDS:
    if find_spec(f"oepnode.cli.{_name}"):
        app.command(_name)(getattr(import_module(f"oepnode.cli.{_name}"), _name))
for _name in _GROUPS:
    if find_spec(f"oepnode.cli.{_name}"):
        app.add_typer(import_module(f"oepnode.cli.{_name}").app, name=_name)
app.add_typer(aggregator.app, name="aggregator")
app.add_typer(audit.app, name="audit")
app.command("verify-site")(verify_site)


def main() -> None:
    """Run the command line with the arguments of this process."""
    app(prog_name="oepnode")
