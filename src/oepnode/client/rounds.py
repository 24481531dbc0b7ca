"""Rounds as the chain has them: a list of the newest, and the final result of one.

Guarantees: a `FinalRound` is a result that a quorum agreed on, or an error is raised. Leaves out
the events of a round (``client.audits``). Source: ``docs/design.md``.

Example:
    >>> chain = ChainTarget("http://localhost:8545", "0x5fbd…")  # doctest: +SKIP
    >>> [line.phase for line in list_rounds(chain)]              # doctest: +SKIP
    ['final', 'cancelled']
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from oepnode.client import chain as chains
from oepnode.client.certificates import UNPROVEN, CertifiedRound, check_certificate
from oepnode.client.chain import ChainTarget, hexed
from oepnode.client.files import FileName, read_file
from oepnode.client.recounts import age_notes, recount, require_equal, shown_block
from oepnode.domain.nem.nem_time import INTERVAL_S, format_nem
from oepnode.domain.rounds import onchain
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Phase, Round
from oepnode.domain.rounds.precedence import RoundHorizon, spans_in_force
from oepnode.errors import ConfigError, ConflictError, EvidenceError
from oepnode.ports import ChainReader, RoundReader

DEFAULT_LIMITS: Final = (
    "no partition is delivered for it; your default limits apply to its horizon, unless another "
    "final round covers it"
)
_STATE_SIZE: Final = 1 << 24
_MAX_NEWER_ROUNDS: Final = 400
"""Newer rounds that notes are made of: more than a week of one every 30 minutes."""


class RoundNotNamedError(ConfigError):
    """Neither the file nor the caller names the round."""


class RoundStateError(ConfigError):
    """A file is not the JSON of a round's audit."""


class FinalRound(Struct, frozen=True):
    """The final result of a round.

    Attributes:
        context: The round.
        root: Final root, 32 bytes.
        partitions: Leaves of the round tree.
        notes: Sentences for the user, such as that a later round supersedes this one.
        source: Origin of the result: the chain, or a file.
    """

    context: RoundContext
    root: bytes
    partitions: int
    notes: tuple[str, ...]
    source: str

    def fields(self) -> dict[str, Any]:
        """Round and root in the JSON of a report."""
        return {
            "round": self.context.number,
            "chain_id": self.context.chain_id,
            "contract": hexed(self.context.contract),
            "root": hexed(self.root),
        }


class RoundSelector(Struct, frozen=True):
    """The round to verify against, and the source of its result.

    Attributes:
        chain: The chain.
        state_file: JSON of a `RoundAudit`, read in place of the chain.
        number: The round; None takes the number in the file to be verified.
        certificate: Certificate that proves the round's root, read in place of the chain.
    """

    chain: ChainTarget
    state_file: FileName | None = None
    number: int | None = None
    certificate: CertifiedRound | None = None

    @property
    def is_offline(self) -> bool:
        """Whether the round is read from a file."""
        return self.state_file is not None or self.certificate is not None

    def final(self, stated: int | None) -> FinalRound:
        """Read the final result of the round.

        Args:
            stated: Number in the file to be verified, used where `number` is None.

        Raises:
            RoundNotNamedError: If there is no number at all; also as `read_round_state`,
                `verify_certificate` and `final_round`.
        """
        if self.certificate is not None:
            return _read_certificate(self.certificate, self.number)
        if self.state_file is not None:
            return read_round_state(self.state_file)
        number = stated if self.number is None else self.number
        if number is None:
            raise RoundNotNamedError("the file does not name its round: give the round's number")
        return final_round(self.chain, number)


class RoundReport(Struct, frozen=True):
    """State of a round on chain: hex as ``0x…``, times in NEM time."""

    round: int
    phase: str
    epoch: int
    rules_version: int
    quorum: int
    member_count: int
    horizon_start: str
    horizon_end: str
    intervals: int
    opened_at: str
    vote_deadline: str
    reveal_deadline: str
    voted_count: int
    matched_count: int
    root: str | None
    partitions: int


class _State(Struct, frozen=True):
    """The fields read of the JSON of a `RoundAudit`; the others are ignored."""

    chain_id: Annotated[int, Meta(ge=1)]
    contract: Annotated[str, Meta(pattern="^0x[0-9a-f]{40}\\Z")]
    round: Annotated[int, Meta(ge=1)]
    phase: str
    root: Annotated[str, Meta(pattern="^0x[0-9a-f]{64}\\Z")] | None
    partitions: Annotated[int, Meta(ge=0, lt=1 << 32)]


# --- journeys ------------------------------------------------------------------------------------


def final_round(chain: ChainTarget, number: int | None = None) -> FinalRound:
    """Read the final result of a round, by default of the latest final one.

    Raises:
        ConfigError: If there is no such round, or the chain is not reachable as named.
        EvidenceError: If the round failed or was cancelled, or no round is final.
        ConflictError: If the round is not over yet.
        TransportError: If the node does not respond.
    """

    async def go() -> FinalRound:
        async with chains.open_reader(chain) as reader:
            final, _ = await read_final(reader, number)
            return final

    return chains.run(go())


def list_rounds(chain: ChainTarget, last: int = 20) -> tuple[RoundReport, ...]:
    """List the newest rounds, newest first.

    Args:
        chain: The chain.
        last: Maximum number of rounds.
    """

    async def go() -> list[Round]:
        async with chains.open_reader(chain) as reader:
            newest = await reader.round_count()
            numbers = range(newest, max(0, newest - last), -1)
            states = [await reader.round(number) for number in numbers]
            return [state for state in states if state is not None]

    return tuple(report_of(state) for state in chains.run(go()))


