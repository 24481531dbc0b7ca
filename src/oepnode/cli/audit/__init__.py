"""``oepnode audit``: read rounds and votes from the chain, and replay a round from its inputs.

Reads only. Everything printed here stands on chain already; no NMI is printed. A command is a
module; ``record`` reads a round for them. Source: design sections 1 and 2, ``docs/auditors.md``.
"""

from __future__ import annotations

import typer

from oepnode.cli.audit import keygen, replay, rounds
from oepnode.cli.audit.round import round_

app = typer.Typer(
    no_args_is_help=True,
    help="Read rounds, votes and disagreements from the chain; replay a round from its inputs.",
)

app.command()(rounds.rounds)
app.command("round")(round_)
app.command()(replay.replay)
app.command()(keygen.keygen)
