"""``oepnode audit``: read rounds and votes from the chain, and replay a round from its inputs.

Reads only. Everything printed here is on chain already; no NMI is printed. Source:
``docs/auditors.md``.
"""

from __future__ import annotations

import typer

from oepnode.cli.audit.replay import keygen, replay
from oepnode.cli.audit.round import round_
from oepnode.cli.audit.rounds import rounds

app = typer.Typer(
    no_args_is_help=True,
    help="Read rounds, votes and disagreements from the chain; replay a round from its inputs.",
)

app.command()(rounds)
app.command("round")(round_)
app.command()(replay)
app.command()(keygen)
