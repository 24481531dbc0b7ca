"""Options of commands that read the chain, or check a file against a round of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_RPC = "JSON-RPC URL of a node of the chain; repeat it for several nodes, which must all agree."
RpcOption = Annotated[
    list[str] | None, typer.Option("--rpc", envvar="OEPNODE_RPC", metavar="URL", help=_RPC)
]
ContractOption = Annotated[
    str | None,
    typer.Option("--contract", envvar="OEPNODE_CONTRACT", help="Address of OepConsensus."),
]
ChainIdOption = Annotated[
    int | None,
    typer.Option(
        "--chain-id",
        envvar="OEPNODE_CHAIN_ID",
        min=1,
        help="Reject a node of any other chain. Without it any node is accepted.",
    ),
]
StartBlockOption = Annotated[
    int,
    typer.Option(
        "--start-block",
        envvar="OEPNODE_START_BLOCK",
        min=0,
        help="Block of the contract's deployment; events are read from there.",
    ),
]
ConfirmationsOption = Annotated[
    int | None,
    typer.Option(
        "--confirmations",
        min=0,
        help="Read the block that has so many on top. Default is the newest that the chain calls "
        "finalized, or 12 where it has no such block.",
    ),
]
MaxAgeOption = Annotated[
    float | None,
    typer.Option(
        "--max-age",
        min=1,
        metavar="SECONDS",
        help="Maximum age of the newest block; default 600. More for a chain that has stopped.",
    ),
]
RoundOption = Annotated[
    int | None,
    typer.Option("--round", min=1, help="Round number. Default is the latest final round."),
]
OwnRoundOption = Annotated[
    int | None,
    typer.Option(
        "--round", min=1, help="Round number; needed only for a file that does not name its round."
    ),
]
RoundStateOption = Annotated[
    Path | None,
    typer.Option(
        "--round-state",
        help="Read the round from a file made by 'audit round N --json', not from the chain. "
        "The file must come from someone you trust.",
    ),
]
NumberArgument = Annotated[int, typer.Argument(metavar="N", min=1, help="Round number.")]
Rpc = Annotated[list[str], typer.Option("--rpc", envvar="OEPNODE_RPC", metavar="URL", help=_RPC)]
Contract = Annotated[
    str, typer.Option("--contract", envvar="OEPNODE_CONTRACT", help="Address of OepConsensus.")
]
Key = Annotated[Path, typer.Option("--key-file", help="Key of the account that signs.")]
