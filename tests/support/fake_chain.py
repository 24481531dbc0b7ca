"""An in-memory consensus contract behind the chain ports, for tests without a network.

An `InMemoryChain` is the chain; each `FakeChain` is one account's connection to it. Rules are
those of ``OepConsensus`` as far as the product depends on them: frozen electorates, one vote per
member, ballots counted by recomputing them, a quorum makes a root final.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from msgspec.structs import replace

from oepnode.adapters.crypto.ballot_signature import recover_signer
from oepnode.domain.rounds.ballot import Result, ballot_for
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import (
    Abstained,
    BallotCast,
    Electorate,
    Event,
    Head,
    LogPlace,
    Member,
    Phase,
    RootRevealed,
    Round,
    RoundFailed,
    RoundFinalised,
    RoundOpened,
)
from oepnode.domain.rounds.signed_ballots import unpack
from oepnode.errors import ConflictError, TransportError

CHAIN_ID = 31337
CONTRACT = bytes.fromhex("c0" * 20)
REQUESTER = bytes.fromhex("ee" * 20)
START_TIME = 1_795_000_000


class FakeClock:
    """A clock that tests set."""

    def __init__(self, now: float = START_TIME) -> None:
        self.time = now

    def now(self) -> float:
        return self.time


class InMemoryChain:
    """The chain itself.

    Attributes:
        is_down: Every call fails with `TransportError`.
        loses_answers: Writes take effect and then fail with `TransportError`.
        rejection: Writes are rejected with this reason, unless it is empty.
    """

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.is_down = False
        self.loses_answers = False
        self.rejection = ""
        self.endpoints: dict[bytes, str] = {}
        self.log: list[Event] = []
        self.block_times: list[int] = [START_TIME]
        self.rounds: dict[int, Round] = {}
        self.ballots: dict[int, list[tuple[Member, bytes]]] = {}
        self.electorates: list[Electorate] = []
        self._start_epoch(())

    # -- membership --------------------------------------------------------------------------

    def add_member(self, operator: bytes, signer: bytes) -> Member:
        members = self.electorates[-1].members
        index = next(i for i in range(128) if i not in {member.index for member in members})
        member = Member(index, operator, signer)
        self._start_epoch(tuple(sorted((*members, member), key=lambda m: m.index)))
        return member

    def remove_member(self, operator: bytes) -> None:
        members = self.electorates[-1].members
        self._start_epoch(tuple(m for m in members if m.operator != operator))

    def rotate_signer(self, operator: bytes, signer: bytes) -> None:
        members = self.electorates[-1].members
        self._start_epoch(
            tuple(replace(m, signer=signer) if m.operator == operator else m for m in members)
        )

    def _start_epoch(self, members: tuple[Member, ...]) -> None:
        quorum = -(-2 * len(members) // 3)
        self.electorates.append(
            Electorate(len(self.electorates) + 1, members, quorum, 60, 60, rules_version=1)
        )

    # -- rounds ------------------------------------------------------------------------------

    def append(self, event: type[Event], **fields: object) -> bytes:
        """Add a block with one event, and return its transaction hash."""
        number = len(self.block_times)
        self.block_times.append(max(int(self.clock.now()), self.block_times[-1]))
        transaction = sha256(b"transaction %d" % number).digest()
        place = LogPlace(number, block_hash(number), transaction, 0)
        self.log.append(event(place=place, **fields))
        return transaction

    def set_phase(self, number: int, phase: Phase) -> None:
        self.rounds[number] = replace(self.rounds[number], phase=phase)

    def now_state(self, number: int) -> Round | None:
        """A round with the phase that the time gives it."""
        state = self.rounds.get(number)
        if state is None or state.phase.is_over:
            return state
        everybody = sum(1 << m.index for m in self.electorates[state.epoch - 1].members)
        if self.clock.now() >= state.reveal_deadline:
            phase = Phase.EXPIRED
        elif self.clock.now() >= state.vote_deadline or state.voted == everybody:
            phase = Phase.REVEALING
        else:
            phase = Phase.VOTING
        return replace(state, phase=phase)


def block_hash(number: int) -> bytes:
    return sha256(b"block %d" % number).digest()


class FakeChain:
    """One account's connection to a `InMemoryChain`; implements `ports.Chain`."""

    def __init__(self, chain_state: InMemoryChain, signer: bytes = REQUESTER) -> None:
        self.chain_state = chain_state
        self._signer = signer
        self.calls: list[str] = []

    @property
    def chain_id(self) -> int:
        return CHAIN_ID

    @property
    def contract(self) -> bytes:
        return CONTRACT

    @property
    def signer(self) -> bytes:
        return self._signer

    # -- reading -----------------------------------------------------------------------------

    async def head(self) -> Head:
        self._read("head")
        number = len(self.chain_state.block_times) - 1
        return Head(number, block_hash(number), self.chain_state.block_times[-1])

    async def round_count(self) -> int:
        self._read("round_count")
        return len(self.chain_state.rounds)

    async def round(self, number: int) -> Round | None:
        self._read("round")
        return self.chain_state.now_state(number)

    async def electorate(self, epoch: int) -> Electorate:
        self._read("electorate")
        return self.chain_state.electorates[epoch - 1]

    async def current_electorate(self) -> Electorate:
        self._read("current_electorate")
        return self.chain_state.electorates[-1]

    async def member_of_signer(self, signer: bytes) -> Member | None:
        self._read("member_of_signer")
        members = self.chain_state.electorates[-1].members
        return next((member for member in members if member.signer == signer), None)

    async def endpoint(self, operator: bytes) -> str:
        self._read("endpoint")
        return self.chain_state.endpoints.get(operator, "")

    async def events(self, first_block: int, last_block: int) -> list[Event]:
        self._read("events")
        return [e for e in self.chain_state.log if first_block <= e.place.block <= last_block]

    async def round_events(self, number: int) -> list[Event]:
        self._read("round_events")
        return [event for event in self.chain_state.log if event.round == number]

    async def block_hash(self, number: int) -> bytes:
        self._read("block_hash")
        return block_hash(number)

    async def latest_final(self, horizon_start: int, interval_count: int) -> int:
        self._read("latest_final")
        horizon = horizon_start, interval_count
        final = [r for r in self.chain_state.rounds.values() if r.phase is Phase.FINAL]
        return max(
            (r.number for r in final if (r.horizon_start, r.interval_count) == horizon), default=0
        )

    async def block_time(self, block: int) -> int:
        self._read("block_time")
        return self.chain_state.block_times[block]

    # -- writing -----------------------------------------------------------------------------

    async def open_round(
        self, horizon_start: int, interval_count: int, envelope: bytes, registry: bytes
    ) -> int:
        self._write("open_round")
        chain_state, terms = self.chain_state, self.chain_state.electorates[-1]
        number, now = len(chain_state.rounds) + 1, int(chain_state.clock.now())
        vote_deadline = now + terms.vote_window_s
        chain_state.rounds[number] = Round(
            number=number,
            phase=Phase.VOTING,
            epoch=terms.epoch,
            rules_version=terms.rules_version,
            quorum=terms.quorum,
            member_count=len(terms.members),
            horizon_start=horizon_start,
            interval_count=interval_count,
            opened_at=now,
            vote_deadline=vote_deadline,
            reveal_deadline=vote_deadline + terms.reveal_window_s,
            voted=0,
            root=b"",
            partitions=0,
            matched=0,
        )
        chain_state.append(
            RoundOpened,
            round=number,
            epoch=terms.epoch,
            requester=self._signer,
            horizon_start=horizon_start,
            interval_count=interval_count,
            envelope_digest=envelope,
            registry_digest=registry,
            rules_version=terms.rules_version,
            vote_deadline=vote_deadline,
            reveal_deadline=vote_deadline + terms.reveal_window_s,
        )
        self._answer()
        return number

    async def cast_ballot(self, round_number: int, ballot: bytes) -> bytes:
        member = self._take_vote("cast_ballot", round_number)
        self.chain_state.ballots.setdefault(round_number, []).append((member, ballot))
        return self._done(BallotCast, round=round_number, operator=member.operator, ballot=ballot)

    async def cast_ballots(self, round_number: int, ballots: bytes) -> bytes:
        self._write("cast_ballots")
        state = self._in_phase(round_number, Phase.VOTING)
        context = RoundContext(CHAIN_ID, CONTRACT, round_number)
        members = self.chain_state.electorates[state.epoch - 1].members
        by_signer = {member.signer: member for member in members}
        cast: list[tuple[Member, bytes]] = []
        for signed in unpack(ballots):
            member = by_signer.get(recover_signer(context, signed) or b"")
            if member is None:
                raise ConflictError("SignerNotInElectorate")
            if not state.voted >> member.index & 1:
                cast.append((member, signed.ballot))
        if not cast:
            raise ConflictError("NothingCast")
        voted = state.voted | sum(1 << member.index for member, _ in cast)
        self.chain_state.rounds[round_number] = replace(state, voted=voted)
        self.chain_state.ballots.setdefault(round_number, []).extend(cast)
        for member, ballot in cast:
            transaction = self.chain_state.append(
                BallotCast, round=round_number, operator=member.operator, ballot=ballot
            )
        self._answer()
        return transaction

    async def abstain(self, round_number: int, reason: int) -> bytes:
        member = self._take_vote("abstain", round_number)
        return self._done(Abstained, round=round_number, operator=member.operator, reason=reason)

    async def reveal_root(
        self,
        round_number: int,
        root: bytes,
        partitions: int,
        ballots: Sequence[tuple[Member, bytes]],
    ) -> bytes:
        self._write("reveal_root")
        state = self._in_phase(round_number, Phase.REVEALING)
        if list(ballots) != self.chain_state.ballots.get(round_number, []):
            raise ConflictError("BallotsMismatch")
        context = RoundContext(CHAIN_ID, CONTRACT, round_number)
        result = Result(root, partitions)
        matched = sum(
            1 << member.index
            for member, ballot in ballots
            if ballot == ballot_for(context, member.operator, result)
        )
        if not matched:
            raise ConflictError("NothingMatched")
        revealed = {
            "round": round_number,
            "root": root,
            "partitions": partitions,
            "matched": matched,
        }
        if matched.bit_count() >= state.quorum:
            self.chain_state.append(RootRevealed, **revealed)
            self.chain_state.rounds[round_number] = replace(
                state, phase=Phase.FINAL, root=root, partitions=partitions, matched=matched
            )
            return self._done(RoundFinalised, **revealed)
        return self._done(RootRevealed, **revealed)

    async def fail_round(self, round_number: int) -> bytes:
        self._write("fail_round")
        self._in_phase(round_number, Phase.EXPIRED)
        self.chain_state.set_phase(round_number, Phase.FAILED)
        return self._done(RoundFailed, round=round_number)

    async def close(self) -> None:
        self.calls.append("close")

    # -- helpers -----------------------------------------------------------------------------

    def _read(self, name: str) -> None:
        self.calls.append(name)
        if self.chain_state.is_down:
            raise TransportError("the node of the chain does not answer")

    def _write(self, name: str) -> None:
        self._read(name)
        if self.chain_state.rejection:
            raise ConflictError(self.chain_state.rejection)

    def _answer(self) -> None:
        if self.chain_state.loses_answers:
            raise TransportError("the outcome of the transaction is unknown")

    def _done(self, event: type[Event], **fields: object) -> bytes:
        transaction = self.chain_state.append(event, **fields)
        self._answer()
        return transaction

    def _in_phase(self, number: int, phase: Phase) -> Round:
        state = self.chain_state.now_state(number)
        if state is None or state.phase is not phase:
            raise ConflictError("WrongStatus")
        return state

    def _take_vote(self, name: str, number: int) -> Member:
        self._write(name)
        state = self._in_phase(number, Phase.VOTING)
        members = self.chain_state.electorates[state.epoch - 1].members
        member = next((m for m in members if m.signer == self._signer), None)
        if member is None:
            raise ConflictError("NotInElectorate")
        if state.voted >> member.index & 1:
            raise ConflictError("AlreadyVoted")
        self.chain_state.rounds[number] = replace(state, voted=state.voted | 1 << member.index)
        return member
