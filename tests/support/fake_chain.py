"""An in-memory consensus contract behind the chain ports, for tests without a network.

An `InMemoryChain` is the chain; each `FakeChain` is one account's connection to it. Guarantees:
rules, errors and events are those of `tests.contract_model`, which a test compares with the real
contract. Leaves out fees and latency.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256

from msgspec import structs

from oepnode.adapters.crypto.ballot_signature import recover_signer
from oepnode.domain.rounds.ballot import Result, Vote
from oepnode.domain.rounds.onchain import (
    BallotCast,
    Electorate,
    Event,
    Head,
    LogLocation,
    Member,
    Phase,
    Policy,
    Role,
    Round,
    RoundOpened,
)
from oepnode.domain.rounds.tally import Ballot
from oepnode.errors import ConflictError, TransportError
from tests.contract_model import electorate, rounds, views
from tests.contract_model.rounds import HORIZON_UNIT_S
from tests.contract_model.state import Call, NewWorker, RoundStatus, Seat, State

CHAIN_ID = 31337
CONTRACT = bytes.fromhex("c0" * 20)
ADMIN = bytes.fromhex("ad" * 20)
REQUESTER = bytes.fromhex("ee" * 20)
START_TIME = 1_795_000_000
POLICY = Policy(2, 3, vote_window_s=60, reveal_window_s=60, rules_version=1)
STATUS = {
    Phase.VOTING: RoundStatus.OPEN,
    Phase.FINAL: RoundStatus.FINAL,
    Phase.FAILED: RoundStatus.FAILED,
    Phase.CANCELLED: RoundStatus.CANCELLED,
}


class FakeClock:
    """A clock that tests set."""

    def __init__(self, now: float = START_TIME) -> None:
        self.time = now

    def now(self) -> float:
        return self.time


def block_hash(number: int) -> bytes:
    return sha256(b"block %d" % number).digest()


class InMemoryChain:
    """The chain: the contract's state, the blocks and their events.

    Attributes:
        state: The contract's storage.
        log: Events with their log positions, in chain order.
        block_times: Time of each block, UTC seconds.
        is_down: Every call fails with `TransportError`.
        loses_answers: Writes take effect and then fail with `TransportError`.
        rejection: Writes are rejected with this reason, unless it is empty.
    """

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.is_down = False
        self.loses_answers = False
        self.rejection = ""
        self.log: list[Event] = []
        self.block_times: list[int] = [START_TIME]
        self.state = electorate.deploy(CHAIN_ID, CONTRACT, ADMIN, POLICY)
        self._states: dict[int, State] = {}
        self.allow_requests(REQUESTER)

    def apply(self, sender: bytes, step: Callable[..., State], *arguments: object) -> bytes:
        """Make a step of the contract in a transaction, and return its hash.

        Raises:
            Reverted: If the contract reverts.
        """
        before = len(self.state.log)
        self.state = step(
            self.state, Call(sender, int(self.clock.now()), len(self.block_times)), *arguments
        )
        return self._mine(self.state.log[before:])

    def _mine(self, events: Sequence[Event]) -> bytes:
        """Add a block of one transaction, where it has events, and return the transaction."""
        number = len(self.block_times)
        transaction = sha256(b"transaction %d" % number).digest()
        if events:
            self.block_times.append(max(int(self.clock.now()), self.block_times[-1]))
        for log_index, event in enumerate(events):
            location = LogLocation(number, block_hash(number), transaction, log_index)
            self.log.append(structs.replace(event, location=location))
        self._states[len(self.block_times) - 1] = self.state
        return transaction

    def mine(self, blocks: int) -> None:
        """Add empty blocks, all of now."""
        self.block_times += [max(int(self.clock.now()), self.block_times[-1])] * blocks

    def at_depth(self, depth: int) -> InMemoryChain:
        """The chain as it was that many blocks ago; nothing of it changes."""
        block = max(0, len(self.block_times) - 1 - depth)
        past = InMemoryChain(self.clock)
        past.is_down = self.is_down
        past.block_times = self.block_times[: block + 1]
        past.log = [event for event in self.log if event.location.block <= block]
        past.state = self._states[max(b for b in self._states if b <= block)]
        return past

    # --- administration --------------------------------------------------------------------------

    def add_member(self, operator: bytes, signer: bytes, url: str = "") -> Member:
        self.apply(ADMIN, electorate.add_workers, [NewWorker(operator, signer, url)])
        seat = self.state.live_seat(operator)
        assert seat is not None
        return _member(seat)

    def remove_member(self, operator: bytes) -> None:
        self.apply(ADMIN, electorate.remove_worker, operator)

    def rotate_signer(self, operator: bytes, signer: bytes) -> None:
        self.apply(operator, electorate.rotate_signer, signer)

    def allow_requests(self, account: bytes) -> None:
        self.apply(ADMIN, electorate.grant_role, Role.REQUESTER, account)

    def set_policy(self, policy: Policy) -> None:
        self.apply(ADMIN, electorate.set_policy, policy)

    # --- reading ---------------------------------------------------------------------------------

    @property
    def rounds(self) -> dict[int, Round]:
        """Every round as it is now, by number."""
        return {number: self._round(number) for number in range(1, len(self.state.rounds) + 1)}

    @property
    def ballots(self) -> dict[int, list[tuple[Member, bytes]]]:
        """Members and ballots of each round that has some, in the order cast."""
        return {
            number: [(self._caster(round_.epoch, cast), cast.ballot) for cast in round_.ballots]
            for number, round_ in enumerate(self.state.rounds, 1)
            if round_.ballots
        }

    @property
    def electorates(self) -> list[Electorate]:
        """The electorate of each epoch."""
        return [self._electorate(epoch) for epoch in range(1, self.state.epoch + 1)]

    def _round(self, number: int) -> Round:
        view = views.round_view(self.state, number, int(self.clock.now()))
        is_final = view.phase is Phase.FINAL
        return Round(
            number=number,
            phase=view.phase,
            epoch=view.epoch,
            rules_version=view.rules_version,
            quorum=view.quorum,
            member_count=view.member_count,
            horizon_start=view.horizon_start * HORIZON_UNIT_S,
            interval_count=view.horizon_intervals,
            opened_at=view.opened_at,
            opened_in_block=view.opened_in_block,
            vote_deadline=view.vote_deadline,
            reveal_deadline=view.reveal_deadline,
            voted=view.voted,
            root=view.root if is_final else b"",
            partitions=view.partitions,
            matched=view.matched,
        )

    def _electorate(self, epoch: int) -> Electorate:
        terms = self.state.terms[epoch - 1]
        return Electorate(
            epoch,
            tuple(_member(seat) for seat in self.state.electorate(epoch)),
            terms.quorum,
            terms.policy.vote_window_s,
            terms.policy.reveal_window_s,
            terms.policy.rules_version,
        )

    def _caster(self, epoch: int, cast: Ballot) -> Member:
        (member,) = self._electorate(epoch).by_index(1 << cast.index)
        return member

    # --- shortcuts past the contract -------------------------------------------------------------

    def set_phase(self, number: int, phase: Phase) -> None:
        """Put a round into a phase without the steps that lead there."""
        self._change_round(number, status=STATUS[phase])

    def forget_rounds(self) -> None:
        """Take every block with a round back, as a reorganisation does."""
        self.state = replace(self.state, rounds=(), log=())
        self._states = {0: self.state}
        self.log.clear()

    def forget_ballots(self, number: int) -> None:
        """Take the ballots of a round back, as a reorganisation does."""
        members = self.state.terms[self.state.rounds[number - 1].epoch - 1].members
        self._change_round(number, ballots=(), waiting=members)
        self.log[:] = [
            event
            for event in self.log
            if not (isinstance(event, BallotCast) and event.round == number)
        ]

    def _change_round(self, number: int, **changes: object) -> None:
        changed = list(self.state.rounds)
        changed[number - 1] = replace(changed[number - 1], **changes)  # type: ignore[arg-type]
        self.state = replace(self.state, rounds=tuple(changed))
        self._states[len(self.block_times) - 1] = self.state


class FakeChain:
    """One account's connection to an `InMemoryChain`; implements `ports.Chain`.

    Attributes:
        depth: Blocks on top of one that is settled.
    """

    def __init__(
        self, blockchain: InMemoryChain, signer: bytes = REQUESTER, depth: int = 0
    ) -> None:
        self.blockchain = blockchain
        self.depth = depth
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

    # --- reading ---------------------------------------------------------------------------------

    async def settled(self) -> FakeChain:
        if not self.depth:
            return self
        self._read("settled")
        pinned = FakeChain(self.blockchain.at_depth(self.depth), self._signer)
        newest = self.blockchain.block_times[-1]

        async def newest_time() -> int:
            return newest

        pinned.newest_time = newest_time  # type: ignore[method-assign]
        return pinned

    async def newest(self) -> FakeChain:
        return self

    async def head_age_s(self) -> float:
        return 0

    async def newest_time(self) -> int:
        return self.blockchain.block_times[-1]

    async def head(self) -> Head:
        self._read("head")
        number = len(self.blockchain.block_times) - 1
        return Head(number, block_hash(number), self.blockchain.block_times[-1])

    async def round_count(self) -> int:
        self._read("round_count")
        return len(self.blockchain.rounds)

    async def round(self, number: int) -> Round | None:
        self._read("round")
        return self.blockchain.rounds.get(number)

    async def electorate(self, epoch: int) -> Electorate:
        self._read("electorate")
        return self.blockchain.electorates[epoch - 1]

    async def current_electorate(self) -> Electorate:
        self._read("current_electorate")
        return self.blockchain.electorates[-1]

    async def member_of_signer(self, signer: bytes) -> Member | None:
        self._read("member_of_signer")
        members = self.blockchain.electorates[-1].members
        return next((member for member in members if member.signer == signer), None)

    async def endpoint(self, operator: bytes) -> str:
        self._read("endpoint")
        return self.blockchain.state.endpoints.get(operator, "")

    async def events(self, first_block: int, last_block: int) -> list[Event]:
        self._read("events")
        return [e for e in self.blockchain.log if first_block <= e.location.block <= last_block]

    async def round_events(self, number: int) -> list[Event]:
        self._read("round_events")
        return [event for event in self.blockchain.log if event.round == number]

    async def opening(self, number: int) -> RoundOpened | None:
        self._read("opening")
        events = (event for event in self.blockchain.log if event.round == number)
        return next((event for event in events if isinstance(event, RoundOpened)), None)

    async def block_hash(self, number: int) -> bytes:
        self._read("block_hash")
        return block_hash(number)

    async def latest_final(self, horizon_start: int, interval_count: int) -> int:
        self._read("latest_final")
        horizon = (horizon_start // HORIZON_UNIT_S, interval_count)
        return views.latest_final(self.blockchain.state, horizon)

    async def block_time(self, block: int) -> int:
        self._read("block_time")
        return self.blockchain.block_times[block]

    # --- writing ---------------------------------------------------------------------------------

    async def open_round(
        self, horizon_start: int, interval_count: int, envelope: bytes, registry: bytes
    ) -> RoundOpened:
        horizon = (horizon_start // HORIZON_UNIT_S, interval_count)
        self._write("open_round", rounds.open_round, horizon, envelope, registry)
        return next(e for e in reversed(self.blockchain.log) if isinstance(e, RoundOpened))

    async def cast_ballot(self, round_number: int, vote: Vote) -> bytes:
        step = rounds.cast_ballot
        return self._write("cast_ballot", step, round_number, vote.ballot, vote.custody)

    async def cast_ballots(self, round_number: int, ballots: bytes) -> bytes:
        step = partial(rounds.cast_ballots, recover=recover_signer)
        return self._write("cast_ballots", step, round_number, ballots)

    async def abstain(self, round_number: int, reason: int) -> bytes:
        return self._write("abstain", rounds.abstain, round_number, reason)

    async def reveal_root(
        self,
        round_number: int,
        root: bytes,
        partitions: int,
        ballots: Sequence[tuple[Member, bytes]],
    ) -> bytes:
        packed = b"".join(Ballot(m.index, ballot).pack() for m, ballot in ballots)
        result = Result(root, partitions)
        return self._write("reveal_root", rounds.reveal_root, round_number, result, packed)

    async def fail_round(self, round_number: int) -> bytes:
        return self._write("fail_round", rounds.fail_round, round_number)

    async def close(self) -> None:
        self.calls.append("close")

    # --- helpers ---------------------------------------------------------------------------------

    def _read(self, name: str) -> None:
        self.calls.append(name)
        if self.blockchain.is_down:
            raise TransportError("the node of the chain does not answer")

    def _write(self, name: str, step: Callable[..., State], *arguments: object) -> bytes:
        self._read(name)
        if self.blockchain.rejection:
            raise ConflictError(self.blockchain.rejection)
        transaction = self.blockchain.apply(self._signer, step, *arguments)
        if self.blockchain.loses_answers:
            raise TransportError("the outcome of the transaction is unknown")
        return transaction


def _member(seat: Seat) -> Member:
    return Member(seat.index, seat.operator, seat.signer)
