"""A round as an auditor sees it: its votes counted again, its result computed again.

Guarantees: the count follows from the electorate and the ballots alone, and `replay_round` from the
inputs alone; nothing here shows an NMI. Source: ``docs/auditors.md``.

Example:
    >>> [member.standing for member in audit_round(chain, 3).members]       # doctest: +SKIP
    >>> inputs = ArchivedInputs("round-3.sealed", "auditor.json")           # doctest: +SKIP
    >>> replay_round(chain, 3, inputs).equal                                # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from msgspec import Struct
from msgspec.structs import asdict

from oepnode.adapters.storage import input_archive as archive
from oepnode.client import chain as chains
from oepnode.client.chain import ChainTarget, hexed
from oepnode.client.files import FileName, name_file, read_file
from oepnode.client.keys import load_key_pair, read_salt
from oepnode.client.rounds import RoundReport, find_round, phase_name, report_of
from oepnode.domain.documents.progress import Progress
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds import replay as replaying
from oepnode.domain.rounds import tally
from oepnode.domain.rounds.ballot import Reason
from oepnode.domain.rounds.computation import Inputs
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import (
    BallotCast,
    Electorate,
    Equivocated,
    Event,
    Round,
    RoundCancelled,
    RoundFailed,
    RoundFinalised,
    RoundOpened,
)
from oepnode.domain.rounds.replay import Verdict
from oepnode.domain.rounds.tally import Account, RoundAccount
from oepnode.errors import DocumentFault, EvidenceError
from oepnode.ports import ChainReader

_SEAL_SIZE: Final = 4096


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
        differences: Where the chain's count differs from this one; empty on an honest chain.
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

    def require_equal_count(self) -> None:
        """Reject a round that the chain counts differently.

        Raises:
            EvidenceError: With the differences.
        """
        if self.differences:
            raise EvidenceError(
                f"round {self.round}: the count differs from the chain's: "
                + "; ".join(self.differences)
            )


class SiteCounts(Struct, frozen=True):
    """Sites of a computed result."""

    assigned: int
    unassigned_nmis: int


class ReplayReport(Struct, frozen=True):
    """A round's result computed again, compared with the chain's.

    Attributes:
        round: Its number.
        phase: On chain.
        equal: Whether the chain's final result is the computed one.
        computed_root: Root computed from the inputs.
        computed_partitions: Leaves of that tree.
        final_root: Root on chain, or None.
        final_partitions: Leaves of that tree.
        matched: Operators whose ballots are for the computed result.
        member_count: Size of the electorate.
        sites: Counts of the computed result.
    """

    round: int
    phase: str
    equal: bool
    computed_root: str
    computed_partitions: int
    final_root: str | None
    final_partitions: int
    matched: tuple[str, ...]
    member_count: int
    sites: SiteCounts

    def require_equal(self) -> None:
        """Reject a result other than the chain's.

        Raises:
            EvidenceError: With both roots, or if the chain has no final root.
        """
        if self.equal:
            return
        if self.phase != "final":
            raise EvidenceError(f"round {self.round} has no final root on chain ({self.phase})")
        raise EvidenceError(
            f"round {self.round}: expected the chain's {self.final_root}, "
            f"these inputs give {self.computed_root}"
        )


@dataclass(frozen=True)
class ArchivedInputs:
    """Inputs of a round that a worker sealed to an auditor's key.

    Attributes:
        file: The archive.
        key: The auditor's key file.
    """

    file: FileName
    key: FileName


@dataclass(frozen=True)
class InputFiles:
    """Inputs of a round as files.

    Attributes:
        envelope: Envelope document.
        registry: Registry snapshot.
        salt: The snapshot's salt as 64 hex digits, readable by its owner only.
        feed: Form of the envelope document.
    """

    envelope: FileName
    registry: FileName
    salt: FileName
    feed: Feed = field(default_factory=Feed)


InputSource: TypeAlias = ArchivedInputs | InputFiles


# --- journeys ------------------------------------------------------------------------------------


def audit_round(chain: ChainTarget, number: int) -> RoundAudit:
    """Read a round with its events, and count its votes again.

    Raises:
        ConfigError: If there is no such round, or the chain is not reachable as named.
        EvidenceError: If the events do not fit the electorate, or the opening is missing.
        TransportError: If the node does not respond.
    """
    return _audit(chains.run(_read_record(chain, number)))


def replay_round(
    chain: ChainTarget, number: int, source: InputSource, progress: Progress | None = None
) -> ReplayReport:
    """Compute a round's result again from its inputs, and compare it with the chain's.

    Args:
        chain: The chain.
        number: The round.
        source: The inputs.
        progress: Progress callback.

    Raises:
        ConfigError: If a file, the round or the chain is not usable.
        EvidenceError: If the inputs are not those of the round. A result other than the chain's
            is part of the report.
        TransportError: If the node does not respond.
    """
    load = _loader(source)
    record = chains.run(_read_record(chain, number))
    inputs = load(record.context)
    with _name_rejected(source):
        verdict = replaying.replay(inputs, record.context, record.opened, record.state, progress)
    return _replay(record, verdict)


# --- reading -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Record:
    """A round as the chain has it, with the count made from it."""

    context: RoundContext
    state: Round
    electorate: Electorate
    events: tuple[Event, ...]
    account: RoundAccount
    times: dict[int, int]

    @property
    def opened(self) -> RoundOpened:
        for event in self.events:
            if isinstance(event, RoundOpened):
                return event
        raise OpeningNotFoundError(
            f"round {self.state.number}: no RoundOpened event: is the start block later than the "
            "round?"
        )

    def age_s(self, block: int) -> int:
        return self.times[block] - self.state.opened_at


async def _read_record(chain: ChainTarget, number: int) -> _Record:
    async with chains.open_reader(chain) as reader:
        return await _read(reader, number)


async def _read(reader: ChainReader, number: int) -> _Record:
    state, _ = await find_round(reader, number)
    electorate = await reader.electorate(state.epoch)
    events = tuple(await reader.round_events(number))
    context = chains.context_of(reader, number)
    times = {block: await reader.block_time(block) for block in {e.location.block for e in events}}
    account = tally.account(context, electorate, events)
    return _Record(context, state, electorate, events, account, times)


def _loader(source: InputSource) -> Callable[[RoundContext], Inputs]:
    """Read the files, so that a wrong one is reported before the chain is read."""
    if isinstance(source, ArchivedInputs):
        private_key = load_key_pair(source.key).private_key
        sealed = read_file(Path(source.file), "archive", archive.MAX_INPUTS + _SEAL_SIZE)
        return lambda context: archive.open_inputs(private_key, sealed, context)
    inputs = Inputs(
        read_file(Path(source.envelope), "envelope document", archive.MAX_INPUTS),
        read_file(Path(source.registry), "registry snapshot", archive.MAX_INPUTS),
        read_salt(source.salt),
        source.feed,
    )
    return lambda _: inputs


@contextmanager
def _name_rejected(source: InputSource) -> Iterator[None]:
    """Name the file of the input that is rejected."""
    try:
        yield
    except DocumentFault as exc:
        if isinstance(source, ArchivedInputs):
            file = source.file
        else:
            file = source.envelope if exc.what == "envelope document" else source.registry
        with name_file(file):
            raise


# --- reports -------------------------------------------------------------------------------------


def _audit(record: _Record) -> RoundAudit:
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
    )


def _member(record: _Record, account: Account) -> MemberReport:
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


def _reveal(record: _Record, index: int) -> RevealReport:
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


def _equivocation(record: _Record, event: Equivocated) -> EquivocationReport:
    return EquivocationReport(
        operator=hexed(event.operator),
        ballots=(hexed(event.ballot), hexed(event.other_ballot)),
        transaction=hexed(event.location.transaction),
        seconds_after_opening=record.age_s(event.location.block),
    )


def _end(record: _Record) -> EndReport | None:
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


def _replay(record: _Record, verdict: Verdict) -> ReplayReport:
    state, computed = record.state, verdict.computed
    ballots = [event for event in record.events if isinstance(event, BallotCast)]
    counted = tally.count(record.context, record.electorate, ballots, computed.result)
    return ReplayReport(
        round=state.number,
        phase=phase_name(state.phase),
        equal=verdict.is_equal,
        computed_root=hexed(computed.result.root),
        computed_partitions=computed.result.partitions,
        final_root=hexed(state.root) if state.root else None,
        final_partitions=state.partitions,
        matched=tuple(hexed(member.operator) for member in counted.matched),
        member_count=state.member_count,
        sites=SiteCounts(
            assigned=sum(p.site_count for p in computed.partitions if p.aggregator_id),
            unassigned_nmis=computed.unassigned_nmis,
        ),
    )
