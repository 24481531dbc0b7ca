"""``oepnode registry``: run the NMI registry, and publish snapshots to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oepnode.cli.common import output
from oepnode.cli.common.output import JsonFlag
from oepnode.cli.common.serving import Config, serve_application
from oepnode.client.operation.publishing import publish_snapshot
from oepnode.config import RegistrySettings

app = typer.Typer(help="Run the NMI registry, and publish to it.", no_args_is_help=True)


@app.command()
def serve(config: Config, as_json: JsonFlag = False) -> None:
    """Give snapshots and salts to enrolled workers, until stopped."""
    from oepnode.wiring import registry_app

    serve_application(RegistrySettings, registry_app, config, as_json)


@app.command()
def publish(
    snapshot: Annotated[Path, typer.Argument(help="Registry snapshot, JSON.")],
    salt_file: Annotated[Path, typer.Option(help="File with the salt, 64 hex digits.")],
    data_dir: Annotated[Path, typer.Option(help="The registry's data folder.")],
    as_json: JsonFlag = False,
) -> None:
    """Store a snapshot and its salt where a registry serves them; it may be running."""
    output.print_report(publish_snapshot(snapshot, salt_file, data_dir), as_json)
