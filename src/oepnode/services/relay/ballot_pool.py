"""Holding signed ballots, and casting them in batches: what a relay decides.

Guarantees: what is held was signed by a member of a round that was voting then, one ballot a
member; nothing else uses memory, and a round that is over none. A second, different ballot of a
member is kept as evidence and never sent; the first one stands, as it does on chain. Before each
transaction the chain is asked who has voted, and there is one transaction at a time. A ballot is
held until its round's vote is over, so that one whose block was replaced is cast again.

Leaves out keeping ballots over a restart: their workers hand them in until they see them on chain.
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
from oepnode.domain.rounds.onchain import Electorate, Member, Phase, Round
from oepnode.domain.rounds.pseudonyms import RoundContext
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
from oepnode.errors import ConflictError, EvidenceError, TransportError
from oepnode.ports import Chain
from oepnode.services.common.http import Rejection, place_of

_log = structlog.get_logger(__name__)

FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 15.0
AT_A_TIME: Final = 4
"""Ballots that are checked at once: bounds the questions to the chain."""


class Receipt(Struct, frozen=True):
    """What became of a ballot that was handed in.

    Attributes:
        round: Its round.
        operator: Of the member that signed it, 20 bytes.
        is_cast: Whether the member's vote was on chain at the last look.
    """

    round: int
    operator: bytes
    is_cast: bool


@dataclass
class _Held:
    """A ballot.

    Attributes:
        member: Whose it is.
        signed: The ballot.
        since: When it was handed in (monotonic seconds).
        is_doubled: Whether evidence of a second one was kept; one pair is enough.
    """

    member: Member
    signed: SignedBallot
    since: float
    is_doubled: bool = False


@dataclass
class _Round:
    """What is held for a round.

    Attributes:
        held: By the member's signer.
        voted: Bitmap of members that have voted, as of the last look.
        not_before: When the next transaction may be tried (monotonic seconds).
        wait_s: How long the last fault put it off.
        trouble: What that fault was, or empty.
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
    """Takes ballots and casts them.

    Args:
        chain: With an account that pays.
        evidence: Where two ballots of a member are kept.
        recover: Of signers.
        batch_after_s: How long a ballot waits for others.
        now: Monotonic seconds.
    """

    def __init__(
        self,
        chain: Chain,
        evidence: EvidenceFiles,
        recover: Recover,
        batch_after_s: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._chain = chain
        self._evidence = evidence
        self._recover = recover
        self._batch_after_s = batch_after_s
        self._now = now
        self._rounds: dict[int, _Round] = {}
        self._turns = asyncio.Semaphore(AT_A_TIME)

    # -- taking ----------------------------------------------------------------------------

    async def take(self, line: bytes) -> Receipt:
        """Hold a ballot, or find that it is held.

        Args:
            line: As ``oepnode contract sign-ballot`` prints it.

        Raises:
            EvidenceError: If it is no signed ballot.
            Rejection: If it could not be cast, or is the second of its member; with the reason.
            TransportError: If the chain does not answer.
            FatalError: If the disk does not keep evidence.
        """
        # 1. It is one signed ballot, for this chain and contract.
        relayed = _one(line)
        self._check_place(relayed.context)
        # 2. It is held already.
        known = self._same(relayed)
        if known is not None:
            return known
        async with self._turns:
            # 3. Somebody signed it. Before the chain is asked, which costs more.
            signer = await asyncio.to_thread(self._recover, relayed.context, relayed.signed)
            if signer is None:
                raise Rejection(422, "signature.invalid", "the signature is none of this ballot")
            # 4. The round takes votes.
            state = await self._voting(relayed.context.number)
            electorate = await self._chain.electorate(state.epoch)
        # 5. The signer is one of the round's.
        member = member_of(relayed.context, electorate, relayed, lambda *_: signer)
        if isinstance(member, str):
            raise Rejection(403, "ballot.rejected", f"this ballot cannot be cast: {member}")
        # 6. It is the member's first. No await between looking and holding.
        return self._hold(relayed, member, state)

    def _check_place(self, context: RoundContext) -> None:
        here = RoundContext(self._chain.chain_id, self._chain.contract, context.number)
        if context.chain_id != here.chain_id:
            raise Rejection(
                422, "ballot.other_chain", f"expected chain {here.chain_id}, not {context.chain_id}"
            )
        if context.contract != here.contract:
            raise Rejection(
                422,
                "ballot.other_contract",
                f"expected contract 0x{here.contract.hex()}, not 0x{context.contract.hex()}",
            )

    def _same(self, relayed: Relayed) -> Receipt | None:
        round_ = self._rounds.get(relayed.context.number, _Round())
        same = (held for held in round_.held.values() if held.signed == relayed.signed)
        held = next(same, None)
        return None if held is None else round_.receipt(relayed.context.number, held)

    async def _voting(self, number: int) -> Round:
        state = await self._chain.round(number)
        if state is None:
            raise Rejection(404, "round.unknown", f"the relay's node does not know round {number}")
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
            _log.info("ballot.held", round=number, operator=member.operator.hex())
        elif held.signed.ballot != relayed.signed.ballot:
            self._keep_evidence(held, relayed)
            raise Rejection(
                409,
                "ballot.second",
                "this member signed another ballot for this round; both are kept as evidence",
            )
        return round_.receipt(number, held)

    def _keep_evidence(self, held: _Held, second: Relayed) -> None:
        if not held.is_doubled:
            self._evidence.keep(Relayed(second.context, held.signed), second)
            held.is_doubled = True
            operator = held.member.operator.hex()
            _log.warning("ballot.second", round=second.context.number, operator=operator)

    # -- telling ---------------------------------------------------------------------------

    @property
    def counts(self) -> tuple[int, int]:
        """Rounds and ballots that are held."""
        return len(self._rounds), sum(len(round_.held) for round_ in self._rounds.values())

    @property
    def trouble(self) -> str:
        """What keeps a round's ballots from being cast, or empty."""
        return next((round_.trouble for round_ in self._rounds.values() if round_.trouble), "")

    def receipts(self, number: int) -> list[Receipt]:
        """What became of the ballots of a round that is voting; none of any other."""
        round_ = self._rounds.get(number, _Round())
        return [round_.receipt(number, held) for held in round_.held.values()]

    # -- casting ---------------------------------------------------------------------------

    async def run(self, interval_s: float) -> None:
        """Look at the rounds again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(interval_s)

    async def look(self) -> None:
        """Look at each round once: forget it, cast what is due, or leave it for later."""
        for number in sorted(self._rounds):
            round_ = self._rounds[number]
            if self._now() < round_.not_before:
                continue
            try:
                await self._tend(number, round_)
            except (TransportError, ConflictError) as exc:
                self._put_off(number, round_, str(exc))
            except Exception as exc:  # a fault of ours in one round stops no other
                _log.error("batch.fault", error=type(exc).__name__, at=place_of(exc))
                self._put_off(number, round_, "a fault of this service; its log names the place")

    async def _tend(self, number: int, round_: _Round) -> None:
        state = await self._chain.round(number)
        if state is None or state.phase is not Phase.VOTING:
            self._rounds.pop(number, None)
            _log.info("round.forgotten", round=number)
            return
        electorate = await self._chain.electorate(state.epoch)
        round_.voted = state.voted
        batch = self._batch(number, round_, electorate)
        if batch.chosen and self._is_due(round_, batch, electorate):
            packed = pack(signed for _, signed in batch.chosen)
            await self._chain.cast_ballots(number, packed)
            _log.info("ballots.cast", round=number, ballots=len(batch.chosen))
        round_.wait_s, round_.trouble = 0.0, ""

    def _batch(self, number: int, round_: _Round, electorate: Electorate) -> BallotBatch:
        context = RoundContext(self._chain.chain_id, self._chain.contract, number)
        signers = {held.signed: signer for signer, held in round_.held.items()}
        offered = [Relayed(context, signed) for signed in signers]
        # Who signed was recovered when the ballot was taken.
        return batch_of(
            context, electorate, round_.voted, offered, lambda _, signed: signers[signed]
        )

    def _is_due(self, round_: _Round, batch: BallotBatch, electorate: Electorate) -> bool:
        """Whether nobody is left to wait for, or the oldest ballot has waited long enough."""
        voted = electorate.by_index(round_.voted)
        if len(voted) + len(batch.chosen) >= len(electorate.members):
            return True
        oldest = min(round_.held[member.signer].since for member, _ in batch.chosen)
        return self._now() - oldest >= self._batch_after_s

    def _put_off(self, number: int, round_: _Round, why: str) -> None:
        round_.wait_s = min(max(2 * round_.wait_s, FIRST_WAIT_S), LONGEST_WAIT_S)
        round_.not_before = self._now() + round_.wait_s
        round_.trouble = why
        _log.warning("batch.put_off", round=number, why=why, wait_s=round_.wait_s)


def _one(line: bytes) -> Relayed:
    found = decode_lines(line)
    if len(found) != 1:
        raise EvidenceError(f"expected one signed ballot, received {len(found)}")
    return found[0]
