"""``oepnode registry aggregator``: aggregators of the registry's database."""

from __future__ import annotations

from typing import Annotated

import typer

from oepnode.cli.common import output
from oepnode.cli.common.database import (
    AuthorOption,
    DatabaseOption,
    PasswordOption,
    SettingsOption,
)
from oepnode.cli.common.output import JsonFlag
from oepnode.client.operation.registry import aggregators
from oepnode.client.operation.registry.database import DatabaseTarget

app = typer.Typer(help="Aggregators of the registry's database.", no_args_is_help=True)


@app.command("add")
def add_aggregator(
    identity: Annotated[str, typer.Argument(metavar="ID", help="Its id.")],
    name: Annotated[str, typer.Option(help="Display name.")],
    public_key: Annotated[str, typer.Option(help="Key to seal its bundles to, in hex.")],
    address: Annotated[str | None, typer.Option(help="Its address on chain.")] = None,
    by: AuthorOption = None,
    database: DatabaseOption = None,
    password_file: PasswordOption = None,
    config: SettingsOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Add an aggregator, or give one another name, key or address."""
    target = DatabaseTarget(database, password_file, config)
    done = aggregators.put_aggregator(target, identity, name, public_key, address, by)
    output.print_report(done, as_json)


@app.command("list")
def list_aggregators(
    database: DatabaseOption = None,
    password_file: PasswordOption = None,
    config: SettingsOption = None,
    as_json: JsonFlag = False,
) -> None:
    """List the aggregators of new snapshots."""
    listed = aggregators.list_aggregators(DatabaseTarget(database, password_file, config))
    if as_json:
        output.print_json(listed)
        return
    columns = ("id", "name", "address", "public key")
    output.print_table(
        columns,
        [(one.id, one.name, one.address or "–", f"{one.public_key[:16]}…") for one in listed],
    )


@app.command("remove")
def remove_aggregator(
    identity: Annotated[str, typer.Argument(metavar="ID", help="Its id.")],
    by: AuthorOption = None,
    database: DatabaseOption = None,
    password_file: PasswordOption = None,
    config: SettingsOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Leave an aggregator without assignments out of new snapshots."""
    target = DatabaseTarget(database, password_file, config)
    output.print_report(aggregators.remove_aggregator(target, identity, by), as_json)
