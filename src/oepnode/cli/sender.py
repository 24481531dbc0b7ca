"""``oepnode sender``: run the sender's gateway, and publish documents to one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import asdict

from oepnode.cli.common.output import JsonFlag, note, print_facts, print_json
from oepnode.cli.worker import Config, announcer
from oepnode.config import SenderSettings, load
from oepnode.errors import ConfigError

if TYPE_CHECKING:
    from oepnode.adapters.http.sender import Published

app = typer.Typer(help="Run the sender's gateway, and publish to one.", no_args_is_help=True)


@app.command()
def serve(config: Config, as_json: JsonFlag = False) -> None:
    """Take envelope documents, serve them by digest, and open rounds, until stopped."""
    from oepnode.adapters import logs

    logs.configure()
    asyncio.run(_serve(load(SenderSettings, config), as_json))


async def _serve(settings: SenderSettings, as_json: bool) -> None:
    from oepnode.services.common.serving import serve as serve_app
    from oepnode.wiring import sender_app

    await serve_app(await sender_app(settings), settings.http, announcer(as_json))


@app.command()
def publish(
    document: Annotated[Path, typer.Argument(help="Envelope document, JSON or NDJSON.")],
    url: Annotated[str, typer.Option(help="The gateway.")],
    token_file: Annotated[Path, typer.Option(help="File with the bearer token.")],
    registry: Annotated[
        str, typer.Option(help="SHA-256 of a snapshot: open the round as well.")
    ] = "",
    timeout: Annotated[float, typer.Option(help="Seconds for one attempt.")] = 600,
    as_json: JsonFlag = False,
) -> None:
    """Publish a document; with --registry open its round. Publishing again is safe."""
    digest = _digest(registry) if registry else None
    published = asyncio.run(_publish(document, url, token_file, digest, timeout))
    for warning in published.warnings:
        note(warning)
    facts = asdict(published)
    if as_json:
        print_json(facts)
    else:
        print_facts({name: value for name, value in facts.items() if name != "warnings"})


async def _publish(
    document: Path, url: str, token_file: Path, registry: bytes | None, timeout_s: float
) -> Published:
    from oepnode.adapters.crypto.keyfile import read_secret
    from oepnode.adapters.http.sender import HttpPublisher

    token = read_secret(token_file, "bearer token").decode("utf-8", errors="replace")
    publisher = HttpPublisher(url, timeout_s=timeout_s)
    try:
        return await publisher.publish(document, token, registry)
    finally:
        await publisher.close()


def _digest(text: str) -> bytes:
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise ConfigError("--registry is a SHA-256 of 64 hex digits")
    return digest
