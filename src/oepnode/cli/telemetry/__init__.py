"""``oepnode telemetry``: validate measurements, and check them against envelopes and targets.

Prints NMIs, to whoever has the telemetry already. A command is a module; ``report`` prints
the result of conformance. Source: Part C §4, HLD §4.3 to §4.5.
"""

from __future__ import annotations

import typer

from oepnode.cli.telemetry import conformance, validate

app = typer.Typer(
    no_args_is_help=True,
    help="Telemetry: validate a submission, check it against envelopes and dispatch targets.",
)

app.command()(validate.validate)
app.command()(conformance.conformance)
