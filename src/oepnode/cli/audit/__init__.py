"""``oepnode audit``: read rounds and votes from the chain, certify a root, and replay a round.

Reads only. Everything printed here is on chain already; no NMI is printed. Source:
``docs/auditors.md``.
"""

from __future__ import annotations

import typer

from oepnode.cli.audit.certify import certify, verify
from oepnode.cli.audit.replay import keygen, replay
from oepnode.cli.audit.round import round_
from oepnode.cli.audit.rounds import rounds

app = typer.Typer(
    no_args_is_help=True,
    help="Read rounds, votes and disagreements from the chain; certify a root; replay a round.",
)

app.command()(rounds)
app.command("round")(round_)
app.command()(certify)
app.command("verify-certificate")(verify)
app.command()(replay)
app.command()(keygen)
