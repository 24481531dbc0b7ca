"""Commands that sign what a network publishes; the groups of sender and registry have one each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oepnode.cli.common import output
from oepnode.cli.common.output import JsonFlag
from oepnode.client.operation import signing

KeyFile = Annotated[Path, typer.Option("--key", help="Key that 'keygen' made; keep it offline.")]
SequenceOption = Annotated[
    int | None,
    typer.Option(
        help="Number of this document; it must rise with every one. Default is the time in "
        "milliseconds."
    ),
]
StatementFile = Annotated[
    Path | None,
    typer.Option(
        "--out", help="File for the statement. Default: the document's name and '.signature.json'."
    ),
]
NewKeyFile = Annotated[Path, typer.Option("--out", help="New file for the key.")]
SignatureOption = Annotated[
    Path | None, typer.Option("--signature", help="Signed statement about the document.")
]


def keygen(out: NewKeyFile, as_json: JsonFlag = False) -> None:
    """Make a key for signing what is published; readers get the public key in their settings."""
    output.print_report(signing.create_signing_key(out), as_json)


def sign_envelope(
    document: Annotated[Path, typer.Argument(help="Envelope document.")],
    key: KeyFile,
    sequence: SequenceOption = None,
    out: StatementFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Sign an envelope document, on a machine that may be offline."""
    report = signing.sign_document(document, key, "envelope", sequence=sequence, out=out)
    output.print_report(report, as_json)


def sign_snapshot(
    snapshot: Annotated[Path, typer.Argument(help="Registry snapshot, as 'prepare' wrote it.")],
    key: KeyFile,
    sequence: SequenceOption = None,
    out: StatementFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Sign a registry snapshot, on a machine that may be offline."""
    report = signing.sign_document(snapshot, key, "snapshot", sequence=sequence, out=out)
    output.print_report(report, as_json)
