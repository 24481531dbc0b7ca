"""``oepnode registry``: run the NMI registry, and publish snapshots to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oepnode.cli import registry_aggregators, registry_snapshots
from oepnode.cli import registry_database as database
from oepnode.cli.common import output
from oepnode.cli.common.chain import ChainIdOption, ContractOption, RpcOption, StartBlockOption
from oepnode.cli.common.output import JsonFlag
from oepnode.cli.common.serving import Config, serve_application
from oepnode.cli.common.signing import SignatureOption, keygen, sign_snapshot
from oepnode.client.chain import ChainTarget
from oepnode.client.operation.blinding import blind_snapshot
from oepnode.client.operation.snapshots import (
    prepare_snapshot,
    publish_snapshot,
    registry_status,
)
from oepnode.config import RegistrySettings

app = typer.Typer(help="Run the NMI registry, and publish to it.", no_args_is_help=True)


@app.command()
def serve(config: Config, as_json: JsonFlag = False) -> None:
    """Give snapshots and salts to enrolled workers, until stopped."""
    from oepnode.wiring import registry_parts

    serve_application(RegistrySettings, registry_parts, config, as_json)


for command in (database.init, database.assign, database.unassign, database.history, keygen):
    app.command()(command)
app.command("import")(database.import_file)
app.add_typer(registry_aggregators.app, name="aggregator")
app.add_typer(registry_snapshots.app, name="snapshot")
app.command("sign")(sign_snapshot)


@app.command()
def prepare(
    snapshot: Annotated[Path, typer.Argument(help="Registry snapshot, JSON.")],
    out: Annotated[Path, typer.Option(help="File for the snapshot to sign and publish.")],
    salt_file: Annotated[
        Path, typer.Option(help="File with the salt; with --new-salt a new file for it.")
    ],
    new_salt: Annotated[bool, typer.Option("--new-salt", help="Make a fresh salt.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Write a snapshot with a fresh nonce, and on request a fresh salt, to be signed."""
    output.print_report(prepare_snapshot(snapshot, out, salt_file, new_salt=new_salt), as_json)


@app.command()
def publish(
    snapshot: Annotated[Path, typer.Argument(help="Registry snapshot, JSON.")],
    data_dir: Annotated[Path, typer.Option(help="The registry's data folder.")],
    salt_file: Annotated[
        Path | None, typer.Option(help="File with the salt, 64 hex digits.")
    ] = None,
    new_salt: Annotated[
        bool, typer.Option("--new-salt", help="Make a fresh salt, kept in the data folder alone.")
    ] = False,
    reuse_salt: Annotated[
        bool,
        typer.Option("--reuse-salt", help="Accept a salt that another snapshot has."),
    ] = False,
    signature: SignatureOption = None,
    snapshot_key: Annotated[
        str | None, typer.Option(help="Public key that the snapshot must be signed with.")
    ] = None,
    tokens: Annotated[
        Path | None,
        typer.Option(help="Folder of the sealed token lists, made by 'registry blind'."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Store a snapshot and its salt where a registry serves them; it may be running.

    A snapshot without a nonce gets one, unless it is signed or blinded.
    """
    published = publish_snapshot(
        snapshot,
        salt_file,
        data_dir,
        new_salt=new_salt,
        reuse_salt=reuse_salt,
        signature=signature,
        snapshot_key=snapshot_key,
        token_lists=tokens,
    )
    output.print_report(published, as_json)


@app.command()
def status(
    data_dir: Annotated[Path, typer.Option(help="The registry's data folder.")],
    rpc: RpcOption = None,
    contract: ContractOption = None,
    chain_id: ChainIdOption = None,
    start_block: StartBlockOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """Show the newest snapshot, and who knows its salt.

    Exits with 1 if a former worker knows a salt in use: it can link later rounds.
    """
    report = registry_status(ChainTarget(rpc, contract, chain_id, start_block), data_dir)
    output.print_report(report, as_json)
    report.require_fresh_salt()


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
