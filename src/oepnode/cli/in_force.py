"""``oepnode aggregator in-force``: the limits in force, from the bundles of several rounds.

Source: rules-v1 section 14, ``docs/aggregators.md``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oepnode.cli.common import output
from oepnode.cli.common.chain import (
    ChainIdOption,
    ConfirmationsOption,
    ContractOption,
    MaxAgeOption,
    RpcOption,
)
from oepnode.cli.common.output import FormatOption, JsonFlag, LimitsFile
from oepnode.client.chain import ChainTarget
from oepnode.client.edge.rounds_in_force import load_limits_in_force


def in_force(
    files: Annotated[
        list[Path], typer.Argument(metavar="BUNDLE...", help="Files from fetch, of several rounds.")
    ],
    key: Annotated[Path, typer.Option("--key", help="Your key file, from keygen.")],
    rpc: RpcOption = None,
    contract: ContractOption = None,
    chain_id: ChainIdOption = None,
    confirmations: ConfirmationsOption = None,
    max_age: MaxAgeOption = None,
    tokens: Annotated[
        str | None, typer.Option("--tokens", help="Your token list of a blind round.")
    ] = None,
    format_: FormatOption = None,
    out: LimitsFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Verify the bundles of several rounds, and say which round's limits are in force when.

    In each interval it is the final round with the highest number that covers it. With --format it
    also writes the limits, with the round of each.
    """
    output.check_destination(format_, out, as_json=as_json)
    chain = ChainTarget(rpc, contract, chain_id, confirmations=confirmations, max_age_s=max_age)
    limits = load_limits_in_force(files, key, chain, tokens=tokens)
    output.print_notes(limits.notes)
    is_frame_on_stdout = format_ is not None and out is None
    if as_json:
        output.print_json(limits.report())
    else:
        for span in limits.spans:
            missing = "" if span.held else " (its bundle is not among the files)"
            text = f"{span.start} to {span.end}: round {span.round}{missing}"
            output.say(text, err=is_frame_on_stdout)
    if format_ is not None:
        output.write_frame(limits.frame(), format_, out)
