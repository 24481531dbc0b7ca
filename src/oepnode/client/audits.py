"""A round as an auditor sees it: every vote, counted again.

Guarantees: the count follows from the electorate and the ballots alone; nothing here shows an NMI.
Leaves out computing the result again (``client.replays``). Source: ``docs/auditors.md``.

Example:
    >>> [member.standing for member in audit_round(chain, 3).members]       # doctest: +SKIP
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from msgspec import Struct, structs
from msgspec.structs import asdict

from oepnode.client import chain as chains
from oepnode.client.chain import ChainTarget, hexed
from oepnode.client.grants import GrantListReport, GrantSources, read_lists
from oepnode.client.recounts import age_notes, recount, require_equal
from oepnode.client.rounds import RoundReport, find_round, phase_name, report_of
from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.rounds.ballot import Reason
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import (
    Electorate,
    Equivocated,
    Event,
    Head,
    Round,
    RoundCancelled,
    RoundFailed,
    RoundFinalised,
    RoundOpened,
)
from oepnode.domain.rounds.tally import Account, RoundAccount
from oepnode.errors import EvidenceError
from oepnode.ports import RoundReader

_VOTED: Final = frozenset({"matched", "mismatched", "voted"})
"""Standings of members that cast a ballot."""


class OpeningNotFoundError(EvidenceError):
    """The events read do not have the round's opening."""


class MemberReport(Struct, frozen=True):
    """Part of one member of the electorate in a round.

    Attributes:
        index: Bit in the round's bitmaps.
        operator: Lasting address.
        signer: Address that votes.
        standing: ``matched``, ``mismatched``, ``voted``, ``abstained`` or ``silent``.
        reason: Reason of an abstention, or None.
        root: Revealed root that it voted for, or None.
        transaction: Transaction of its vote or abstention, or None.
        block: Block of that transaction, or None.
        seconds_after_opening: Age of the round then, or None.
        inputs: ``granted``, ``late`` (granted only after the vote) or ``not granted``, by the grant
            lists; None without lists.
        missing_inputs: Inputs that were not granted before the vote, by the grant lists.
    """

    index: int
    operator: str
    signer: str
    standing: str
    reason: str | None
    root: str | None
    transaction: str | None
    block: int | None
    seconds_after_opening: int | None
    inputs: str | None = None
    missing_inputs: tuple[str, ...] = ()

    @property
    def is_marked(self) -> bool:
        """Whether the member voted without having been granted every input before."""
        return self.standing in _VOTED and bool(self.missing_inputs)


class RevealReport(Struct, frozen=True):
    """A result that was revealed, with the members whose ballots are for it."""

    root: str
    partitions: int
    matched: tuple[str, ...]
    has_quorum: bool
    is_final: bool
    transaction: str
    seconds_after_opening: int


class EndReport(Struct, frozen=True):
    """The event that ended a round; ``reason`` is a cancellation's."""

    phase: str
    transaction: str
    seconds_after_opening: int
    reason: str | None


class EquivocationReport(Struct, frozen=True):
    """A member that was shown to have signed two different ballots."""

    operator: str
    ballots: tuple[str, str]
    transaction: str
    seconds_after_opening: int


class RoundAudit(RoundReport, frozen=True, kw_only=True):
    """A round with every vote, counted again.

    Its JSON serves `oepnode.client.rounds.read_round_state`.

    Attributes:
        chain_id: EIP-155 chain id.
        contract: Address of OepConsensus.
        requester: Account that opened the round.
        envelope_digest: SHA-256 of the envelope document.
        registry_digest: SHA-256 of the registry snapshot.
        opened_in: Transaction that opened the round.
        members: One for each member, in order of index.
        revealed: One for each revealed result, in the order revealed.
        end: The event that ended the round, or None.
        equivocations: Members that signed two ballots, in chain order.
        differences: Where the contract's record, its events and this count differ; empty on an
            honest chain.
        block: Block at which everything was read.
        block_time: Time of that block.
        notes: Sentences for the user.
        grants: The grant lists that were verified.
    """

    chain_id: int
    contract: str
    requester: str
    envelope_digest: str
    registry_digest: str
    opened_in: str
    members: tuple[MemberReport, ...]
    revealed: tuple[RevealReport, ...]
    end: EndReport | None
    equivocations: tuple[EquivocationReport, ...]
    differences: tuple[str, ...]
    block: int
    block_time: str
    notes: tuple[str, ...]
    grants: tuple[GrantListReport, ...] = ()

    def require_inputs_granted(self) -> None:
        """Reject a round in which a member voted without having been granted its inputs.

        Raises:
            EvidenceError: With the members.
        """
        marked = [member.operator for member in self.members if member.is_marked]
        if marked:
            raise EvidenceError(
                f"round {self.round}: voted without having been granted the inputs: "
                + ", ".join(marked)
            )

    def require_equal_count(self) -> None:
        """Reject a round whose record, events and count differ.

        Raises:
            EvidenceError: With the differences.
        """
        require_equal(self.round, self.differences)


# --- journeys ------------------------------------------------------------------------------------


def audit_round(chain: ChainTarget, number: int, grants: GrantSources | None = None) -> RoundAudit:
    """Read a round with its events, and count its votes again.

    Args:
        chain: The chain.
        number: The round.
        grants: Grant lists of sender and registry, to mark members that voted without inputs.

    Raises:
        ConfigError: If there is no such round, or the chain is not reachable as named.
        EvidenceError: If the events do not fit the electorate, the opening is missing, or a grant
            list is not of this round.
        TransportError: If the node or a service does not respond.
    """
    record = chains.run(read_record(chain, number))
    audit = _audit(record)
    return audit if grants is None else _with_grants(audit, record, grants)


