"""What commands share about the chain: options, connecting, and a round's final result.

Leaves out writing to the chain. Source: design sections 2 and 9.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer
from msgspec import Meta, Struct

from oepnode.cli.common import output
from oepnode.cli.common.exits import printable
from oepnode.domain.nem.nem_time import INTERVAL_S, format_nem
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Phase, Round
from oepnode.errors import ConfigError, ConflictError, EvidenceError
from oepnode.ports import ChainReader

RpcOption = Annotated[
    str | None,
    typer.Option("--rpc", envvar="OEPNODE_RPC", help="JSON-RPC URL of a node of the chain."),
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
        help="Reject a node of any other chain. Without it the node's word is taken.",
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
RoundOption = Annotated[
    int | None,
    typer.Option("--round", min=1, help="Round number. Default is the latest final round."),
]
OwnRoundOption = Annotated[
    int | None,
    typer.Option(
        "--round", min=1, help="Round number; only for a file that does not say it by itself."
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

DEFAULT_LIMITS: Final = (
    "no partition is delivered for it; the default limits that you hold apply to its horizon, "
    "unless another final round covers it"
)
_STATE_SIZE: Final = 1 << 24


class ChainTarget(Struct, frozen=True):
    """Which contract is read through which node, as the options say; open it with `open_reader`.

    Attributes:
        rpc: JSON-RPC URL of a node.
        contract: Address of OepConsensus.
        chain_id: The only chain that will do, or None for the node's word.
        start_block: Events are read from there.
    """

    rpc: str | None
    contract: str | None
    chain_id: int | None
    start_block: int = 0


class FinalRound(Struct, frozen=True):
    """A round's final result, and what there is to know beside it.

    Attributes:
        context: The round.
        root: Final root, 32 bytes.
        partitions: Leaves of the round tree.
        notes: Sentences for the user.
        source: Where this comes from, for the summary.
    """

    context: RoundContext
    root: bytes
    partitions: int
    notes: tuple[str, ...]
    source: str

    def facts(self) -> dict[str, Any]:
        """Which round and root it is, for a JSON report of what verified against it."""
        return {
            "round": self.context.number,
            "chain_id": self.context.chain_id,
            "contract": output.hexed(self.context.contract),
            "root": output.hexed(self.root),
        }


class RoundSelector(Struct, frozen=True):
    """Which round's final result is meant, and where it is read, as the options say.

    Attributes:
        where: The chain.
        state_file: The JSON of ``audit round``, to be read in place of the chain.
        number: The round, where the user names it.
    """

    where: ChainTarget
    state_file: Path | None
    number: int | None = None

    def final(self, told: int | None) -> FinalRound:
        """The final result of the round.

        Args:
            told: The round that the file at hand says it is of; the user's word goes before it.

        Raises:
            ConfigError: If nobody says which round, besides what `read_state`, `open_reader` and
                `final_round` raise.
        """
        if self.state_file is not None:
            return read_state(self.state_file)
        number = told if self.number is None else self.number
        if number is None:
            raise ConfigError("the file does not say which round it is of: name it with --round")
        return asyncio.run(_read_final(number, self.where))


class _State(Struct, frozen=True):
    """What is read of the JSON of ``audit round``; other fields are ignored."""

    chain_id: Annotated[int, Meta(ge=1)]
    contract: Annotated[str, Meta(pattern="^0x[0-9a-f]{40}\\Z")]
    round: Annotated[int, Meta(ge=1)]
    phase: str
    root: Annotated[str, Meta(pattern="^0x[0-9a-f]{64}\\Z")] | None
    partitions: Annotated[int, Meta(ge=0, lt=1 << 32)]


@asynccontextmanager
async def open_reader(where: ChainTarget) -> AsyncIterator[ChainReader]:
    """Connect to the chain for reading.

    Raises:
        ConfigError: If no chain is named, or the node is of another one.
        TransportError: If the node does not answer.
    """
    rpc = where.rpc
    if not rpc or not where.contract:
        raise ConfigError(
            "name the chain: --rpc URL and --contract ADDRESS, or OEPNODE_RPC and OEPNODE_CONTRACT"
        )
    if not rpc.startswith(("http://", "https://")):
        raise ConfigError("--rpc is a URL that starts with http:// or https://")
    from oepnode import wiring

    contract = _address(where.contract)
    async with wiring.chain_reader(rpc, contract, where.chain_id, where.start_block) as reader:
        yield reader


def context_of(reader: ChainReader, number: int) -> RoundContext:
    """The context of a round of the contract that is read."""
    return RoundContext(reader.chain_id, reader.contract, number)


async def find_round(reader: ChainReader, number: int | None) -> tuple[Round, list[str]]:
    """A round by number, or the latest final one with notes on the newer ones.

    Raises:
        ConfigError: If there is no such round.
        EvidenceError: If no round is final.
    """
    newest = await reader.round_count()
    if number is not None:
        state = await reader.round(number) if number <= newest else None
        if state is None:
            raise ConfigError(f"there is no round {number}; the newest is {newest}")
        return state, []
    notes: list[str] = []
    for candidate in range(newest, 0, -1):
        state = await reader.round(candidate)
        if state is not None and state.phase is Phase.FINAL:
            return state, notes
        if state is not None:
            notes.append(f"round {candidate} is newer: {_not_final(state)}")
    raise EvidenceError("; ".join(["no round is final", *notes]))


async def final_round(reader: ChainReader, number: int | None) -> tuple[FinalRound, Round]:
    """The final result of a round, by number or the latest.

    Raises:
        ConfigError: If there is no such round.
        EvidenceError: If it failed or was cancelled.
        ConflictError: If it is not over yet.
    """
    state, notes = await find_round(reader, number)
    if not state.phase.is_over:
        raise ConflictError(f"round {state.number}: {_not_final(state)}; ask again later")
    if state.phase is not Phase.FINAL:
        raise EvidenceError(f"round {state.number}: {_not_final(state)}")
    latest = await reader.latest_final(state.horizon_start, state.interval_count)
    if latest > state.number:
        notes.append(
            f"round {state.number} is superseded: round {latest} is final for the same horizon"
        )
    context = context_of(reader, state.number)
    source = f"the chain (id {reader.chain_id})"
    return FinalRound(context, state.root, state.partitions, tuple(notes), source), state


async def _read_final(number: int, where: ChainTarget) -> FinalRound:
    async with open_reader(where) as reader:
        final, _ = await final_round(reader, number)
        return final


def read_state(path: Path) -> FinalRound:
    """A round's final result from the JSON of ``audit round``.

    Raises:
        ConfigError: If the file is not such JSON.
        EvidenceError: If the round in it is not final.
    """
    data = output.read_file(path, "round state", _STATE_SIZE)
    try:
        state = msgspec.json.decode(data, type=_State)
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f"{path}: not the JSON of 'audit round N --json': {exc}") from exc
    if state.phase != "final" or state.root is None:
        raise EvidenceError(f"round {state.round}: {printable(state.phase)}; {DEFAULT_LIMITS}")
    context = RoundContext(state.chain_id, bytes.fromhex(state.contract[2:]), state.round)
    notes = (f"taken from {path.name}: whether a later round supersedes it was not checked",)
    root = bytes.fromhex(state.root[2:])
    return FinalRound(context, root, state.partitions, notes, f"file {path.name}")


def horizon_facts(start: int, interval_count: int) -> dict[str, Any]:
    """A horizon in a JSON report.

    Args:
        start: UTC seconds.
        interval_count: Dispatch intervals.
    """
    return {
        "horizon_start": format_nem(start),
        "horizon_end": format_nem(start + interval_count * INTERVAL_S),
        "intervals": interval_count,
    }


def phase_name(phase: Phase) -> str:
    """A phase as commands write it, such as ``final``."""
    return phase.name.lower()


def _not_final(state: Round) -> str:
    if state.phase is Phase.CANCELLED:
        return f"cancelled; {DEFAULT_LIMITS}"
    if state.phase is Phase.FAILED:
        return f"failed, no root got a quorum; {DEFAULT_LIMITS}"
    if state.phase is Phase.EXPIRED:
        return f"its reveal window passed without a final root; {DEFAULT_LIMITS}"
    return f"not final yet ({phase_name(state.phase)})"


def _address(text: str) -> str:
    digits = text.removeprefix("0x")
    if len(digits) != 40 or not set(digits) <= set("0123456789abcdefABCDEF"):
        raise ConfigError("--contract is an address: 0x and 40 hex digits")
    return "0x" + digits.lower()
