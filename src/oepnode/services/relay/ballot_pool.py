"""Holds signed ballots, and casts them in batches.

Guarantees: a held ballot was signed by a member of a round that was voting then, one ballot per
member; nothing else uses memory, and a round uses none after its vote. A second, different ballot
of a member is stored as evidence and never sent; the first one counts, as it does on chain. Before
each transaction the relay reads from the chain which members have voted, and it sends one
transaction at a time. A ballot is held until its round's vote has ended, so that it is cast again
if its block was replaced.

Leaves out storing ballots across a restart: workers hand them in until they are on chain.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
from msgspec import Struct

from oepnode.adapters.storage.evidence import EvidenceFiles
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Electorate, Member, Phase, Round
from oepnode.domain.rounds.signed_ballots import (
    BallotBatch,
    Recover,
    Relayed,
    SignedBallot,
    batch_of,
    decode_lines,
    member_of,
    pack,
)
from oepnode.errors import ConflictError, EvidenceError, TransportError, location_of
from oepnode.ports import Chain
from oepnode.services.common.http import INTERNAL_ERROR, Rejection, shown_reason
from oepnode.services.common.known_signers import KnownSigners
from oepnode.services.common.turns import Turns
from oepnode.services.relay.metrics import RelayMetrics

_log = structlog.get_logger(__name__)

FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 15.0
_NEWEST_ROUNDS: Final = 8
"""Rounds whose members are known besides today's; a member that was removed may still vote."""


class Receipt(Struct, frozen=True):
    """State of a ballot that was handed in.

    Attributes:
        round: Its round.
        operator: Operator of the member that signed it, 20 bytes.
        is_cast: Whether the member's vote was on chain at the last check.
    """

    round: int
    operator: bytes
    is_cast: bool


@dataclass
class _Held:
    """A held ballot.

    Attributes:
        member: The member that signed it.
        signed: The ballot.
        since: Time of handing in (monotonic seconds).
        has_evidence: Whether evidence of a second ballot was stored; one pair is enough.
    """

    member: Member
    signed: SignedBallot
    since: float
    has_evidence: bool = False


@dataclass
class _Round:
    """The held ballots of a round.

    Attributes:
        held: Ballots by the member's signer.
        voted: Bitmap of members that have voted, as of the last check.
        not_before: Earliest time of the next transaction (monotonic seconds).
        wait_s: Wait after the last problem.
        trouble: The last problem, or empty.
    """

    held: dict[bytes, _Held] = field(default_factory=dict)
    voted: int = 0
    not_before: float = 0.0
    wait_s: float = 0.0
    trouble: str = ""

    def receipt(self, number: int, held: _Held) -> Receipt:
        is_cast = bool(self.voted >> held.member.index & 1)
        return Receipt(number, held.member.operator, is_cast)