# --- reading -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RoundRecord:
    """A round as the chain has it at a block, with the count made from it."""

    context: RoundContext
    state: Round
    electorate: Electorate
    events: tuple[Event, ...]
    account: RoundAccount
    times: Mapping[int, int]
    block: Head
    notes: tuple[str, ...]

    @property
    def opened(self) -> RoundOpened:
        """The event that opened the round.

        Raises:
            OpeningNotFoundError: If it is not among the events.
        """
        for event in self.events:
            if isinstance(event, RoundOpened):
                return event
        raise OpeningNotFoundError(
            f"round {self.state.number}: no RoundOpened event: is the start block later than the "
            "round?"
        )

    def age_s(self, block: int) -> int:
        """Age of the round at a block, in seconds."""
        return self.times[block] - self.state.opened_at


async def read_record(chain: ChainTarget, number: int) -> RoundRecord:
    """Read a round, its electorate and its events.

    Raises:
        ConfigError: If there is no such round.
        EvidenceError: If the events do not fit the electorate.
    """
    async with chains.open_reader(chain) as reader:
        return await record_of(reader, number)


async def record_of(reader: RoundReader, number: int) -> RoundRecord:
    """As `read_record`, on an open connection."""
    state, _ = await find_round(reader, number)
    counted = await recount(reader, number)
    account = counted.account
    if counted.history.record.state != state:
        more = "round() and record() of the contract differ"
        account = dataclasses.replace(account, differences=(*account.differences, more))
    events = counted.history.events
    times = {block: await reader.block_time(block) for block in {e.location.block for e in events}}
    return RoundRecord(
        counted.context,
        state,
        counted.electorate,
        events,
        account,
        MappingProxyType(times),
        await reader.head(),
        tuple(await age_notes(reader)),
    )


# --- reports -------------------------------------------------------------------------------------


def _audit(record: RoundRecord) -> RoundAudit:
    opened = record.opened
    return RoundAudit(
        **asdict(report_of(record.state)),
        chain_id=record.context.chain_id,
        contract=hexed(record.context.contract),
        requester=hexed(opened.requester),
        envelope_digest=opened.envelope_digest.hex(),
        registry_digest=opened.registry_digest.hex(),
        opened_in=hexed(opened.location.transaction),
        members=tuple(_member(record, account) for account in record.account.members),
        revealed=tuple(_reveal(record, index) for index in range(len(record.account.tallies))),
        end=_end(record),
        equivocations=tuple(
            _equivocation(record, event)
            for event in record.events
            if isinstance(event, Equivocated)
        ),
        differences=record.account.differences,
        block=record.block.number,
        block_time=format_nem(record.block.time),
        notes=record.notes,
    )


def _with_grants(audit: RoundAudit, record: RoundRecord, sources: GrantSources) -> RoundAudit:
    """The audit with what the grant lists say about each member."""
    voted_at = {
        account.member.operator: record.times[account.location.block]
        for account in record.account.members
        if account.location is not None and account.standing.value in _VOTED
    }
    evidence = read_lists(sources, record.context, record.opened, max(voted_at.values(), default=0))
    members = []
    for report, account in zip(audit.members, record.account.members, strict=True):
        operator = account.member.operator
        inputs = evidence.inputs_of(operator, voted_at.get(operator))
        members.append(
            structs.replace(report, inputs=inputs.standing, missing_inputs=inputs.missing)
        )
    return structs.replace(audit, members=tuple(members), grants=evidence.reports)


def _member(record: RoundRecord, account: Account) -> MemberReport:
    member, log = account.member, account.location
    return MemberReport(
        index=member.index,
        operator=hexed(member.operator),
        signer=hexed(member.signer),
        standing=account.standing.value,
        reason=_reason(account.reason),
        root=hexed(account.results[0].root) if account.results else None,
        transaction=hexed(log.transaction) if log else None,
        block=log.block if log else None,
        seconds_after_opening=record.age_s(log.block) if log else None,
    )


def _reveal(record: RoundRecord, index: int) -> RevealReport:
    counted, event = record.account.tallies[index], record.account.revealed[index]
    return RevealReport(
        root=hexed(counted.result.root),
        partitions=counted.result.partitions,
        matched=tuple(hexed(member.operator) for member in counted.matched),
        has_quorum=counted.has_quorum,
        is_final=counted.result == record.account.final,
        transaction=hexed(event.location.transaction),
        seconds_after_opening=record.age_s(event.location.block),
    )


def _equivocation(record: RoundRecord, event: Equivocated) -> EquivocationReport:
    return EquivocationReport(
        operator=hexed(event.operator),
        ballots=(hexed(event.ballot), hexed(event.other_ballot)),
        transaction=hexed(event.location.transaction),
        seconds_after_opening=record.age_s(event.location.block),
    )


def _end(record: RoundRecord) -> EndReport | None:
    for event in record.events:
        if isinstance(event, RoundFinalised | RoundFailed | RoundCancelled):
            return EndReport(
                phase=phase_name(record.state.phase),
                transaction=hexed(event.location.transaction),
                seconds_after_opening=record.age_s(event.location.block),
                reason=event.reason if isinstance(event, RoundCancelled) else None,
            )
    return None


def _reason(number: int | None) -> str | None:
    if number is None:
        return None
    try:
        return Reason(number).label
    except ValueError:
        return f"reason {number}"