def read_round_state(file: FileName) -> FinalRound:
    """Read a round's final result from the JSON of a `RoundAudit`.

    Raises:
        ConfigError: If the file is not such JSON.
        EvidenceError: If the round in it is not final.
    """
    path = Path(file)
    data = read_file(path, "round state", _STATE_SIZE)
    try:
        state = msgspec.json.decode(data, type=_State)
    except (ValueError, RecursionError) as exc:
        raise RoundStateError(f"{path}: not the JSON of a round's audit") from exc
    if state.phase != "final" or state.root is None:
        raise EvidenceError(f"{path}: round {state.round}: {state.phase}; {DEFAULT_LIMITS}")
    context = RoundContext(state.chain_id, onchain.parse_address(state.contract), state.round)
    notes = (f"read from {path.name}: whether a later round supersedes it was not checked",)
    root = onchain.parse_bytes32(state.root, "a root")
    return FinalRound(context, root, state.partitions, notes, f"file {path.name}")


def _read_certificate(certified: CertifiedRound, number: int | None) -> FinalRound:
    verified = check_certificate(certified, number)
    own, name = verified.certificate, Path(certified.file).name
    source = f"certificate {name}, signed by {verified.shown_count}"
    return FinalRound(own.context, own.result.root, own.result.partitions, (UNPROVEN,), source)


# --- parts of journeys, on an open connection ----------------------------------------------------


async def find_round(reader: ChainReader, number: int | None) -> tuple[Round, list[str]]:
    """Read a round by number, or the latest final one with notes on the newer ones.

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
            notes.append(f"round {candidate} is newer: {_why_not_final(state)}")
    raise EvidenceError("; ".join(["no round is final", *notes]))


async def read_final(reader: RoundReader, number: int | None) -> tuple[FinalRound, Round]:
    """Read the final result and the state of a round, by number or the latest final one.

    The ballots are counted again: a result that they do not give is no result.

    Raises:
        ConfigError: If there is no such round.
        EvidenceError: If it failed or was cancelled, or record, events and count differ.
        ConflictError: If it is not over yet.
    """
    state, notes = await find_round(reader, number)
    if not state.phase.is_over:
        raise ConflictError(f"round {state.number}: {_why_not_final(state)}; try again later")
    if state.phase is not Phase.FINAL:
        raise EvidenceError(f"round {state.number}: {_why_not_final(state)}")
    await _check_count(reader, state)
    latest = await reader.latest_final(state.horizon_start, state.interval_count)
    if latest > state.number:
        notes.append(
            f"round {state.number} is superseded: round {latest} is final for the same horizon"
        )
    notes += await _overlap_notes(reader, state)
    notes += await age_notes(reader)
    context = chains.context_of(reader, state.number)
    source = f"the chain (id {reader.chain_id}) at {shown_block(await reader.head())}"
    return FinalRound(context, state.root, state.partitions, tuple(notes), source), state


async def _overlap_notes(reader: RoundReader, state: Round) -> list[str]:
    """A note for each newer final round that is in force in a part of this one's horizon."""
    newest = min(await reader.round_count(), state.number + _MAX_NEWER_ROUNDS)
    own = RoundHorizon(state.number, state.horizon_start, state.interval_count)
    newer = [own]
    for number in range(state.number + 1, newest + 1):
        other = await reader.round(number)
        if other is not None and other.phase is Phase.FINAL:
            newer.append(RoundHorizon(number, other.horizon_start, other.interval_count))
    return [
        f"round {span.number} is in force, and not round {state.number}, from "
        f"{format_nem(max(span.start, own.start))} to {format_nem(min(span.end, own.end))}"
        for span in spans_in_force(newer)
        if span.number != own.number and span.start < own.end and own.start < span.end
    ]


async def _check_count(reader: RoundReader, state: Round) -> None:
    counted = await recount(reader, state.number)
    differences = list(counted.account.differences)
    if counted.history.record.state != state:
        differences.append("round() and record() of the contract differ")
    require_equal(state.number, differences)


def report_of(state: Round) -> RoundReport:
    """Report a round's state."""
    return RoundReport(
        round=state.number,
        phase=phase_name(state.phase),
        epoch=state.epoch,
        rules_version=state.rules_version,
        quorum=state.quorum,
        member_count=state.member_count,
        **horizon_fields(state.horizon_start, state.interval_count),
        opened_at=format_nem(state.opened_at),
        vote_deadline=format_nem(state.vote_deadline),
        reveal_deadline=format_nem(state.reveal_deadline),
        voted_count=state.voted.bit_count(),
        matched_count=state.matched.bit_count(),
        root=hexed(state.root) if state.root else None,
        partitions=state.partitions,
    )


def horizon_fields(start: int, interval_count: int) -> dict[str, Any]:
    """A horizon in the JSON of a report.

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
    """A phase as reports write it, such as ``final``."""
    return phase.name.lower()


def _why_not_final(state: Round) -> str:
    if state.phase is Phase.CANCELLED:
        return f"cancelled; {DEFAULT_LIMITS}"
    if state.phase is Phase.FAILED:
        return f"failed, no root got a quorum; {DEFAULT_LIMITS}"
    if state.phase is Phase.EXPIRED:
        return f"its reveal window passed without a final root; {DEFAULT_LIMITS}"
    return f"not final yet ({phase_name(state.phase)})"
