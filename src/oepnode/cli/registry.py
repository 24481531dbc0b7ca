"""``oepnode registry``: run the NMI registry, and publish snapshots to it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Final

import typer

from oepnode.cli.common.output import JsonFlag, print_facts, print_json, read_file
from oepnode.cli.worker import Config, announcer
from oepnode.config import RegistrySettings, load
from oepnode.errors import ConfigError

app = typer.Typer(help="Run the NMI registry, and publish to it.", no_args_is_help=True)

_MAX_SNAPSHOT_BYTES: Final = 4 * 2**30


@app.command()
def serve(config: Config, as_json: JsonFlag = False) -> None:
    """Give snapshots and salts to enrolled workers, until stopped."""
    from oepnode.adapters import logs

    logs.configure()
    asyncio.run(_serve(load(RegistrySettings, config), as_json))


async def _serve(settings: RegistrySettings, as_json: bool) -> None:
    from oepnode.services.common.serving import serve as serve_app
    from oepnode.wiring import registry_app

    await serve_app(await registry_app(settings), settings.http, announcer(as_json))


@app.command()
def publish(
    snapshot: Annotated[Path, typer.Argument(help="Registry snapshot, JSON.")],
    salt_file: Annotated[Path, typer.Option(help="File with the salt, 64 hex digits.")],
    data_dir: Annotated[Path, typer.Option(help="The registry's data folder.")],
    as_json: JsonFlag = False,
) -> None:
    """Store a snapshot and its salt where a registry serves them; it may be running."""
    from oepnode.adapters.clock import SystemClock
    from oepnode.services.registry.store import RegistryStore

    data = read_file(snapshot, "registry snapshot", _MAX_SNAPSHOT_BYTES)
    salt = _salt(salt_file)
    store = RegistryStore(data_dir)
    try:
        stored = store.publish(data, salt, SystemClock().now())
    finally:
        store.close()
    facts = {
        "digest": stored.digest.hex(),
        "as_of": stored.as_of,
        "salt_digest": stored.salt_digest.hex(),
        "size": stored.size,
    }
    if as_json:
        print_json(facts)
    else:
        print_facts(facts)


def _salt(path: Path) -> bytes:
    from oepnode.adapters.crypto.keyfile import read_secret

    text = read_secret(path, "snapshot salt").decode("ascii", errors="replace")
    try:
        return bytes.fromhex(text)
    except ValueError:
        # The foreign message may repeat a part of the salt, so it is dropped with its cause.
        raise ConfigError(f"{path}: a salt is 64 hex digits") from None
