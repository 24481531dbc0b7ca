"""``oepnode boffer``: bi-directional offers validated, cleared, drawn, constrained and compared.

Prints NMIs and DUIDs: the files are the user's own. A command is a module; ``shared`` holds their
options and what they print alike. Source: HLD §4.6, §4.7, Appendix D; Part C §3, §6.3.
"""

from __future__ import annotations

import typer

from oepnode.cli.boffer import clear, compare, constrain, curve, validate

app = typer.Typer(
    no_args_is_help=True,
    help="Bi-directional offers: validate them, clear them at a price, draw their supply curve, "
    "constrain them to operating envelopes, compare two of them.",
)

app.command()(validate.validate)
app.command("clear")(clear.clear_)
app.command()(curve.curve)
app.command()(constrain.constrain)
app.command()(compare.compare)
