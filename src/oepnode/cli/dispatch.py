"""``oepnode dispatch``: validate dispatch instructions.

Leaves out whether they were followed: that is ``telemetry conformance --dispatch``. Source: Part C
§1.1 (Dispatch Target), HLD §4.3 to §4.5.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oepnode.cli.common import acknowledgements
from oepnode.cli.common.edge_options import SUBMISSION_FORMS, DateOption, date_of
from oepnode.cli.common.output import JsonFlag
from oepnode.client.edge.submissions import validate_dispatch

app = typer.Typer(
    no_args_is_help=True,
    help="Dispatch instructions: validate them. 'telemetry conformance --dispatch' checks whether "
    "they were followed.",
)


@app.callback()
def _group() -> None:
    """Keep ``validate`` a word of its own while it is the only command."""


@app.command()
def validate(
    file: Annotated[Path, typer.Argument(metavar="DISPATCH", help=SUBMISSION_FORMS)],
    date: DateOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Validate the dispatch instructions of a DUID: system and transaction acknowledgement.

    Targets that are missing, duplicate or issued too late, and mixed DUIDs, are reported with their
    locations. Exit code 1 if rejected.
    """
    result = validate_dispatch(file, date=date_of(date))
    acknowledgements.report(result, as_json=as_json)