class BallotPool:
    """Accepts ballots and casts them.

    Args:
        chain: The contract, with an account that pays.
        evidence: Storage of pairs of ballots of one member.
        recover: Recovers a ballot's signer.
        batch_after_s: Maximum wait of a ballot for others.
        metrics: The relay's metrics.
        now: Returns monotonic seconds.
    """

    def __init__(
        self,
        chain: Chain,
        evidence: EvidenceFiles,
        recover: Recover,
        batch_after_s: float,
        metrics: RelayMetrics,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._chain = chain
        self._evidence = evidence
        self._recover = recover
        self._batch_after_s = batch_after_s
        self._now = now
        self._rounds: dict[int, _Round] = {}
        self._turns = Turns()
        self._known = KnownSigners(self._members, now)
        self._metrics = metrics
        metrics.watch("votes", self._turns)
        metrics.held_votes.set_function(lambda: self.counts[1])

    # --- accepting -------------------------------------------------------------------------------

    async def accept(self, line: bytes, is_gone: Callable[[], bool] = lambda: False) -> Receipt:
        """Hold a ballot; one that is held already changes nothing.

        Args:
            line: A signed ballot as ``oepnode relay sign`` prints it.
            is_gone: Whether the client has closed its connection.

        Raises:
            EvidenceError: If it is not a signed ballot.
            Rejection: If it cannot be cast, or is the member's second one.
            TransportError: If the chain does not respond.
            FatalError: If evidence cannot be written.
        """
        # 1. It is one signed ballot, for this chain and contract.
        relayed = _decode_one(line)
        self._check_contract(relayed.context)
        # 2. The same ballot is held already.
        known = self._same(relayed)
        if known is not None:
            return known
        # 3. A member signed it. Checked before the chain is read for it, which costs more.
        signer = await self._signer_of(relayed)
        async with self._turns.turn(signer, is_gone):
            # 4. The round is voting.
            state = await self._voting(relayed.context.number)
            electorate = await self._chain.electorate(state.epoch)
        # 5. The signer is a member of the round.
        member = member_of(relayed.context, electorate, relayed, lambda *_: signer)
        if isinstance(member, str):
            raise Rejection(403, "ballot.rejected", f"this ballot cannot be cast: {member}")
        # 6. It is the member's first. No await between the check and holding it.
        return self._hold(relayed, member, state)

    async def _signer_of(self, relayed: Relayed) -> bytes:
        signer = self._recover(relayed.context, relayed.signed)
        if signer is None:
            raise Rejection(422, "signature.invalid", "invalid signature; sign the ballot again")
        if await self._known.find(signer) is None:
            raise Rejection(
                403,
                "ballot.rejected",
                f"this ballot cannot be cast: 0x{signer.hex()} signed it, who is not a member",
            )
        return signer

    async def _members(self) -> list[Member]:
        """Members of today and of the newest rounds that are voting."""
        newest = await self._chain.round_count()
        members = list((await self._chain.current_electorate()).members)
        for number in range(max(1, newest - _NEWEST_ROUNDS + 1), newest + 1):
            state = await self._chain.round(number)
            if state is not None and state.phase is Phase.VOTING:
                members += (await self._chain.electorate(state.epoch)).members
        return members

    def _check_contract(self, context: RoundContext) -> None:
        here = RoundContext(self._chain.chain_id, self._chain.contract, context.number)
        if context.chain_id != here.chain_id:
            raise Rejection(
                422,
                "ballot.other_chain",
                f"this relay serves chain {here.chain_id}, the ballot is for {context.chain_id}",
            )
        if context.contract != here.contract:
            raise Rejection(
                422,
                "ballot.other_contract",
                f"this relay serves contract 0x{here.contract.hex()}, the ballot is for "
                f"0x{context.contract.hex()}",
            )

    def _same(self, relayed: Relayed) -> Receipt | None:
        round_ = self._rounds.get(relayed.context.number, _Round())
        same = (held for held in round_.held.values() if held.signed == relayed.signed)
        held = next(same, None)
        return None if held is None else round_.receipt(relayed.context.number, held)

    async def _voting(self, number: int) -> Round:
        state = await self._chain.round(number)
        if state is None:
            raise Rejection(
                404, "round.unknown", f"round {number} is unknown to the relay's node; retry later"
            )
        if state.phase is not Phase.VOTING:
            raise Rejection(
                409, "round.not_voting", f"round {number} is {state.phase.name.lower()}, not voting"
            )
        return state

    def _hold(self, relayed: Relayed, member: Member, state: Round) -> Receipt:
        number = relayed.context.number
        round_ = self._rounds.get(number, _Round(voted=state.voted))
        held = round_.held.get(member.signer)
        if held is None:
            if state.voted >> member.index & 1:
                raise Rejection(409, "member.voted", "this member has voted or abstained on chain")
            held = _Held(member, relayed.signed, self._now())
            round_.held[member.signer] = held
            self._rounds[number] = round_
            _log.info("ballot_held", round=number, operator=member.operator.hex())
        elif held.signed.vote.ballot != relayed.signed.vote.ballot:
            self._store_evidence(held, relayed)
            raise Rejection(
                409,
                "ballot.second",
                "this member signed another ballot for this round; both are stored as evidence",
            )
        return round_.receipt(number, held)

    def _store_evidence(self, held: _Held, second: Relayed) -> None:
        if not held.has_evidence:
            self._evidence.keep(Relayed(second.context, held.signed), second)
            held.has_evidence = True
            operator = held.member.operator.hex()
            _log.warning("second_ballot_rejected", round=second.context.number, operator=operator)

    # --- reporting -------------------------------------------------------------------------------

    @property
    def counts(self) -> tuple[int, int]:
        """Numbers of rounds and ballots that are held."""
        return len(self._rounds), sum(len(round_.held) for round_ in self._rounds.values())

    @property
    def trouble(self) -> str:
        """The problem that delays a round's ballots, or empty."""
        return next((round_.trouble for round_ in self._rounds.values() if round_.trouble), "")

    def receipts(self, number: int) -> list[Receipt]:
        """States of the held ballots of a round; empty unless the round is voting."""
        round_ = self._rounds.get(number, _Round())
        return [round_.receipt(number, held) for held in round_.held.values()]

    # --- casting ---------------------------------------------------------------------------------

    async def run(self, interval_s: float) -> None:
        """Process the rounds repeatedly, until cancelled."""
        while True:
            await self.process_rounds()
            await asyncio.sleep(interval_s)

    async def process_rounds(self) -> None:
        """Process each round once: release it, cast its batch if due, or postpone it."""
        for number in sorted(self._rounds):
            round_ = self._rounds[number]
            if self._now() < round_.not_before:
                continue
            try:
                await self._process(number, round_)
            except (TransportError, ConflictError) as exc:
                self._postpone(number, round_, str(exc), shown_reason(exc))
            except Exception as exc:  # an internal error in one round stops no other
                error, location = type(exc).__name__, location_of(exc)
                _log.error("batch_failed", round=number, error=error, location=location)
                self._postpone(number, round_, INTERNAL_ERROR, INTERNAL_ERROR)

    async def _process(self, number: int, round_: _Round) -> None:
        state = await self._chain.round(number)
        if state is None or state.phase is not Phase.VOTING:
            self._rounds.pop(number, None)
            _log.info("round_released", round=number)
            return
        electorate = await self._chain.electorate(state.epoch)
        round_.voted = state.voted
        batch = self._batch(number, round_, electorate)
        if batch.chosen and self._is_due(round_, batch, electorate):
            packed = pack(signed for _, signed in batch.chosen)
            await self._chain.cast_ballots(number, packed)
            self._metrics.votes_cast.inc(len(batch.chosen))
            _log.info("ballots_cast", round=number, ballots=len(batch.chosen))
        round_.wait_s, round_.trouble = 0.0, ""

    def _batch(self, number: int, round_: _Round, electorate: Electorate) -> BallotBatch:
        context = RoundContext(self._chain.chain_id, self._chain.contract, number)
        signers = {held.signed: signer for signer, held in round_.held.items()}
        offered = [Relayed(context, signed) for signed in signers]
        # The signer was recovered when the ballot was accepted.
        return batch_of(
            context, electorate, round_.voted, offered, lambda _, signed: signers[signed]
        )

    def _is_due(self, round_: _Round, batch: BallotBatch, electorate: Electorate) -> bool:
        """Whether no other member can still hand in, or the oldest ballot has waited enough."""
        voted = electorate.by_index(round_.voted)
        if len(voted) + len(batch.chosen) >= len(electorate.members):
            return True
        oldest = min(round_.held[member.signer].since for member, _ in batch.chosen)
        return self._now() - oldest >= self._batch_after_s

    def _postpone(self, number: int, round_: _Round, reason: str, shown: str) -> None:
        round_.wait_s = min(max(2 * round_.wait_s, FIRST_WAIT_S), LONGEST_WAIT_S)
        round_.not_before = self._now() + round_.wait_s
        round_.trouble = shown
        _log.warning("batch_postponed", round=number, reason=reason, wait_s=round_.wait_s)


def _decode_one(line: bytes) -> Relayed:
    ballots = decode_lines(line)
    if len(ballots) != 1:
        raise EvidenceError(f"expected one signed ballot, received {len(ballots)}")
    return ballots[0]
