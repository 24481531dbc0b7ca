"""A round counted again from its events, and held against what the contract stores about it.

Guarantees: what a single answer hides or invents shows as a difference (``domain.rounds.history``).
Leaves out reports (``client.audits``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from oepnode.client import chain as chains
from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.rounds import history, tally
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.history import RoundHistory
from oepnode.domain.rounds.onchain import Electorate, Head
from oepnode.domain.rounds.tally import RoundAccount
from oepnode.errors import ConfigError, EvidenceError
from oepnode.ports import ChainReader, RoundReader

_NOTABLE_AGE_S: Final = 120


@dataclass(frozen=True)
class Recount:
    """A round counted again.

    Attributes:
        context: The round.
        history: Its record and events.
        electorate: Its electorate.
        account: The count; its differences are all that were found.
    """

    context: RoundContext
    history: RoundHistory
    electorate: Electorate
    account: RoundAccount


async def recount(reader: RoundReader, number: int) -> Recount:
    """Count a round again.

    Raises:
        ConfigError: If there is no such round.
        EvidenceError: If an event is by an account outside the electorate.
    """
    found = await reader.history(number)
    if found is None:
        raise ConfigError(f"there is no round {number}")
    electorate = await reader.electorate(found.record.state.epoch)
    context = chains.context_of(reader, number)
    account = tally.account(context, electorate, found.events)
    differences = history.differences(context, found, electorate, account)
    return Recount(context, found, electorate, replace(account, differences=differences))


def require_equal(number: int, differences: Sequence[str]) -> None:
    """Reject a round whose record, events and count differ.

    Raises:
        EvidenceError: With the differences.
    """
    if differences:
        raise EvidenceError(
            f"round {number}: record, events and count of the chain differ: "
            + "; ".join(differences)
        )


def shown_block(block: Head) -> str:
    """A block as reports name it, with its time."""
    return f"block {block.number} of {format_nem(block.time)}"


async def age_notes(reader: ChainReader) -> list[str]:
    """A sentence for the user where the chain's newest block is old."""
    age = await reader.head_age_s()
    if age <= _NOTABLE_AGE_S:
        return []
    return [f"the chain's newest block is {age:.0f} s old: later rounds may be missing"]
