"""All that the chain says of a round, read once, for the commands that show or replay it.

Source: design section 2.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

import typer
from msgspec import Struct

from oepnode.cli.common import chain
from oepnode.cli.common.chain import ChainTarget, phase_name
from oepnode.cli.common.output import hexed
from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.rounds import tally
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Electorate, Equivocated, Event, Round, RoundOpened
from oepnode.domain.rounds.tally import RoundAccount
from oepnode.errors import EvidenceError
from oepnode.ports import ChainReader

NumberArgument = Annotated[int, typer.Argument(metavar="N", min=1, help="Round number.")]
_ROOT_SHOWN: Final = 10


class Record(Struct, frozen=True):
    """All that the chain says of a round, and the count made from it."""

    context: RoundContext
    state: Round
    electorate: Electorate
    events: tuple[Event, ...]
    account: RoundAccount
    times: dict[int, int]

    @property
    def opened(self) -> RoundOpened:
        """The event that opened the round.

        Raises:
            EvidenceError: If the chain shows none.
        """
        for event in self.events:
            if isinstance(event, RoundOpened):
                return event
        raise EvidenceError(
            f"round {self.state.number}: no RoundOpened event found; is --start-block too late?"
        )

    @property
    def equivocations(self) -> list[Equivocated]:
        """Members shown to have signed two ballots, in chain order."""
        return [event for event in self.events if isinstance(event, Equivocated)]


def read_record(number: int, where: ChainTarget) -> Record:
    """Connect, and read all that the chain says of a round.

    Raises:
        ConfigError: If there is no such round, or no chain is named.
        TransportError: If the node does not answer.
    """

    async def go() -> Record:
        async with chain.open_reader(where) as reader:
            return await _read(reader, number)

    return asyncio.run(go())


async def _read(reader: ChainReader, number: int) -> Record:
    state, _ = await chain.find_round(reader, number)
    electorate = await reader.electorate(state.epoch)
    events = tuple(await reader.round_events(number))
    context = chain.context_of(reader, number)
    times = {block: await reader.block_time(block) for block in {e.place.block for e in events}}
    return Record(
        context, state, electorate, events, tally.account(context, electorate, events), times
    )


def state_facts(state: Round) -> dict[str, Any]:
    """What the chain says of a round by itself, for JSON."""
    return {
        "round": state.number,
        "phase": phase_name(state.phase),
        "epoch": state.epoch,
        "rules_version": state.rules_version,
        "quorum": state.quorum,
        "member_count": state.member_count,
        **chain.horizon_facts(state.horizon_start, state.interval_count),
        "opened_at": format_nem(state.opened_at),
        "vote_deadline": format_nem(state.vote_deadline),
        "reveal_deadline": format_nem(state.reveal_deadline),
        "voted_count": state.voted.bit_count(),
        "matched_count": state.matched.bit_count(),
        "root": hexed(state.root) if state.root else None,
        "partitions": state.partitions,
    }


def short_root(root: bytes) -> str:
    """The first digits of a root, for a table."""
    return f"0x{root.hex()[:_ROOT_SHOWN]}…" if root else "–"
