"""``oepnode sender``: run the sender's gateway, and publish documents to one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct
from msgspec.structs import asdict

from oepnode.cli.common import acknowledgements, output
from oepnode.cli.common import edge_options as options
from oepnode.cli.common.exits import EVIDENCE
from oepnode.cli.common.output import JsonFlag
from oepnode.cli.common.serving import Config, serve_application
from oepnode.cli.common.signing import SignatureOption, keygen, sign_envelope
from oepnode.client import DocumentFacts
from oepnode.client.operation.blinding import blind_document
from oepnode.client.operation.checking import (
    DocumentCheck,
    check_envelope,
    load_gateway_settings,
    policy_of,
)
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
def check(
    document: Annotated[Path, typer.Argument(help="Envelope document, in any form.")],
    previous: Annotated[
        Path | None, typer.Option(help="The document before it, to compare with.")
    ] = None,
    registry: Annotated[
        Path | None, typer.Option(help="Registry snapshot, or a list of NMIs, one a line.")
    ] = None,
    opening: Annotated[
        str | None, typer.Option(help="When the round is opened, as 2026-11-20T10:00:00+10:00.")
    ] = None,
    reject: Annotated[
        list[str] | None,
        typer.Option(help="Check that rejects instead of warning, such as hole; repeatable."),
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(help="Check that is left out; repeatable.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="The gateway's settings (TOML): its feed and its checks.")
    ] = None,
    max_kw: Annotated[
        int | None, typer.Option(min=0, help="Largest active limit of a site that is not odd, kW.")
    ] = None,
    profile: options.ProfileOption = "wide",
    import_sign: options.ImportSignOption = "canonical",
    as_json: JsonFlag = False,
) -> None:
    """Check a document as a gateway does, without publishing it: rules, oddities, what changes.

    Both acknowledgements are printed with what the document supersedes, lacks and changes. Exit
    code 1 if it would be rejected.
    """
    gateway = None if config is None else load_gateway_settings(config)
    base = None if gateway is None else gateway.policy
    checked = check_envelope(
        document,
        feed=options.feed_of(profile, import_sign) if gateway is None else gateway.feed,
        policy=policy_of(reject or (), ignore or (), base, max_kw=max_kw),
        previous=previous,
        registry=registry or (None if gateway is None else gateway.registry),
        opening=opening,
    )
    if as_json:
        output.print_json(checked)
    else:
        _print_check(checked)
    if not checked.accepted:
        raise typer.Exit(EVIDENCE)


def _print_check(checked: DocumentCheck) -> None:
    facts: dict[str, object] = {"digest": checked.digest, "size bytes": checked.size_bytes}
    if checked.facts is not None:
        facts |= _all_facts(checked.facts)
    output.print_facts(facts)
    acknowledgements.print_answers(checked.system, checked.transaction)


def _all_facts(facts: DocumentFacts) -> dict[str, object]:
    shown = _facts(facts)
    if facts.previous is not None:
        shown |= {f"previous {name}": value for name, value in _facts(facts.previous).items()}
    return shown


def _facts(report: Struct) -> dict[str, object]:
    return {
        name.replace("_", " "): value
        for name, value in asdict(report).items()
        if not isinstance(value, Struct)
    }


@app.command()
def publish(
    document: Annotated[Path, typer.Argument(help="Envelope document, in any form.")],
    url: Annotated[str, typer.Option(help="The gateway.")],
    token_file: Annotated[Path, typer.Option(help="File with the bearer token.")],
    registry: Annotated[
        str, typer.Option(help="SHA-256 of a snapshot: open the round as well.")
    ] = "",
    signature: SignatureOption = None,
    timeout: Annotated[float, typer.Option(help="Seconds for one attempt.")] = 600,
    as_json: JsonFlag = False,
) -> None:
    """Publish a document, and wait for both acknowledgements; with --registry open its round.

    Publishing again is safe, and goes on where an earlier attempt broke off. Exit code 1 if the
    document is rejected.
    """
    with output.progress_bars() as progress:
        published = publish_document(
            document,
            url,
            token_file,
            registry,
            timeout,
            signature,
            lambda sent, size: progress("send", sent, size),
        )
    if as_json:
        output.print_json(published)
        return
    facts: dict[str, object] = {
        "message id": published.message_id,
        "digest": published.digest,
        "size bytes": published.size_bytes,
        "round": published.round,
        "settled": published.settled,
    }
    output.print_facts(facts | _all_facts(published.facts))
    acknowledgements.print_answers(published.system, published.transaction)


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
