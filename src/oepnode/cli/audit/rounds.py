"""``oepnode audit rounds``: the newest rounds."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from oepnode.cli.audit.record import short_root, state_facts
from oepnode.cli.common import chain, output
from oepnode.cli.common.chain import (
    ChainIdOption,
    ChainTarget,
    ContractOption,
    RpcOption,
    phase_name,
)
from oepnode.cli.common.output import JsonFlag
from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.rounds.onchain import Round


def rounds(
    last: Annotated[int, typer.Option("--last", min=1, help="How many rounds at most.")] = 20,
    rpc: RpcOption = None,
    contract: ContractOption = None,
    chain_id: ChainIdOption = None,
    as_json: JsonFlag = False,
) -> None:
    """List the newest rounds, newest first."""
    states = asyncio.run(_rounds(last, ChainTarget(rpc, contract, chain_id)))
    if as_json:
        output.print_json([state_facts(state) for state in states])
        return
    output.print_table(
        ("round", "phase", "opened (NEM)", "horizon (NEM)", "voted", "matched", "quorum", "root"),
        (_state_row(state) for state in states),
    )


async def _rounds(last: int, where: ChainTarget) -> list[Round]:
    async with chain.open_reader(where) as reader:
        newest = await reader.round_count()
        found = [await reader.round(n) for n in range(newest, max(0, newest - last), -1)]
        return [state for state in found if state is not None]


def _state_row(state: Round) -> tuple[object, ...]:
    return (
        state.number,
        phase_name(state.phase),
        format_nem(state.opened_at),
        f"{format_nem(state.horizon_start)} × {state.interval_count}",
        f"{state.voted.bit_count()}/{state.member_count}",
        state.matched.bit_count() if state.root else "–",
        state.quorum,
        short_root(state.root),
    )
