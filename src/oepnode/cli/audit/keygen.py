"""``oepnode audit keygen``: the key pair that archives are sealed to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oepnode.cli.common import keypair, output
from oepnode.cli.common.output import JsonFlag


def keygen(
    out: Annotated[Path, typer.Option("--out", help="New file for the key; never overwritten.")],
    as_json: JsonFlag = False,
) -> None:
    """Make the key pair that workers seal a round's inputs to (their setting archive_key)."""
    pair = keypair.create(out)
    if as_json:
        output.print_json({"public_key": pair.public_key.hex(), "file": str(out)})
    else:
        output.say(pair.public_key.hex())
