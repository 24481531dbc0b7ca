"""``oepnode dispatch``: validate dispatch instructions.

Leaves out whether they were followed: that is ``telemetry conformance --dispatch``. Source: Part C
§1.1 (Dispatch Target), HLD §4.3 to §4.5.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oepnode.cli.common import acknowledgements, received
from oepnode.cli.common.output import JsonFlag
from oepnode.cli.common.received import DayOption

app = typer.Typer(
    no_args_is_help=True,
    help="Dispatch instructions: check them. Whether they were followed says "
    "'telemetry conformance --dispatch'.",
)


@app.callback()
def _group() -> None:
    """Keep ``validate`` a word of its own while it is the only command."""


@app.command()
def validate(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="DISPATCH", help="JSON or NDJSON, a Parquet file, or a folder of Parquet files."
        ),
    ],
    day: DayOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Check the dispatch instructions of a DUID: system and transaction acknowledgement.

    Targets that are missing, doubled or issued too late, and mixed DUIDs, are told with their
    places. Exit code 1 if rejected.
    """
    found = received.read_dispatch(file, received.day_of(day))
    acknowledgements.report(found, as_json=as_json)
