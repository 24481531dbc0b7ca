"""``oepnode registry snapshot``: snapshots of the registry's database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oepnode.cli.common import output
from oepnode.cli.common.database import DatabaseOption, PasswordOption, SettingsOption
from oepnode.cli.common.output import JsonFlag
from oepnode.client.operation.registry.database import DatabaseTarget
from oepnode.client.operation.registry.snapshots import publish_from_database, write_from_database

app = typer.Typer(help="Snapshots of the registry's database.", no_args_is_help=True)


@app.command("publish")
def publish_snapshot(
    data_dir: Annotated[
        Path | None, typer.Option(help="The registry's data folder; default as in --config.")
    ] = None,
    new_salt: Annotated[
        bool, typer.Option("--new-salt", help="Publish even if nothing has changed.")
    ] = False,
    database: DatabaseOption = None,
    password_file: PasswordOption = None,
    config: SettingsOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Publish a snapshot of the database, with a fresh salt; it may be running."""
    target = DatabaseTarget(database, password_file, config)
    output.print_report(publish_from_database(target, data_dir, new_salt=new_salt), as_json)


@app.command("write")
def write_snapshot(
    out: Annotated[Path, typer.Option(help="File for the snapshot.")],
    salt_file: Annotated[Path, typer.Option(help="New file for its fresh salt.")],
    database: DatabaseOption = None,
    password_file: PasswordOption = None,
    config: SettingsOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Write a snapshot of the database to a file, to be blinded, or signed and published."""
    target = DatabaseTarget(database, password_file, config)
    output.print_report(write_from_database(target, out, salt_file), as_json)
