"""``oepnode registry``: run the NMI registry, and publish snapshots to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oepnode.cli.common import output
from oepnode.cli.common.output import JsonFlag
from oepnode.cli.common.serving import Config, serve_application
from oepnode.client.operation.blinding import blind_snapshot
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
    tokens: Annotated[
        Path | None,
        typer.Option(help="Folder of the sealed token lists, made by 'registry blind'."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Store a snapshot and its salt where a registry serves them; it may be running."""
    output.print_report(publish_snapshot(snapshot, salt_file, data_dir, tokens), as_json)


@app.command()
def blind(
    snapshot: Annotated[Path, typer.Argument(help="Registry snapshot with NMIs, JSON.")],
    out: Annotated[
        Path,
        typer.Option(help="New folder for the blinded snapshot and the sealed token lists."),
    ],
    new_key: Annotated[
        Path | None,
        typer.Option(help="New file for a fresh blinding key: the snapshot begins a series."),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(help="File with the blinding key of the series that the snapshot continues."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Put tokens in the place of a snapshot's NMIs, so that workers see none (blind mode).

    Give the blinding key to the sender alone, and publish the blinded snapshot with 'registry
    publish --tokens OUT/tokens': the registry then serves each aggregator's token list, sealed.
    """
    blinded = blind_snapshot(snapshot, out, key=key, new_key=new_key)
    if as_json:
        output.print_json(blinded)
        return
    output.print_facts(
        {
            "digest": blinded.digest,
            "file": blinded.file,
            "NMIs": blinded.nmis,
            "blinding key": f"{blinded.key_file}, readable by you only",
        }
        | {f"tokens of {one.aggregator}": one.file for one in blinded.token_lists}
    )
