"""Random lives of a contract: calls by anybody, in any order, at any time.

Hypothesis chooses; `Lockstep` makes the step on the chain and on the twin and compares. Choices
lean towards steps that get far: members vote, the right ballots are revealed, edges of windows
are met. One in ten is odd, as of an attacker or a clumsy operator.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, TypeAlias, TypeVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from oepnode.domain.rounds.ballot import Result, Vote
from oepnode.domain.rounds.onchain import Policy, Role
from oepnode.domain.rounds.signed_ballots import HALF_ORDER, SignedBallot
from tests.contract_model import rounds
from tests.contract_model.lockstep import CUSTODY, DIGESTS, HORIZONS, RESULTS, Lockstep
from tests.contract_model.packed_ballots import PACKED_BALLOT_SIZE
from tests.contract_model.state import NOBODY, NewWorker, Seat
from tests.support.anvil import Anvil

Value = TypeVar("Value")

results = st.sampled_from((RESULTS[0], RESULTS[0], RESULTS[0], *RESULTS[1:]))
windows = st.integers(5, 60)
policies = st.builds(
    Policy,
    st.sampled_from((0, 1, 2, 2, 2, 3)),
    st.just(3),
    windows,
    windows,
    st.integers(1, 2),
)
odd_policies = st.sampled_from(
    (
        Policy(4, 3, 9, 9, 1),
        Policy(0, 0, 9, 9, 1),
        Policy(2, 3, 0, 9, 1),
        Policy(2, 3, 9, 7 * 86_400 + 1, 1),
        Policy(2, 3, 9, 9, 0),
    )
)
urls = st.sampled_from(("http://w", "", "é" * 100, "é" * 100 + "x"))
ODD_VOTES = (
    Vote(b"\x99" * 32, bytes(32)),  # a ballot without custody root
    Vote((3).to_bytes(32), CUSTODY),  # an abstention with one
)
Way: TypeAlias = Callable[[int, "Choice"], None]


class Choice:
    """Choices of Hypothesis within a step."""

    def __init__(self, data: st.DataObject) -> None:
        self._draw = data.draw

    def of(self, strategy: st.SearchStrategy[Value]) -> Value:
        return self._draw(strategy)

    def one(self, values: tuple[Value, ...]) -> Value:
        return self._draw(st.sampled_from(values))

    def is_odd(self) -> bool:
        return self._draw(st.integers(0, 9)) == 9


def _reason(number: int) -> bytes:
    """A reason as the ballot of an abstention."""
    return number.to_bytes(32)


class ContractMachine(RuleBasedStateMachine):
    """One contract's life."""

    anvil: ClassVar[Anvil]
    seen: ClassVar[Counter[str]]

    @initialize(policy=policies, members=st.integers(1, 6))
    def deploy(self, policy: Policy, members: int) -> None:
        # Anvil grows slower with the length of its chain: each life begins at the same block.
        self.before = self.anvil.rpc("evm_snapshot")
        self.pair = Lockstep(self.anvil, policy)
        self.people = self.pair.people
        self.pair.enrol(members)

    # --- choosing --------------------------------------------------------------------------------

    def do(self, name: str, sender: bytes, *arguments: object) -> None:
        self.record(name, self.pair.do(name, sender, *arguments))

    def record(self, name: str, error: str | None) -> None:
        note(f"{name}: {error or 'done'}")
        self.seen[f"{name}: {error or 'done'}"] += 1

    def usually(self, usual: bytes, choice: Choice) -> bytes:
        return choice.one(self.people.everybody) if choice.is_odd() else usual

    def an_operator(self, choice: Choice, *, is_member: bool) -> bytes:
        operators = self.people.operators
        fitting = [o for o in operators if bool(self.pair.state.live_seat(o)) is is_member]
        return choice.one(operators if choice.is_odd() or not fitting else tuple(fitting))

    def a_new_signer(self, choice: Choice) -> bytes:
        signers = self.people.signers
        fitting = [s for s in signers if self.pair.state.seat_of(s) is None]
        takes_any = choice.is_odd() or not fitting
        return choice.one((*signers, NOBODY) if takes_any else tuple(fitting))

    def a_round(self, choice: Choice, *, is_voting: bool = False) -> int:
        """One of the two latest open rounds mostly; where there is none, a new one."""
        if choice.is_odd():
            return choice.of(st.integers(0, len(self.pair.state.rounds) + 1))
        opened = self.pair.open_rounds()
        if is_voting and not choice.is_odd():
            deadlines = {n: self.pair.state.rounds[n - 1].vote_deadline for n in opened}
            opened = [n for n in opened if deadlines[n] > self.pair.now]
        if not opened:
            self.open_round(choice)
            return len(self.pair.state.rounds)
        return choice.one(tuple(opened[-2:]))

    def seats(self, number: int, *, only_late: bool = False) -> list[Seat]:
        """The seats that may vote in a round; with ``only_late``, those that have not."""
        state = self.pair.state
        if not 0 < number <= len(state.rounds):
            return []
        round_ = state.rounds[number - 1]
        seats = state.electorate(round_.epoch)
        return [s for s in seats if not only_late or round_.waiting >> s.index & 1]

    def a_signer(self, number: int, choice: Choice) -> bytes:
        """A signer who may vote in the round mostly; sometimes one who has voted, or anybody."""
        late = self.seats(number, only_late=True)
        chosen = late if late and not choice.is_odd() else self.seats(number)
        if not chosen or choice.is_odd():
            former = tuple(seat.signer for seat in self.pair.state.seats)
            return choice.one((*self.people.everybody, *former, *former))
        return choice.one(tuple(seat.signer for seat in chosen))

    # --- time ------------------------------------------------------------------------------------

    @rule(data=st.data())
    def pass_time(self, data: st.DataObject) -> None:
        """Some seconds, or until just before, at or after a deadline of an open round."""
        choice = Choice(data)
        opened = self.pair.open_rounds()
        if not opened or choice.of(st.booleans()):
            self.pair.wait(choice.one((0, 1, 2, 10, 30)))
            return
        round_ = self.pair.state.rounds[choice.one(tuple(opened)) - 1]
        edge = choice.one((round_.vote_deadline, round_.reveal_deadline))
        self.pair.wait_until(edge + choice.one((-1, 0, 1)))

    # --- rounds ----------------------------------------------------------------------------------

    def open_round(self, choice: Choice) -> None:
        horizon = choice.one(HORIZONS)
        digests = DIGESTS
        if choice.is_odd():
            horizon = choice.one(((0, 0), (2**32 - 1, 2**16 - 1)))
        if choice.is_odd():
            digests = choice.one(((DIGESTS[0], bytes(32)), (bytes(32), DIGESTS[1])))
        self.do("openRound", self.usually(self.people.requester, choice), horizon, *digests)

    @rule(data=st.data())
    def open_another_round(self, data: st.DataObject) -> None:
        if len(self.pair.open_rounds()) < 3:
            self.open_round(Choice(data))

    @rule(data=st.data())
    def vote(self, data: st.DataObject) -> None:
        ways = (self.cast, self.cast, self.cast_a_copy, self.abstain, self.everybody_casts)
        self.vote_by(ways, Choice(data))

    @rule(data=st.data())
    def vote_by_relay(self, data: st.DataObject) -> None:
        ways = (self.everybody_is_relayed, self.relay_oddly, self.report_equivocation)
        self.vote_by(ways, Choice(data))

    def vote_by(self, ways: tuple[Way, ...], choice: Choice) -> None:
        self.pair.now += choice.one((0, 0, 1, 7))
        choice.one(ways)(self.a_round(choice, is_voting=True), choice)

    @rule(data=st.data())
    def vote_and_reveal(self, data: st.DataObject) -> None:
        choice = Choice(data)
        number = self.a_round(choice, is_voting=True)
        choice.one((self.everybody_casts, self.everybody_is_relayed))(number, choice)
        for _ in range(choice.of(st.integers(1, 3))):
            self.reveal(number, choice)

    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        choice = Choice(data)
        number = self.a_round(choice)
        ways = (self.reveal, self.reveal, self.reveal_with_other_ballots, self.fail, self.cancel)
        choice.one(ways)(number, choice)

    def cast(self, number: int, choice: Choice) -> None:
        signer = self.a_signer(number, choice)
        self.record("castBallot", self.pair.cast(number, signer, choice.of(results)))

    def cast_a_copy(self, number: int, choice: Choice) -> None:
        ballots = tuple(b.ballot for r in self.pair.state.rounds for b in r.ballots)
        odd = (bytes(32), rounds.LOWEST_BALLOT.to_bytes(32), *map(_reason, (1, 5)))
        ballot = choice.one((*odd, *ballots, *ballots))
        custody = bytes(32) if choice.is_odd() else CUSTODY
        self.do("castBallot", self.a_signer(number, choice), number, ballot, custody)

    def abstain(self, number: int, choice: Choice) -> None:
        signer = self.a_signer(number, choice)
        self.do("abstain", signer, number, choice.of(st.integers(0, 5)))

    def everybody_casts(self, number: int, choice: Choice) -> None:
        for seat, result in self.votes(number, choice):
            self.record("castBallot", self.pair.cast(number, seat.signer, result))

    def everybody_is_relayed(self, number: int, choice: Choice) -> None:
        batch = [
            self.pair.signed(
                seat.signer,
                _reason(choice.of(st.integers(1, 5)))
                if choice.is_odd()
                else self.pair.ballot(number, seat.signer, result),
                number,
            )
            for seat, result in self.votes(number, choice)
        ]
        self.record("castBallots", self.pair.relay(number, batch))

    def votes(self, number: int, choice: Choice) -> list[tuple[Seat, Result]]:
        """Votes of those who have not voted, mostly for the same result."""
        usual, late = choice.of(results), self.seats(number, only_late=not choice.is_odd())
        is_unanimous = choice.of(st.booleans())
        return [
            (seat, usual if is_unanimous else choice.of(results))
            for seat in late
            if not choice.is_odd()
        ]

    def relay_oddly(self, number: int, choice: Choice) -> None:
        batch = [
            self.an_odd_ballot(number, choice)
            if choice.is_odd()
            else self.a_signed_ballot(number, self.a_signer(number, choice), choice)
            for _ in range(choice.of(st.integers(0, 4)))
        ]
        cut = choice.one((1, 32, 127)) if batch and choice.is_odd() else 0
        self.record("castBallots", self.pair.relay(number, batch, cut))

    def report_equivocation(self, number: int, choice: Choice) -> None:
        signer = self.a_signer(number, choice)
        pair = [
            self.pair.signed(signer, self.pair.ballot(number, signer, result), number)
            for result in RESULTS[:2]
        ]
        if choice.is_odd():
            pair[1] = choice.one((pair[0], self.an_odd_ballot(number, choice)))
        if choice.one((False, False, True)):
            pair[1] = self.a_signed_ballot(number, self.a_signer(number, choice), choice)
        if choice.is_odd():
            pair = choice.one(([], pair[:1], [*pair, pair[0]]))
        cut = choice.one((1, 32, 127)) if pair and choice.is_odd() else 0
        self.record("reportEquivocation", self.pair.report(number, pair, cut))

    def a_signed_ballot(self, number: int, signer: bytes, choice: Choice) -> SignedBallot:
        ballot = self.pair.ballot(number, signer, choice.of(results))
        if choice.of(st.integers(0, 3)) == 0:
            ballot = _reason(choice.of(st.integers(1, 5)))
        return self.pair.signed(signer, ballot, number)

    def an_odd_ballot(self, number: int, choice: Choice) -> SignedBallot:
        """Signed for something else, by nobody, malleated, zero, or no signature at all."""
        signer = self.a_signer(number, choice)
        context = rounds.context_of(self.pair.state, number)
        good = self.a_signed_ballot(number, signer, choice)
        vote, ballot = good.vote, good.vote.ballot
        is_flipped = bytes([good.parity_and_s[0] ^ 0x80]) + good.parity_and_s[1:]
        order = 2 * HALF_ORDER + 1
        twin = SignedBallot.of(vote, int.from_bytes(good.r), order - good.s, 1 - good.y_parity)
        elsewhere = (
            replace(context, chain_id=1),
            replace(context, contract=b"\x77" * 20),
            replace(context, number=number + 1),
        )
        return choice.one(
            (
                *(self.pair.signed(signer, ballot, number, other) for other in elsewhere),
                self.pair.signed(signer, bytes(32), number),
                *(self.pair.signed_vote(signer, other, number) for other in ODD_VOTES),
                SignedBallot(Vote(ballot[::-1], vote.custody), good.r, good.parity_and_s),
                SignedBallot(Vote(ballot, vote.custody[::-1]), good.r, good.parity_and_s),
                SignedBallot(vote, good.r, is_flipped),
                twin,
                SignedBallot(vote, bytes(32), good.parity_and_s),
                SignedBallot(vote, good.r, bytes(32)),
                SignedBallot.of(vote, int.from_bytes(good.r), HALF_ORDER + 1, 0),
                SignedBallot(vote, b"\xff" * 32, good.parity_and_s),
                SignedBallot(vote, (5).to_bytes(32), good.parity_and_s),  # on no point of the curve
            )
        )

    def reveal(self, number: int, choice: Choice) -> None:
        result = choice.of(results)
        if number in self.pair.open_rounds() and not choice.is_odd():
            round_ = self.pair.state.rounds[number - 1]
            if round_.waiting:
                self.pair.wait_until(round_.vote_deadline)
            result = next((r for r in RESULTS if r not in round_.candidates), result)
        self.record("revealRoot", self.pair.reveal(number, result))

    def reveal_with_other_ballots(self, number: int, choice: Choice) -> None:
        packed = self.pair.packed(number)
        size = PACKED_BALLOT_SIZE
        cut = size * choice.of(st.integers(0, len(packed) // size))
        changed = choice.one(
            (
                packed[:cut] + packed[cut + size :],
                packed[cut:] + packed[:cut],
                packed + packed[cut : cut + size],
                packed[:-1],
                packed[:cut] + b"\x07" + packed[cut + 1 :],
            )
        )
        self.record("revealRoot", self.pair.reveal(number, choice.of(results), changed))

    def fail(self, number: int, choice: Choice) -> None:
        self.do("failRound", choice.one(self.people.everybody), number)

    def cancel(self, number: int, choice: Choice) -> None:
        reason = choice.one(("no inputs", "no inputs", "", "x" * 201))
        self.do("cancelRound", self.usually(self.people.requester, choice), number, reason)

    # --- electorate ------------------------------------------------------------------------------

    @rule(data=st.data())
    def change_the_electorate(self, data: st.DataObject) -> None:
        choice = Choice(data)
        ways: tuple[Callable[[Choice], None], ...] = (
            self.add_workers,
            self.add_workers,
            self.remove_worker,
            self.rotate_signer,
            self.set_policy,
            self.set_endpoint,
        )
        choice.one(ways)(choice)

    def add_workers(self, choice: Choice) -> None:
        workers = [
            NewWorker(
                NOBODY if choice.is_odd() else self.an_operator(choice, is_member=False),
                self.a_new_signer(choice),
                choice.of(urls),
            )
            for _ in range(choice.of(st.integers(0, 2)))
        ]
        self.do("addWorkers", self.usually(self.people.admin, choice), workers)

    def remove_worker(self, choice: Choice) -> None:
        operator = self.an_operator(choice, is_member=True)
        self.do("removeWorker", self.usually(self.people.admin, choice), operator)

    def rotate_signer(self, choice: Choice) -> None:
        operator = self.an_operator(choice, is_member=True)
        self.do("rotateSigner", operator, self.a_new_signer(choice))

    def set_policy(self, choice: Choice) -> None:
        policy = choice.of(policies | odd_policies)
        self.do("setPolicy", self.usually(self.people.admin, choice), policy)

    def set_endpoint(self, choice: Choice) -> None:
        operator = self.an_operator(choice, is_member=True)
        self.do("setEndpoint", operator, choice.of(urls))

    @rule(data=st.data())
    def use_power(self, data: st.DataObject) -> None:
        choice = Choice(data)
        choice.one((self.change_a_role, self.pause, self.unpause))(choice)

    def change_a_role(self, choice: Choice) -> None:
        """A change of roles, mostly reversed: without a requester nothing more happens."""
        name = choice.one(("grantRole", "revokeRole", "renounceRole"))
        sender, account = (choice.one(self.people.everybody[:4]) for _ in range(2))
        if name == "renounceRole" and not choice.is_odd():
            sender = account
        if choice.is_odd():
            account = NOBODY
        self.do(name, sender, choice.one(tuple(Role)), account)
        changes = (
            (Role.ADMIN, self.people.admin),
            (Role.REQUESTER, self.people.requester),
            (Role.GUARDIAN, self.people.guardian),
        )
        if not choice.is_odd():
            for role, holder in changes:
                roles = self.pair.state.roles
                if (role, holder) not in roles:
                    self.do("grantRole", dict(roles)[Role.ADMIN], role, holder)

    def pause(self, choice: Choice) -> None:
        """A pause, something that it may stop, and mostly the end of the pause."""
        number = self.a_round(choice, is_voting=True)
        self.do("pause", self.usually(self.people.guardian, choice))
        choice.one((self.cast, self.everybody_is_relayed, self.reveal))(number, choice)
        if not choice.is_odd():
            self.do("unpause", self.people.admin)

    def unpause(self, choice: Choice) -> None:
        self.do("unpause", self.usually(self.people.admin, choice))

    # --- afterwards ------------------------------------------------------------------------------

    def teardown(self) -> None:
        if not hasattr(self, "pair"):
            return
        try:
            self.end_of_life()
        finally:
            self.anvil.rpc("evm_revert", self.before)

    def end_of_life(self) -> None:
        for number in self.pair.open_rounds():
            # 8: whatever happened, every round can be closed.
            self.pair.wait_until(self.pair.state.rounds[number - 1].reveal_deadline)
            assert self.pair.do("failRound", self.people.stranger, number) is None
        assert not self.pair.open_rounds()
        self.pair.audit()
        self.seen.update(f"a round ended {r.status.name}" for r in self.pair.state.rounds)
