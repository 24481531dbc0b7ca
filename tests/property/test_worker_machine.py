"""Numbered invariants of the worker's decisions, after every change, in any order of changes.

1. An effect is requested at most once, unless a reorganisation took its outcome away.
2. Ballot and abstention exclude one another.
3. Nothing is voted from the voting deadline on, nothing revealed from the reveal deadline on.
4. Nothing is revealed before voting is over, and nothing is delivered that is not final.
5. Replaying the changes gives the same state and the same effects.
6. Applying a change twice is applying it once; only a reorganisation requests again each time.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from oepnode.domain.rounds.ballot import Reason
from oepnode.domain.rounds.onchain import Event
from oepnode.worker.state import (
    AbstainFromRound,
    CastBallot,
    Change,
    CloseFailedRound,
    Computed,
    Effect,
    NotComputed,
    PublishBundles,
    Resynced,
    RevealResult,
    RoundState,
    effect_id,
)
from oepnode.worker.transition import begin, transition
from tests.support.rounds import (
    CUSTODY,
    ELECTORATE,
    MEMBERS,
    OPENED_AT,
    REVEAL_DEADLINE,
    RIGHT,
    SUMMARY,
    TURN_S,
    VOTE_DEADLINE,
    WRONG,
    abstained,
    ballot,
    context,
    finalised,
    opened,
    revealed,
    ticked,
)
from tests.support.sizes import sized

ME = 1
results = st.sampled_from([RIGHT, WRONG])
members = st.integers(0, 4)


class WorkerMachine(RuleBasedStateMachine):
    """One worker in one round; changes arrive in a random order."""

    def __init__(self) -> None:
        super().__init__()
        self.state, first = begin(context(), opened(), ELECTORATE, MEMBERS[ME].operator)
        self.changes: list[Change] = []
        self.effects: list[tuple[RoundState, Effect]] = [(self.state, e) for e in first]
        self.resynced = 0
        self.chain: list[Event] = [opened()]

    def take(self, change: Change) -> None:
        self.changes.append(change)
        before = self.state
        self.state, effects = transition(before, change, TURN_S)
        self.effects.extend((self.state, effect) for effect in effects)
        again, more = transition(self.state, change, TURN_S)
        assert again == self.state  # 6
        assert more == () or isinstance(change, Resynced)

    def observe(self, event: Event) -> None:
        self.chain.append(event)
        self.take(event)

    @rule(result=results)
    def computed(self, result: object) -> None:
        if self.state.result is None:
            self.take(Computed(opened().inputs, result, CUSTODY, SUMMARY))  # type: ignore[arg-type]

    @rule(reason=st.sampled_from(Reason))
    def not_computed(self, reason: Reason) -> None:
        if self.state.reason is None:
            self.take(NotComputed(opened().inputs, reason, "because"))

    @rule(after=st.integers(0, REVEAL_DEADLINE - OPENED_AT + 100), behind_s=st.integers(0, 90))
    def time_passed(self, after: int, behind_s: int) -> None:
        self.take(ticked(OPENED_AT + after, behind_s))

    @rule(member=members, result=results)
    def ballot_cast(self, member: int, result: object) -> None:
        if not self._has_voted(member):
            self.observe(ballot(member, result))  # type: ignore[arg-type]

    @rule(member=members)
    def member_abstained(self, member: int) -> None:
        if not self._has_voted(member):
            self.observe(abstained(member))

    @rule(result=results)
    def root_revealed(self, result: object) -> None:
        self.observe(revealed(result, 0b11))  # type: ignore[arg-type]

    @rule(result=results)
    def root_final(self, result: object) -> None:
        if not self.state.is_over:
            self.observe(finalised(result))  # type: ignore[arg-type]

    @rule(keep=st.integers(1, 10))
    def chain_reorganised(self, keep: int) -> None:
        self.chain = self.chain[:keep]
        self.resynced += 1
        self.take(Resynced(tuple(self.chain)))

    def _has_voted(self, member: int) -> bool:
        voted = {operator for operator, _ in (*self.state.ballots, *self.state.abstentions)}
        return MEMBERS[member].operator in voted

    @invariant()
    def each_effect_once(self) -> None:  # 1
        names = [effect_id(effect) for _, effect in self.effects]
        for name in set(names):
            assert names.count(name) <= 1 + self.resynced

    @invariant()
    def ballot_or_abstention(self) -> None:  # 2
        kinds = {type(e) for _, e in self.effects if isinstance(e, CastBallot | AbstainFromRound)}
        reasoned_first = any(isinstance(change, NotComputed) for change in self.changes)
        assert len(kinds) <= 1 or reasoned_first or self.resynced

    @invariant()
    def deadlines_hold(self) -> None:  # 3
        for state, effect in self.effects:
            if isinstance(effect, CastBallot | AbstainFromRound):
                assert state.now < VOTE_DEADLINE
                assert not state.have_i_voted
            if isinstance(effect, RevealResult):
                assert state.now < REVEAL_DEADLINE
            if isinstance(effect, CloseFailedRound):
                assert state.now >= REVEAL_DEADLINE

    @invariant()
    def nothing_too_early(self) -> None:  # 4
        for state, effect in self.effects:
            if isinstance(effect, RevealResult):
                assert state.have_all_voted or state.now >= VOTE_DEADLINE
                assert not state.is_over
            if isinstance(effect, PublishBundles):
                assert state.final == state.result

    def teardown(self) -> None:
        state, first = begin(context(), opened(), ELECTORATE, MEMBERS[ME].operator)
        effects = list(first)
        for change in self.changes:
            state, more = transition(state, change, TURN_S)
            effects.extend(more)
        assert state == self.state  # 5
        assert effects == [effect for _, effect in self.effects]


TestWorkerMachine = WorkerMachine.TestCase
TestWorkerMachine.settings = settings(
    max_examples=sized(150), stateful_step_count=30, deadline=None
)
