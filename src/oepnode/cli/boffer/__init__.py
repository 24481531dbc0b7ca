"""``oepnode boffer``: bi-directional offers, checked, cleared, drawn, held to envelopes, compared.

Prints NMIs and DUIDs: the files are the user's own. A command is a module; ``offers`` (reading and
choosing) and ``pictures`` are what they share. Source: HLD §4.6, §4.7, Appendix D; Part C §3, §6.3.
"""

from __future__ import annotations

import typer

from oepnode.cli.boffer import clear, compare, constrain, curve, validate

app = typer.Typer(
    no_args_is_help=True,
    help="Bi-directional offers: check them against the rules, clear them at a price, draw their "
    "supply curve, hold them to operating envelopes, compare two of them.",
)

app.command()(validate.validate)
app.command("clear")(clear.clear_)
app.command()(curve.curve)
app.command()(constrain.constrain)
app.command()(compare.compare)
