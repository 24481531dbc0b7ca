"""``oepnode sender``: run the sender's gateway, and publish documents to one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import asdict

from oepnode.cli.common import output
from oepnode.cli.common.output import JsonFlag
from oepnode.cli.common.serving import Config, serve_application
from oepnode.cli.common.signing import SignatureOption, keygen, sign_envelope
from oepnode.client.operation.blinding import blind_document
from oepnode.client.operation.publishing import publish_document
from oepnode.config import SenderSettings

app = typer.Typer(help="Run the sender's gateway, and publish to one.", no_args_is_help=True)


@app.command()
def serve(config: Config, as_json: JsonFlag = False) -> None:
    """Take envelope documents, serve them by digest, and open rounds, until stopped."""
    from oepnode.wiring import sender_parts

    serve_application(SenderSettings, sender_parts, config, as_json)


app.command()(keygen)
app.command("sign")(sign_envelope)


@app.command()
def publish(
    document: Annotated[Path, typer.Argument(help="Envelope document, JSON or NDJSON.")],
    url: Annotated[str, typer.Option(help="The gateway.")],
    token_file: Annotated[Path, typer.Option(help="File with the bearer token.")],
    registry: Annotated[
        str, typer.Option(help="SHA-256 of a snapshot: open the round as well.")
    ] = "",
    signature: SignatureOption = None,
    timeout: Annotated[float, typer.Option(help="Seconds for one attempt.")] = 600,
    as_json: JsonFlag = False,
) -> None:
    """Publish a document; with --registry open its round. Publishing again is safe."""
    published = publish_document(document, url, token_file, registry, timeout, signature)
    output.print_notes(published.warnings)
    if as_json:
        output.print_json(published)
        return
    facts = asdict(published)
    del facts["warnings"]
    output.print_facts({name.replace("_", " "): value for name, value in facts.items()})


@app.command()
def blind(
    document: Annotated[Path, typer.Argument(help="Envelope document with NMIs, JSON or NDJSON.")],
    key: Annotated[Path, typer.Option(help="File with the blinding key, from 'registry blind'.")],
    out: Annotated[Path, typer.Option(help="File for the blinded document.")],
    as_json: JsonFlag = False,
) -> None:
    """Put tokens in the place of a document's NMIs, so that workers see none (blind mode).

    The document is streamed, and every other byte stays. A gateway with a blinding key does the
    same when a document is published.
    """
    output.print_report(blind_document(document, key, out), as_json)
