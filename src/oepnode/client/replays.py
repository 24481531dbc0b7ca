"""A round's result computed again from its inputs, and compared with the chain's.

Guarantees: the result follows from the inputs alone; nothing here shows an NMI. Source:
``docs/auditors.md``.

Example:
    >>> inputs = ArchivedInputs("round-3.sealed", "auditor.json")           # doctest: +SKIP
    >>> replay_round(chain, 3, inputs).equal                                # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeAlias

from msgspec import Struct, structs

from oepnode.adapters.computing.processes import ForkedProcesses, usable_cores
from oepnode.adapters.computing.spill import Spill
from oepnode.adapters.storage import input_archive as archive
from oepnode.client import chain as chains
from oepnode.client.audits import RoundRecord, read_record
from oepnode.client.chain import ChainTarget, hexed
from oepnode.client.files import FileName, name_file, read_file
from oepnode.client.keys import load_key_pair, read_salt
from oepnode.client.recounts import require_equal
from oepnode.client.rounds import phase_name
from oepnode.domain.documents.progress import Progress
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds import replay as replaying
from oepnode.domain.rounds import tally
from oepnode.domain.rounds.computation import Inputs
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.custody import CustodyStanding, check_custody
from oepnode.domain.rounds.onchain import BallotCast
from oepnode.domain.rounds.replay import Verdict
from oepnode.errors import DocumentFault, EvidenceError

_SEAL_SIZE: Final = 1 << 20
_DIFFERS: Final = CustodyStanding.DIFFERS.value


class SiteCounts(Struct, frozen=True):
    """Sites of a computed result."""

    assigned: int
    unassigned_nmis: int


class CustodyReport(Struct, frozen=True):
    """A member's custody root, compared with the one that the inputs give for it.

    Attributes:
        operator: The member's operator.
        standing: ``matches``, ``differs``, ``abstained`` or ``silent``.
        stated: The custody root in the event of its ballot, or None.
        computed: The custody root of the inputs, or None without a ballot.
    """

    operator: str
    standing: str
    stated: str | None
    computed: str | None


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
        custody: Every member's custody root, in order of index; None where it was not requested.
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
    custody: tuple[CustodyReport, ...] | None = None

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

    def require_custody(self) -> None:
        """Reject a custody root that these inputs do not give.

        Raises:
            EvidenceError: With the operators whose custody root differs.
        """
        differing = [each.operator for each in self.custody or () if each.standing == _DIFFERS]
        if differing:
            raise EvidenceError(
                f"round {self.round}: the custody root differs from that of these inputs: "
                f"{', '.join(differing)}"
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


# --- replaying -----------------------------------------------------------------------------------


def replay_round(
    chain: ChainTarget,
    number: int,
    source: InputSource,
    progress: Progress | None = None,
    *,
    custody: bool = False,
) -> ReplayReport:
    """Compute a round's result again from its inputs, and compare it with the chain's.

    Args:
        chain: The chain.
        number: The round.
        source: The inputs.
        progress: Progress callback.
        custody: Also check every member's custody root.

    Raises:
        ConfigError: If a file, the round or the chain is not usable.
        EvidenceError: If the inputs are not those of the round, or the chain's record, events and
            count differ. A result other than the chain's is part of the report.
        TransportError: If the node does not respond.
    """
    load = _loader(source)
    record = chains.run(read_record(chain, number))
    require_equal(number, record.account.differences)
    inputs = load(record.context)
    with (
        TemporaryDirectory(prefix="oepnode-replay-") as folder,
        Spill(Path(folder, "spill")) as spill,
    ):
        workshop = ForkedProcesses(spill, usable_cores())
        with _name_rejected(source):
            verdict = replaying.replay(
                inputs, record.context, record.opened, record.state, progress, workshop=workshop
            )
        report = _replay(record, verdict)
        return structs.replace(report, custody=_custody(record, verdict)) if custody else report


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


def _custody(record: RoundRecord, verdict: Verdict) -> tuple[CustodyReport, ...]:
    partitions = verdict.computed.partitions
    return tuple(
        CustodyReport(
            operator=hexed(each.member.operator),
            standing=each.standing.value,
            stated=None if each.stated is None else hexed(each.stated),
            computed=None if each.computed is None else hexed(each.computed),
        )
        for each in check_custody(record.electorate, record.events, partitions)
    )


def _replay(record: RoundRecord, verdict: Verdict) -> ReplayReport:
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
