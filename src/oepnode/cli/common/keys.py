"""The option for the kind of a key pair."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from oepnode.domain.rounds.recipient_keys import KeyKind

HYBRID: Final = KeyKind.HYBRID

KeyKindOption = Annotated[
    KeyKind,
    typer.Option(
        "--kind",
        help="mlkem768-x25519 stays closed to a quantum computer; x25519 has a short public key.",
    ),
]
